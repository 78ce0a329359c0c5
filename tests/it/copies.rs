//! Images follow containers: a node that lacks one gets it from the node that has it.

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
fn many_creates_wait_for_one_copy() {
    let scene = Scene::start(&Spec::mixed());
    scene.build("node0", "app", "x");
    let body = json!({"Image": "app", "Env": ["constraint:node==node1"]});
    for answer in at_once(12, |n| scene.caller.create(&format!("c{n}"), &body)) {
        answer.expect(201);
    }
    let log = scene.flotilla.log();
    assert_eq!(log.matches("copying an image").count(), 1, "{log}");
    assert_eq!(log.matches("image copied").count(), 1);
}

#[test]
fn two_names_of_one_image_come_with_one_copy() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node0");
    big_image(giver, "app:1", 16);
    output(giver.docker().args(["tag", "app:1", "app:2"])).unwrap();
    let relay = Relay::before(&giver.address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", relay.addr(), address("node1"), address("node2"));
    let mut flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    // Slow enough for the second to come in its middle.
    relay.hold(Duration::from_millis(20));
    let caller = Caller::new(flotilla.addr());
    let creating = ["app:1", "app:2"].map(|image| {
        let (caller, mut body) = (caller.clone(), on("node1"));
        body["Image"] = image.into();
        std::thread::spawn(move || caller.create("", &body))
    });
    eventually(Duration::from_secs(60), || {
        let asked = flotilla.log().matches("an image is to be copied").count();
        if asked == 2 { Ok(()) } else { Err(asked) }
    })
    .unwrap();
    assert!(!flotilla.log().contains("image copied"), "it was too quick");
    relay.hold(Duration::ZERO);
    for create in creating {
        create.join().unwrap().expect(201);
    }
    let log = flotilla.log();
    assert_eq!(log.matches("copying an image").count(), 1, "{log}");
    let node1 = lab.engine("node1");
    let ids = ["app:1", "app:2"].map(|image| id_on(node1, image));
    assert_eq!(ids, ["app:1", "app:2"].map(|image| id_on(giver, image)));
    assert!(ids[0].is_some() && ids[0] == ids[1], "{ids:?}");
    // A name that is asked for later is brought as well, and each means the same after a restart.
    output(giver.docker().args(["tag", "app:1", "app:3"])).unwrap();
    let mut body = on("node1");
    body["Image"] = "app:3".into();
    wait_for(&caller, "app:3");
    caller.create("", &body).expect(201);
    assert_eq!(id_on(node1, "app:3"), ids[0]);
    flotilla.kill();
    let flotilla = Flotilla::before(&lab);
    let inspect = |image: &str| Caller::new(flotilla.addr()).get(&format!("/images/{image}/json"));
    for image in ["app:1", "app:2", "app:3"] {
        assert_eq!(inspect(image).json()["Id"].as_str(), ids[0].as_deref());
    }
}

#[test]
fn a_copy_that_breaks_under_one_name_is_made_under_the_other() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node0");
    big_image(giver, "app:1", 1);
    output(giver.docker().args(["tag", "app:1", "app:2"])).unwrap();
    let relay = Relay::before(&giver.address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", relay.addr(), address("node1"), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let create = |image: &str| {
        let (caller, mut body) = (caller.clone(), on("node1"));
        body["Image"] = image.into();
        std::thread::spawn(move || caller.create("", &body))
    };
    let asked = |times: usize| {
        eventually(Duration::from_secs(60), || {
            let asked = flotilla.log().matches("an image is to be copied").count();
            if asked == times { Ok(()) } else { Err(asked) }
        })
        .unwrap();
    };
    let save = "/images/app:1/get";
    relay.mute(save);
    let one = create("app:1");
    asked(1);
    eventually(Duration::from_secs(60), || match relay.muted() {
        0 => Err("not asked for"),
        _ => Ok(()),
    })
    .unwrap();
    let two = create("app:2");
    asked(2);
    relay.sever(save);
    two.join().unwrap().expect(201);
    let message = one.join().unwrap().expect(500).message();
    assert!(
        message.contains("image app:1 could not be copied"),
        "{message}"
    );
    assert_eq!(
        id_on(lab.engine("node1"), "app:2"),
        id_on(giver, "app:2"),
        "it came under its name"
    );
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
fn a_broken_copy_leaves_nothing_and_the_create_says_why() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node2");
    big_image(giver, "big:1", 64);
    // Slow enough to be cut in the middle.
    let relay = Relay::before(&giver.address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", address("node0"), address("node1"), relay.addr());
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let before = count_on(lab.engine("node1"));
    relay.hold(Duration::from_millis(2));
    let body = |more: Value| {
        let mut body = json!({"Image": "big:1"});
        body["Env"] = more["Env"].clone();
        body
    };
    let creating = {
        let caller = caller.clone();
        let body = body(on("node1"));
        std::thread::spawn(move || caller.create("cut", &body))
    };
    let limit = Duration::from_secs(60);
    eventually(limit, || {
        match flotilla.log().contains("copying an image") {
            true => Ok(()),
            false => Err(()),
        }
    })
    .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    giver.kill().unwrap();
    let answer = creating.join().unwrap().expect(500);
    let message = answer.message();
    let start = "image big:1 could not be copied from node2 to node1: ";
    assert!(message.starts_with(start), "{message}");
    assert_eq!(count_on(lab.engine("node1")), before);
    assert!(caller.containers().is_empty());

    relay.hold(Duration::ZERO);
    giver.restart().unwrap();
    flotilla.wait_for_nodes(3);
    caller.create("cut", &body(on("node1"))).expect(201);
}

#[test]
fn a_copy_that_arrives_as_another_image_is_none() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node2");
    let docker = |args: &[&str]| output(giver.docker().args(args)).unwrap();
    docker(&["run", "--name", "maker", "busybox", "true"]);
    let label = "LABEL word=genuine";
    let id = docker(&["commit", "--change", label, "maker", "app:1"]);
    let id = id.trim().to_owned();
    docker(&["rm", "maker"]);
    // The layers arrive as they are; what they are run with does not.
    let relay = Relay::before(&lab.engine("node1").address());
    relay.swap("genuine", "altered");
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", address("node0"), relay.addr(), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let taker = lab.engine("node1");
    let refused = || {
        let (before, had) = (count_on(taker), id_on(taker, "app:1"));
        let body = json!({"Image": "app:1", "Env": ["constraint:node==node1"]});
        let message = caller.create("", &body).expect(500).message();
        let start = "image app:1 could not be copied from node2 to node1: ";
        let why = format!("node1 took it and does not have it as {id}");
        assert!(message.starts_with(&format!("{start}{why}")), "{message}");
        assert!(caller.containers().is_empty());
        // What came is gone, and the name is whose it was.
        assert_eq!((count_on(taker), id_on(taker, "app:1")), (before, had));
    };
    refused();
    assert_eq!(id_on(taker, "app:1"), None);
    output(taker.docker().args(["tag", "busybox", "app:1"])).unwrap();
    // It means the image of node2 again, which came to it last.
    let tag = ["tag", &id, "app:1"];
    output(giver.docker().args(tag)).unwrap();
    let meant = || match caller.get("/images/app:1/json").json()["Id"] == *id {
        true => Ok(()),
        false => Err(()),
    };
    eventually(Duration::from_secs(30), meant).unwrap();
    refused();
    assert_eq!(id_on(taker, "app:1"), id_on(taker, "busybox"));
}

#[test]
fn a_copy_that_ends_after_a_new_build_is_no_newer_than_what_it_copies() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let relay = Relay::before(&lab.engine("node0").address());
    let address = |name: &str| lab.engine(name).address();
    big_image(lab.engine("node0"), "app:1", 32);
    let all = format!("{},{},{}", relay.addr(), address("node1"), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    // Slow enough for a build meanwhile, which takes longer than usual on a busy machine.
    relay.hold(Duration::from_millis(50));
    let creating = {
        let caller = caller.clone().with_patience(Duration::from_secs(300));
        let body = json!({"Image": "app:1", "Env": ["constraint:node==node1"]});
        std::thread::spawn(move || caller.create("", &body))
    };
    let limit = Duration::from_secs(60);
    let wait_for = |line: &str| {
        eventually(limit, || match flotilla.log().contains(line) {
            true => Ok(()),
            false => Err(flotilla.log()),
        })
        .unwrap();
    };
    wait_for("copying an image");
    let node2 = lab.engine("node2");
    big_image(node2, "app:1", 1);
    let newest = id_on(node2, "app:1");
    let meant = || {
        let found = caller.get("/images/app:1/json").json();
        found["Id"].as_str().map(str::to_owned)
    };
    eventually(limit, || {
        if meant() == newest {
            Ok(())
        } else {
            Err(meant())
        }
    })
    .unwrap();
    assert!(
        !flotilla.log().contains("image copied"),
        "the copy was too quick"
    );
    relay.hold(Duration::ZERO);
    creating.join().unwrap().expect(201);
    wait_for("image copied");
    assert_eq!(meant(), newest);
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

/// Makes an archive of one file that does not compress.
fn big_archive(mib: u64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut random = File::open("/dev/urandom").unwrap().take(mib << 20);
    let mut file = File::create(folder.path().join("big")).unwrap();
    std::io::copy(&mut random, &mut file).unwrap();
    let mut tar = Command::new("tar");
    let made = tar.arg("-C").arg(folder.path()).args(["-c", "big"]);
    made.output().unwrap().stdout
}

#[test]
fn a_copy_for_an_import_ends_with_its_client() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let relay = Relay::before(&lab.engine("node0").address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", relay.addr(), address("node1"), address("node2"));
    let flotilla = Flotilla::start(lab.folder(), &["--image-spread", "everywhere"], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    // The import itself goes where the least is, which then gives slowly.
    for node in ["node1", "node2"] {
        caller.run_on(node, &format!("on-{node}"));
    }
    relay.hold(Duration::from_millis(10));
    let mut client = Wire::connect(flotilla.addr()).with_patience(CANCELLED);
    let tar = ["Content-Type: application/x-tar"];
    let path = "/images/create?fromSrc=-&repo=held&tag=1";
    client.request("POST", path, &tar, &big_archive(64));
    assert_eq!(client.head().status, 200);
    // Rows show that it goes on.
    for node in ["node1", "node2"] {
        client.read_through(format!("\"id\":\"{node}\"}}\r\n").as_bytes());
    }
    drop(client);
    let ended = || {
        let log = flotilla.log();
        match log.matches("nobody waits for it any more").count() {
            2.. => Ok(()),
            _ => Err(log),
        }
    };
    eventually(CANCELLED, ended).unwrap();
    assert!(!flotilla.log().contains("image copied"));
}
