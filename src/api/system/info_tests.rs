//! What `GET /info` answers.

use std::sync::Arc;

use super::*;
use crate::api::fixture::{down, exited, node, now, running, view, with};
use crate::model::node::Facts;
use crate::model::{Image, Node};

/// A node whose engine says this of itself.
fn saying(name: &str, info: Value) -> Node {
    let mut node = node(name);
    node.facts = Arc::new(Facts {
        info,
        ..Facts::default()
    });
    node
}

/// The proxy of the tests.
fn about() -> About {
    About {
        id: "CLUSTER".into(),
        name: "proxy".into(),
        version: "0.1.0".into(),
        strategy: "spread".into(),
        event_listeners: 3,
        ..About::default()
    }
}

/// Two engines that agree on some things.
fn engines() -> (Node, Node) {
    let mut a = saying(
        "a",
        json!({
            "ID": "A", "Name": "a", "NCPU": 2, "MemTotal": 1000, "NFd": 40, "Driver": "overlay2",
            "MemoryLimit": true, "SwapLimit": true, "KernelVersion": "6.1", "OSType": "linux",
            "Plugins": {"Volume": ["local"], "Network": ["bridge", "null"], "Authorization": null},
            "Runtimes": {"runc": {"path": "runc"}}, "SecurityOptions": ["name=seccomp", "name=selinux"],
            "New": {"x": 1}, "Differs": 1, "OnlyHere": 1, "Warnings": null, "Labels": ["zone=a"],
            "Swarm": {"LocalNodeState": "active"},
        }),
    );
    a.capacity = Resources {
        nano_cpus: 2_100_000_000,
        memory_bytes: 1050,
    };
    a.images = Arc::new(vec![Image::default()]);
    let a = with(
        a,
        vec![(running("1", "x", 1), "[]"), (exited("2", "y", 1, 0), "[]")],
    );
    let b = saying(
        "b",
        json!({
            "NCPU": 4, "MemTotal": 2000, "NFd": 2, "Driver": "btrfs", "MemoryLimit": true, "SwapLimit": false,
            "KernelVersion": "6.2", "OSType": "linux",
            "Plugins": {"Volume": ["local", "nfs"], "Network": ["bridge"], "Authorization": null},
            "Runtimes": {"kata": {"path": "kata"}}, "SecurityOptions": ["name=seccomp"],
            "New": {"x": 1}, "Differs": 2, "Warnings": ["WARNING: w"], "Swarm": {"LocalNodeState": "active"},
        }),
    );
    (a, b)
}

#[test]
fn engines_are_merged_into_one() {
    let (a, b) = engines();
    let merged = info(&view(vec![a, b]), &about(), 51, now());
    for (key, expected) in [
        ("ID", json!("CLUSTER")),
        ("Name", json!("proxy")),
        ("ServerVersion", json!("0.1.0")),
        ("Containers", json!(2)),
        ("ContainersRunning", json!(1)),
        ("ContainersStopped", json!(1)),
        ("Images", json!(1)),
        ("NCPU", json!(6)),
        ("MemTotal", json!(3000)),
        ("NFd", json!(42)),
        ("NEventsListener", json!(3)),
        ("Driver", json!("overlay2")),
        ("KernelVersion", json!("6.1")),
        ("MemoryLimit", json!(true)),
        ("SwapLimit", json!(false)),
        (
            "Plugins",
            json!({"Authorization": null, "Network": ["bridge", "null"], "Volume": ["local", "nfs"]}),
        ),
        (
            "Runtimes",
            json!({"kata": {"path": "kata"}, "runc": {"path": "runc"}}),
        ),
        ("SecurityOptions", json!(["name=seccomp"])),
        ("New", json!({"x": 1})),
        ("Labels", json!([])),
        ("Warnings", json!(["WARNING: b: w"])),
        ("SystemTime", json!("2026-11-24T12:00:00Z")),
    ] {
        assert_eq!(merged[key], expected, "{key}");
    }
    assert_eq!(merged["Swarm"]["LocalNodeState"], "inactive");
    assert!(merged.get("Differs").is_none() && merged.get("OnlyHere").is_none());
}

#[test]
fn one_locked_engine_locks_the_cluster_until_it_has_the_key() {
    let swarm = |states: &[(&str, bool)]| {
        let node = |(number, (state, manages)): (usize, &(&str, bool))| {
            let swarm = json!({"LocalNodeState": state, "ControlAvailable": manages});
            saying(&format!("n{number}"), json!({ "Swarm": swarm }))
        };
        let nodes = states.iter().enumerate().map(node).collect();
        let told = info(&view(nodes), &about(), 51, now())["Swarm"].clone();
        (
            told["LocalNodeState"].clone(),
            told["ControlAvailable"].clone(),
        )
    };
    let (active, locked) = (("active", true), ("locked", false));
    assert_eq!(swarm(&[active, active]), (json!("active"), json!(true)));
    assert_eq!(swarm(&[active, locked]), (json!("locked"), json!(true)));
    assert_eq!(swarm(&[locked, locked]), (json!("locked"), json!(false)));
}

#[test]
fn classic_totals_have_the_overcommit_in_them() {
    let (a, _) = engines();
    let classic = About {
        manners: Manners::Classic,
        ..about()
    };
    let merged = info(&view(vec![a]), &classic, 51, now());
    assert_eq!(merged["ServerVersion"], "swarm/0.1.0");
    assert_eq!(merged["NCPU"], 2);
    assert_eq!(merged["MemTotal"], 1050);
}

#[test]
fn an_empty_cluster_still_has_what_clients_read() {
    let merged = info(&ClusterView::default(), &about(), 51, now());
    assert_eq!(
        merged["IndexServerAddress"],
        json!("https://index.docker.io/v1/")
    );
    assert_eq!(merged["MemoryLimit"], json!(true));
    assert_eq!(merged["Warnings"], Value::Null);
    assert_eq!(
        merged["SystemStatus"],
        json!([
            ["Role", "primary"],
            ["Strategy", "spread"],
            ["Filters", ""],
            ["Nodes", "0"]
        ])
    );
}

#[test]
fn lost_engines_do_not_speak_for_the_others() {
    let healthy = saying("b", json!({"Driver": "overlay2", "SwapLimit": true}));
    let lost = down(saying("a", json!({"Driver": "aufs", "SwapLimit": false})));
    let merged = info(&view(vec![lost.clone(), healthy]), &about(), 51, now());
    assert_eq!(merged["Driver"], "overlay2");
    assert_eq!(merged["SwapLimit"], true);
    assert_eq!(
        info(&view(vec![lost]), &about(), 51, now())["Driver"],
        "aufs",
        "unless there is no other"
    );
}

#[test]
fn members_come_in_the_order_of_the_engine() {
    let merged = info(
        &view(vec![saying(
            "a",
            json!({"NFd": 1, "ID": "A", "CPUSet": true}),
        )]),
        &about(),
        51,
        now(),
    );
    let keys: Vec<&String> = merged.as_object().unwrap().keys().take(3).collect();
    assert_eq!(keys, ["NFd", "ID", "CPUSet"]);
}

#[test]
fn clients_of_older_versions_get_what_newer_engines_say_to_them_alone() {
    let engine = || view(vec![saying("a", json!({"KernelMemoryTCP": true}))]);
    let told = |api| info(&engine(), &about(), api, now());
    assert_eq!(told(49)["BridgeNfIptables"], false);
    assert_eq!(told(41)["KernelMemory"], true);
    let (a, _) = engines();
    let oldest = info(&view(vec![a]), &about(), 24, now());
    assert_eq!(oldest["SecurityOptions"], json!(["seccomp", "selinux"]));
    let newest = told(51);
    assert!(newest.get("BridgeNfIptables").is_none() && newest.get("KernelMemory").is_none());
    let old = view(vec![saying("a", json!({"BridgeNfIptables": true}))]);
    assert_eq!(info(&old, &about(), 41, now())["BridgeNfIptables"], true);
}
