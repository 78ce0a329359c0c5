//! A node that has not answered since Flotilla started: what it may have is not said to be gone, and what is made anew
//! is made elsewhere.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, encoded, sleeper};
use crate::support::clients::needs;
use crate::support::flotilla::Flotilla;
use crate::support::http::{Wire, request};
use crate::support::lab::{Lab, Spec, eventually, output};

/// How soon a change of an engine's health is waited for, on a busy machine.
const NOTICED: Duration = Duration::from_secs(30);
/// The lists from memory.
const LISTS: [&str; 4] = [
    "/containers/json?all=1",
    "/images/json",
    "/networks",
    "/volumes",
];

/// Three engines, of which node2 is down and has the container `web`, and a Flotilla that was started after that.
struct Scene {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
    exec: String,
    silent: String,
}

impl Scene {
    fn start() -> Self {
        let lab = Lab::start(&Spec::mixed()).unwrap();
        let direct = Caller::new(lab.engine("node2").address());
        let web = direct.create("web", &json!({})).expect(201).id();
        direct.post(&format!("/containers/{web}/start")).expect(204);
        let exec = json!({"Cmd": ["true"]});
        let exec = direct.post_json("/containers/web/exec", &exec).expect(201);
        lab.engine("node2").kill().unwrap();
        let flotilla = Flotilla::start(lab.folder(), &[], &lab.addresses());
        flotilla.wait_for_nodes(2);
        Self {
            caller: Caller::new(flotilla.addr()),
            silent: lab.engine("node2").address(),
            exec: exec.id(),
            flotilla,
            lab,
        }
    }

    /// Returns what is said of something that is missing, after the engine's words.
    fn doubt(&self) -> String {
        let silent = &self.silent;
        format!(" on any node that answers; {silent} has not answered yet and may have it")
    }
}

#[test]
fn a_container_that_a_silent_node_may_have_is_not_said_to_be_gone() {
    let scene = Scene::start();
    let (caller, doubt) = (&scene.caller, scene.doubt());
    let missing = format!("No such container: web{doubt}");
    let exec = json!({"Cmd": ["true"]});
    let connect = json!({"Container": "web"});
    let join = sleeper(&json!({"HostConfig": {"VolumesFrom": ["web"]}}));
    let since = encoded(&json!({"since": ["web"]}));
    let calls: Vec<(&str, String, Option<&Value>)> = vec![
        ("POST", "/containers/web/start".to_owned(), None),
        ("POST", "/containers/web/stop".to_owned(), None),
        ("POST", "/containers/web/kill".to_owned(), None),
        ("POST", "/containers/web/wait".to_owned(), None),
        ("POST", "/containers/web/rename?name=b".to_owned(), None),
        ("POST", "/containers/web/exec".to_owned(), Some(&exec)),
        ("GET", "/containers/web/logs?stdout=1".to_owned(), None),
        ("GET", "/containers/web/stats?stream=0".to_owned(), None),
        ("GET", "/containers/web/archive?path=/x".to_owned(), None),
        ("POST", "/commit?container=web".to_owned(), None),
        (
            "POST",
            "/networks/bridge/connect".to_owned(),
            Some(&connect),
        ),
        ("POST", "/containers/create".to_owned(), Some(&join)),
        ("GET", format!("/containers/json?filters={since}"), None),
        ("DELETE", "/containers/web?force=1".to_owned(), None),
    ];
    for (method, path, body) in calls {
        let refused = caller.call(method, &path, body).expect(503);
        assert_eq!(refused.message(), missing, "{method} {path}");
    }
    let attach = caller.post("/containers/web/attach?stream=1&stdout=1");
    assert_eq!(attach.expect(503).body, format!("{missing}\r\n"));
    let path = format!("/exec/{}/json", scene.exec);
    let exec = format!("No such exec instance: {}{doubt}", scene.exec);
    assert_eq!(caller.get(&path).expect(503).message(), exec);
    // The docker CLI goes on to images after a 404 alone.
    let refused = caller.get("/containers/web/json").expect(404);
    assert_eq!(refused.message(), missing);
    let docker = |args: &[&str]| {
        let mut docker = scene.flotilla.clients(&scene.lab).docker();
        output(docker.args(args)).map_err(|e| e.to_string())
    };
    let name = docker(&["inspect", "-f", "{{.RepoTags}}", "busybox"]).unwrap();
    assert_eq!(name, "[busybox:latest]");
    let refused = docker(&["rm", "-f", "web"]).unwrap_err();
    assert!(refused.contains(&missing), "{refused}");
    // What would be on a node that has told all is not there.
    let known = caller.post("/containers/node0/web/start").expect(404);
    assert_eq!(known.message(), "No such container: node0/web");
    let args = ["--compat", "classic"];
    let classic = Flotilla::start(scene.lab.folder(), &args, &scene.lab.addresses());
    classic.wait_for_nodes(2);
    let stop = Caller::new(classic.addr()).post("/containers/web/stop");
    assert_eq!(stop.expect(404).body, "No such container: web\n");

    scene.lab.engine("node2").restart().unwrap();
    scene.flotilla.wait_for_nodes(3);
    caller.get("/containers/web/json").expect(200);
    caller.get(&path).expect(404);
    let gone = caller.post("/containers/other/start").expect(404);
    assert_eq!(gone.message(), "No such container: other");
}

#[test]
fn what_is_looked_for_before_it_is_made_is_missing_and_can_be_made() {
    needs!("plugins");
    let scene = Scene::start();
    let (caller, doubt) = (&scene.caller, scene.doubt());
    for (path, words) in [
        ("/images/none/json", "No such image: none:latest"),
        ("/images/none/get", "No such image: none"),
        ("/networks/nothing", "network nothing not found"),
        ("/volumes/none", "get none: no such volume"),
    ] {
        let refused = caller.get(path).expect(404);
        assert_eq!(refused.message(), format!("{words}{doubt}"), "{path}");
    }
    caller.delete("/volumes/none?force=1").expect(204);
    // It may be a copy beside one that comes back: whoever makes it is told.
    let body = sleeper(&json!({"HostConfig": {"Binds": ["records:/data"]}}));
    let made = caller.post_json("/containers/create", &body).expect(201);
    let warned = format!("volume records is made anew: it is not{doubt}");
    assert_eq!(made.json()["Warnings"], json!([warned]), "{}", made.body);
    let path = format!("/containers/{}?v=1", made.id());
    caller.delete(&path).expect(204);
    let folder = scene.lab.folder().join("shop");
    fs::create_dir_all(&folder).unwrap();
    let project = "
services:
  db: {image: busybox, stop_signal: KILL, command: sleep 600, volumes: ['data:/data'], networks: [back]}
  web: {image: busybox, stop_signal: KILL, command: sleep 600, networks: [back], depends_on: [db]}
volumes: {data: {}}
networks: {back: {}}
";
    fs::write(folder.join("compose.yaml"), project).unwrap();
    let compose = |args: &[&str]| {
        let mut compose = scene.flotilla.clients(&scene.lab).compose().unwrap();
        output(compose.arg("--project-directory").arg(&folder).args(args)).unwrap()
    };
    compose(&["up", "-d"]);
    assert_eq!(compose(&["ps", "-q"]).lines().count(), 2);
    compose(&["run", "--rm", "-T", "web", "true"]);
    compose(&["down", "-v"]);
    assert!(caller.containers().is_empty());
}

#[test]
fn lists_name_the_nodes_that_do_not_answer() {
    let scene = Scene::start();
    let warnings = |of: &Flotilla, path: &str| {
        let mut wire = Wire::connect(of.addr());
        wire.send(request("GET", path, &[], b""));
        let list = wire.answer("GET");
        assert_eq!(list.status(), 200, "{path}: {}", list.text());
        let headers = list.head.headers.into_iter();
        let all = headers.filter(|(name, _)| name.eq_ignore_ascii_case("warning"));
        all.map(|(_, value)| value).collect::<Vec<_>>()
    };
    let unlisted = format!("199 flotilla \"{}: not listed: ", scene.silent);
    for path in LISTS {
        let told = warnings(&scene.flotilla, path);
        assert!(
            told.len() == 1 && told[0].starts_with(&unlisted),
            "{path}: {told:?}"
        );
    }
    let args = ["--compat", "classic"];
    let classic = Flotilla::start(scene.lab.folder(), &args, &scene.lab.addresses());
    classic.wait_for_nodes(2);
    for path in LISTS {
        assert_eq!(warnings(&classic, path), [""; 0], "{path}");
    }
    scene.lab.engine("node2").restart().unwrap();
    scene.flotilla.wait_for_nodes(3);
    for path in LISTS {
        assert_eq!(warnings(&scene.flotilla, path), [""; 0], "{path}");
    }
    // One that was known is listed as it was.
    scene.lab.engine("node2").kill().unwrap();
    for path in LISTS {
        let old = "199 flotilla \"node2: listed as it was before 20";
        eventually(NOTICED, || match warnings(&scene.flotilla, path) {
            told if told.len() == 1 && told[0].starts_with(old) => Ok(()),
            told => Err(told),
        })
        .unwrap();
    }
}
