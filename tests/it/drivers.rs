//! Drivers that some engines have and others lack, and volumes that several engines see.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::http::call_with;
use crate::support::lab::{Lab, Release, Spec, eventually};
use crate::support::managed_plugin::{archive, listen};
use crate::support::volume_plugin::{NAME, VolumePlugin};

/// Waits until these nodes and no others are known to have a driver.
fn known(caller: &Caller, kind: &str, name: &str, on: &[&str]) {
    let driver = json!({"Type": kind, "Name": name});
    eventually(Duration::from_secs(30), || {
        let nodes = caller.get("/nodes").expect(200).json();
        let nodes = nodes.as_array().unwrap().iter();
        let has = |node: &&Value| {
            let plugins = &node["Description"]["Engine"]["Plugins"];
            plugins.as_array().unwrap().contains(&driver)
        };
        let having = nodes.filter(has).map(|n| &n["Description"]["Hostname"]);
        let mut having: Vec<_> = having.map(|n| n.as_str().unwrap().to_owned()).collect();
        having.sort();
        if having == on { Ok(()) } else { Err(having) }
    })
    .unwrap();
}

/// Fills a node, so that nothing goes there which may go elsewhere.
fn fill(caller: &Caller, node: &str) {
    for _ in 0..4 {
        caller.create("", &on(node)).expect(201);
    }
}

/// A lab of which node0 and node1 have the shared driver, with Flotilla before it.
fn start() -> (Lab, Flotilla, VolumePlugin) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let plugin = VolumePlugin::start(&lab, &["node0", "node1"]);
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    // Engines find such drivers when they list volumes, and tell of them from then on.
    known(&caller, "Volume", NAME, &["node0", "node1"]);
    (lab, flotilla, plugin)
}

fn node(caller: &Caller, id: &str) -> String {
    let found = caller.get(&format!("/containers/{id}/json")).expect(200);
    found.json()["Node"]["Name"].as_str().unwrap().to_owned()
}

#[test]
fn a_shared_volume_is_not_removed_while_any_node_uses_it() {
    let (lab, flotilla, plugin) = start();
    let caller = Caller::new(flotilla.addr());
    let volume = json!({"Name": "wide", "Driver": NAME});
    let made = caller.post_json("/volumes/create", &volume).expect(201);
    assert_eq!(made.json()["Scope"], "global");
    let mut body = on("node1");
    body["HostConfig"] = json!({"Binds": ["wide:/data"]});
    let user = caller.create("user", &body).expect(201).id();
    // What the one engine that knows says, the cluster says.
    let direct = Caller::new(lab.engine("node1").address());
    let said = direct.delete("/volumes/wide").expect(409).message();
    for query in ["", "?force=1"] {
        let refused = caller.delete(&format!("/volumes/wide{query}")).expect(409);
        assert_eq!(refused.message(), said);
    }
    assert_eq!(plugin.volumes(), ["wide"]);
    caller.delete(&format!("/containers/{user}")).expect(204);
    caller.delete("/volumes/wide").expect(204);
    assert!(plugin.volumes().is_empty());
    let list = caller.get("/volumes").expect(200).json();
    assert_eq!(list["Volumes"], json!([]), "gone from every node's list");
    caller.get("/volumes/wide").expect(404);
}

#[test]
fn what_needs_a_driver_goes_where_it_is() {
    let (_lab, flotilla, plugin) = start();
    let caller = Caller::new(flotilla.addr());
    // Empty: where everything would go, had it the driver.
    fill(&caller, "node0");
    fill(&caller, "node1");
    for number in 0..4 {
        let volume = json!({"Name": format!("made{number}"), "Driver": NAME});
        caller.post_json("/volumes/create", &volume).expect(201);
    }
    assert_eq!(plugin.volumes().len(), 4);
    let mount = json!({"Type": "volume", "Source": "mounted", "Target": "/d",
        "VolumeOptions": {"DriverConfig": {"Name": NAME}}});
    let asks = |host: Value| json!({"HostConfig": host});
    for host in [
        json!({"VolumeDriver": NAME, "Binds": ["fresh:/data"]}),
        json!({"Mounts": [mount]}),
        json!({"Binds": ["made0:/data"]}),
    ] {
        for _ in 0..2 {
            let id = caller.create("", &asks(host.clone())).expect(201).id();
            assert_ne!(node(&caller, &id), "node2", "{host}");
        }
        let mut body = on("node2");
        body["HostConfig"] = host;
        let refused = caller.create("", &body).expect(409).message();
        let words = format!("1 lacks the volume driver {NAME} (not on node2)");
        assert!(refused.contains(&words), "{refused}");
    }
}

#[test]
fn a_network_is_made_where_its_driver_is() {
    let (lab, flotilla, _plugin) = start();
    let caller = Caller::new(flotilla.addr());
    // An engine tells of such a driver once it has a network of it.
    let direct = Caller::new(lab.engine("node1").address());
    let network = |name: &str| json!({"Name": name, "Driver": NAME});
    let made = direct.post_json("/networks/create", &network("first"));
    made.expect(201);
    known(&caller, "Network", NAME, &["node1"]);
    fill(&caller, "node1");
    for number in 0..3 {
        let name = format!("wired{number}");
        let made = caller.post_json("/networks/create", &network(&name));
        let id = made.expect(201).id();
        assert_eq!(direct.get(&format!("/networks/{id}")).expect(200).id(), id);
    }
    let mut elsewhere = network("astray");
    elsewhere["Labels"] = json!({"com.docker.swarm.constraints": "[\"node==node2\"]"});
    let refused = caller.post_json("/networks/create", &elsewhere);
    let refused = refused.expect(409).message();
    let words = format!("2 lack the network driver {NAME} (not on node0)");
    assert!(refused.contains(&words), "{refused}");
}

#[test]
fn a_container_goes_where_its_log_driver_is() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    if lab.engine("node1").release() != Release::V28 {
        println!("skipped: {:?}", lab.skipped());
        return;
    }
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    // What only 20.10 still brings.
    known(&caller, "Log", "logentries", &["node0"]);
    fill(&caller, "node0");
    let logs = json!({"Type": "logentries", "Config": {"logentries-token": "t"}});
    let host = json!({"LogConfig": logs});
    for _ in 0..3 {
        let asks = json!({"HostConfig": host});
        let id = caller.create("", &asks).expect(201).id();
        assert_eq!(node(&caller, &id), "node0");
    }
    let mut body = on("node2");
    body["HostConfig"] = host;
    let refused = caller.create("", &body).expect(409).message();
    let words = "2 lack the log driver logentries (not on node1)";
    assert!(refused.contains(words), "{refused}");
}

#[test]
fn a_managed_driver_is_where_it_is_enabled() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    let create = "/v1.41/plugins/create?name=pipes";
    let tar = ["Content-Type: application/x-tar"];
    let made = call_with(flotilla.addr(), "POST", create, &tar, &archive("pipes"));
    assert_eq!(made.status(), 204, "{}", made.text());
    let engine = lab.engine("node2");
    let _socket = listen(engine, "pipes");
    let direct = Caller::new(engine.address());
    direct.post("/plugins/pipes/enable?timeout=30").expect(200);
    known(&caller, "Log", "pipes:latest", &["node2"]);
    fill(&caller, "node2");
    for driver in ["pipes", "pipes:latest"] {
        let host = json!({"LogConfig": {"Type": driver}});
        let asks = json!({"HostConfig": host});
        let id = caller.create("", &asks).expect(201).id();
        assert_eq!(node(&caller, &id), "node2", "{driver}");
        let mut body = on("node0");
        body["HostConfig"] = host;
        let refused = caller.create("", &body).expect(409).message();
        let words = format!("2 lack the log driver {driver} (not on node0)");
        assert!(refused.contains(&words), "{refused}");
    }
}

#[test]
fn a_start_that_waits_for_its_volume_hides_nothing_else_of_its_node() {
    let (lab, flotilla, plugin) = start();
    let caller = Caller::new(flotilla.addr());
    let listed = |id: &str| {
        let list = caller.containers();
        list.into_iter()
            .find(|c| c["Id"] == *id)
            .unwrap_or_default()
    };
    for node in ["node0", "node1"] {
        let mut body = on(node);
        body["HostConfig"] = json!({"VolumeDriver": NAME, "Binds": [format!("{node}:/data")]});
        let slow = caller.create("", &body).expect(201).id();
        plugin.hold(true);
        let starting = {
            let (caller, path) = (caller.clone(), format!("/containers/{slow}/start"));
            std::thread::spawn(move || caller.post(&path))
        };
        eventually(Duration::from_secs(30), || match plugin.held() {
            0 => Err("nothing is mounted"),
            _ => Ok(()),
        })
        .unwrap();
        // The engine answers no inspect of the container meanwhile, and its network has told of it.
        for round in 0..3 {
            let name = format!("{node}-{round}");
            let id = caller.create(&name, &on(node)).expect(201).id();
            assert_eq!(listed(&id)["State"], "created");
            let rename = format!("/containers/{name}/rename?name={name}-new");
            caller.post(&rename).expect(204);
            assert_eq!(listed(&id)["Names"][0], format!("/{name}-new"));
            caller.post(&format!("/containers/{id}/start")).expect(204);
            assert_eq!(listed(&id)["State"], "running");
            caller
                .delete(&format!("/containers/{id}?force=1"))
                .expect(204);
            assert_eq!(listed(&id), Value::Null);
        }
        assert_eq!(listed(&slow)["State"], "created");
        // Nor does it keep the node out of a cluster that does not know the container yet.
        let second = Flotilla::before(&lab);
        let found = Caller::new(second.addr()).containers().into_iter();
        let found = found.filter(|c| c["Id"] == *slow).count();
        assert_eq!(found, 1, "{node}");
        drop(second);
        plugin.hold(false);
        starting.join().unwrap().expect(204);
        assert_eq!(listed(&slow)["State"], "running");
        caller
            .delete(&format!("/containers/{slow}?force=1"))
            .expect(204);
    }
}
