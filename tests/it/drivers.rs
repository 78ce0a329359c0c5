//! Drivers that some engines have and others lack, and volumes that several engines see.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually};
use crate::support::volume_plugin::{NAME, VolumePlugin};

/// A lab of which node0 and node1 have the shared driver, with Flotilla before it.
fn start() -> (Lab, Flotilla, VolumePlugin) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let plugin = VolumePlugin::start(&lab, &["node0", "node1"]);
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    // Engines find such drivers when they list volumes, and tell of them from then on.
    eventually(Duration::from_secs(30), || {
        let nodes = caller.get("/nodes").expect(200).body;
        match nodes.matches(&format!("\"Name\":\"{NAME}\"")).count() {
            2 => Ok(()),
            _ => Err(nodes),
        }
    })
    .unwrap();
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
    for node in ["node0", "node1"] {
        for _ in 0..4 {
            caller.create("", &on(node)).expect(201);
        }
    }
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
