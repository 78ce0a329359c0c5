//! Events of engines that restart, whose streams break, and that forget: nothing is missing, nothing is told twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{SOON, STEPS, Scene, lives, now, told_in_order};
use crate::support::caller::{Caller, encoded, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Engine, Lab, Spec, eventually};
use crate::support::relay::Relay;

/// Volumes that come and go in a gap: two events each, and engines remember 256 in all.
const NOISE: usize = 140;

/// What only the request for a live stream holds.
const STREAM: &str = "/events HTTP";

/// Reads until these containers have been told of as expected, and then up to now.
fn expect(
    scene: &Scene,
    mut events: impl Iterator<Item = Value>,
    expected: &BTreeMap<String, Vec<&str>>,
) -> Vec<Value> {
    let mut seen = Vec::new();
    let fits = |seen: &[Value]| {
        let lives = lives(seen);
        let mut all = expected.iter();
        all.all(|(id, steps)| lives.get(id).is_some_and(|told| told.len() >= steps.len()))
    };
    while !fits(&seen) {
        seen.push(events.next().expect("the stream goes on"));
    }
    seen.extend(scene.read_up_to_now(&mut events));
    let lives = lives(&seen);
    for (id, steps) in expected {
        assert_eq!(lives[id], *steps, "{id}");
    }
    told_in_order(&scene.lab, &seen);
    seen
}

/// Fails unless each step is told once when an engine restarts while its containers run.
fn lives_through_a_restart(node: &str, end: impl Fn(&Engine)) {
    let scene = Scene::start();
    let events = scene.follow("");
    let caller = &scene.caller;
    let make = |name: &str, more: &Value| {
        let mut body = on(node);
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        caller.create(name, &body).expect(201).id()
    };
    let always = json!({"HostConfig": {"RestartPolicy": {"Name": "always"}}});
    let (plain, always) = (make("plain", &json!({})), make("always", &always));
    let (made, ended) = (make("made", &json!({})), make("ended", &json!({})));
    for id in [&plain, &always, &ended] {
        caller.post(&format!("/containers/{id}/start")).expect(204);
    }
    caller
        .post(&format!("/containers/{ended}/kill"))
        .expect(204);

    let engine = scene.lab.engine(node);
    end(engine);
    engine.restart().unwrap();
    let all = [&plain, &always, &made, &ended];
    eventually(SOON, || {
        let state = |id: &String| caller.get(&format!("/containers/{id}/json")).json();
        match state(&always)["State"]["Running"] == true && state(&plain)["Id"] == **all[0] {
            true => Ok(()),
            false => Err(state(&always)),
        }
    })
    .unwrap();
    for id in all {
        let path = format!("/containers/{id}?force=1");
        eventually(SOON, || match caller.delete(&path).status {
            204 => Ok(()),
            other => Err(other),
        })
        .unwrap();
    }
    let twice = vec!["create", "start", "die", "start", "die", "destroy"];
    let expected = BTreeMap::from([
        (plain, STEPS.to_vec()),
        (always, twice),
        (made, vec!["create", "destroy"]),
        (ended, STEPS.to_vec()),
    ]);
    expect(&scene, events, &expected);
}

#[test]
fn an_engine_of_28_that_is_killed_loses_no_step() {
    lives_through_a_restart("node1", |engine| engine.kill().unwrap());
}

#[test]
fn an_engine_of_28_that_ends_in_order_loses_no_step() {
    lives_through_a_restart("node1", |engine| engine.terminate().unwrap());
}

#[test]
fn an_engine_of_20_10_that_is_killed_loses_no_step() {
    lives_through_a_restart("node0", |engine| engine.kill().unwrap());
}

#[test]
fn an_engine_of_20_10_that_ends_in_order_loses_no_step() {
    lives_through_a_restart("node0", |engine| engine.terminate().unwrap());
}

/// The usual scene with relays before node0 and node1.
fn before_relays() -> (Scene, [Relay; 2]) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let relays = ["node0", "node1"].map(|n| Relay::before(&lab.engine(n).address()));
    let [a, b] = relays.each_ref().map(Relay::addr);
    let addresses = format!("{a},{b},{}", lab.engine("node2").address());
    let flotilla = Flotilla::start(lab.folder(), &[], &addresses);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let scene = Scene {
        lab,
        _flotilla: flotilla,
        caller,
    };
    (scene, relays)
}

#[test]
fn streams_that_break_again_and_again_lose_and_repeat_nothing() {
    let (scene, relays) = before_relays();
    let events = scene.follow("");
    let done = AtomicBool::new(false);
    let ids = thread::scope(|scope| {
        let cutter = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                relays.iter().for_each(|relay| relay.sever(STREAM));
                thread::sleep(Duration::from_millis(250));
            }
        });
        let ids = crate::support::caller::at_once(30, |n| {
            scene.live(&format!("node{}", n % 2), &format!("cut{n}"))
        });
        done.store(true, Ordering::Relaxed);
        cutter.join().unwrap();
        ids
    });
    let expected = ids.into_iter().map(|id| (id, STEPS.to_vec())).collect();
    let seen = expect(&scene, events, &expected);
    // The engines remember all of it; one that is late to tell of it is told for.
    let made_up = seen
        .iter()
        .filter(|e| e["Actor"]["Attributes"]["flotilla.synthetic"] == "true");
    println!("{} events were made up", made_up.count());
}

/// Makes an engine forget what it remembers.
fn forget(engine: &Caller) {
    for number in 0..NOISE {
        let volume = json!({"Name": format!("noise{number}")});
        engine.post_json("/volumes/create", &volume).expect(201);
        engine
            .delete(&format!("/volumes/noise{number}"))
            .expect(204);
    }
}

/// Fails unless what happened since is told again, to who asks now, as expected and in order.
fn expect_again(scene: &Scene, since: &str, expected: &BTreeMap<String, Vec<&str>>) {
    eventually(SOON, || {
        let again: Vec<Value> = scene
            .follow(&format!("?since={since}&until={}", now()))
            .collect();
        let of_node = |e: &&Value| e["Actor"]["Attributes"]["node.name"] == "node1";
        let times = again.iter().filter(of_node).map(|e| e["timeNano"].as_i64());
        assert!(times.is_sorted(), "{again:?}");
        let lives = lives(&again);
        let of = |id: &String| lives.get(id).cloned().unwrap_or_default();
        match expected.iter().all(|(id, steps)| of(id) == *steps) {
            true => Ok(()),
            false => Err(again),
        }
    })
    .unwrap();
}

#[test]
fn what_an_engine_forgot_in_a_gap_is_made_up_and_marked() {
    let (scene, relays) = before_relays();
    let (caller, node) = (&scene.caller, scene.lab.engine("node1"));
    let since = now();
    let events = scene.follow("");
    let (ends, goes) = (
        caller.run_on("node1", "ends"),
        caller.run_on("node1", "goes"),
    );
    relays[1].refuse(STREAM);
    relays[1].sever(STREAM);

    let direct = Caller::new(node.address());
    direct.post(&format!("/containers/{ends}/kill")).expect(204);
    direct
        .delete(&format!("/containers/{goes}?force=1"))
        .expect(204);
    let comes = direct.create("comes", &json!({})).expect(201).id();
    direct
        .post(&format!("/containers/{comes}/start"))
        .expect(204);
    let quiet = |id: &String| direct.get(&format!("/containers/{id}/json")).json();
    eventually(SOON, || match quiet(&ends)["State"]["Running"] == false {
        true => Ok(()),
        false => Err(()),
    })
    .unwrap();
    forget(&direct);
    relays[1].allow();

    let expected = BTreeMap::from([
        (ends.clone(), vec!["create", "start", "die"]),
        (goes.clone(), STEPS.to_vec()),
        (comes.clone(), vec!["create", "start"]),
    ]);
    let seen = expect(&scene, events, &expected);
    let one = |id: &str, action: &str| {
        let of = |e: &&Value| e["Actor"]["ID"] == id && e["Action"] == action;
        seen.iter().find(of).unwrap()["Actor"]["Attributes"].clone()
    };
    let die = one(&ends, "die");
    assert_eq!(die["flotilla.synthetic"], "true");
    assert_eq!(die["exitCode"], "137");
    assert_eq!(die["name"], "ends");
    assert_eq!(die["node.name"], "node1");
    assert_eq!(one(&comes, "start")["flotilla.synthetic"], "true");
    assert_eq!(one(&ends, "start")["flotilla.synthetic"], Value::Null);

    // Who asks later is told the same, among what the engine remembers.
    caller
        .post(&format!("/containers/{ends}/start"))
        .expect(204);
    let told_again = BTreeMap::from([
        (ends, vec!["die", "start"]),
        (goes, vec!["die", "destroy"]),
        (comes, vec!["create", "start"]),
    ]);
    expect_again(&scene, &since, &told_again);
}

#[test]
fn engines_that_go_and_come_back_are_told() {
    let scene = Scene::start();
    let filter = encoded(&json!({"type": ["container"]}));
    let containers = scene.follow(&format!("?filters={filter}"));
    let mut events = scene.follow("");
    let node = scene.lab.engine("node1");
    let mut next_of_engine = |action: &str| loop {
        let event = events.next().expect("the stream goes on");
        if event["Type"] == "swarm" {
            assert_eq!(event["Action"], action);
            assert_eq!(event["Actor"]["Attributes"]["node.name"], "node1");
            assert_eq!(event["Actor"]["Attributes"]["node.addr"], node.address());
            return;
        }
    };
    node.pause().unwrap();
    next_of_engine("engine_disconnect");
    node.resume().unwrap();
    next_of_engine("engine_reconnect");
    let id = scene.live("node1", "after");
    let first = containers.take(4).collect::<Vec<_>>();
    assert!(first.iter().all(|e| e["Type"] == "container"), "{first:?}");
    assert!(first.iter().all(|e| e["Actor"]["ID"] == *id), "{first:?}");
}
