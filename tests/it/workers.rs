//! Workers of a swarm-mode cluster: they do not list an overlay before they use it, and take part in it all the same.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::overlay::{docker, joined_of};
use crate::support::caller::{Caller, on};
use crate::support::clients::patiently;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Engine, Lab, Spec, eventually, output};

/// Gets a path with curl and returns head and body.
fn with_head(flotilla: &Flotilla, path: &str) -> String {
    let url = format!("http://{}{path}", flotilla.addr());
    output(Command::new("curl").args(["-sSi", "--max-time", "30", &url])).unwrap()
}

/// Four engines of which node3 is a worker, in one cluster with the overlay `wide`.
fn with_worker() -> (Lab, Flotilla) {
    use crate::support::lab::Release::{V20, V28};
    let (lab, flotilla) = joined_of(&Spec::of(&[V20, V28, V28, V28]));
    let swarm = lab.engine("node3").ask("/info").unwrap()["Swarm"].clone();
    assert_eq!(swarm["LocalNodeState"], "active", "{swarm}");
    assert_eq!(swarm["ControlAvailable"], false, "{swarm}");
    let create = ["network", "create", "-d", "overlay", "wide"];
    docker(&flotilla, &lab, &create).unwrap();
    (lab, flotilla)
}

/// Tells whether an engine itself knows `wide`, as workers do that use it.
fn knows_wide(engine: &Engine) -> bool {
    let list = engine.ask("/networks").unwrap();
    let mut list = list.as_array().into_iter().flatten();
    list.any(|n| n["Name"] == "wide")
}

/// Starts a container on `wide` on one node and returns its ID.
fn start_on_wide(caller: &Caller, node: &str) -> String {
    let mut body = on(node);
    body["HostConfig"] = json!({"NetworkMode": "wide"});
    let name = format!("on-{node}");
    let id = caller.create(&name, &body).expect(201).id();
    let start = format!("/containers/{name}/start");
    caller.post(&start).expect(204);
    id
}

#[test]
fn a_worker_takes_part_in_an_overlay_that_it_does_not_list() {
    let (lab, flotilla) = with_worker();
    let caller = Caller::new(flotilla.addr());
    let docker = |args: &[&str]| docker(&flotilla, &lab, args).unwrap();
    let worker = lab.engine("node3");
    assert!(!knows_wide(worker), "it is not using it");
    let mut ids = Vec::new();
    for node in ["node0", "node3"] {
        ids.push(start_on_wide(&caller, node));
        // At once: what the start did is seen.
        let inspect = caller.get("/networks/wide").expect(200).json();
        for id in &ids {
            assert!(inspect["Containers"][id].is_object(), "{inspect}");
        }
    }
    assert!(knows_wide(worker));
    let ping = |from: &str, to: &str| {
        let ping = patiently(&format!("ping -c1 -W5 {to}"));
        docker(&["exec", from, "sh", "-c", &ping])
    };
    ping("on-node0", "on-node3");
    ping("on-node3", "on-node0");
    eventually(Duration::from_secs(60), || {
        let inspect = caller.get("/networks/wide").expect(200).json();
        let peers = inspect["Peers"].as_array().cloned().unwrap_or_default();
        let ips = ["node0", "node3"].map(|n| lab.engine(n).ip().to_owned());
        match ips.iter().all(|ip| peers.iter().any(|p| p["IP"] == **ip)) {
            true => Ok(()),
            false => Err(inspect),
        }
    })
    .unwrap();
}

/// Runs the container `on-node3` and connects it to `wide` twice, each time when its engine does not know that: before it
/// runs, as compose does it, and while it runs.
fn connect_twice(caller: &Caller, worker: &Engine) {
    let container = caller.create("on-node3", &on("node3")).expect(201).id();
    let join = json!({"Container": "on-node3"});
    for state in ["created", "running"] {
        let unused = || match knows_wide(worker) {
            false => Ok(()),
            true => Err(state),
        };
        eventually(Duration::from_secs(60), unused).unwrap();
        let connect = "/networks/wide/connect";
        caller.post_json(connect, &join).expect(200);
        if state == "created" {
            caller.post("/containers/on-node3/start").expect(204);
        }
        assert!(knows_wide(worker));
        let inspect = caller.get("/networks/wide").expect(200).json();
        let address = &inspect["Containers"][&container]["IPv4Address"];
        let address = address.as_str().unwrap().split('/').next().unwrap();
        let shown = output(worker.docker().args(["exec", "on-node3", "ip", "addr"])).unwrap();
        assert!(shown.contains(address), "{address}: {shown}");
        if state == "created" {
            let disconnect = "/networks/wide/disconnect";
            caller.post_json(disconnect, &join).expect(200);
        }
    }
}

#[test]
fn an_overlay_that_a_worker_alone_uses_is_kept() {
    let (lab, flotilla) = with_worker();
    let caller = Caller::new(flotilla.addr());
    let docker = |args: &[&str]| docker(&flotilla, &lab, args).unwrap();
    let worker = lab.engine("node3");
    connect_twice(&caller, worker);
    let id = caller.get("/networks/wide").expect(200).id();
    let refused = caller.delete("/networks/wide").expect(403).message();
    let words = format!("error while removing network: network wide id {id} has active endpoints");
    assert_eq!(refused, words);
    let pruned = docker(&["network", "prune", "-f"]);
    assert!(!pruned.contains("wide"), "{pruned}");
    assert!(!with_head(&flotilla, "/networks/wide").contains("Warning:"));
    worker.pause().unwrap();
    eventually(Duration::from_secs(60), || {
        let told = with_head(&flotilla, "/networks/wide").to_lowercase();
        match told.contains("warning: 199 flotilla \"node3: ") {
            true => Ok(()),
            false => Err(told),
        }
    })
    .unwrap();
    caller.delete("/networks/wide").expect(403);
    worker.resume().unwrap();
    eventually(Duration::from_secs(60), || {
        let removed = caller.delete("/containers/on-node3?force=1");
        if removed.status == 204 {
            Ok(())
        } else {
            Err(removed)
        }
    })
    .unwrap();
    eventually(Duration::from_secs(60), || {
        let removed = caller.delete("/networks/wide");
        if removed.status == 204 {
            Ok(())
        } else {
            Err(removed)
        }
    })
    .unwrap();
    caller.get("/networks/wide").expect(404);
}
