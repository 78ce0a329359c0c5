//! Where containers go, and why they do not.

use std::time::Duration;

use serde_json::{Value, json};

use super::Classic;
use crate::support::caller::{Caller, names_on, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Spec, eventually};

/// Makes the part of a body that asks for resources of the host.
fn host(asked: &Value) -> Value {
    json!({ "HostConfig": asked })
}

#[test]
fn cpu_shares_are_whole_cpus_and_nano_cpus_are_nothing() {
    let classic = Classic::start(&Spec::mixed());
    let cpus = classic.lab.engine("node0").ask("/info").unwrap()["NCPU"]
        .as_i64()
        .unwrap();
    let whole = |name: &str, shares: i64| {
        let body = host(&json!({"CpuShares": shares}));
        classic.caller.create(name, &body)
    };
    // One CPU is told as its part of 1024 shares, rounded up.
    whole("one", 1).expect(201);
    let holder = classic
        .lab
        .engines()
        .iter()
        .find(|e| names_on(e) == ["one"]);
    let holder = holder.unwrap();
    let told = holder.ask("/containers/one/json").unwrap();
    assert_eq!(told["HostConfig"]["CpuShares"], (1024 + cpus - 1) / cpus);
    let reserved = format!("[\"  └ Reserved CPUs\",\"1 / {cpus}\"]");
    let info = classic.flotilla.get("/info").unwrap();
    assert_eq!(info.matches(&reserved).count(), 1, "{info}");
    classic.caller.delete("/containers/one").expect(204);
    // What one container has, no other gets; `--cpus` asks for nothing.
    for name in ["first", "second", "third"] {
        whole(name, cpus).expect(201);
    }
    let full = whole("late", 1).expect(500);
    assert_eq!(full.body, "no resources available to schedule container\n");
    whole("big", 1000 * cpus).expect(500);
    let nano = host(&json!({"NanoCpus": cpus * 1_000_000_000}));
    classic.caller.create("nano", &nano).expect(201);
}

#[test]
fn failures_of_placement_are_500_in_classics_own_sentences() {
    let classic = Classic::start(&Spec::mixed());
    let create = |body: Value| classic.caller.create("", &body).expect(500).body;
    assert_eq!(
        create(json!({"Env": ["constraint:zone==nowhere"]})),
        "Unable to find a node that satisfies the following conditions \n[zone==nowhere]\n"
    );
    assert_eq!(
        create(json!({"Env": ["affinity:container==nobody"]})),
        "Unable to find a node that satisfies the following conditions \n[container==nobody (soft=false)]\n"
    );
    assert_eq!(
        create(host(&json!({"Memory": 1_i64 << 50}))),
        "no resources available to schedule container\n"
    );
    assert_eq!(
        create(json!({"Env": ["reschedule:off", "reschedule:off"]})),
        "too many reschedule policies\n"
    );
}

#[test]
fn soft_wishes_count_together_and_the_whitelist_has_no_operator() {
    let classic = Classic::start(&Spec::mixed());
    let place = |name: &str, env: &[&str]| {
        let id = classic
            .caller
            .create(name, &json!({ "Env": env }))
            .expect(201)
            .id();
        let path = format!("/containers/{id}/json");
        let told = classic.caller.get(&path).expect(200).json();
        told["Node"]["Name"].as_str().unwrap().to_owned()
    };
    classic.caller.create("there", &on("node2")).expect(201);
    let (zone, disk) = ("constraint:zone==~c", "constraint:storage==~hdd");
    assert_eq!(place("one", &[zone]), "node2");
    // No node has both, so neither counts, and the fullest is not chosen.
    assert_ne!(place("both", &[zone, disk]), "node2");
    assert_eq!(place("white", &["whitelist:node!=node2"]), "node2");
}

#[test]
fn only_the_log_says_that_nothing_moves_a_container() {
    let classic = Classic::start(&Spec::mixed());
    let wish = json!({"Env": ["reschedule:on-node-failure"]});
    let created = classic.caller.create("moves", &wish).expect(201);
    let keys = created.json().as_object().unwrap().clone();
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["Id"], "{keys:?}");
    let log = classic.flotilla.log();
    assert!(log.contains("rescheduling is not built yet"), "{log}");
}

#[test]
fn an_identity_that_the_client_brings_is_kept() {
    let classic = Classic::start(&Spec::mixed());
    let create = |name: &str| {
        let labels = json!({"Labels": {"com.docker.swarm.id": "feedface"}});
        classic.caller.create(name, &labels).expect(201);
        let told = classic.caller.get(&format!("/containers/{name}/json"));
        told.expect(200).json()["Config"]["Labels"]["com.docker.swarm.id"].clone()
    };
    assert_eq!(create("first"), "feedface");
    // Two of one identity could not be told apart.
    assert_ne!(create("second"), "feedface");
}

#[test]
fn the_port_of_a_container_that_has_ended_is_taken_until_it_is_removed() {
    let classic = Classic::start(&Spec::mixed());
    let mut body = on("node1");
    body["Cmd"] = json!(["true"]);
    body["HostConfig"] = json!({"PortBindings": {"80/tcp": [{"HostPort": "18081"}]}});
    classic.caller.create("ended", &body).expect(201);
    classic.caller.post("/containers/ended/start").expect(204);
    classic.caller.post("/containers/ended/wait").expect(200);
    // Any two of one number meet, whatever their protocols are.
    let mut other = body.clone();
    other["HostConfig"] = json!({"PortBindings": {"53/udp": [{"HostPort": "18081"}]}});
    for (name, body) in [("next", &body), ("other", &other)] {
        let refused = classic.caller.create(name, body).expect(500).body;
        assert!(refused.starts_with("Unable to find a node"), "{refused}");
    }
    // Without the flag it is free, and that of another protocol is another one.
    let modern = Flotilla::before(&classic.lab);
    let modern = Caller::new(modern.addr());
    body["Cmd"] = json!(["sleep", "600"]);
    modern.create("free", &body).expect(201);
    for (name, body) in [("free", None), ("other", Some(&other))] {
        body.inspect(|body| drop(modern.create(name, body).expect(201)));
        modern
            .post(&format!("/containers/{name}/start"))
            .expect(204);
    }
    for name in ["free", "other"] {
        let path = format!("/containers/{name}?force=1");
        modern.delete(&path).expect(204);
    }
    classic.caller.delete("/containers/ended").expect(204);
    classic.caller.create("next", &body).expect(201);
}

#[test]
fn a_create_pulls_what_no_node_has_onto_its_node() {
    let classic = Classic::start(&Spec::mixed().registry());
    let image = format!("{}/once:1", classic.lab.registry().unwrap());
    for args in [
        &["tag", "busybox", &image][..],
        &["push", &image],
        &["rmi", &image],
    ] {
        classic.on("node0", args).unwrap();
    }
    let holders = || classic.nodes_where(&["image", "inspect", &image]);
    eventually(Duration::from_secs(30), || {
        let list = classic.docker(&["images", "-q", &image]).unwrap();
        match list.is_empty() {
            true => Ok(()),
            false => Err(list),
        }
    })
    .unwrap();
    assert_eq!(holders(), [""; 0]);
    let body = json!({ "Image": image });
    classic.caller.create("pulled", &body).expect(201);
    let told = classic.caller.get("/containers/pulled/json");
    let told = told.expect(200).json();
    assert_eq!(holders(), [told["Node"]["Name"].as_str().unwrap()]);
    classic.caller.post("/containers/pulled/start").expect(204);
}
