//! What is on an engine that does not answer: told at once and by the node's name, never as if it were not there.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Scene, prompt};
use crate::support::caller::Caller;
use crate::support::http::Wire;

/// Less than the time in which an engine has to tell its history.
const HISTORY: Duration = Duration::from_secs(4);
/// How soon something that needs no engine has to be there.
const AT_ONCE: Duration = Duration::from_millis(2500);

#[test]
fn execs_and_images_of_an_engine_that_is_down_are_refused_with_its_name() {
    let scene = Scene::start();
    let caller = &scene.caller;
    let exec = json!({"AttachStdout": true, "Cmd": ["true"]});
    let path = format!("/containers/{}/exec", scene.ids[1]);
    let known = caller.post_json(&path, &exec).expect(201).id();
    // Made past Flotilla.
    let direct = Caller::new(scene.lab.engine("node1").address());
    let unknown = direct.post_json(&path, &exec).expect(201).id();
    caller.post("/commit?container=c1&repo=only").expect(201);
    let broken = Instant::now();
    scene.lab.engine("node1").pause().unwrap();
    scene.wait_until_unhealthy(broken);

    let is_on = |object: &str| format!("{object} is on node1, which has not answered since 20");
    let exec = is_on(&format!("exec instance \"{known}\""));
    let image = is_on("image \"only\"");
    let unsure = format!(
        "No such exec instance: {unknown} on the nodes that answer; node1 has not answered since 20"
    );
    let plugin =
        "plugin \"none\" not found on the nodes that answer; node1 has not answered since 20"
            .to_owned();
    for (method, path, words) in [
        ("GET", format!("/exec/{known}/json"), &exec),
        ("POST", format!("/exec/{known}/start"), &exec),
        ("GET", format!("/exec/{unknown}/json"), &unsure),
        ("GET", "/images/only/json".to_owned(), &image),
        ("GET", "/images/only/history".to_owned(), &image),
        ("GET", "/images/only/get".to_owned(), &image),
        ("GET", "/images/get?names=only".to_owned(), &image),
        ("GET", "/plugins/none/json".to_owned(), &plugin),
        ("POST", "/plugins/none/push".to_owned(), &plugin),
        ("POST", "/plugins/none/disable".to_owned(), &plugin),
        ("DELETE", "/plugins/none".to_owned(), &plugin),
    ] {
        // The best of three, since anything else may run on this machine.
        let took = (0..3).map(|_| {
            let started = Instant::now();
            let answer = caller.call(method, &path, None).expect(503);
            let said = answer.message();
            assert!(said.starts_with(words), "{method} {path}: {said}");
            started.elapsed()
        });
        let took = took.min().unwrap();
        assert!(took < AT_ONCE, "{method} {path} took {took:?}");
    }
    // What can be no exec is none, and a create lets the client pull.
    caller.get("/exec/short/json").expect(404);
    let image = json!({"Image": "only"});
    let refused = caller.post_json("/containers/create", &image).expect(404);
    assert_eq!(refused.message(), "No such image: only:latest");
    caller.get("/images/nosuch/json").expect(404);
    scene.lab.engine("node1").resume().unwrap();
    scene.wait_until_healthy();
    caller.get(&format!("/exec/{known}/json")).expect(200);
    caller.get(&format!("/exec/{unknown}/json")).expect(200);
    caller.get("/images/only/json").expect(200);
    caller.get("/plugins/none/json").expect(404);
}

#[test]
fn nobody_waits_for_sizes_or_history_of_an_engine_that_has_just_stopped() {
    let scene = Scene::start();
    scene.lab.engine("node1").pause().unwrap();
    let mut events = Wire::connect(scene.flotilla.addr());
    let started = Instant::now();
    events.request("GET", "/events?since=0", &[], b"");
    assert_eq!(events.head().status, 200);
    let took = started.elapsed();
    assert!(took < HISTORY, "the head of /events took {took:?}");
    // Still counted as healthy or only just not.
    let started = Instant::now();
    let list = scene
        .caller
        .get("/containers/json?all=1&size=1")
        .expect(200);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    let list = list.json();
    for (number, id) in scene.ids.iter().enumerate() {
        let mut rows = list.as_array().unwrap().iter();
        let row = rows.find(|row| row["Id"] == **id).unwrap();
        let measured = row.get("SizeRootFs").is_some();
        assert_eq!(measured, number != 1, "{row}");
    }
    // The history of the others came all the same.
    assert!(events.chunk().is_some());
    prompt(|| scene.caller.get("/_ping"));
}
