//! A registry that asks for a login: credentials reach it through Flotilla, and those of one do not serve another.

use std::process::Command;

use base64::Engine as _;
use serde_json::json;
use tempfile::TempDir;

use crate::support::caller::sleeper;
use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, call_with};
use crate::support::images::{has, id_on};
use crate::support::lab::{Lab, Release, Spec, eventually, output};
use crate::support::relay::Relay;

/// A lab with a private registry, and a client with settings of its own.
struct Scene {
    lab: Lab,
    flotilla: Flotilla,
    config: TempDir,
}

impl Scene {
    fn start() -> Self {
        Self::of(Spec::mixed())
    }

    fn of(spec: Spec) -> Self {
        let lab = Lab::start(&spec.private_registry()).unwrap();
        let flotilla = Flotilla::before(&lab);
        let config = tempfile::tempdir().unwrap();
        Self {
            lab,
            flotilla,
            config,
        }
    }

    fn registry(&self) -> &str {
        self.lab.registry().unwrap()
    }

    /// Runs the docker CLI through Flotilla.
    fn docker(&self, args: &[&str]) -> Result<String, String> {
        let mut docker = self.flotilla.clients(&self.lab).docker();
        docker.env("DOCKER_CONFIG", self.config.path());
        output(docker.args(args)).map_err(|e| e.to_string())
    }

    fn login(&self, password: &str) -> Result<String, String> {
        self.docker(&["login", "-u", "flotilla", "-p", password, self.registry()])
    }

    /// Puts busybox into the registry under this name, and on no engine.
    fn pushed(&self, name: &str) -> String {
        let image = format!("{}/{name}", self.registry());
        self.docker(&["tag", "busybox", &image]).unwrap();
        self.docker(&["push", &image]).unwrap();
        self.docker(&["rmi", &image]).unwrap();
        image
    }

    /// Returns a value for `X-Registry-Auth`.
    fn auth(&self, password: &str) -> String {
        let text =
            json!({"username": "flotilla", "password": password, "serveraddress": self.registry()});
        let encoded = base64::prelude::BASE64_URL_SAFE.encode(text.to_string());
        format!("X-Registry-Auth: {encoded}")
    }
}

/// Creates a container on node1 with these headers more.
fn create(addr: &str, image: &str, query: &str, more: &[&str]) -> Answer {
    let body = sleeper(&json!({"Image": image, "Env": ["constraint:node==node1"]}));
    let headers = [&["Content-Type: application/json"], more].concat();
    let path = format!("/containers/create?{query}");
    call_with(addr, "POST", &path, &headers, body.to_string().as_bytes())
}

#[test]
fn who_is_logged_in_pushes_and_pulls_everywhere() {
    let scene = Scene::start();
    let error = scene.login("wrong").unwrap_err();
    assert!(error.contains("401 Unauthorized"), "{error}");
    let image = format!("{}/app:1", scene.registry());
    scene.docker(&["tag", "busybox", &image]).unwrap();
    let error = scene.docker(&["push", &image]).unwrap_err();
    assert!(error.contains("no basic auth credentials"), "{error}");
    assert!(scene.login("secret").unwrap().contains("Login Succeeded"));
    let image = scene.pushed("app:1");
    assert!(!scene.lab.engines().iter().any(|e| has(e, &image)));
    scene.docker(&["pull", &image]).unwrap();
    assert!(scene.lab.engines().iter().all(|e| has(e, &image)));
    scene.docker(&["rmi", &image]).unwrap();
    scene.docker(&["logout", scene.registry()]).unwrap();
    let error = scene.docker(&["pull", &image]).unwrap_err();
    assert!(error.contains("no basic auth credentials"), "{error}");
    // What the registry says of an image.
    let path = format!("/distribution/{image}/json");
    let told = call_with(
        scene.flotilla.addr(),
        "GET",
        &path,
        &[&scene.auth("secret")],
        b"",
    );
    assert_eq!(told.status(), 200, "{}", told.text());
    let digest = told.json()["Descriptor"]["digest"].to_string();
    assert!(digest.starts_with("\"sha256:"), "{digest}");
    let told = call_with(scene.flotilla.addr(), "GET", &path, &[], b"");
    assert!(told.status() >= 400, "{}", told.text());
}

#[test]
fn a_create_with_credentials_pulls_where_the_image_is_missing() {
    let scene = Scene::start();
    scene.login("secret").unwrap();
    let image = scene.pushed("app:1");
    let addr = scene.flotilla.addr();
    let (right, wrong) = (scene.auth("secret"), scene.auth("wrong"));
    assert_eq!(create(addr, &image, "", &[]).status(), 404);
    assert!(create(addr, &image, "", &[&wrong]).status() >= 400);
    let answer = create(addr, &image, "", &[&right]);
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let (node1, node2) = (scene.lab.engine("node1"), scene.lab.engine("node2"));
    assert!(has(node1, &image) && !has(node2, &image));
    // A node has it; with credentials the registry is asked all the same, and without them, or when that fails, it is
    // copied.
    let copies = || scene.flotilla.log().matches("image copied").count();
    let again = |more: &[&str]| {
        scene
            .docker(&["rm", "-f", scene.docker(&["ps", "-aq"]).unwrap().trim()])
            .unwrap();
        output(node1.docker().args(["rmi", &image])).unwrap();
        output(node2.docker().args(["tag", "busybox", &image])).unwrap();
        eventually(std::time::Duration::from_secs(60), || {
            let told = scene.docker(&["images", "-q", &image, "--filter", "node=node1"])?;
            let there = scene.docker(&["images", "-q", &image])?;
            match told.is_empty() && !there.is_empty() {
                true => Ok(()),
                false => Err(format!("{told} on node1 of {there}")),
            }
        })
        .unwrap();
        let answer = create(addr, &image, "", more);
        assert_eq!(answer.status(), 201, "{}", answer.text());
    };
    again(&[&right]);
    assert_eq!(copies(), 0);
    again(&[&wrong]);
    assert_eq!(copies(), 1);
    again(&[]);
    assert_eq!(copies(), 2);
    assert_eq!(id_on(node1, &image), id_on(node2, "busybox"));
}

#[test]
fn a_pull_for_a_create_asks_for_its_platform() {
    let scene = Scene::start();
    scene.login("secret").unwrap();
    let image = scene.pushed("app:1");
    let relay = Relay::before(&scene.lab.engine("node1").address());
    let flotilla = Flotilla::start(scene.lab.folder(), &[], relay.addr());
    flotilla.wait_for_nodes(1);
    let auth = scene.auth("secret");
    let answer = create(flotilla.addr(), &image, "platform=linux%2Famd64", &[&auth]);
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let asked = relay.request("/images/create?");
    let line = asked.lines().next().unwrap();
    assert!(line.contains("&platform=linux%2Famd64 "), "{line}");
}

#[test]
fn a_mounted_image_that_nobody_has_is_asked_of_the_registry_once() {
    let scene = Scene::of(Spec::of(&[Release::V28, Release::V28]));
    let relays = ["node0", "node1"].map(|n| Relay::before(&scene.lab.engine(n).address()));
    let all = relays.each_ref().map(Relay::addr).join(",");
    let flotilla = Flotilla::start(scene.lab.folder(), &[], &all);
    flotilla.wait_for_nodes(2);
    let image = format!("{}/none:1", scene.registry());
    let mount = json!({"Type": "image", "Source": image, "Target": "/none"});
    let body = sleeper(&json!({"HostConfig": {"Mounts": [mount]}})).to_string();
    let headers = ["Content-Type: application/json", &scene.auth("secret")];
    let path = "/containers/create";
    let answer = call_with(flotilla.addr(), "POST", path, &headers, body.as_bytes());
    assert_eq!(answer.status(), 500, "{}", answer.text());
    let start = format!("image {image} could not be pulled to node");
    assert!(answer.message().starts_with(&start), "{}", answer.text());
    let pulls = relays.iter().map(|relay| relay.mentions("/images/create?"));
    assert_eq!(
        pulls.sum::<usize>(),
        1,
        "what one does not get no other gets"
    );
}

#[test]
fn a_push_of_all_tags_pushes_those_of_all_nodes() {
    let scene = Scene::start();
    scene.login("secret").unwrap();
    let repository = format!("{}/all", scene.registry());
    for (node, tag) in [("node0", "one"), ("node1", "two"), ("node1", "three")] {
        let image = format!("{repository}:{tag}");
        output(
            scene
                .lab
                .engine(node)
                .docker()
                .args(["tag", "busybox", &image]),
        )
        .unwrap();
    }
    eventually(std::time::Duration::from_secs(60), || {
        let listed = scene.docker(&["images", "-q", &repository])?;
        match listed.lines().count() {
            3 => Ok(()),
            _ => Err(listed),
        }
    })
    .unwrap();
    scene.docker(&["push", "-a", &repository]).unwrap();
    let url = format!(
        "http://flotilla:secret@{}/v2/all/tags/list",
        scene.registry()
    );
    let told = output(Command::new("curl").args(["-sS", &url])).unwrap();
    assert!(
        ["one", "two", "three"].iter().all(|tag| told.contains(tag)),
        "{told}"
    );
}
