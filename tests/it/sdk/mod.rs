//! Client libraries in other languages, whole programs of theirs.

use std::path::PathBuf;

use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, output};

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/sdk")
        .join(name)
}

#[test]
fn docker_py_runs_execs_and_moves_archives() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let mut python = flotilla.clients(&lab).python().unwrap();
    assert_eq!(output(python.arg(script("whole.py"))).unwrap(), "all well");
}

#[test]
fn dockerode_attaches_with_and_without_an_upgrade() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let mut node = flotilla.clients(&lab).node().unwrap();
    assert_eq!(output(node.arg(script("whole.js"))).unwrap(), "all well");
}
