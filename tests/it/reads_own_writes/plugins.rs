//! Plugins: what is made, set, turned on and off, taken from a registry and removed is so on all nodes at once.

use std::thread;

use serde_json::{Value, json};

use super::ROUNDS;
use crate::support::caller::{Caller, sleeper};
use crate::support::flotilla::Flotilla;
use crate::support::http::{call_json, call_with};
use crate::support::lab::{Lab, Spec};
use crate::support::managed_plugin::{archive, listen};

struct Scene {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
}

impl Scene {
    /// Makes a plugin.
    fn create(&self, name: &str) {
        let path = format!("/v1.41/plugins/create?name={name}");
        let tar = ["Content-Type: application/x-tar"];
        let made = call_with(self.flotilla.addr(), "POST", &path, &tar, &archive(name));
        assert_eq!(made.status(), 204, "{}", made.text());
    }

    /// Returns what lists and inspects show of a plugin, which is the same; `null` for nothing.
    fn shown(&self, name: &str) -> Value {
        let list = self.caller.get("/plugins").expect(200).json();
        let mut list = list.as_array().unwrap().iter();
        let listed = list.find(|p| p["Name"] == name).cloned();
        let inspect = self.caller.get(&format!("/plugins/{name}/json"));
        let Some(listed) = listed else {
            inspect.expect(404);
            return Value::Null;
        };
        let inspect = inspect.expect(200).json();
        assert_eq!(inspect["Enabled"], listed["Enabled"], "{name}");
        inspect
    }

    /// Checks on how many nodes a driver is known to be: placement goes by that.
    fn is_on(&self, name: &str, count: usize) {
        let nodes = self.caller.get("/nodes").expect(200).body;
        let driver = format!("\"Name\":\"{name}\"");
        assert_eq!(nodes.matches(&driver).count(), count, "{name} in {nodes}");
    }

    /// Makes a call with a list as body, on the whole answer of which nothing failed.
    fn send(&self, path: &str, list: &Value) {
        let path = format!("/v1.41{path}");
        let answer = call_json(self.flotilla.addr(), "POST", &path, &list.to_string());
        assert!(answer.status() < 300, "{path}: {}", answer.text());
        assert!(!answer.text().contains("errorDetail"), "{}", answer.text());
    }

    fn removed(&self, name: &str) {
        self.caller.delete(&format!("/plugins/{name}")).expect(200);
        assert_eq!(self.shown(name), Value::Null);
    }
}

#[test]
fn plugins_are_seen_as_they_are_now() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let scene = Scene {
        caller: Caller::new(flotilla.addr()),
        lab,
        flotilla,
    };
    let scene = &scene;
    thread::scope(|scope| {
        scope.spawn(|| (0..ROUNDS).for_each(|round| live(scene, round)));
        scope.spawn(|| travel(scene));
    });
}

/// A plugin is made, set, enabled, disabled and removed.
fn live(scene: &Scene, round: usize) {
    let name = format!("sleeps{round}:1");
    scene.create(&name);
    assert_eq!(scene.shown(&name)["Enabled"], false);
    let value = format!("DEBUG={round}");
    scene.send(&format!("/plugins/{name}/set"), &json!([value]));
    assert_eq!(scene.shown(&name)["Settings"]["Env"], json!([value]));
    scene.is_on(&name, 0);
    let engines = scene.lab.engines().iter();
    let _sockets: Vec<_> = engines.map(|engine| listen(engine, &name)).collect();
    let path = format!("/plugins/{name}/enable?timeout=30");
    scene.caller.post(&path).expect(200);
    assert_eq!(scene.shown(&name)["Enabled"], true);
    scene.is_on(&name, 3);
    let logs = json!({"HostConfig": {"LogConfig": {"Type": name}}});
    let user = scene
        .caller
        .post_json("/containers/create", &sleeper(&logs));
    let user = user.expect(201).id();
    scene
        .caller
        .delete(&format!("/containers/{user}"))
        .expect(204);
    scene
        .caller
        .post(&format!("/plugins/{name}/disable"))
        .expect(200);
    assert_eq!(scene.shown(&name)["Enabled"], false);
    scene.is_on(&name, 0);
    scene.removed(&name);
}

/// A plugin is pushed, and pulled, upgraded and removed again and again.
fn travel(scene: &Scene) {
    let name = format!("{}/travels:1", scene.lab.registry().unwrap());
    scene.create(&name);
    scene.send(&format!("/plugins/{name}/push"), &json!([]));
    scene.removed(&name);
    for _ in 0..ROUNDS {
        scene.send(&format!("/plugins/pull?remote={name}"), &json!([]));
        assert_eq!(scene.shown(&name)["PluginReference"], name);
        scene.send(&format!("/plugins/{name}/set"), &json!(["DEBUG=1"]));
        let upgrade = format!("/plugins/{name}/upgrade?remote={name}");
        scene.send(&upgrade, &json!([]));
        assert_eq!(scene.shown(&name)["Enabled"], false);
        scene.removed(&name);
    }
}
