//! Waits for an exit code that an engine can no longer tell.

use std::process::Command;

use serde_json::Value;

use super::{NOTICED, SOON, Scene, aside_for};
use crate::support::http::Wire;
use crate::support::lab::{eventually, output};

/// Starts `docker run` of a sleeper on node1 and returns, once the container runs, what waits for how it ends.
fn run(scene: &Scene, mut docker: Command, name: &str) -> impl FnOnce() -> String {
    docker.args(["run", "--name", name, "-e", "constraint:node==node1"]);
    docker.args(["busybox", "sleep", "500"]);
    let ended = aside_for(NOTICED * 2, move || match output(&mut docker) {
        Ok(said) => said,
        Err(error) => error.to_string(),
    });
    eventually(SOON, || {
        let state = scene.caller.get(&format!("/containers/{name}/json")).json();
        match state["State"]["Running"] == true {
            true => Ok(()),
            false => Err(state),
        }
    })
    .unwrap();
    ended
}

/// Starts to wait for a container of node1 and returns, once the engine has heard of it, what waits for the answer.
fn wait(scene: &Scene) -> impl FnOnce() -> Value {
    let mut wire = Wire::connect(scene.flotilla.addr()).with_patience(NOTICED * 2);
    let path = format!("/containers/{}/wait", scene.ids[1]);
    wire.request("POST", &path, &[], b"");
    let head = wire.head();
    assert_eq!(head.status, 200);
    aside_for(NOTICED * 2, move || {
        serde_json::from_slice(&wire.body("POST", &head)).unwrap()
    })
}

/// Checks what stands in place of an exit code.
fn tells_of_the_loss(answer: &Value) {
    assert_eq!(answer["StatusCode"], -1, "{answer}");
    let message = answer["Error"]["Message"].as_str().unwrap_or_default();
    assert!(message.starts_with("node node1 lost: "), "{answer}");
}

/// Checks how `docker run` ends of it.
fn exits_with_125(said: &str) {
    assert!(said.contains("node node1 lost: "), "{said}");
    assert!(said.contains("exit status: 125"), "{said}");
}

#[test]
fn who_waits_for_an_exit_code_is_told_that_its_node_is_lost() {
    let scene = Scene::start();
    let clients = scene.flotilla.clients(&scene.lab);
    let engine = scene.lab.engine("node1");

    let run_28 = run(&scene, clients.docker(), "hung");
    let run_20 = run(&scene, clients.docker_20(), "hung-20");
    let waited = wait(&scene);
    engine.pause().unwrap();
    tells_of_the_loss(&waited());
    exits_with_125(&run_28());
    exits_with_125(&run_20());
    engine.resume().unwrap();
    scene.wait_until_healthy();

    let run_28 = run(&scene, clients.docker(), "killed");
    let run_20 = run(&scene, clients.docker_20(), "killed-20");
    let waited = wait(&scene);
    engine.kill().unwrap();
    tells_of_the_loss(&waited());
    exits_with_125(&run_28());
    exits_with_125(&run_20());
}
