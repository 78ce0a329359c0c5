//! Pods on real engines: all or none, on one node or each on its own.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::support::caller::{Answer, Caller, at_once, names_on};
use crate::support::clients::needs;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, output};

/// Services that are to be on one node, without a network, which would be on one too.
const PROJECT: &str = r#"
x-one: &one
  image: busybox
  stop_signal: KILL
  command: sleep 600
  network_mode: none
  environment: ["pod:stack==3,memory=96m"]
  mem_limit: 16m
services:
  web: *one
  db: *one
  cache: *one
"#;

/// Three engines, of which node1 has five slots for containers and the others two.
struct Ground {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
}

impl Ground {
    fn prepare() -> Self {
        let mut spec = Spec::mixed();
        for (engine, slots) in spec.engines.iter_mut().zip(["2", "5", "2"]) {
            *engine = engine.clone().label("containerslots", slots);
        }
        let lab = Lab::start(&spec).unwrap();
        let flotilla = Flotilla::patient(&lab);
        let caller = Caller::new(flotilla.addr());
        Self {
            lab,
            flotilla,
            caller,
        }
    }

    fn create(&self, name: &str, wishes: &[&str]) -> Answer {
        self.caller.create(name, &json!({ "Env": wishes }))
    }

    /// Returns the nodes that have containers of these names, as the engines themselves know them.
    fn nodes_of(&self, names: &[&str]) -> Vec<String> {
        let has = |name: &&str| {
            let mut engines = self.lab.engines().iter();
            let here = engines.find(|e| names_on(e).iter().any(|n| n == name));
            here.map_or_else(String::new, |e| e.name().to_owned())
        };
        names.iter().map(has).collect()
    }
}

#[test]
fn a_pod_is_on_one_node_that_keeps_room_for_it() {
    let ground = Ground::prepare();
    let pod = ["pod:web==3"];
    // At once, as compose creates them.
    let made = at_once(3, |number| ground.create(&format!("web{number}"), &pod));
    assert!(made.iter().all(|a| a.status == 201), "{made:?}");
    assert_eq!(ground.nodes_of(&["web0", "web1", "web2"]), ["node1"; 3]);
    let whole = ground.create("web3", &pod).expect(409).message();
    let why = "pod web is whole: it was declared with 3 containers, and there are 3";
    assert_eq!(whole, why);
    // The next has too little room, and nothing of it is created.
    let refused = ground.create("big0", &["pod:big==3"]).expect(409).message();
    let why = "3 lack container slots for pod big (asks 3, best: 2 free on node0)";
    assert!(refused.contains(why), "{refused}");
    let explained = ground.caller.post_json(
        "/flotilla/explain",
        &json!({"Image": "busybox", "Env": ["pod:big==3"]}),
    );
    let explained = explained.expect(200).json();
    let pod = &explained["Request"]["Pod"];
    assert_eq!((&pod["Name"], &pod["Missing"]), (&json!("big"), &json!(2)));
    let reasons: Vec<_> = explained["Nodes"].as_array().unwrap().iter().collect();
    assert_eq!(reasons.len(), 3, "{explained}");
    for node in reasons {
        assert_eq!(
            (&node["Verdict"], &node["Field"]),
            (&json!("refused"), &json!("pod"))
        );
    }

    // One of two is there: what is left of its node is for the other.
    ground
        .create("two0", &["pod:two==2", "constraint:node==node1"])
        .expect(201);
    let taken = ground
        .create("other", &["constraint:node==node1"])
        .expect(409)
        .message();
    assert!(
        taken.contains("1 has no free container slot (5 of 5 taken on node1)"),
        "{taken}"
    );
    ground.create("two1", &["pod:two==2"]).expect(201);
    assert_eq!(ground.nodes_of(&["two0", "two1"]), ["node1"; 2]);
    let inspected = ground
        .caller
        .get("/containers/two1/json")
        .expect(200)
        .json();
    let labels = &inspected["Config"]["Labels"];
    assert_eq!(labels["com.docker.swarm.pods"], "[\"two==2\"]");
    let bad = ground
        .create("", &["pod:two==2,near"])
        .expect(400)
        .message();
    let why = "pod: invalid expression \"two==2,near\" at position 8: apart, or memory= and cpus= of all together, is expected";
    assert_eq!(bad, why);
    let twice = ground
        .create("", &["pod:a==2", "pod:b==2"])
        .expect(400)
        .message();
    assert!(
        twice.ends_with("a container is in one pod at most"),
        "{twice}"
    );
}

#[test]
fn apart_each_of_a_pod_has_a_node_of_its_own() {
    let ground = Ground::prepare();
    let refused = ground
        .create("", &["pod:four==4,apart"])
        .expect(409)
        .message();
    let why = "3 are one of too few nodes for pod four (asks 4 for those to come, 3 could take one; node0 could)";
    assert!(refused.contains(why), "{refused}");
    let pod = ["pod:three==3,apart"];
    let made = at_once(3, |number| ground.create(&format!("three{number}"), &pod));
    assert!(made.iter().all(|a| a.status == 201), "{made:?}");
    let nodes = ground.nodes_of(&["three0", "three1", "three2"]);
    let nodes: BTreeSet<_> = nodes.iter().map(String::as_str).collect();
    assert_eq!(nodes, BTreeSet::from(["node0", "node1", "node2"]));
    // After a restart what is there counts still.
    let again = Flotilla::before(&ground.lab);
    let whole = Caller::new(again.addr()).create("", &json!({ "Env": pod }));
    assert!(whole.expect(409).message().contains("pod three is whole"));
}

#[test]
fn compose_brings_up_services_as_one_pod() {
    needs!("plugins");
    let ground = Ground::prepare();
    let mut compose = ground.flotilla.clients(&ground.lab).compose().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compose.yaml");
    fs::write(&file, PROJECT).unwrap();
    compose.args(["-p", "podded", "-f"]).arg(&file);
    output(compose.args(["up", "-d"])).unwrap();
    let list = ground.caller.containers();
    let nodes: Vec<&Value> = list
        .iter()
        .map(|c| &c["Labels"]["com.docker.swarm.node.name"])
        .collect();
    assert_eq!(nodes.len(), 3, "{list:?}");
    assert!(nodes.iter().all(|node| **node == "node1"), "{nodes:?}");
    assert!(list.iter().all(|c| c["State"] == "running"), "{list:?}");
}
