//! Lines that come one by one (W13): events, and the progress of a pull.

use serde_json::Value;

use super::{Container, flotilla};
use crate::support::flotilla::Flotilla;
use crate::support::http::{Wire, call};
use crate::support::images::{big_image, has};
use crate::support::lab::{Lab, Release, Spec, output};

/// Reads a chunk, which must hold whole lines of JSON.
fn lines(wire: &mut Wire) -> Option<Vec<Value>> {
    let chunk = wire.chunk()?;
    let text = String::from_utf8(chunk).unwrap();
    assert!(text.ends_with('\n'), "a line is cut: {text:?}");
    let lines = text.lines().filter(|line| !line.is_empty());
    let json =
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {text:?}")));
    Some(json.collect())
}

#[test]
fn w13_each_event_is_a_chunk_that_comes_at_once() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w13-events", "exec sleep 600", "");
    let inspect = call(flotilla.addr(), "GET", &container.path("json"));
    let id = inspect.json()["Id"].as_str().unwrap().to_owned();
    let filters = format!(r#"{{"container":["{id}"],"type":["container"]}}"#);
    let mut events = Wire::connect(flotilla.addr());
    events.request("GET", &format!("/events?filters={filters}"), &[], b"");
    let head = events.head();
    assert!(head.is_chunked(), "{head:?}");
    // Each is read before the next can happen.
    for (method, path, action) in [
        ("POST", "start", "start"),
        ("POST", "pause", "pause"),
        ("POST", "unpause", "unpause"),
        ("POST", "rename?name=w13-events-renamed", "rename"),
    ] {
        let answer = call(flotilla.addr(), method, &container.path(path));
        assert_eq!(answer.status(), 204, "{path}: {}", answer.text());
        let told = lines(&mut events).unwrap();
        let [event] = &told[..] else {
            panic!("not one event: {told:?}");
        };
        assert_eq!(event["Action"], action, "{event}");
    }
    let back = format!(
        "/containers/w13-events-renamed/rename?name={}",
        container.name
    );
    assert_eq!(call(flotilla.addr(), "POST", &back).status(), 204);
}

/// Pulls an image through Flotilla before these engines; the first lines must be there long before the end.
fn pull_is_told_as_it_goes(releases: &[Release]) {
    let lab = Lab::start(&Spec::of(releases).registry()).unwrap();
    let image = format!("{}/w13:1", lab.registry().unwrap());
    let from = &lab.engines()[0];
    big_image(from, &image, 64);
    output(from.docker().args(["push", &image])).unwrap();
    output(from.docker().args(["rmi", &image])).unwrap();
    let flotilla = Flotilla::before(&lab);
    let mut pull = Wire::connect(flotilla.addr());
    let (name, tag) = image.rsplit_once(':').unwrap();
    let path = format!("/images/create?fromImage={name}&tag={tag}");
    pull.request("POST", &path, &[], b"");
    let head = pull.head();
    assert_eq!(head.status, 200);
    assert!(head.is_chunked(), "{head:?}");
    let first = lines(&mut pull).unwrap();
    let done = |lab: &Lab| lab.engines().iter().all(|engine| has(engine, &image));
    assert!(!done(&lab), "told at the end only: {first:?}");
    let mut chunks = vec![first];
    while let Some(lines) = lines(&mut pull) {
        chunks.push(lines);
    }
    assert!(done(&lab));
    // Many chunks of few lines, not few of many.
    let all: usize = chunks.iter().map(Vec::len).sum();
    println!("{all} lines in {} chunks", chunks.len());
    assert!(chunks.len() >= 10 && all <= 4 * chunks.len(), "{chunks:?}");
    let last = chunks.last().unwrap().last().unwrap();
    let status = last["status"].as_str().unwrap_or_default();
    assert!(
        status.starts_with("Status: Downloaded newer image"),
        "{last}"
    );
}

#[test]
fn w13_the_progress_of_a_pull_by_one_engine_comes_line_by_line() {
    pull_is_told_as_it_goes(&[Release::V28]);
}

#[test]
fn w13_the_progress_of_a_pull_by_all_nodes_comes_line_by_line() {
    pull_is_told_as_it_goes(&[Release::V20, Release::V28]);
}
