//! Calls to all nodes while one does not answer: the others do their part, and the answer names who was left out.

use std::time::Duration;

use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, call, call_json, call_with};
use crate::support::images::has;
use crate::support::lab::{Lab, Spec, eventually, output};
use crate::support::managed_plugin::archive;

/// How long it may take on a busy machine until a node counts as lost.
const LOST: Duration = Duration::from_secs(60);

/// Checks that an answer is a success, and that its head names the node.
fn names_node1(answer: &Answer) {
    assert!(answer.status() < 300, "{}", answer.text());
    assert!(!answer.text().contains("errorDetail"), "{}", answer.text());
    let warning = answer.head.header("warning").unwrap_or_default();
    let start = "199 flotilla \"node1: left out: ";
    assert!(warning.starts_with(start), "{:?}", answer.head);
}

/// Checks that the progress has a row of the node too.
fn has_a_row(answer: &Answer) {
    let row = |line: &str| line.contains("left out: ") && line.contains("\"id\":\"node1\"");
    assert!(answer.text().lines().any(row), "{}", answer.text());
}

#[test]
fn pulls_loads_imports_and_plugins_name_the_node_that_does_not_answer() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let node0 = lab.engine("node0");
    let image = format!("{}/left:1", lab.registry().unwrap());
    let file = lab.folder().join("left.tar");
    for args in [
        &["tag", "busybox", &image][..],
        &["push", &image],
        &["save", "-o", file.to_str().unwrap(), &image],
        &["rmi", &image],
    ] {
        output(node0.docker().args(args)).unwrap();
    }
    lab.engine("node1").pause().unwrap();
    let caller = Caller::new(flotilla.addr());
    let unhealthy = || match caller.get("/info").body {
        info if info.contains("\"Unhealthy\"") => Ok(()),
        info => Err(info),
    };
    eventually(LOST, unhealthy).unwrap();
    let addr = flotilla.addr();
    let tar = ["Content-Type: application/x-tar"];
    let reached = || {
        ["node0", "node2"]
            .iter()
            .all(|n| has(lab.engine(n), &image))
    };

    let (repository, tag) = image.rsplit_once(':').unwrap();
    let path = format!("/images/create?fromImage={repository}&tag={tag}");
    let pulled = call(addr, "POST", &path);
    names_node1(&pulled);
    has_a_row(&pulled);
    assert!(reached());
    caller.delete(&format!("/images/{image}")).expect(200);
    let bytes = std::fs::read(&file).unwrap();
    let loaded = call_with(addr, "POST", "/images/load", &tar, &bytes);
    names_node1(&loaded);
    has_a_row(&loaded);
    assert!(reached());
    let path = "/images/create?fromSrc=-&repo=imported&tag=1";
    names_node1(&call_with(addr, "POST", path, &tar, &archive("left")));

    let name = format!("{}/plug:1", lab.registry().unwrap());
    let path = format!("/plugins/create?name={name}");
    names_node1(&call_with(addr, "POST", &path, &tar, &archive("left")));
    caller.post(&format!("/plugins/{name}/push")).expect(200);
    let path = format!("/plugins/{name}/set");
    names_node1(&call_json(addr, "POST", &path, "[\"DEBUG=1\"]"));
    let path = format!("/plugins/{name}");
    names_node1(&call(addr, "DELETE", &path));
    let path = format!("/plugins/pull?remote={name}");
    let pulled = call_json(addr, "POST", &path, "[]");
    names_node1(&pulled);
    has_a_row(&pulled);
    lab.engine("node1").resume().unwrap();
}
