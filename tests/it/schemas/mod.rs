//! Answers have the form that the Engine API's own description gives them, through Flotilla as from an engine: every
//! endpoint whose success has a form is called until it has shown it.

mod calls;
mod managed;
mod validator;

use std::collections::BTreeSet;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

pub(crate) use validator::Schemas;

use crate::support::caller::on;
use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, Wire};
use crate::support::hub;
use crate::support::lab::{Lab, Spec};

/// Endpoints whose success has no form to be checked, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("GET /_ping", "is text"),
    ("HEAD /_ping", "has no body"),
    ("GET /containers/{id}/logs", "is what the container wrote"),
    ("GET /services/{id}/logs", "is what containers wrote"),
    ("GET /tasks/{id}/logs", "is what a container wrote"),
    ("GET /images/get", "is an archive"),
    ("GET /images/{name}/get", "is an archive"),
    (
        "DELETE /plugins/{name}",
        "is empty from every engine, against its description",
    ),
];

/// How long a call may take on a busy machine: a swarm of three managers has to agree.
const PATIENCE: Duration = Duration::from_secs(120);

/// Calls of one version whose answers are all checked.
struct Checked<'a> {
    addr: &'a str,
    lab: &'a Lab,
    /// Where `docker search` finds something.
    index: &'a str,
    schemas: Schemas,
    minor: u16,
    /// The endpoints that have shown the form of their success.
    shown: BTreeSet<&'static str>,
    wrong: Vec<String>,
}

impl Checked<'_> {
    /// Makes a call that must succeed or be refused with a status below 600, and checks its answer.
    fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let (headers, body): (&[&str], _) = match body {
            Value::Null => (&[], String::new()),
            body => (&["Content-Type: application/json"], body.to_string()),
        };
        let versioned = format!("/v1.{}{path}", self.minor);
        let mut wire = Wire::connect(self.addr).with_patience(PATIENCE);
        wire.request(method, &versioned, headers, body.as_bytes());
        let answer = wire.answer(method);
        if let Err(why) = self.schemas.check(method, path, &answer) {
            self.wrong.push(format!(
                "{method} {versioned} ({}): {why}\n  {}",
                answer.head.status,
                answer.text()
            ));
        }
        self.shown.extend(self.schemas.shown(method, path, &answer));
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
        let json = answer.json();
        let id = [&json["Id"], &json["ID"]]
            .into_iter()
            .find_map(Value::as_str);
        id.unwrap_or_default().to_owned()
    }

    /// Fails if any answer was wrong, or if an endpoint of the table of routes has not shown its success.
    fn end(self) {
        let Self {
            minor,
            wrong,
            shown,
            schemas,
            ..
        } = self;
        assert!(
            wrong.is_empty(),
            "1.{minor}: {}:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        let variable = Regex::new(r"\{[a-z]+\}").unwrap();
        let routed: BTreeSet<String> = flotilla::api::endpoints()
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        let is_routed = |e: &&str| routed.contains(&*variable.replace_all(e, "{}"));
        let described: BTreeSet<&str> = schemas.successes().filter(is_routed).collect();
        let excepted: BTreeSet<&str> = EXCEPTIONS.iter().map(|(endpoint, _)| *endpoint).collect();
        let unknown: Vec<_> = excepted.difference(&described).collect();
        assert!(
            unknown.is_empty(),
            "1.{minor}: no such endpoints: {unknown:?}"
        );
        let needless: Vec<_> = excepted.intersection(&shown).collect();
        assert!(
            needless.is_empty(),
            "1.{minor}: can be checked: {needless:?}"
        );
        let missing: Vec<_> = described.difference(&shown).collect();
        let missing: Vec<_> = missing
            .into_iter()
            .filter(|e| !excepted.contains(*e))
            .collect();
        assert!(
            missing.is_empty(),
            "1.{minor}: have not shown their success: {missing:?}"
        );
    }
}

/// Makes the calls of each version at an endpoint; there are containers for each of `places`.
fn check(lab: &Lab, addr: &str, minors: &[u16], places: &[Value]) {
    let index = hub::index(lab);
    for minor in minors {
        let mut calls = Checked {
            addr,
            lab,
            index: &index,
            schemas: Schemas::of(*minor),
            minor: *minor,
            shown: BTreeSet::new(),
            wrong: Vec::new(),
        };
        calls.all(places);
        calls.end();
    }
}

/// A lab whose engines find images, plugins and an index.
fn lab() -> Lab {
    let spec = Spec::mixed()
        .hub()
        .args("--insecure-registry=172.31.0.0/16");
    let lab = Lab::start(&spec).unwrap();
    hub::fill(&lab);
    lab
}

#[test]
fn answers_through_flotilla_have_the_form_of_the_api() {
    let lab = lab();
    let newest = &["--api-version", "1.51"];
    let flotilla = Flotilla::start(lab.folder(), newest, &lab.addresses());
    flotilla.wait_for_nodes(3);
    let places = ["node0", "node1", "node2"].map(on);
    check(&lab, flotilla.addr(), &[41, 51], &places);
}

#[test]
fn answers_of_engines_have_it_too() {
    let lab = lab();
    for (node, minors) in [("node0", &[41][..]), ("node1", &[41, 51])] {
        check(&lab, &lab.engine(node).address(), minors, &[json!({})]);
    }
}
