//! Client libraries, whole programs of theirs.

mod typed;

use std::path::PathBuf;
use std::process::Command;

use crate::support::clients::{Clients, needs};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, output};

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/sdk")
        .join(name)
}

/// Runs a program of a client against three nodes and expects it to find all well.
fn whole(name: &str, client: impl Fn(&Clients<'_>, &Lab) -> Result<Command, String>) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let mut command = client(&flotilla.clients(&lab), &lab).unwrap();
    assert_eq!(output(command.arg(script(name))).unwrap(), "all well");
    for engine in lab.engines() {
        let left = engine.ask("/containers/json?all=1").unwrap();
        assert_eq!(left, serde_json::json!([]), "on {}", engine.name());
    }
}

#[test]
fn docker_py_runs_execs_and_moves_archives() {
    needs!("python");
    whole("whole.py", |clients, _| clients.python());
}

#[test]
fn dockerode_attaches_with_and_without_an_upgrade() {
    needs!("node");
    whole("whole.js", |clients, _| clients.node());
}

#[test]
fn testcontainers_starts_waits_for_and_stops_what_tests_need() {
    needs!("node");
    whole("containers.js", |clients, lab| {
        let mut node = clients.node()?;
        let engine = lab.engine("node1").address();
        let host = engine.split(':').next().unwrap_or_default();
        // Its own reaper is an image of a registry that the lab cannot reach.
        node.env("TESTCONTAINERS_RYUK_DISABLED", "true")
            .env("TESTCONTAINERS_HOST_OVERRIDE", host);
        Ok(node)
    });
}
