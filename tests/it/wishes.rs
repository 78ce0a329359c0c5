//! Every kind of wish on real engines: one create that lands where it should, one that is refused with the numbers.

use serde_json::{Value, json};

use crate::support::caller::{Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, output};

/// Three engines, of which node2 has two slots for containers; with an image of its own on node1, a container with the
/// label `app` on node0, and one called `anchor` on node2.
struct Ground {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
}

impl Ground {
    fn prepare() -> Self {
        let mut spec = Spec::mixed();
        let node2 = spec.engines.pop().unwrap();
        spec.engines.push(node2.label("containerslots", "2"));
        let lab = Lab::start(&spec).unwrap();
        let tag = ["tag", "busybox", "only:here"];
        output(lab.engine("node1").docker().args(tag)).unwrap();
        let flotilla = Flotilla::patient(&lab);
        let caller = Caller::new(flotilla.addr());
        caller.create("anchor", &on("node2")).expect(201);
        let mut shop = on("node0");
        shop["Labels"] = json!({"app": "shop"});
        caller.create("shop", &shop).expect(201);
        Self {
            lab,
            flotilla,
            caller,
        }
    }

    /// Creates with these wishes and returns the node, as the engines themselves know it; then removes.
    fn lands(&self, more: &Value) -> String {
        let id = self.caller.create("", more).expect(201).id();
        let path = format!("/containers/{id}/json");
        let has = self.lab.engines().iter().filter(|e| e.ask(&path).is_ok());
        let has: Vec<_> = has.map(|e| e.name().to_owned()).collect();
        self.caller.delete(&format!("/containers/{id}")).expect(204);
        assert_eq!(has.len(), 1, "{has:?}");
        has[0].clone()
    }

    /// Creates with wishes that nobody meets, and checks each reason with its number of nodes.
    fn refuses(&self, more: &Value, reasons: &[&str]) {
        let message = self.caller.create("", more).expect(409).message();
        let start = "no node can take this container (3 looked at): ";
        assert!(message.starts_with(start), "{message}");
        for reason in reasons {
            assert!(message.contains(reason), "{reason}: {message}");
        }
    }
}

/// Makes the part of a body with wishes in the environment.
fn env(wishes: &[&str]) -> Value {
    json!({ "Env": wishes })
}

/// Makes the part of a body with wishes in a label.
fn label(kind: &str, wishes: &[&str]) -> Value {
    let text = serde_json::to_string(wishes).unwrap();
    json!({"Labels": {format!("com.docker.swarm.{kind}"): text}})
}

#[test]
fn wishes_that_are_met_choose_the_node() {
    let ground = Ground::prepare();
    for (wishes, node) in [
        (label("constraints", &["zone==b"]), "node1"),
        (label("affinities", &["container==anchor"]), "node2"),
        (label("whitelists", &["node==node1"]), "node1"),
        (env(&["constraint:node==*1"]), "node1"),
        (env(&["constraint:zone==/^[cd]$/"]), "node2"),
        (env(&["constraint:zone==/(?i)^B$/"]), "node1"),
        (env(&["constraint:zone!=/[ac]/"]), "node1"),
        (env(&["affinity:image==only:here"]), "node1"),
        (env(&["affinity:image==only"]), "node1"),
        (env(&["affinity:app==shop"]), "node0"),
        (
            env(&["affinity:app==sh*", "constraint:storage==ssd"]),
            "node0",
        ),
        (env(&["whitelist:node==node1|node9"]), "node1"),
        (
            env(&["whitelist:node==node1|node2", "constraint:storage==ssd"]),
            "node2",
        ),
    ] {
        let status = || ground.flotilla.system_status();
        assert_eq!(ground.lands(&wishes), node, "{wishes}\n{}", status());
    }
}

#[test]
fn soft_wishes_choose_among_those_that_can_and_never_refuse() {
    let ground = Ground::prepare();
    for (wishes, node) in [
        (env(&["constraint:zone==~b"]), "node1"),
        (env(&["constraint:zone!=~/[bc]/"]), "node0"),
        (env(&["affinity:container==~anchor"]), "node2"),
        (env(&["affinity:image==~only:here"]), "node1"),
        (env(&["affinity:app==~shop"]), "node0"),
        (
            env(&["constraint:storage==hdd", "constraint:zone==~c"]),
            "node1",
        ),
        (
            env(&["constraint:storage==ssd", "constraint:zone==~c"]),
            "node2",
        ),
        (label("constraints", &["zone==~b"]), "node1"),
    ] {
        let status = || ground.flotilla.system_status();
        assert_eq!(ground.lands(&wishes), node, "{wishes}\n{}", status());
    }
    for wishes in [
        env(&["constraint:zone==~nowhere"]),
        env(&["affinity:image==~gone"]),
        env(&["affinity:container==~nobody"]),
        env(&["affinity:app==~none"]),
    ] {
        ground.lands(&wishes);
    }
}

#[test]
fn wishes_that_nobody_meets_are_refused_with_the_number_per_reason() {
    let ground = Ground::prepare();
    for (wishes, reasons) in [
        (
            label("constraints", &["zone==x"]),
            &["3 fail constraint zone==x"][..],
        ),
        (
            label("affinities", &["container==nobody"]),
            &["3 fail affinity container==nobody"],
        ),
        (
            label("whitelists", &["node==node9"]),
            &["3 fail whitelist node==node9"],
        ),
        (
            env(&["constraint:node==x*"]),
            &["3 fail constraint node==x*"],
        ),
        (
            env(&["constraint:zone==/^[xyz]$/"]),
            &["3 fail constraint zone==/^[xyz]$/"],
        ),
        (
            env(&["affinity:image==gone:1"]),
            &["3 fail affinity image==gone:1"],
        ),
        (env(&["affinity:app==none"]), &["3 fail affinity app==none"]),
        (
            env(&["whitelist:node==node1", "constraint:zone==a"]),
            &["2 fail constraint zone==a", "1 fails whitelist node==node1"],
        ),
        (
            env(&["affinity:image==only:here", "constraint:zone==a"]),
            &[
                "2 fail affinity image==only:here",
                "1 fails constraint zone==a",
            ],
        ),
    ] {
        ground.refuses(&wishes, reasons);
    }
}

#[test]
fn slots_are_counted() {
    let ground = Ground::prepare();
    let there = env(&["constraint:node==node2"]);
    let id = ground.caller.create("last", &there).expect(201).id();
    ground.refuses(
        &there,
        &[
            "1 has no free container slot (2 of 2 taken on node2)",
            "2 fail constraint node==node2",
        ],
    );
    // Others go elsewhere meanwhile, even those that would rather be there.
    assert_ne!(ground.lands(&env(&["constraint:zone==~c"])), "node2");
    ground
        .caller
        .delete(&format!("/containers/{id}"))
        .expect(204);
    assert_eq!(ground.lands(&there), "node2");
}
