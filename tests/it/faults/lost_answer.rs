//! Creates that an engine carried out and whose answers never arrived.

use serde_json::json;

use std::time::{Duration, Instant};

use super::{SOON, Scene, aside_for};
use crate::support::caller::{Answer, Caller, encoded, names_on, on};
use crate::support::lab::{Engine, eventually, output};

/// How long a create may take to say that its outcome is unknown, on a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(50);
/// Answers to creates, and only those.
const CREATED: &[&str] = &["-m", "string", "--algo", "bm", "--string", "201 Created"];
/// Everything that the engine says.
const ALL: &[&str] = &[];

/// Adds (`-I`) or removes (`-D`) the rule that drops what an engine says.
fn drop_answers(engine: &Engine, action: &str, which: &[&str]) {
    let mut iptables = engine.on_machine("/usr/sbin/iptables");
    iptables
        .args([action, "OUTPUT", "-p", "tcp", "--sport", "2375"])
        .args(which)
        .args(["-j", "DROP"]);
    output(&mut iptables).unwrap();
}

/// Counts what the engine has besides its first container.
fn made(engine: &Engine) -> usize {
    names_on(engine).iter().filter(|n| *n != "c1").count()
}

/// Creates on node1 while its answers of this kind are dropped, and returns the answer; meanwhile checks that the
/// container is there once and that its name is taken.
fn create_unheard(scene: &Scene, name: &str, which: &[&str]) -> Answer {
    let engine = scene.lab.engine("node1");
    drop_answers(engine, "-I", which);
    let (caller, wanted) = (scene.caller.clone(), name.to_owned());
    let started = Instant::now();
    let answer = aside_for(GIVEN_UP, move || caller.create(&wanted, &on("node1")));
    eventually(SOON, || match made(engine) {
        1 => Ok(()),
        other => Err(other),
    })
    .unwrap();
    name_is_taken(&scene.caller, name);
    let answer = answer();
    println!("answered after {:?}: {answer:?}", started.elapsed());
    name_is_taken(&scene.caller, name);
    answer
}

/// Checks that a name is refused in the engine's words; nothing for no name.
fn name_is_taken(caller: &Caller, name: &str) {
    if !name.is_empty() {
        let second = caller.create(name, &json!({})).expect(409).message();
        let words = format!("Conflict. The container name \"/{name}\" is already in use by ");
        assert!(second.starts_with(&words), "{second}");
    }
}

/// Checks that in the end there is one container more, that lists show it, and that its name is free once it is gone.
fn is_made_once(scene: &Scene, name: &str) {
    let all: usize = scene.lab.engines().iter().map(|e| names_on(e).len()).sum();
    assert_eq!(all, 4);
    let filter = encoded(&json!({"node": ["node1"]}));
    let id = eventually(SOON, || {
        let list = scene
            .caller
            .get(&format!("/containers/json?all=1&filters={filter}"));
        let found = list.json();
        let all = found.as_array().map_or(&[][..], Vec::as_slice);
        let new = all.iter().find(|c| c["Id"] != scene.ids[1]);
        match (all.len(), new.and_then(|c| c["Id"].as_str())) {
            (2, Some(id)) => Ok(id.to_owned()),
            _ => Err(list.body),
        }
    })
    .unwrap();
    name_is_taken(&scene.caller, name);
    scene
        .caller
        .delete(&format!("/containers/{id}"))
        .expect(204);
    // The reservation outlives the container only as long as the outcome is being looked up.
    eventually(SOON, || {
        let again = scene.caller.create(name, &json!({}));
        if again.status == 201 {
            Ok(())
        } else {
            Err(again)
        }
    })
    .unwrap();
}

/// Loses only the answer to the create: the outcome can be looked up, and the client learns of its container.
fn lose_one_answer(name: &str) {
    let scene = Scene::start();
    let answer = create_unheard(&scene, name, CREATED).expect(201);
    let engine = scene.lab.engine("node1");
    let inspect = engine.ask(&format!("/containers/{}/json", answer.id()));
    assert_eq!(inspect.unwrap()["Id"], answer.id());
    drop_answers(engine, "-D", CREATED);
    scene.wait_until_healthy();
    is_made_once(&scene, name);
}

#[test]
fn a_named_create_whose_answer_is_lost_makes_one_container() {
    lose_one_answer("lost");
}

#[test]
fn an_unnamed_create_whose_answer_is_lost_makes_one_container() {
    lose_one_answer("");
}

#[test]
fn a_create_to_an_engine_that_is_no_longer_heard_is_said_to_be_unknown() {
    let scene = Scene::start();
    let answer = create_unheard(&scene, "unheard", ALL).expect(504);
    let message = answer.message();
    let words = "node1 was asked to create \"unheard\" but did not answer: ";
    assert!(message.starts_with(words), "{message}");
    assert!(
        message
            .contains("The outcome is unknown; it is being checked, and the name stays reserved")
    );
    scene.wait_until_unhealthy(Instant::now());
    scene.others_work();
    drop_answers(scene.lab.engine("node1"), "-D", ALL);
    scene.wait_until_healthy();
    is_made_once(&scene, "unheard");
}

#[test]
fn a_name_stays_reserved_until_a_rename_that_was_not_answered_is_known() {
    let scene = Scene::start();
    let engine = scene.lab.engine("node1");
    engine.pause().unwrap();
    let rename = |name: &'static str| {
        let (caller, path) = (
            scene.caller.clone(),
            format!("/containers/{}/rename?name={name}", scene.ids[1]),
        );
        aside_for(GIVEN_UP, move || caller.post(&path))
    };
    let answer = rename("given");
    let message = answer().expect(504).message();
    assert!(
        message.ends_with("whether it was carried out is unknown"),
        "{message}"
    );
    name_is_taken(&scene.caller, "given");
    // Nor does another container get it by a rename.
    let other = format!("/containers/{}/rename?name=given", scene.ids[0]);
    scene.caller.post(&other).expect(409);
    engine.resume().unwrap();
    scene.wait_until_healthy();
    name_is_taken(&scene.caller, "given");
    let named = || scene.lab.engines().iter().flat_map(names_on);
    eventually(SOON, || {
        match named().filter(|name| name == "given").count() {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .unwrap();
    // Known now: the name has its owner in lists, and the old one is free.
    eventually(SOON, || {
        let found = scene.caller.get("/containers/given/json");
        if found.id() == scene.ids[1] {
            Ok(())
        } else {
            Err(found)
        }
    })
    .unwrap();
    scene.caller.create("c1", &json!({})).expect(201);
    assert_eq!(named().filter(|name| name == "given").count(), 1);
}

#[test]
fn a_network_that_was_not_answered_for_keeps_its_name() {
    let scene = Scene::start();
    let engine = scene.lab.engine("node1");
    engine.pause().unwrap();
    let create = |name: &'static str| {
        let (caller, body) = (scene.caller.clone(), json!({"Name": name}));
        aside_for(GIVEN_UP, move || {
            caller.post_json("/networks/create", &body)
        })
    };
    let answer = create("node1/wide");
    answer().expect(504);
    create("wide")().expect(409);
    engine.resume().unwrap();
    scene.wait_until_healthy();
    let made = |engine: &Engine| {
        let list = engine.ask("/networks").unwrap();
        let mut list = list.as_array().into_iter().flatten();
        list.any(|n| n["Name"] == "wide")
    };
    eventually(SOON, || if made(engine) { Ok(()) } else { Err(()) }).unwrap();
    create("wide")().expect(409);
    assert_eq!(scene.lab.engines().iter().filter(|e| made(e)).count(), 1);
    // Its name was taken before lists showed it.
    let shown = || match scene.caller.get("/networks/wide") {
        found if found.status == 200 => Ok(()),
        other => Err(other),
    };
    eventually(SOON, shown).unwrap();
}
