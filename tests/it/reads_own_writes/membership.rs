//! Swarm-mode clusters of all engines: made, joined and left, each is seen by the next call.

use std::time::Duration;

use serde_json::{Value, json};

use super::ROUNDS;
use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::lab::Release::V28;
use crate::support::lab::{Lab, Spec, eventually};

/// How often three engines make, join and leave a cluster: a round takes some seconds, since they agree one by one. One
/// engine alone does each of it as often as the other tests.
const OF_THREE: usize = 5;

/// Checks that everything which a client may look at says that all engines are in a cluster, or that none is.
fn check(caller: &Caller, count: usize, inside: bool, after: &str) {
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
    assert_eq!(nodes.len(), count, "after {after}: {nodes:?}");
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
    for round in 0..OF_THREE {
        if round % 2 == 0 {
            caller.post_json("/swarm/init", &listen).expect(200);
            check(&caller, 3, true, "init");
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
            check(&caller, 3, true, "join");
        }
        caller.post("/swarm/leave?force=1").expect(200);
        check(&caller, 3, false, "leave");
    }
}

#[test]
fn a_cluster_of_one_is_seen_as_soon_as_it_is_made_and_no_longer_than_it_is() {
    let lab = Lab::start(&Spec::of(&[V28])).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    for _ in 0..ROUNDS {
        caller.post_json("/swarm/init", &json!({})).expect(200);
        check(&caller, 1, true, "init");
        caller.post("/swarm/leave?force=1").expect(200);
        check(&caller, 1, false, "leave");
    }
}

#[test]
fn an_engine_that_joins_a_cluster_of_others_is_a_member_at_once_and_until_it_leaves() {
    let lab = Lab::start(&Spec::of(&[V28, V28])).unwrap();
    let (manager, worker) = (&lab.engines()[0], &lab.engines()[1]);
    let direct = Caller::new(manager.address());
    let body = json!({"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": manager.ip()});
    direct.post_json("/swarm/init", &body).expect(200);
    let token = direct.get("/swarm").expect(200).json()["JoinTokens"]["Worker"].clone();
    let flotilla = Flotilla::start(lab.folder(), &[], &worker.address());
    flotilla.wait_for_nodes(1);
    let caller = Caller::new(flotilla.addr());
    let check = |inside: bool, after: &str| {
        let nodes = caller.get("/nodes").expect(200).json();
        let outside = nodes[0]["Description"]["Swarm"] == "inactive";
        assert_eq!(outside, !inside, "after {after}: {nodes}");
        let info = worker.ask("/info").unwrap();
        assert_eq!(
            info["Swarm"]["LocalNodeState"] == "active",
            inside,
            "after {after}"
        );
    };
    let join = json!({"RemoteAddrs": [format!("{}:2377", manager.ip())], "JoinToken": token});
    for _ in 0..ROUNDS {
        check(false, "leave");
        caller.post_json("/swarm/join", &join).expect(200);
        check(true, "join");
        caller.post_json("/swarm/join", &join).expect(503);
        caller.post("/swarm/leave").expect(200);
    }
    check(false, "leave");
}
