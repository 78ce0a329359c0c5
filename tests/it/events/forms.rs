//! A newer API than any engine's may be advertised: engines get what they speak, and clients choose the form of events.

use std::io::BufRead;

use serde_json::{Value, json};

use super::{SOON, STEPS, Scene, lives, now};
use crate::support::caller::{Caller, sleeper};
use crate::support::flotilla::Flotilla;
use crate::support::http::{Wire, call, call_json};
use crate::support::lab::{Lab, Spec, eventually};

/// Opens the stream of a version with an `Accept` and returns the connection and the content type.
fn open(addr: &str, version: &str, accept: &str) -> (Wire, String) {
    let mut wire = Wire::connect(addr);
    let accept = format!("Accept: {accept}");
    let headers: &[&str] = if accept == "Accept: " {
        &[]
    } else {
        &[&accept]
    };
    wire.request("GET", &format!("{version}/events"), headers, b"");
    let head = wire.head();
    assert_eq!(head.status, 200);
    let kind = head.header("content-type").unwrap().to_owned();
    (wire, kind)
}

/// Reads events up to the destruction of a container; each is written as `start`, an object and a newline.
fn read(wire: &mut Wire, start: &str, last: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    while events
        .last()
        .is_none_or(|e| e["Action"] != "destroy" || e["Actor"]["ID"] != last)
    {
        let chunk = wire.chunk().expect("the stream goes on");
        let mut lines = chunk.lines();
        for line in &mut lines {
            let line = line.unwrap();
            let json = line.strip_prefix(start).unwrap();
            events.push(serde_json::from_str(json).unwrap());
        }
        assert_eq!(chunk.last(), Some(&b'\n'));
    }
    events
}

#[test]
fn clients_of_1_52_choose_the_form_of_events() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::start(lab.folder(), &["--api-version", "1.52"], &lab.addresses());
    flotilla.wait_for_nodes(3);
    let addr = flotilla.addr().to_owned();
    let caller = Caller::new(addr.clone());
    let mut streams = [
        ("/v1.52", "", "application/jsonl", ""),
        ("", "*/*", "application/jsonl", ""),
        ("/v1.52", "application/x-ndjson", "application/x-ndjson", ""),
        (
            "/v1.52",
            "application/json-seq",
            "application/json-seq",
            "\u{1e}",
        ),
        ("/v1.51", "application/json-seq", "application/json", ""),
        ("/v1.41", "", "application/json", ""),
    ]
    .map(|(version, accept, kind, start)| {
        let (wire, is) = open(&addr, version, accept);
        assert_eq!(is, kind, "{version} {accept}");
        (wire, kind, start)
    });
    let scene = Scene {
        lab,
        _flotilla: flotilla,
        caller,
    };
    let id = scene.live("node1", "form");
    for (wire, kind, start) in &mut streams {
        let events = read(wire, start, &id);
        assert_eq!(lives(&events)[&id], STEPS, "{kind}");
        let old = *kind == "application/json";
        for event in events.iter().filter(|e| e["Actor"]["ID"] == *id) {
            for key in ["status", "id", "from"] {
                let has = event.get(key).is_some();
                assert_eq!(has, old && event["Type"] == "container", "{kind} {event}");
            }
        }
    }
}

/// Filters of what [`keep_busy`] does, and whether they find any of it.
const FILTERS: &[(&str, bool)] = &[
    (r#"{"network":["busy"]}"#, true),
    (r#"{"network":["bridge"]}"#, true),
    (r#"{"network":["nothing"]}"#, false),
    (r#"{"volume":["busy"]}"#, true),
    (r#"{"volume":["nothing"]}"#, false),
    (r#"{"scope":["local"]}"#, true),
    (r#"{"scope":["swarm"]}"#, false),
    (r#"{"scope":["swarm","local"],"type":["volume"]}"#, true),
    (r#"{"label":["kind"]}"#, true),
    (r#"{"label":["kind=busy"]}"#, true),
    (r#"{"label":["kind=other"]}"#, false),
    (r#"{"label":["kind","none"]}"#, false),
    (r#"{"network":["busy"],"event":["create"]}"#, true),
];

/// Does on an engine what makes events of most kinds.
fn keep_busy(engine: &Caller) {
    let labels = json!({"Labels": {"kind": "busy"}});
    let id = engine.create("busy", &labels).expect(201).id();
    let container = format!("/containers/{id}");
    engine.post(&format!("{container}/start")).expect(204);
    engine.post(&format!("{container}/pause")).expect(204);
    engine.post(&format!("{container}/unpause")).expect(204);
    let commit = format!("/commit?container={id}&repo=busy&tag=1");
    engine.post_json(&commit, &json!({})).expect(201);
    engine.delete(&format!("{container}?force=1")).expect(204);
    engine
        .post("/images/busy:1/tag?repo=busy&tag=2")
        .expect(201);
    engine.delete("/images/busy:2").expect(200);
    engine.delete("/images/busy:1").expect(200);
    let network = json!({"Name": "busy"});
    engine.post_json("/networks/create", &network).expect(201);
    engine.delete("/networks/busy").expect(204);
    engine.post_json("/volumes/create", &network).expect(201);
    engine.delete("/volumes/busy").expect(204);
    engine.post("/images/prune").expect(200);
}

/// Reads the past of an endpoint, without what says of which node it is.
fn past(addr: &str, target: &str) -> Vec<Value> {
    let answer = call(addr, "GET", target);
    assert_eq!(answer.head.status, 200, "{target}: {}", answer.text());
    let text = answer.text();
    let events = text.lines().map(|line| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let marks = event["Actor"]["Attributes"].as_object_mut().unwrap();
        marks.retain(|key, _| !key.starts_with("node."));
        event
    });
    events.collect()
}

#[test]
fn a_client_is_told_what_the_engine_tells_its_version() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::start(lab.folder(), &["--api-version", "1.51"], &lab.addresses());
    flotilla.wait_for_nodes(3);
    for (node, versions) in [("node0", &[41][..]), ("node1", &[41, 45, 46, 51])] {
        let engine = lab.engine(node).address();
        let since = now();
        keep_busy(&Caller::new(engine.clone()));
        for version in versions {
            let replay = |addr: &str| {
                let until = now();
                past(
                    addr,
                    &format!("/v1.{version}/events?since={since}&until={until}"),
                )
            };
            // An engine tells some of it after it has answered.
            let told = eventually(SOON, || {
                let (mut told, ours) = (replay(&engine), replay(flotilla.addr()));
                // Engines tell of what happens at once in the order in which they came to tell of it.
                told.sort_by_key(|e| e["timeNano"].as_i64());
                match told.len() > 12 && told == ours {
                    true => Ok(ours),
                    false => Err(format!("1.{version}\n{told:#?}\n{ours:#?}")),
                }
            });
            let is_create = |e: &Value| e["Type"] == "image" && e["Action"] == "create";
            let creates = told.unwrap().iter().any(is_create);
            assert_eq!(creates, *version >= 46, "1.{version} on {node}");
            for (filters, finds) in FILTERS {
                let until = now();
                let replay = |addr: &str| {
                    let range = format!("since={since}&until={until}");
                    past(
                        addr,
                        &format!("/v1.{version}/events?{range}&filters={filters}"),
                    )
                };
                let told = replay(&engine);
                assert_eq!(replay(flotilla.addr()), told, "1.{version} {filters}");
                assert_eq!(!told.is_empty(), *finds, "1.{version} {filters}: {told:?}");
            }
        }
    }
}

#[test]
fn a_newer_version_than_any_engines_is_translated() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::start(lab.folder(), &["--api-version", "1.55"], &lab.addresses());
    flotilla.wait_for_nodes(3);
    let addr = flotilla.addr();
    let ping = call(addr, "HEAD", "/_ping");
    assert_eq!(ping.head.header("api-version"), Some("1.55"));
    let too_new = call(addr, "GET", "/v1.56/info");
    assert_eq!(
        too_new.message(),
        "client version 1.56 is too new. Maximum supported API version is 1.55"
    );
    for node in ["node0", "node1"] {
        let body = sleeper(&crate::support::caller::on(node)).to_string();
        let made = call_json(addr, "POST", "/v1.55/containers/create", &body);
        assert_eq!(made.head.status, 201, "{}", made.text());
        let id = made.json()["Id"].as_str().unwrap().to_owned();
        for (method, path, status) in [
            ("POST", format!("/containers/{id}/start"), 204),
            ("GET", format!("/containers/{id}/json"), 200),
            ("GET", format!("/containers/{id}/top"), 200),
            ("GET", "/containers/json".to_owned(), 200),
            ("GET", "/images/json".to_owned(), 200),
            ("GET", "/images/busybox/json".to_owned(), 200),
            ("GET", "/networks".to_owned(), 200),
            ("GET", "/volumes".to_owned(), 200),
            ("GET", "/system/df".to_owned(), 200),
            ("GET", "/info".to_owned(), 200),
            ("GET", "/nodes".to_owned(), 200),
            ("POST", "/containers/prune".to_owned(), 200),
            ("DELETE", format!("/containers/{id}?force=1"), 204),
        ] {
            let answer = call(addr, method, &format!("/v1.55{path}"));
            assert_eq!(answer.head.status, status, "{path}: {}", answer.text());
        }
    }
}
