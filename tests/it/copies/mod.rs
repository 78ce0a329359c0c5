//! Images follow containers: a node that lacks one gets it from the node that has it.

mod broken;
mod names;

use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, at_once, on};
use crate::support::flotilla::Flotilla;
use crate::support::http::Wire;
use crate::support::images::{big_image, count_on, id_on, wait_for};
use crate::support::lab::{Lab, Spec, eventually, output};
use crate::support::relay::Relay;

/// How long it may take on a busy machine until a client that left is missed.
const CANCELLED: Duration = Duration::from_secs(60);

/// A lab with Flotilla before it.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) flotilla: Flotilla,
    pub(crate) caller: Caller,
}

impl Scene {
    pub(crate) fn start(spec: &Spec) -> Self {
        let lab = Lab::start(spec).unwrap();
        let flotilla = Flotilla::patient(&lab);
        let caller = Caller::new(flotilla.addr());
        Self {
            lab,
            flotilla,
            caller,
        }
    }

    /// Runs the docker CLI through Flotilla.
    pub(crate) fn docker(&self, args: &[&str]) -> Result<String, String> {
        let mut docker = self.flotilla.clients(&self.lab).docker();
        output(docker.args(args))
            .map(|s| s.trim().to_owned())
            .map_err(|e| e.to_string())
    }

    /// Makes an image on one node through Flotilla: busybox with `/mark` holding the text.
    pub(crate) fn build(&self, node: &str, image: &str, text: &str) {
        let constraint = format!("constraint:node=={node}");
        let write = format!("echo {text} > /mark");
        self.docker(&[
            "run",
            "--name",
            "maker",
            "-e",
            &constraint,
            "busybox",
            "sh",
            "-c",
            &write,
        ])
        .unwrap();
        self.docker(&["commit", "maker", image]).unwrap();
        self.docker(&["rm", "maker"]).unwrap();
    }

    /// Runs a container of the image where placement puts it; returns the node and what is in `/mark`.
    fn run(&self, image: &str) -> (String, String) {
        let id = self
            .docker(&["run", "-d", "--stop-signal", "KILL", image, "sleep", "600"])
            .unwrap();
        let node = self
            .docker(&["inspect", "-f", "{{.Node.Name}}", &id])
            .unwrap();
        (node, self.docker(&["exec", &id, "cat", "/mark"]).unwrap())
    }
}

#[test]
fn an_image_made_on_one_node_runs_on_all() {
    let scene = Scene::start(&Spec::mixed());
    // From the old engine to the new ones, and from a new one to both kinds.
    for (maker, image) in [("node0", "app:old"), ("node1", "app:new")] {
        scene.build(maker, image, maker);
        let mut nodes: Vec<_> = (0..3).map(|_| scene.run(image)).collect();
        nodes.sort();
        let expected = ["node0", "node1", "node2"].map(|node| (node.to_owned(), maker.to_owned()));
        assert_eq!(nodes, expected, "{}", scene.flotilla.system_status());
        let ids: Vec<_> = scene
            .lab
            .engines()
            .iter()
            .map(|e| id_on(e, image))
            .collect();
        assert!(
            ids[0].is_some() && ids.iter().all(|id| *id == ids[0]),
            "{ids:?}"
        );
    }
    let by_id = id_on(scene.lab.engine("node0"), "app:old").unwrap();
    scene
        .docker(&["run", "--rm", &by_id[7..19], "true"])
        .unwrap();
}

#[test]
fn a_tag_that_moved_means_its_newest_image_on_all_nodes() {
    let scene = Scene::start(&Spec::mixed());
    scene.build("node2", "app", "first");
    for _ in 0..3 {
        assert_eq!(scene.run("app").1, "first");
    }
    scene.build("node0", "app", "second");
    let mut runs: Vec<_> = (0..3).map(|_| scene.run("app")).collect();
    runs.sort();
    let expected = ["node0", "node1", "node2"].map(|n| (n.to_owned(), "second".to_owned()));
    assert_eq!(runs, expected, "{}", scene.flotilla.system_status());
    let inspected = scene
        .docker(&["image", "inspect", "-f", "{{.Id}}", "app"])
        .unwrap();
    for engine in scene.lab.engines() {
        assert_eq!(id_on(engine, "app").unwrap(), inspected);
    }
}

#[test]
fn a_rollback_outlives_a_restart_of_flotilla() {
    let mut scene = Scene::start(&Spec::mixed());
    scene.build("node2", "app", "old");
    scene.docker(&["tag", "app", "app:old"]).unwrap();
    scene.build("node0", "app", "new");
    let inspect = ["image", "inspect", "-f", "{{.Id}}", "app"];
    let new = scene.docker(&inspect).unwrap();
    scene.docker(&["tag", "app:old", "app"]).unwrap();
    let old = scene.docker(&inspect).unwrap();
    assert_ne!(old, new);
    assert_eq!(id_on(scene.lab.engine("node2"), "app"), Some(old.clone()));
    scene.flotilla.kill();
    scene.flotilla = Flotilla::before(&scene.lab);
    assert_eq!(scene.docker(&inspect).unwrap(), old);
}

#[test]
fn of_equal_nodes_the_one_with_the_image_is_chosen() {
    let scene = Scene::start(&Spec::mixed());
    for engine in scene.lab.engines() {
        let image = format!("only:{}", engine.name());
        output(engine.docker().args(["tag", "busybox", &image])).unwrap();
        let listed = || match scene.caller.get(&format!("/images/{image}/json")).status {
            200 => Ok(()),
            other => Err(other),
        };
        eventually(Duration::from_secs(30), listed).unwrap();
        let id = scene
            .caller
            .create("", &json!({"Image": image}))
            .expect(201)
            .id();
        let inspect = scene.caller.get(&format!("/containers/{id}/json")).json();
        assert_eq!(inspect["Node"]["Name"], engine.name());
        scene
            .caller
            .delete(&format!("/containers/{id}"))
            .expect(204);
    }
    assert!(!scene.flotilla.log().contains("copying an image"));
}

#[test]
fn a_copy_passes_through_without_staying_in_memory() {
    let scene = Scene::start(&Spec::mixed());
    big_image(scene.lab.engine("node2"), "big:1", 64);
    eventually(Duration::from_secs(30), || {
        match scene.caller.get("/images/big:1/json").status {
            200 => Ok(()),
            other => Err(other),
        }
    })
    .unwrap();
    let before = scene.flotilla.peak_kb();
    let body = json!({"Image": "big:1", "Env": ["constraint:node==node0"]});
    scene.caller.create("", &body).expect(201);
    let grown = scene.flotilla.peak_kb() - before;
    assert!(
        grown < 32 << 10,
        "memory grew by {grown} kB while 64 MiB passed"
    );
}

#[test]
fn a_node_that_cannot_take_the_image_is_passed_over_with_a_warning() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let relay = Relay::before(&lab.engine("node1").address());
    let address = |name: &str| lab.engine(name).address();
    big_image(lab.engine("node2"), "big:1", 8);
    let all = format!("{},{}", relay.addr(), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(2);
    let caller = Caller::new(flotilla.addr());
    // node2 is fuller, so node1 is the first choice; its loads are refused.
    caller.create("fills", &on("node2")).expect(201);
    relay.refuse("/images/load");
    let answer = caller.create("", &json!({"Image": "big:1"})).expect(201);
    let warnings = answer.json()["Warnings"].to_string();
    let words = "image big:1 could not be copied from node2 to node1: ";
    assert!(warnings.contains(words), "{warnings}");
    let inspect = caller
        .get(&format!("/containers/{}/json", answer.id()))
        .json();
    assert_eq!(inspect["Node"]["Name"], "node2");
}

#[test]
fn an_image_named_by_its_digest_is_pulled_where_it_is_missing() {
    let scene = Scene::start(&Spec::mixed().registry());
    let registry = scene.lab.registry().unwrap();
    let image = format!("{registry}/app:1");
    scene.build("node0", &image, "digest");
    let node0 = scene.lab.engine("node0");
    output(node0.docker().args(["push", &image])).unwrap();
    let format = "{{index .RepoDigests 0}}";
    let inspect = ["image", "inspect", "-f", format, &image];
    let digest = output(node0.docker().args(inspect)).unwrap();
    let digest = digest.trim();
    assert!(digest.contains("/app@sha256:"), "{digest}");
    let told = eventually(Duration::from_secs(30), || {
        let args = [
            "run",
            "--rm",
            "-e",
            "constraint:node==node2",
            digest,
            "cat",
            "/mark",
        ];
        scene.docker(&args)
    });
    assert_eq!(told.unwrap(), "digest");
    assert!(id_on(scene.lab.engine("node2"), digest).is_some());
}
