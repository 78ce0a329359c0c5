//! Creates that an engine carried out and whose answers never arrived.

use serde_json::json;

use super::{NOTICED, Scene};
use crate::support::caller::{encoded, names_on, on};
use crate::support::lab::{Engine, eventually, output};

/// Adds (`-I`) or removes (`-D`) the rule that drops the engine's answers to creates.
fn drop_answers(engine: &Engine, action: &str) {
    let mut iptables = engine.on_machine("/usr/sbin/iptables");
    iptables.args([
        action,
        "OUTPUT",
        "-p",
        "tcp",
        "--sport",
        "2375",
        "-m",
        "string",
        "--algo",
        "bm",
        "--string",
        "201 Created",
        "-j",
        "DROP",
    ]);
    output(&mut iptables).unwrap();
}

/// Counts what the engine has besides its first container.
fn made(engine: &Engine) -> usize {
    names_on(engine).iter().filter(|n| *n != "c1").count()
}

#[test]
fn a_create_whose_answer_is_lost_makes_one_container() {
    for name in ["lost", ""] {
        let scene = Scene::start();
        let engine = scene.lab.engine("node1");
        drop_answers(engine, "-I");
        let answer = super::aside_for(std::time::Duration::from_secs(50), {
            let (caller, name) = (scene.caller.clone(), name.to_owned());
            move || caller.create(&name, &on("node1"))
        });
        // Meanwhile it is there once, and its name is taken.
        eventually(NOTICED, || match made(engine) {
            1 => Ok(()),
            other => Err(other),
        })
        .unwrap();
        if !name.is_empty() {
            let second = scene.caller.create(name, &json!({}));
            let words = format!("Conflict. The container name \"/{name}\" is already in use by ");
            assert!(second.expect(409).message().starts_with(&words));
        }
        let answer = answer();
        match answer.status {
            201 => assert!(names_on(engine).len() == 2),
            504 => assert!(
                answer.message().contains("outcome is unknown"),
                "{answer:?}"
            ),
            _ => panic!("{answer:?}"),
        }
        drop_answers(engine, "-D");
        scene.wait_until_healthy();
        let all: usize = scene.lab.engines().iter().map(|e| names_on(e).len()).sum();
        assert_eq!(all, 4);
        eventually(NOTICED, || {
            let filter = encoded(&json!({"node": ["node1"]}));
            let list = scene
                .caller
                .get(&format!("/containers/json?all=1&filters={filter}"));
            match list.json().as_array().map(Vec::len) {
                Some(2) => Ok(()),
                _ => Err(list.body),
            }
        })
        .unwrap();
        if !name.is_empty() {
            scene.caller.create(name, &json!({})).expect(409);
            scene
                .caller
                .delete(&format!("/containers/{name}"))
                .expect(204);
            scene.caller.create(name, &json!({})).expect(201);
        }
    }
}
