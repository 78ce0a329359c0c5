//! Engines that discovery names and no longer names are told of.

use std::fs;
use std::io::BufRead;

use serde_json::{Value, json};

use super::now;
use crate::support::caller::{Caller, encoded};
use crate::support::flotilla::Flotilla;
use crate::support::lab::Lab;

#[test]
fn engines_that_join_and_leave_are_told_and_told_again() {
    let lab = Lab::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("engines");
    let name = |addresses: &[String]| fs::write(&list, addresses.join("\n") + "\n").unwrap();
    let [first, second] = [0, 1].map(|n| lab.engines()[n].address());
    name(std::slice::from_ref(&first));
    let url = format!("file://{}", list.display());
    let flotilla = Flotilla::start(folder.path(), &[], &url);
    flotilla.wait_for_nodes(1);
    let caller = Caller::new(flotilla.addr());
    let since = now();
    let filter = encoded(&json!({"type": ["swarm"]}));
    let follow = |query: &str| {
        let lines = caller.open(&format!("/events?filters={filter}{query}"));
        lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
    };
    let word = |event: &Value| {
        let marks = &event["Actor"]["Attributes"];
        assert_eq!(marks["node.name"], "node1", "{event}");
        assert_eq!(marks["node.addr"], *second, "{event}");
        event["Action"].as_str().unwrap().to_owned()
    };
    let mut events = follow("");
    let mut next = || word(&events.next().expect("the stream goes on"));
    let shown = || flotilla.get("/info").unwrap().contains(&second);

    let both = [first.clone(), second.clone()];
    name(&both);
    assert_eq!(next(), "engine_connect");
    assert!(shown());
    name(std::slice::from_ref(&first));
    assert_eq!(next(), "engine_disconnect");
    assert!(!shown(), "who reads the event finds the node gone");
    name(&both);
    assert_eq!(next(), "engine_connect");

    let again = follow(&format!("&since={since}&until={}", now()));
    let again: Vec<String> = again.map(|event| word(&event)).collect();
    assert_eq!(
        again,
        ["engine_connect", "engine_disconnect", "engine_connect"]
    );
}
