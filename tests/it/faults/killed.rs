//! Engines that die with streams open, and come back.

use std::io::Read;
use std::time::Instant;

use serde_json::json;

use super::{Scene, aside};
use crate::support::caller::{Caller, on};
use crate::support::lab::{eventually, output};

#[test]
fn a_killed_engine_ends_its_streams_and_comes_back_with_its_containers() {
    let scene = Scene::start();
    let (id, caller) = (scene.ids[1].clone(), scene.caller.clone());
    let clients = scene.flotilla.clients(&scene.lab);
    let mut exec = clients.docker();
    exec.args(["exec", &id, "sleep", "500"]);
    let exec = aside(move || output(&mut exec));
    let mut wait = clients.docker();
    wait.args(["wait", &id]);
    let wait = aside(move || output(&mut wait));
    let mut logs = caller.open(&format!("/containers/{id}/logs?follow=1&stdout=1"));
    let logs = aside(move || logs.read_to_end(&mut Vec::new()));
    let running = |what: &str| {
        let top = caller.get(&format!("/containers/{id}/top"));
        if top.body.contains(what) {
            Ok(())
        } else {
            Err(top)
        }
    };
    eventually(super::SOON, || running("500")).unwrap();

    let engine = scene.lab.engine("node1");
    let broken = Instant::now();
    engine.kill().unwrap();
    // The engine's own end cuts these; without one a client would wait for ever.
    let exec = exec().unwrap_err().to_string();
    assert!(exec.contains("exit status"), "{exec}");
    // As of an engine that cannot tell an exit code, which the CLI prints.
    assert_eq!(wait().unwrap().trim(), "-1");
    // Either a clean end or a broken one, as with a single engine that dies.
    let _ = logs();
    scene.wait_until_unhealthy(broken);
    scene.is_listed_as_down();
    scene.broken_ones_are_refused();
    scene.others_work();

    engine.restart().unwrap();
    scene.wait_until_healthy();
    let entry = scene.listed(&id).unwrap();
    assert_eq!(entry["Names"][0], "/c1");
    let start = format!("/containers/{id}/start");
    let started = scene.caller.post(&start);
    assert!([204, 304].contains(&started.status), "{started:?}");
    let inspect = scene.caller.get(&format!("/containers/{id}/json"));
    assert_eq!(inspect.expect(200).json()["State"]["Running"], true);
}

#[test]
fn a_create_sent_to_a_dying_engine_makes_one_container_or_none() {
    let scene = Scene::start();
    let direct = Caller::new(scene.lab.engine("node1").address());
    let creating = {
        let caller = scene.caller.clone();
        aside(move || {
            (0..400)
                .map(|n| (n, caller.create(&format!("d{n}"), &on("node1"))))
                .take_while(|(_, a)| a.status == 201)
                .count()
        })
    };
    eventually(super::SOON, || {
        let list = direct.get("/containers/json?all=1").json();
        match list.as_array().map_or(0, Vec::len) {
            0..8 => Err(list),
            _ => Ok(()),
        }
    })
    .unwrap();
    let engine = scene.lab.engine("node1");
    engine.kill().unwrap();
    engine.restart().unwrap();
    scene.wait_until_healthy();
    let confirmed = creating();
    // Each but the last of the seven was answered before the next was sent.
    assert!(confirmed >= 6, "{confirmed}");
    let names = crate::support::caller::names_on(engine);
    let made = |n: usize| {
        names
            .iter()
            .filter(|name| **name == format!("d{n}"))
            .count()
    };
    for n in 0..confirmed {
        assert_eq!(made(n), 1, "d{n} was confirmed: {names:?}");
    }
    // The one that was under way may be there or not; both are settled, and nothing came after it.
    let last = made(confirmed);
    let shown = scene.caller.get(&format!(
        "/containers/json?all=1&filters={}",
        crate::support::caller::encoded(&json!({"name": [format!("^/d{confirmed}$")]}))
    ));
    assert_eq!(shown.json().as_array().map(Vec::len), Some(last));
    assert_eq!(names.len(), 1 + confirmed + last, "{names:?}");
}
