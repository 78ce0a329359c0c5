//! Saves and pushes where nodes have different images under one name: what inspect tells of is meant.

use serde_json::Value;

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

#[test]
fn a_push_is_of_the_image_that_inspect_tells_of() {
    let scene = Scene::start(&Spec::mixed().registry());
    let repository = format!("{}/app", scene.lab.registry().unwrap());
    let image = format!("{repository}:1");
    let pushed = |push: &[&str]| {
        scene.docker(push).unwrap();
        let registry = scene.lab.registry().unwrap();
        let url = format!("http://{registry}/v2/app/manifests/1");
        let kind = "Accept: application/vnd.docker.distribution.manifest.v2+json";
        let mut curl = std::process::Command::new("curl");
        let text = output(curl.args(["-sSf", "-H", kind, &url])).unwrap();
        let manifest: Value = serde_json::from_str(&text).unwrap();
        manifest["config"]["digest"].as_str().unwrap().to_owned()
    };
    scene.build("node2", &image, "old");
    scene.docker(&["tag", &image, "old:1"]).unwrap();
    // Of two nodes in whatever order of their names, and back again.
    for (maker, text) in [("node0", "new"), ("node1", "newer"), ("node0", "newest")] {
        scene.build(maker, &image, text);
        assert_eq!(pushed(&["push", &image]), meant(&scene, &image), "{text}");
    }
    scene.docker(&["tag", "old:1", &image]).unwrap();
    let old = meant(&scene, "old:1");
    assert_eq!(meant(&scene, &image), old);
    assert_eq!(pushed(&["push", &image]), old);
    scene.build("node1", &image, "last");
    let all = ["push", "--all-tags", &repository];
    assert_eq!(pushed(&all), meant(&scene, &image));
}
