//! Saves where nodes have different images under one name: what inspect tells of is meant.

use crate::copies::Scene;
use crate::support::images::id_on;
use crate::support::lab::{Spec, output};

/// Returns the ID of the image that a name means.
fn meant(scene: &Scene, image: &str) -> String {
    let inspect = ["image", "inspect", "-f", "{{.Id}}", image];
    scene.docker(&inspect).unwrap()
}

#[test]
fn images_saved_together_are_those_that_their_tags_came_to_last() {
    let scene = Scene::start(&Spec::mixed());
    scene.build("node0", "app:1", "old");
    scene.build("node1", "app:1", "new");
    scene.docker(&["tag", "busybox", "tool:1"]).unwrap();
    let archive = scene.lab.folder().join("both.tar");
    let path = archive.to_str().unwrap();
    scene
        .docker(&["save", "-o", path, "app:1", "tool:1"])
        .unwrap();
    let node2 = scene.lab.engine("node2");
    output(node2.docker().args(["load", "-i", path])).unwrap();
    let saved = id_on(node2, "app:1").unwrap();
    assert_eq!(saved, meant(&scene, "app:1"));
    assert_eq!(Some(saved), id_on(scene.lab.engine("node1"), "app:1"));
}

#[test]
fn what_no_node_has_together_is_not_found_and_each_nodes_lack_is_told() {
    let scene = Scene::start(&Spec::mixed());
    scene.build("node0", "app:1", "old");
    scene.build("node0", "tool:1", "tool");
    // As if node0 had no app:1 any more.
    scene.build("node1", "app:1", "new");
    let path = "/images/get?names=app:1&names=tool:1";
    let message = scene.caller.get(path).expect(404).message();
    assert_eq!(
        message,
        "no node has all of these images (node0 lacks app:1; node1 lacks tool:1): save them one by one"
    );
    let archive = scene.lab.folder().join("both.tar");
    let path = archive.to_str().unwrap();
    let save = ["save", "-o", path, "app:1", "tool:1"];
    let told = scene.docker(&save).unwrap_err();
    assert!(told.contains("node1 lacks tool:1"), "{told}");
    for image in ["app:1", "tool:1"] {
        scene.docker(&["save", "-o", path, image]).unwrap();
    }
}
