//! What a swarm-mode cluster keeps: secrets, configs, services and networks over hosts, each in a thread of its own.

use std::thread;

use serde_json::{Value, json};

use super::ROUNDS;
use crate::support::caller::{Caller, encoded};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, output};

#[test]
fn a_swarm_mode_cluster_shows_what_it_was_told() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let mut docker = flotilla.clients(&lab).docker();
    output(docker.args(["swarm", "init"])).unwrap();
    let caller = Caller::new(flotilla.addr());
    let secret = |name: &str| json!({"Name": name, "Data": "eA==", "Labels": {}});
    let service = |name: &str| {
        // Without tasks, so that nothing but the cluster's memory is at work.
        let task = json!({"ContainerSpec": {"Image": "busybox"}});
        json!({"Name": name, "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": 0}}})
    };
    thread::scope(|scope| {
        scope.spawn(|| (0..ROUNDS).for_each(|n| live(&caller, "secrets", n, secret)));
        scope.spawn(|| (0..ROUNDS).for_each(|n| live(&caller, "configs", n, secret)));
        scope.spawn(|| (0..ROUNDS).for_each(|n| live(&caller, "services", n, service)));
        scope.spawn(|| (0..ROUNDS).for_each(|n| network(&caller, n)));
        scope.spawn(|| (0..ROUNDS).for_each(|n| cluster(&caller, n)));
    });
}

/// Changes what the cluster itself goes by, and looks at all that tells it.
fn cluster(caller: &Caller, round: usize) {
    let now = caller.get("/swarm").expect(200).json();
    let mut spec = now["Spec"].clone();
    spec["Orchestration"]["TaskHistoryRetentionLimit"] = json!(10 + round);
    let update = format!("/swarm/update?version={}", now["Version"]["Index"]);
    caller.post_json(&update, &spec).expect(200);
    let info = caller.get("/info").expect(200).json();
    let swarm = caller.get("/swarm").expect(200).json();
    for told in [&swarm, &info["Swarm"]["Cluster"]] {
        let limit = &told["Spec"]["Orchestration"]["TaskHistoryRetentionLimit"];
        assert_eq!(*limit, 10 + round, "{told}");
    }
}

/// Creates, updates and removes one object, and looks for it after each.
fn live(caller: &Caller, kind: &str, round: usize, spec: impl Fn(&str) -> Value) {
    let name = format!("{kind}{round}");
    let mut spec = spec(&name);
    let made = caller.post_json(&format!("/{kind}/create"), &spec);
    let made = made.expect(201).json();
    let id = made["ID"].as_str().unwrap();
    let one = format!("/{kind}/{id}");
    let listed = || {
        let filter = encoded(&json!({"name": [name]}));
        let list = caller.get(&format!("/{kind}?filters={filter}"));
        let list = list.expect(200).json();
        list.as_array()
            .unwrap()
            .iter()
            .find(|o| o["ID"] == *id)
            .cloned()
    };
    assert!(listed().is_some(), "{name} is made");
    let now = caller.get(&one).expect(200).json();
    assert_eq!(now["Spec"]["Name"], *name);
    spec["Labels"] = json!({"round": round.to_string()});
    let update = format!("{one}/update?version={}", now["Version"]["Index"]);
    caller.post_json(&update, &spec).expect(200);
    let now = caller.get(&one).expect(200).json();
    assert_eq!(now["Spec"]["Labels"], spec["Labels"], "after update");
    assert_eq!(listed().unwrap()["Spec"]["Labels"], spec["Labels"]);
    let removed = caller.delete(&one);
    assert!(matches!(removed.status, 200 | 204), "{removed:?}");
    assert!(listed().is_none(), "{name} is removed");
    caller.get(&one).expect(404);
}

fn network(caller: &Caller, round: usize) {
    let name = format!("wide{round}");
    let is_listed = || {
        let list = caller.get("/networks").expect(200).json();
        list.as_array().unwrap().iter().any(|n| n["Name"] == name)
    };
    let body = json!({"Name": name, "Driver": "overlay", "Attachable": true});
    let id = caller.post_json("/networks/create", &body).expect(201).id();
    assert!(is_listed(), "{name} is made");
    assert_eq!(
        caller.get(&format!("/networks/{name}")).expect(200).id(),
        id
    );
    caller.delete(&format!("/networks/{name}")).expect(204);
    assert!(!is_listed(), "{name} is removed");
    caller.get(&format!("/networks/{name}")).expect(404);
}
