//! Answers have the form that the Engine API's own description gives them, through Flotilla as from an engine.

mod validator;

use serde_json::{Value, json};

pub(crate) use validator::Schemas;

use crate::support::caller::{on, sleeper};
use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, call_with};
use crate::support::lab::{Lab, Spec};

/// Calls of one version whose answers are all checked.
struct Checked<'a> {
    addr: &'a str,
    schemas: Schemas,
    minor: u16,
    checked: usize,
    wrong: Vec<String>,
}

impl<'a> Checked<'a> {
    fn new(addr: &'a str, minor: u16) -> Self {
        Self {
            addr,
            schemas: Schemas::of(minor),
            minor,
            checked: 0,
            wrong: Vec::new(),
        }
    }

    /// Makes a call that must succeed or be refused with a status below 600, and checks its answer.
    fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let (headers, body): (&[&str], _) = match body {
            Value::Null => (&[], String::new()),
            body => (&["Content-Type: application/json"], body.to_string()),
        };
        let versioned = format!("/v1.{}{path}", self.minor);
        let answer = call_with(self.addr, method, &versioned, headers, body.as_bytes());
        match self.schemas.check(method, path, &answer) {
            Ok(known) => self.checked += usize::from(known),
            Err(why) => self.wrong.push(format!(
                "{method} {versioned} ({}): {why}\n  {}",
                answer.head.status,
                answer.text()
            )),
        }
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        let answer = self.call("GET", path, &Value::Null);
        assert_eq!(answer.head.status, 200, "{path}: {}", answer.text());
        answer
    }

    fn make(&mut self, path: &str, body: &Value) -> String {
        let answer = self.call("POST", path, body);
        assert_eq!(answer.head.status, 201, "{path}: {}", answer.text());
        answer.json()["Id"].as_str().unwrap_or_default().to_owned()
    }

    fn container(&mut self, more: &Value) {
        let id = self.make("/containers/create", &sleeper(more));
        let path = |rest: &str| format!("/containers/{id}{rest}");
        for (method, rest, body) in [
            ("GET", "/json", Value::Null),
            ("POST", "/start", Value::Null),
            ("GET", "/json?size=1", Value::Null),
            ("GET", "/top", Value::Null),
            ("GET", "/stats?stream=0&one-shot=1", Value::Null),
            ("GET", "/changes", Value::Null),
            ("POST", "/update", json!({"CpuShares": 512})),
            ("POST", "/rename?name=busybox%2F", Value::Null),
        ] {
            self.call(method, &path(rest), &body);
        }
        let exec = self.make(&path("/exec"), &json!({"Cmd": ["true"]}));
        self.get(&format!("/exec/{exec}/json"));
        self.call("POST", &path("/kill"), &Value::Null);
        self.call("POST", &path("/wait"), &Value::Null);
        let image = format!("/commit?container={id}&repo=checked&tag=1");
        self.call("POST", &image, &Value::Null);
        self.get("/images/checked:1/json");
        self.get("/images/checked:1/history");
        self.call("DELETE", "/images/checked:1", &Value::Null);
        self.call("DELETE", &path(""), &Value::Null);
        self.call("GET", &path("/json"), &Value::Null);
    }

    /// Calls what is about no single container.
    fn rest(&mut self) {
        let network = self.make(
            "/networks/create",
            &json!({"Name": "checked", "Labels": {"a": "b"}}),
        );
        self.make(
            "/volumes/create",
            &json!({"Name": "checked", "Labels": {"a": "b"}}),
        );
        for path in [
            "/info",
            "/version",
            "/system/df",
            "/containers/json?all=1&size=1",
            "/images/json",
            "/images/json?digests=1&all=1",
            "/images/busybox/json",
            "/images/busybox/history",
            "/networks",
            "/networks/bridge",
            "/networks/checked",
            "/volumes",
            "/volumes/checked",
            "/plugins",
            "/events?since=1&until=2",
        ] {
            self.get(path);
        }
        for (method, path) in [
            ("GET", "/nodes".to_owned()),
            ("GET", "/nodes/node0".to_owned()),
            ("GET", "/services".to_owned()),
            ("GET", "/tasks".to_owned()),
            ("GET", "/secrets".to_owned()),
            ("GET", "/configs".to_owned()),
            ("GET", "/swarm".to_owned()),
            ("GET", "/swarm/unlockkey".to_owned()),
            ("GET", "/containers/nowhere/json".to_owned()),
            ("GET", "/images/nowhere/json".to_owned()),
            ("GET", "/networks/nowhere".to_owned()),
            ("GET", "/volumes/nowhere".to_owned()),
            ("GET", "/plugins/nowhere/json".to_owned()),
            ("GET", "/distribution/UPPER/json".to_owned()),
            ("POST", "/auth".to_owned()),
            ("GET", "/containers/json?filters=x".to_owned()),
            ("DELETE", format!("/networks/{network}")),
            ("DELETE", "/volumes/checked".to_owned()),
            ("POST", "/containers/prune".to_owned()),
            ("POST", "/images/prune".to_owned()),
            ("POST", "/networks/prune".to_owned()),
            ("POST", "/volumes/prune".to_owned()),
            ("POST", "/build/prune".to_owned()),
        ] {
            self.call(method, &path, &Value::Null);
        }
    }

    /// Fails if any answer was wrong, or if few were checked at all.
    fn end(self, least: usize) {
        let count = self.wrong.len();
        assert_eq!(count, 0, "1.{}:\n{}", self.minor, self.wrong.join("\n"));
        assert!(self.checked >= least, "only {} answers", self.checked);
    }
}

#[test]
fn answers_through_flotilla_have_the_form_of_the_api() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let newest = &["--api-version", "1.51"];
    let flotilla = Flotilla::start(lab.folder(), newest, &lab.addresses());
    flotilla.wait_for_nodes(3);
    for minor in [41, 51] {
        let mut calls = Checked::new(flotilla.addr(), minor);
        for node in ["node0", "node1", "node2"] {
            calls.container(&on(node));
        }
        calls.rest();
        calls.end(80);
    }
}

#[test]
fn answers_of_engines_have_it_too() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    for (node, minors) in [("node0", &[41][..]), ("node1", &[41, 51])] {
        let addr = lab.engine(node).address();
        for minor in minors {
            let mut calls = Checked::new(&addr, *minor);
            calls.container(&json!({}));
            calls.rest();
            calls.end(40);
        }
    }
}
