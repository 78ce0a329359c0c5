//! Prunes, at the same time: what they have removed is gone from all that tells it.

use serde_json::{Value, json};

use super::more::{Scene, tar, together};
use crate::support::caller::encoded;

#[test]
fn prunes_are_seen_at_once() {
    together(&[containers, images, networks, volumes, caches]);
}

/// Prunes what has a label.
fn prune(scene: &Scene, kind: &str, filters: &Value) -> Value {
    let path = format!("/{kind}/prune?filters={}", encoded(filters));
    scene.caller.post(&path).expect(200).json()
}

fn containers(scene: &Scene, round: usize) {
    let label = format!("prune{round}");
    let id = scene.container(&format!("node{}", round % 3), &label);
    let told = prune(scene, "containers", &json!({"label": [label]}));
    assert_eq!(told["ContainersDeleted"], json!([id]));
    let filter = encoded(&json!({"label": [label]}));
    let path = format!("/containers/json?all=1&filters={filter}");
    assert_eq!(scene.caller.get(&path).expect(200).json(), json!([]));
    scene
        .caller
        .get(&format!("/containers/{id}/json"))
        .expect(404);
}

fn images(scene: &Scene, round: usize) {
    let tag = format!("pruned{round}:1");
    let dockerfile = format!("FROM busybox\nLABEL pruned{round}=1\n");
    let archive = tar("Dockerfile", dockerfile.as_bytes());
    scene.send(&format!("/build?t={tag}&version=1"), &archive);
    let filters = json!({"dangling": ["false"], "label": [format!("pruned{round}=1")]});
    let told = prune(scene, "images", &filters);
    assert!(told["ImagesDeleted"].is_array(), "{told}");
    scene.image(&tag, false);
}

fn networks(scene: &Scene, round: usize) {
    let name = format!("pruned{round}");
    let body = json!({"Name": name, "Internal": true, "Labels": {&name: "1"}});
    scene
        .caller
        .post_json("/networks/create", &body)
        .expect(201);
    let told = prune(scene, "networks", &json!({"label": [name]}));
    assert_eq!(told["NetworksDeleted"], json!([name]));
    let list = scene.caller.get("/networks").expect(200).json();
    assert!(
        list.as_array().unwrap().iter().all(|n| n["Name"] != name),
        "{list}"
    );
    scene.caller.get(&format!("/networks/{name}")).expect(404);
}

fn volumes(scene: &Scene, round: usize) {
    let name = format!("pruned{round}");
    let body = json!({"Name": name, "Labels": {&name: "1"}});
    scene.caller.post_json("/volumes/create", &body).expect(201);
    let told = prune(scene, "volumes", &json!({"label": [name]}));
    assert_eq!(told["VolumesDeleted"], json!([name]));
    let list = scene.caller.get("/volumes").expect(200).json();
    let volumes = list["Volumes"].as_array().cloned().unwrap_or_default();
    assert!(volumes.iter().all(|v| v["Name"] != name), "{list}");
    scene.caller.get(&format!("/volumes/{name}")).expect(404);
}

/// A build of `BuildKit`, which needs no session for what its context has, and what it leaves for the next one.
fn caches(scene: &Scene, round: usize) {
    let tag = format!("cached{round}:1");
    let dockerfile = format!("FROM busybox\nCOPY Dockerfile /{round}\n");
    let archive = tar("Dockerfile", dockerfile.as_bytes());
    scene.send(&format!("/build?t={tag}&version=2"), &archive);
    scene.image(&tag, true);
    let kept = || {
        let told = scene.caller.get("/system/df").expect(200).json();
        told["BuildCache"].as_array().map_or(0, Vec::len)
    };
    assert_ne!(kept(), 0, "{tag}");
    scene.removed(&tag);
    let told = scene.caller.post("/build/prune?all=1").expect(200).json();
    assert_ne!(told["CachesDeleted"], json!([]), "{told}");
    assert_eq!(kept(), 0, "{told}");
}
