//! Creates that name no node while one engine is broken: they succeed elsewhere, or say soon that nobody knows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{NOTICED, PROMPT, Scene};
use crate::support::caller::{Answer, Caller, at_once, names_on, on};
use crate::support::lab::eventually;

/// How long a create may take that its engine took and has not answered.
const TOLD: Duration = Duration::from_secs(25);

/// The pause between creates that are sent whatever becomes of those before.
const EACH: Duration = Duration::from_millis(300);
/// How long after an engine broke it may still be chosen: one probe that is due, and its deadline.
const CHOSEN: Duration = Duration::from_secs(6);

/// A create, when it was sent, what it was answered, and after how long.
#[derive(Debug)]
struct Tried {
    name: String,
    sent: Instant,
    answer: Answer,
    took: Duration,
}

fn try_create(caller: &Caller, name: String) -> Tried {
    let sent = Instant::now();
    let answer = caller.create(&name, &json!({}));
    let took = sent.elapsed();
    Tried {
        name,
        sent,
        answer,
        took,
    }
}

/// Sends creates at a steady pace until `done` is set, and waits for the answers.
fn creates_until(caller: &Caller, done: &AtomicBool) -> Vec<Tried> {
    thread::scope(|scope| {
        let mut sent = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let name = format!("early-{}", sent.len());
            sent.push(scope.spawn(|| try_create(caller, name)));
            thread::sleep(EACH);
        }
        sent.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// Returns on which engines each container is.
fn places(scene: &Scene) -> BTreeMap<String, Vec<String>> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for engine in scene.lab.engines() {
        for name in names_on(engine) {
            places
                .entry(name)
                .or_default()
                .push(engine.name().to_owned());
        }
    }
    places
}

/// Checks that so many creates at once succeed at once.
fn all_succeed(scene: &Scene, word: &str) {
    for tried in at_once(8, |n| try_create(&scene.caller, format!("{word}-{n}"))) {
        assert_eq!(tried.answer.status, 201, "{tried:?}");
        assert!(tried.took < PROMPT, "{tried:?}");
    }
}

#[test]
fn creates_go_elsewhere_while_an_engine_hangs() {
    let scene = Scene::start();
    let engine = scene.lab.engine("node1");
    let done = AtomicBool::new(false);
    let broken = Instant::now();
    engine.pause().unwrap();
    let early = thread::scope(|scope| {
        let early = scope.spawn(|| creates_until(&scene.caller, &done));
        let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            scene.wait_until_unhealthy(broken);
        }));
        done.store(true, Ordering::Relaxed);
        noticed.unwrap();
        early.join().unwrap()
    });
    all_succeed(&scene, "late");
    let (made, unknown): (Vec<_>, Vec<_>) = early.iter().partition(|t| t.answer.status == 201);
    println!("{} made, unknown: {unknown:?}", made.len());
    assert!(made.len() >= 10, "the others are used: {early:?}");
    for tried in &made {
        assert!(tried.took < PROMPT, "{tried:?}");
    }
    for tried in &unknown {
        let message = tried.answer.clone().expect(504).message();
        let words = format!(
            "node1 was asked to create \"{}\" but did not answer",
            tried.name
        );
        assert!(message.starts_with(&words), "{message}");
        assert!(tried.took < TOLD, "{tried:?}");
        // Once a probe is missed it is the last choice.
        let after = tried.sent - broken;
        assert!(after < CHOSEN, "sent after {after:?}: {tried:?}");
        // Nobody else gets the name.
        scene.caller.create(&tried.name, &json!({})).expect(409);
    }

    engine.resume().unwrap();
    scene.wait_until_healthy();
    let places = places(&scene);
    for tried in made {
        let at = &places[&tried.name];
        assert!(at.len() == 1 && at[0] != "node1", "{tried:?} is on {at:?}");
    }
    // Carried out late, or given up by the engine: once or not at all.
    for tried in unknown {
        let at = places.get(&tried.name);
        assert!(
            at.is_none_or(|at| at == &["node1"]),
            "{tried:?} is on {at:?}"
        );
    }
}

#[test]
fn creates_go_elsewhere_while_an_engine_is_dead() {
    let scene = Scene::start();
    let engine = scene.lab.engine("node1");
    // Connections to it are in use until it dies.
    for _ in 0..3 {
        scene.caller.create("", &on("node1")).expect(201);
    }
    for node in ["node0", "node2"] {
        for _ in 0..6 {
            scene.caller.create("", &on(node)).expect(201);
        }
    }
    let broken = Instant::now();
    engine.kill().unwrap();
    // It is the emptiest: all of these would go there.
    all_succeed(&scene, "early");
    scene.wait_until_unhealthy(broken);
    all_succeed(&scene, "late");
    engine.restart().unwrap();
    scene.wait_until_healthy();
    let places = places(&scene);
    let made = places
        .iter()
        .filter(|(name, _)| name.contains("early-") || name.contains("late-"));
    let made: Vec<_> = made.collect();
    assert_eq!(made.len(), 16, "{places:?}");
    assert!(
        made.iter().all(|(_, at)| at.len() == 1 && at[0] != "node1"),
        "{made:?}"
    );
}

#[test]
fn a_create_that_a_hung_engine_took_is_unknown_and_keeps_its_name() {
    let scene = Scene::start();
    for node in ["node0", "node2"] {
        for _ in 0..2 {
            scene.caller.create("", &on(node)).expect(201);
        }
    }
    let engine = scene.lab.engine("node1");
    engine.pause().unwrap();
    // Spread sends it where fewest are, and no probe has been missed yet; the other one of that name is refused.
    let mut tried = at_once(2, |_| try_create(&scene.caller, "early".to_owned()));
    tried.sort_by_key(|t| t.answer.status);
    let [taken, unknown] = &tried[..] else {
        panic!("{tried:?}");
    };
    let message = taken.answer.clone().expect(409).message();
    let words = "Conflict. The container name \"/early\" is already in use by ";
    assert!(message.starts_with(words), "{message}");
    assert!(taken.took < PROMPT, "{taken:?}");
    let message = unknown.answer.clone().expect(504).message();
    let words = "node1 was asked to create \"early\" but did not answer: ";
    assert!(message.starts_with(words), "{message}");
    let end =
        "The outcome is unknown; it is being checked, and the name stays reserved until then.";
    assert!(message.contains(end), "{message}");
    assert!(unknown.took < TOLD, "{unknown:?}");
    scene.caller.create("early", &json!({})).expect(409);

    engine.resume().unwrap();
    scene.wait_until_healthy();
    // Settled in the end: there is one of that name, whoever made it.
    eventually(TOLD + NOTICED, || {
        let again = scene.caller.create("early", &json!({}));
        match (
            again.status,
            scene.caller.get("/containers/early/json").status,
        ) {
            (201 | 409, 200) => Ok(()),
            other => Err(other),
        }
    })
    .unwrap();
    assert_eq!(places(&scene)["early"].len(), 1);
}
