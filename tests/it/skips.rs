//! Tests that are skipped are told: a run without a client is not as good as one with it.

use std::process::{Command, Stdio};
use std::{env, fs};

use crate::support::lab::output;

#[test]
fn a_test_without_its_client_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("skipped");
    let missing = [
        "compose::a_service_that_changed_takes_its_own_port_and_room",
        "newer::an_image_that_is_mounted_is_brought_along",
        "sdk::docker_py_runs_execs_and_moves_archives",
        "suites::docker_pys_tests_of_calls_pass_here_as_on_one_engine",
    ];
    for test in missing {
        let mut run = Command::new(env::current_exe().unwrap());
        // Nothing is installed there.
        run.args(["--exact", test])
            .env("FLOTILLA_LAB_CACHE", folder.path())
            .env("PATH", folder.path())
            .env("FLOTILLA_SKIPPED", &file);
        output(run.stdin(Stdio::null())).unwrap();
    }
    let told = fs::read_to_string(&file).unwrap();
    let names = told.lines().map(|line| line.split_once(": ").unwrap());
    let (names, reasons): (Vec<_>, Vec<_>) = names.unzip();
    assert_eq!(names, missing);
    assert!(
        reasons.iter().all(|r| r.contains("not installed here")),
        "{told}"
    );

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/skipped.sh");
    let shown = output(Command::new(script).arg(&file)).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 5, "{shown}");
    assert_eq!(lines[0], "== 4 skipped");
    assert!(lines[1].starts_with(missing[0]), "{shown}");
    fs::write(&file, "").unwrap();
    let shown = output(Command::new(script).arg(&file)).unwrap();
    assert_eq!(shown, "== nothing was skipped");
}
