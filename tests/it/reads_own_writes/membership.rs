//! Swarm-mode clusters of all engines: made, joined and left, each is seen by the next call.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually};

/// How often a cluster is made, joined and left: a round takes some seconds, since three engines agree one by one.
const ROUNDS: usize = 15;

/// Checks that everything which a client may look at says that all engines are in a cluster, or that none is.
fn check(caller: &Caller, inside: bool, after: &str) {
    let status = if inside { 200 } else { 503 };
    for path in ["/swarm", "/services", "/secrets", "/configs"] {
        let answer = caller.get(path);
        assert_eq!(answer.status, status, "{path} after {after}: {answer:?}");
    }
    let info = caller.get("/info").expect(200).json();
    let state = if inside { "active" } else { "inactive" };
    assert_eq!(info["Swarm"]["LocalNodeState"], state, "after {after}");
    let nodes = caller.get("/nodes").expect(200).json();
    let nodes = nodes.as_array().unwrap();
    assert_eq!(nodes.len(), 3, "after {after}: {nodes:?}");
    for node in nodes {
        let outside = node["Description"]["Swarm"] == "inactive";
        assert_eq!(outside, !inside, "after {after}: {node}");
    }
    let networks = caller.get("/networks").expect(200).json();
    let names = networks.as_array().unwrap().iter();
    let ingress = names.clone().filter(|n| n["Name"] == "ingress").count();
    assert_eq!(ingress, usize::from(inside), "after {after}: {networks}");
    // Without a driver a network reaches over all nodes of a cluster.
    let made = caller
        .post_json("/networks/create", &json!({"Name": "own"}))
        .expect(201);
    let own = caller.get("/networks/own").expect(200).json();
    assert_eq!(own["Id"], made.id());
    // The driver of one that a manager has just made is not yet told.
    let scope = if inside { "swarm" } else { "local" };
    assert_eq!(own["Scope"], scope, "after {after}");
    caller.delete("/networks/own").expect(204);
}

#[test]
fn clusters_are_seen_as_soon_as_they_are_made_and_no_longer_than_they_are() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    let first = lab.engine("node0");
    let remote = format!("{}:2377", first.ip());
    let listen = json!({"ListenAddr": "0.0.0.0:2377"});
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            caller.post_json("/swarm/init", &listen).expect(200);
            check(&caller, true, "init");
        } else {
            // Made past Flotilla, by one engine alone.
            let direct = Caller::new(first.address());
            let body = json!({"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": first.ip()});
            direct.post_json("/swarm/init", &body).expect(200);
            eventually(Duration::from_secs(90), || {
                let (swarm, networks) = (caller.get("/swarm"), caller.get("/networks"));
                match swarm.status == 200 && networks.body.contains("\"ingress\"") {
                    true => Ok(()),
                    false => Err((swarm, networks)),
                }
            })
            .unwrap();
            let swarm = direct.get("/swarm").expect(200).json();
            let token: &Value = &swarm["JoinTokens"]["Worker"];
            let body =
                json!({"ListenAddr": "0.0.0.0:2377", "RemoteAddrs": [remote], "JoinToken": token});
            caller.post_json("/swarm/join", &body).expect(200);
            check(&caller, true, "join");
        }
        caller.post("/swarm/leave?force=1").expect(200);
        check(&caller, false, "leave");
    }
}
