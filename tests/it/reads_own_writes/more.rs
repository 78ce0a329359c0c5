//! The rest of the calls that change something: those on images, execs, archives, nodes and networks' members.
//!
//! They run at the same time on one cluster, each in a thread of its own, so that refreshes of different causes meet.

use std::thread;

use serde_json::{Value, json};

use super::ROUNDS;
use crate::support::caller::{Caller, encoded, on, sleeper};
use crate::support::flotilla::Flotilla;
use crate::support::http::{self, call_with};
use crate::support::lab::{Lab, Spec};

/// What the calls are made on.
pub(super) struct Scene {
    lab: Lab,
    flotilla: Flotilla,
    pub(super) caller: Caller,
}

impl Scene {
    fn start() -> Self {
        let lab = Lab::start(&Spec::mixed().registry()).unwrap();
        let flotilla = Flotilla::before(&lab);
        let caller = Caller::new(flotilla.addr());
        let scene = Self {
            lab,
            flotilla,
            caller,
        };
        scene.send(
            "/images/create?fromSrc=-&repo=tiny&tag=1",
            &tar("file", b"x"),
        );
        scene
    }

    /// Posts a body that is no JSON and returns the answer's text.
    pub(super) fn send(&self, path: &str, body: &[u8]) -> String {
        let tar = ["Content-Type: application/x-tar"];
        let path = format!("/v1.41{path}");
        let answer = call_with(self.flotilla.addr(), "POST", &path, &tar, body);
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        assert!(!answer.text().contains("errorDetail"), "{}", answer.text());
        answer.text()
    }

    /// Checks that list and inspect show an image, or that neither does.
    pub(super) fn image(&self, tag: &str, there: bool) {
        let list = self.caller.get("/images/json").expect(200).json();
        let tags = |image: &Value| image["RepoTags"].as_array().cloned().unwrap_or_default();
        let mut images = list.as_array().unwrap().iter();
        let listed = images.any(|image| tags(image).contains(&json!(tag)));
        assert_eq!(listed, there, "{tag} in {list}");
        let status = if there { 200 } else { 404 };
        self.caller
            .get(&format!("/images/{tag}/json"))
            .expect(status);
    }

    /// Removes an image, which is not there any more at once.
    pub(super) fn removed(&self, tag: &str) {
        self.caller.delete(&format!("/images/{tag}")).expect(200);
        self.image(tag, false);
    }

    /// Creates a container that is not started.
    pub(super) fn container(&self, node: &str, label: &str) -> String {
        let mut body = on(node);
        body["Labels"] = json!({label: "1"});
        self.caller
            .post_json("/containers/create", &sleeper(&body))
            .expect(201)
            .id()
    }
}

/// Makes an archive of one file.
pub(super) fn tar(name: &str, text: &[u8]) -> Vec<u8> {
    let mut head = [0_u8; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[100..107].copy_from_slice(b"0000644");
    head[108..115].copy_from_slice(b"0000000");
    head[116..123].copy_from_slice(b"0000000");
    head[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
    head[136..147].copy_from_slice(b"00000000000");
    head[148..156].copy_from_slice(b"        ");
    head[156] = b'0';
    head[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut archive = head.to_vec();
    archive.extend_from_slice(text);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

/// Runs jobs at the same time, each [`ROUNDS`] times.
pub(super) fn together(jobs: &[fn(&Scene, usize)]) {
    let scene = Scene::start();
    thread::scope(|scope| {
        for job in jobs {
            let scene = &scene;
            scope.spawn(move || (0..ROUNDS).for_each(|round| job(scene, round)));
        }
    });
}

#[test]
fn images_are_there_however_they_came() {
    together(&[imported, loaded, built, committed, pulled]);
}

fn imported(scene: &Scene, round: usize) {
    let tag = format!("imported{round}:1");
    let path = format!("/images/create?fromSrc=-&repo=imported{round}&tag=1");
    scene.send(&path, &tar("file", tag.as_bytes()));
    scene.image(&tag, true);
    scene.removed(&tag);
}

fn loaded(scene: &Scene, round: usize) {
    let tag = format!("loaded{round}:1");
    let path = format!("/images/tiny:1/tag?repo=loaded{round}&tag=1");
    scene.caller.post(&path).expect(201);
    let path = format!("/v1.41/images/{tag}/get");
    let saved = http::call(scene.flotilla.addr(), "GET", &path);
    assert_eq!(saved.status(), 200);
    scene.removed(&tag);
    scene.send("/images/load?quiet=1", &saved.body);
    scene.image(&tag, true);
    scene.removed(&tag);
}

fn built(scene: &Scene, round: usize) {
    let tag = format!("built{round}:1");
    let dockerfile = format!("FROM busybox\nLABEL round={round}\n");
    let archive = tar("Dockerfile", dockerfile.as_bytes());
    scene.send(&format!("/build?t={tag}&version=1"), &archive);
    scene.image(&tag, true);
    scene.removed(&tag);
}

fn committed(scene: &Scene, round: usize) {
    let tag = format!("committed{round}:1");
    let id = scene.container(&format!("node{}", round % 3), "commit");
    let path = format!("/commit?container={id}&repo=committed{round}&tag=1");
    scene.caller.post_json(&path, &json!({})).expect(201);
    scene.image(&tag, true);
    scene
        .caller
        .delete(&format!("/containers/{id}"))
        .expect(204);
    scene.removed(&tag);
}

/// A push, of which the digest is known at once, and a pull of it.
fn pulled(scene: &Scene, round: usize) {
    let repository = format!("{}/pulled{round}", scene.lab.registry().unwrap());
    let tag = format!("{repository}:1");
    let path = format!("/images/tiny:1/tag?repo={repository}&tag=1");
    scene.caller.post(&path).expect(201);
    let push = format!("/v1.41/images/{repository}/push?tag=1");
    let auth = ["X-Registry-Auth: e30="];
    let told = call_with(scene.flotilla.addr(), "POST", &push, &auth, b"").text();
    let digest = told
        .split("sha256:")
        .nth(1)
        .unwrap_or_else(|| panic!("{told}"));
    let by_digest = format!("/images/{repository}@sha256:{}/json", &digest[..64]);
    scene.caller.get(&by_digest).expect(200);
    scene.removed(&tag);
    let pull = format!("/images/create?fromImage={repository}&tag=1");
    scene.send(&pull, b"");
    scene.image(&tag, true);
    scene.caller.get(&by_digest).expect(200);
    scene.removed(&tag);
}

#[test]
fn members_execs_archives_and_nodes_are_seen_as_they_are_now() {
    together(&[member, executed, copied, updated]);
}

/// A container joins and leaves a network.
fn member(scene: &Scene, round: usize) {
    let name = format!("member{}", round % 10);
    if round < 10 {
        let body = json!({"Name": name, "Internal": true});
        scene
            .caller
            .post_json("/networks/create", &body)
            .expect(201);
    }
    let home = scene
        .caller
        .get(&format!("/networks/{name}"))
        .expect(200)
        .json();
    assert_eq!(home["Name"], name);
    let body = sleeper(&json!({"HostConfig": {"NetworkMode": name}}));
    let id = scene
        .caller
        .post_json("/containers/create", &body)
        .expect(201)
        .id();
    let is_member = || {
        let list = scene.caller.containers();
        let entry = list.iter().find(|c| c["Id"] == id).unwrap().clone();
        let inspect = scene
            .caller
            .get(&format!("/containers/{id}/json"))
            .expect(200);
        let one = |of: &Value| !of["NetworkSettings"]["Networks"][&name].is_null();
        assert_eq!(one(&entry), one(&inspect.json()), "{entry}");
        one(&entry)
    };
    assert!(is_member());
    let who = json!({"Container": id});
    for (call, there) in [("disconnect", false), ("connect", true)] {
        let path = format!("/networks/{name}/{call}");
        scene.caller.post_json(&path, &who).expect(200);
        assert_eq!(is_member(), there, "after {call}");
    }
    scene
        .caller
        .delete(&format!("/containers/{id}"))
        .expect(204);
}

fn executed(scene: &Scene, round: usize) {
    let node = format!("node{}", round % 3);
    let name = format!("execs-{node}");
    if round < 3 {
        scene.caller.run_on(&node, &name);
    }
    let body = json!({"Cmd": ["sh", "-c", "exit 3"], "AttachStdout": true});
    let path = format!("/containers/{name}/exec");
    let exec = scene.caller.post_json(&path, &body).expect(201).id();
    let path = format!("/exec/{exec}/json");
    assert_eq!(scene.caller.get(&path).expect(200).json()["Running"], false);
    let inspect = scene
        .caller
        .get(&format!("/containers/{name}/json"))
        .expect(200);
    let execs = inspect.json()["ExecIDs"].clone();
    assert!(execs.as_array().unwrap().contains(&json!(exec)), "{execs}");
    let start = format!("/exec/{exec}/start");
    scene.caller.post_json(&start, &json!({"Detach": false}));
    let told = scene.caller.get(&path).expect(200).json();
    assert_eq!(
        (&told["Running"], &told["ExitCode"]),
        (&json!(false), &json!(3))
    );
}

fn copied(scene: &Scene, round: usize) {
    let node = format!("node{}", round % 3);
    let name = format!("copies-{node}");
    if round < 3 {
        scene.caller.create(&name, &on(&node)).expect(201);
    }
    let archive = tar(&format!("file{round}"), format!("text {round}").as_bytes());
    let path = format!("/v1.41/containers/{name}/archive?path=/tmp");
    let kind = ["Content-Type: application/x-tar"];
    let put = call_with(scene.flotilla.addr(), "PUT", &path, &kind, &archive);
    assert_eq!(put.status(), 200, "{}", put.text());
    let path = format!("{path}/file{round}");
    let got = http::call(scene.flotilla.addr(), "GET", &path);
    assert_eq!(got.status(), 200, "{}", got.text());
    assert!(got.text().contains(&format!("text {round}")));
}

fn updated(scene: &Scene, round: usize) {
    let path = format!("/nodes/node{}", round % 3);
    let node = scene.caller.get(&path).expect(200).json();
    let spec =
        json!({"Availability": "active", "Role": "worker", "Labels": {"round": round.to_string()}});
    let version = &node["Version"]["Index"];
    let update = format!("{path}/update?version={version}");
    scene.caller.post_json(&update, &spec).expect(200);
    let now = scene.caller.get(&path).expect(200).json();
    assert_eq!(now["Spec"]["Labels"]["round"], round.to_string());
    let list = scene.caller.get("/nodes").expect(200).json();
    let listed = list
        .as_array()
        .unwrap()
        .iter()
        .find(|n| n["ID"] == now["ID"]);
    assert_eq!(listed.unwrap()["Spec"], now["Spec"]);
    let labelled = encoded(&json!({"node.label": [format!("round={round}")]}));
    let filtered = scene.caller.get(&format!("/nodes?filters={labelled}"));
    assert_eq!(filtered.expect(200).json().as_array().unwrap().len(), 1);
}
