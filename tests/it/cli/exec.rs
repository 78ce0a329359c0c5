//! `docker exec`.

use std::time::Duration;

use super::{BOTH, Cli, Ran, Stage, ran};
use crate::support::lab::eventually;

#[test]
fn exec_writes_and_ends_as_on_one_engine() {
    let stage = Stage::set("execends");
    for node in ["node0", "node1"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &[]);
        for cli in BOTH {
            let exec = |args: &[&str]| {
                let mut all = vec!["exec"];
                all.extend(args);
                stage.same(cli, node, &all)
            };
            let plain = exec(&[&name, "sh", "-c", "echo out; echo err >&2; exit 3"]);
            let want = (Some(3), "out\n", "err\n");
            assert_eq!((plain.code, plain.out.as_str(), plain.err.as_str()), want);
            let set = ["-e", "A=b", "-w", "/tmp", "-u", "nobody", &name];
            let seen = exec(&[&set[..], &["sh", "-c", "echo $A; pwd; id -un"]].concat());
            assert_eq!(seen, Ran::wrote("b\n/tmp\nnobody\n"));
            let none = exec(&[&name, "nosuchprogram"]);
            assert!(matches!(none.code, Some(126 | 127)), "{none:?}");
            assert_eq!(exec(&["nosuchcontainer", "true"]).code, Some(1));
        }
    }
}

#[test]
fn exec_passes_the_end_of_standard_input_on() {
    let stage = Stage::set("execstdin");
    let name = stage.name("c");
    stage.sleeper("node2", &name, &[]);
    for cli in BOTH {
        // The output comes after the end of the input: only a half-close lets it through.
        let count = stage.same_fed(cli, "node2", &["exec", "-i", &name, "wc", "-l"], b"x\ny\n");
        assert_eq!(count, Ran::wrote("2\n"));
        let mut docker = stage.docker(cli);
        let bulk = "0123456789abcde\n".repeat(1 << 18);
        let back = ran(docker.args(["exec", "-i", &name, "cat"]), bulk.as_bytes());
        assert!(back.out == bulk, "{cli:?} lost bytes: {}", back.out.len());
    }
}

#[test]
fn exec_d_returns_at_once_and_the_command_runs() {
    let stage = Stage::set("execdetached");
    let name = stage.name("c");
    stage.sleeper("node0", &name, &[]);
    for cli in BOTH {
        let file = format!("/tmp/{cli:?}");
        let mut docker = stage.docker(cli);
        let seen = ran(docker.args(["exec", "-d", &name, "touch", &file]), b"");
        assert_eq!(seen, Ran::wrote(""));
        eventually(Duration::from_secs(30), || {
            let seen = ran(stage.docker(cli).args(["exec", &name, "ls", &file]), b"");
            if seen.code == Some(0) {
                Ok(())
            } else {
                Err(seen)
            }
        })
        .unwrap();
    }
}

#[test]
fn exec_in_a_container_that_does_not_run_fails_as_on_one_engine() {
    let stage = Stage::set("execstopped");
    let name = stage.name("c");
    stage.sleeper("node1", &name, &[]);
    stage.ok(&["pause", &name]);
    let paused = stage.same(Cli::V28, "node1", &["exec", &name, "true"]);
    let text = format!("Container {name} is paused, unpause the container before exec\n");
    assert_eq!(paused.err, format!("Error response from daemon: {text}"));
    stage.ok(&["unpause", &name]);
    stage.ok(&["kill", &name]);
    let stopped = stage.same(Cli::V28, "node1", &["exec", &name, "true"]);
    assert!(stopped.err.contains("is not running"), "{stopped:?}");
}
