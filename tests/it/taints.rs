//! Taints: an operator keeps a node for some with a label, also while Flotilla runs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

/// How long it may take on a busy machine until no node is slow.
const SOON: Duration = Duration::from_secs(60);

/// Creates with this and returns the node; then removes.
fn lands(caller: &Caller, more: &Value) -> String {
    let id = caller.create("", more).expect(201).id();
    let shown = caller.get(&format!("/containers/{id}/json")).json();
    caller.delete(&format!("/containers/{id}")).expect(204);
    shown["Node"]["Name"].as_str().unwrap().to_owned()
}

#[test]
fn a_tainted_node_takes_only_who_tolerates_it() {
    let mut spec = Spec::mixed();
    let node1 = spec.engines[1].clone();
    spec.engines[1] = node1.label("taint.dedicated", "db");
    let lab = Lab::start(&spec).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    let others = json!({"Env": ["constraint:node!=node0"]});
    for _ in 0..2 {
        assert_eq!(lands(&caller, &others), "node2");
    }
    let refused = caller.create("", &on("node1")).expect(409).message();
    let why = "1 is tainted with dedicated=db (node1 wants toleration:dedicated==db)";
    assert!(refused.contains(why), "{refused}");
    let tolerant = json!({"Env": ["constraint:node==node1", "toleration:dedicated==db"]});
    assert_eq!(lands(&caller, &tolerant), "node1");
    let labels = json!({"com.docker.swarm.tolerations": "[\"dedicated==*\"]"});
    let tolerant = json!({"Env": ["constraint:node==node1"], "Labels": labels});
    assert_eq!(lands(&caller, &tolerant), "node1");
    let soft = json!({"Env": ["toleration:dedicated==~db"]});
    let bad = caller.create("", &soft).expect(400).message();
    let why = "toleration: invalid expression \"dedicated==~db\" at position 13: a toleration is never soft";
    assert!(bad.contains(why), "{bad}");

    // A volume's home is a place like any other.
    for number in 0..3 {
        let volume = json!({"Name": format!("v{number}"), "Labels": {
            "com.docker.swarm.constraints": "[\"node!=node0\"]",
        }});
        let made = caller.post_json("/volumes/create", &volume).expect(201);
        let path = format!("/volumes/{}", made.json()["Name"].as_str().unwrap());
        assert!(lab.engine("node2").ask(&path).is_ok(), "{path}");
    }
}

#[test]
fn an_operators_taint_holds_at_once_and_a_soft_one_only_puts_behind() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    // Whoever is there may stay, and nobody new comes once the operator has said so.
    let docker = |args: &[&str]| output(flotilla.clients(&lab).docker().args(args)).unwrap();
    let id = caller.create("", &on("node2")).expect(201).id();
    docker(&["node", "update", "--label-add", "taint.repair=", "node2"]);
    let refused = caller.create("", &on("node2")).expect(409).message();
    let why = "1 is tainted with repair= (node2 wants toleration:repair==*)";
    assert!(refused.contains(why), "{refused}");
    caller.get(&format!("/containers/{id}/json")).expect(200);

    // A soft taint only puts the node behind others, and says so.
    caller.delete(&format!("/containers/{id}")).expect(204);
    let soft = "taint.repair=~soon";
    docker(&["node", "update", "--label-add", soft, "node2"]);
    for node in ["node0", "node1"] {
        caller.create("", &on(node)).expect(201);
    }
    // A node that is slow at this moment comes after one with a soft taint.
    let told = || {
        let body = json!({"Image": "busybox"});
        let told = caller.post_json("/flotilla/explain", &body);
        let told = told.expect(200).json();
        let nodes = told["Nodes"].as_array().unwrap();
        let node = nodes.iter().find(|n| n["Name"] == "node2").unwrap();
        let said = ["Verdict", "Field", "Reason"].map(|key| node[key].clone());
        match said == ["behind", "taint", "is tainted with repair=~soon"] {
            true if lands(&caller, &json!({})) != "node2" => Ok(()),
            _ => Err(told),
        }
    };
    eventually(SOON, told).unwrap();
    let tolerant = json!({"Env": ["toleration:repair==soon"]});
    let there = || match lands(&caller, &tolerant) {
        node if node == "node2" => Ok(()),
        other => Err(other),
    };
    eventually(SOON, there).unwrap();
}
