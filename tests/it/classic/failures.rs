//! What is refused, not found, hidden or taken for a fault.

use serde_json::{Value, json};

use super::{Classic, Refusal};
use crate::support::caller::{Caller, encoded, on};
use crate::support::lab::Spec;

/// Calls for what is not there, in classic's own sentences where it had some.
const REFUSALS: &[Refusal<'_>] = &[
    ("POST", "/build/cancel", "", 400, "build ID not provided\n"),
    ("POST", "/session", "", 400, "no session ID provided\n"),
    (
        "GET",
        "/images/get?names=nothing&names=busybox",
        "",
        404,
        "Unable to find a healthy engine containing all images: [nothing busybox]\n",
    ),
    (
        "GET",
        "/images/nothing/get",
        "",
        404,
        "No such image: nothing\n",
    ),
    ("GET", "/images/viz", "", 404, "404 page not found\n"),
    (
        "POST",
        "/containers/x/kill",
        "",
        404,
        "No such container: x\n",
    ),
];

#[test]
fn builds_sessions_and_saves_that_name_nothing_are_refused_in_classics_sentences() {
    let classic = Classic::start(&Spec::mixed());
    classic.check(REFUSALS);
    // Of a build that nobody knows the engine says at once that it is none any more.
    let path = "/build/cancel?id=nobody";
    let direct = Caller::new(classic.lab.engine("node0").address());
    let engine = direct.post(path).status;
    assert_eq!(classic.caller.post(path).expect(engine).body, "");
}

#[test]
fn a_disconnect_that_fails_finds_nothing_and_bad_filters_are_a_fault() {
    let classic = Classic::start(&Spec::mixed());
    classic.caller.run_on("node1", "web");
    let network = json!({"Name": "node1/app", "Driver": "bridge"});
    let network = classic.caller.post_json("/networks/create", &network);
    network.expect(201);
    let disconnect = |container: &str| {
        let body = json!({ "Container": container });
        let path = "/networks/node1/app/disconnect";
        classic.caller.post_json(path, &body).expect(404).body
    };
    let refused = disconnect("web");
    assert!(
        refused.starts_with("Error response from daemon: ")
            && refused.contains("is not connected to"),
        "{refused}"
    );
    assert_eq!(disconnect("nobody"), "No such container: nobody\n");
    classic.caller.run_on("node2", "far");
    disconnect("far");
    for filters in [
        json!({"exited": ["x"]}),
        json!({"unheard-of": ["x"]}),
        json!("nonsense"),
    ] {
        let path = format!("/containers/json?filters={}", encoded(&filters));
        let refused = classic.caller.get(&path).expect(500);
        assert_eq!(refused.json(), Value::Null, "{refused:?}");
    }
    let invalid = "Invalid filter: 'type'=";
    for (path, filters, words) in [
        ("networks", json!({"type": ["x"]}), "'x'"),
        ("images/json", json!({"dangling": ["x"]}), "'dangling'"),
        (
            "images/json",
            json!({"before": ["x"]}),
            "'before': no such image found: 'x'",
        ),
    ] {
        let path = format!("/{path}?filters={}", encoded(&filters));
        let refused = classic.caller.get(&path).expect(400).body;
        assert_eq!(refused, format!("{invalid}{words}\n"));
    }
    classic.caller.get("/events?until=abc").expect(400);
}

#[test]
fn a_prefix_that_fits_several_finds_nothing_and_swarms_own_containers_are_hidden() {
    let classic = Classic::start(&Spec::mixed());
    let create = |_| classic.caller.create("", &json!({})).expect(201).id();
    // Of 17 IDs two begin with the same digit.
    let ids: Vec<String> = (0..17).map(create).collect();
    let digit = |id: &&String| ids.iter().filter(|other| other[..1] == id[..1]).count() > 1;
    let prefix = &ids.iter().find(digit).unwrap()[..1];
    for (path, words) in [
        ("json", format!("No such container {prefix}\n")),
        ("logs?stdout=1", format!("No such container: {prefix}\n")),
    ] {
        let path = format!("/containers/{prefix}/{path}");
        assert_eq!(classic.caller.get(&path).expect(404).body, words);
    }
    let whole = format!("/containers/{}/json", ids[0]);
    classic.caller.get(&whole).expect(200);

    classic.docker(&["tag", "busybox", "swarm:1.2.9"]).unwrap();
    let mut agent = on("node1");
    agent["Image"] = json!("swarm:1.2.9");
    classic.caller.create("agent", &agent).expect(201);
    classic.caller.post("/containers/agent/start").expect(204);
    classic.caller.run_on("node2", "web");
    let names = |args: &[&str]| {
        let args = [&["ps", "--format", "{{.Names}}"], args].concat();
        classic.docker(&args).unwrap()
    };
    assert_eq!(names(&[]), "node2/web");
    assert!(names(&["-a"]).contains("node1/agent"));
}
