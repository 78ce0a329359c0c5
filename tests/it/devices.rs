//! GPUs and other devices on real engines: told by labels, generic resources and CDI, counted, and given once.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Cache, Lab, Release, Spec, eventually, output};

/// An FPGA that every container may use; all it does is to set a variable.
const CDI: &str = r#"{"cdiVersion": "0.5.0", "kind": "acme.com/fpga",
    "devices": [{"name": "0", "containerEdits": {"env": ["FPGA=0"]}}]}"#;

/// Node0 with one GPU by its label, node1 with two by its engine's generic resources, node2 with an FPGA by CDI.
struct Ground {
    lab: Lab,
    flotilla: Flotilla,
    _cdi: tempfile::TempDir,
}

impl Ground {
    fn prepare() -> Self {
        let cdi = tempfile::tempdir().unwrap();
        fs::write(cdi.path().join("acme.json"), CDI).unwrap();
        let mut spec = Spec::mixed();
        let [node0, node1, node2] = &mut spec.engines[..] else {
            panic!("three engines")
        };
        *node0 = node0.clone().label("device.gpu", "1");
        for id in ["GPU-1", "GPU-2"] {
            let resource = format!("--node-generic-resource=NVIDIA-GPU={id}");
            *node1 = node1.clone().arg(&resource);
        }
        if Cache::locate().has(Release::V28) {
            let folder = format!("--cdi-spec-dir={}", cdi.path().display());
            *node2 = node2.clone().arg(&folder);
        }
        let lab = Lab::start(&spec).unwrap();
        let flotilla = Flotilla::before(&lab);
        Self {
            lab,
            flotilla,
            _cdi: cdi,
        }
    }

    fn caller(&self) -> Caller {
        Caller::new(self.flotilla.addr())
    }

    /// Creates with this and returns the container's ID and its node.
    fn lands(&self, more: &Value) -> (String, String) {
        let id = self.caller().create("", more).expect(201).id();
        let shown = self.caller().get(&format!("/containers/{id}/json"));
        let node = shown.json()["Node"]["Name"].as_str().map(str::to_owned);
        (id, node.unwrap_or_default())
    }

    /// Creates with this, which nobody can take, and returns why.
    fn refused(&self, more: &Value) -> String {
        self.caller().create("", more).expect(409).message()
    }

    fn remove(&self, id: &str) {
        let path = format!("/containers/{id}?force=1");
        self.caller().delete(&path).expect(204);
    }

    fn clear(&self) {
        for container in self.caller().containers() {
            self.remove(container["Id"].as_str().unwrap());
        }
    }
}

/// Asks for devices as the docker CLI does.
fn request(request: &Value) -> Value {
    json!({"HostConfig": {"DeviceRequests": [request]}})
}

fn gpus(count: i64) -> Value {
    request(&json!({"Count": count, "Capabilities": [["gpu"]]}))
}

fn wish(text: &str) -> Value {
    json!({"Env": [format!("device:{text}")]})
}

#[test]
fn gpus_are_given_to_one_container_each_and_come_back() {
    let ground = Ground::prepare();
    let three: Vec<_> = (0..3).map(|_| ground.lands(&gpus(1))).collect();
    let mut nodes: Vec<&str> = three.iter().map(|(_, node)| node.as_str()).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["node0", "node1", "node1"]);
    let why = ground.refused(&gpus(1));
    for reason in [
        "2 lack gpu (asks 1, best: 0 of 1 free on node0)",
        "1 has no gpu (none on node2)",
    ] {
        assert!(why.contains(reason), "{why}");
    }
    // Of what is asked for by both ways both count.
    let (id, _) = three.iter().find(|(_, node)| node == "node1").unwrap();
    ground.remove(id);
    let mut both = gpus(1);
    both["Env"] = json!(["device:gpu==1"]);
    let why = ground.refused(&both);
    assert!(
        why.contains("2 lack gpu (asks 2, best: 1 of 2 free on node1)"),
        "{why}"
    );
    let why = ground.refused(&gpus(-1));
    assert!(
        why.contains("2 lack gpu (asks all, best: 1 of 2 free on node1)"),
        "{why}"
    );
    let mut left = three
        .iter()
        .filter(|(other, node)| node == "node1" && other != id);
    ground.remove(&left.next().unwrap().0);
    assert_eq!(ground.lands(&gpus(-1)).1, "node1");
}

#[test]
fn a_gpu_that_is_named_is_held_by_its_name_and_number() {
    let ground = Ground::prepare();
    let named = |ids: &[&str]| request(&json!({"DeviceIDs": ids, "Capabilities": [["gpu"]]}));
    // The real CLI says it so.
    let mut docker = ground.flotilla.clients(&ground.lab).docker();
    let args = ["create", "--gpus", "device=GPU-2", "busybox"];
    let id = output(docker.args(args)).unwrap();
    let shown = ground
        .caller()
        .get(&format!("/containers/{}/json", id.trim()));
    assert_eq!(shown.json()["Node"]["Name"], "node1");
    for ids in [&["GPU-2"][..], &["GPU-1", "1"]] {
        let why = ground.refused(&named(ids));
        let id = ids.last().unwrap();
        let taken = format!("1 has gpu {id} taken (by 1 container on node1)");
        assert!(why.contains(&taken), "{why}");
    }
    assert_eq!(ground.lands(&named(&["GPU-1"])).1, "node1");
    let amd = request(&json!({"Driver": "amd", "Count": 1, "Capabilities": [["gpu"]]}));
    let why = ground.refused(&json!({
        "Env": ["constraint:node==node1"], "HostConfig": amd["HostConfig"]
    }));
    let unlike = "1 has other gpu than asked (amd) (nvidia on node1)";
    assert!(why.contains(unlike), "{why}");
}

#[test]
fn wishes_for_devices_are_kept_on_the_container_until_it_ends() {
    let mut ground = Ground::prepare();
    assert_eq!(ground.lands(&wish("gpu==2")).1, "node1");
    ground.flotilla.kill();
    ground.flotilla = Flotilla::before(&ground.lab);
    let mut brief = wish("gpu==1");
    brief["Cmd"] = json!(["true"]);
    let (id, node) = ground.lands(&brief);
    assert_eq!(node, "node0", "what node1 holds is known after a restart");
    let why = ground.refused(&wish("gpu==1"));
    assert!(why.contains("2 lack gpu (asks 1, best: 0 of 1"), "{why}");
    let caller = ground.caller();
    caller.post(&format!("/containers/{id}/start")).expect(204);
    caller.post(&format!("/containers/{id}/wait")).expect(200);
    let free = || match caller.create("", &wish("gpu==1")) {
        answer if answer.status == 201 => Ok(()),
        answer => Err(answer),
    };
    eventually(Duration::from_secs(30), free).unwrap();

    // A soft wish takes what is there, holds nothing, and says when it is not met.
    let soft = caller.create("", &wish("gpu==~1")).expect(201).json();
    let warned = soft["Warnings"].to_string();
    assert!(
        warned.contains("soft wish device:gpu==~1 is not met by"),
        "{soft}"
    );
    ground.clear();
    assert_eq!(ground.lands(&wish("gpu==~2")).1, "node1");
    assert_eq!(ground.lands(&wish("gpu==2")).1, "node1");

    // What nobody has is refused by us, and a number that is none by its place.
    let why = ground.refused(&wish("tape==1"));
    assert!(why.contains("3 have no tape (none on node0)"), "{why}");
    let bad = caller.create("", &wish("gpu==some")).expect(400).message();
    let place =
        "device: invalid expression \"gpu==some\" at position 6: a whole number from 1 is expected";
    assert!(bad.contains(place), "{bad}");
}

#[test]
fn a_device_by_its_full_name_is_where_the_engine_has_found_it() {
    let ground = Ground::prepare();
    if ground.lab.engine("node2").release() != Release::V28 {
        println!("skipped: {:?}", ground.lab.skipped());
        return;
    }
    let fpga = request(&json!({"Driver": "cdi", "DeviceIDs": ["acme.com/fpga=0"]}));
    // Found, and not counted by anybody: for all that want it.
    for _ in 0..2 {
        let (id, node) = ground.lands(&fpga);
        assert_eq!(node, "node2");
        let path = format!("/containers/{id}/start");
        ground.caller().post(&path).expect(204);
    }
    let explain = |more: &Value| {
        let mut body = json!({"Image": "busybox", "Env": ["constraint:node==node0"]});
        body["HostConfig"] = more["HostConfig"].clone();
        ground
            .caller()
            .post_json("/flotilla/explain", &body)
            .expect(200)
            .json()
    };
    let told = explain(&fpga);
    assert_eq!(told["Request"]["Devices"], json!(["fpga 0"]));
    let nodes = told["Nodes"].as_array().unwrap();
    let node = nodes.iter().find(|n| n["Name"] == "node0").unwrap();
    assert_eq!(
        (&node["Field"], &node["Reason"]),
        (&json!("devices"), &json!("has no fpga (none on node0)"))
    );
    // Of what no engine tells the engine decides, as it would alone.
    let unknown = json!({"Count": 1, "Capabilities": [["tpu"]]});
    ground.lands(&request(&unknown));
}
