//! `docker logs`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use super::{BOTH, Cli, Ran, Stage};
use crate::support::lab::eventually;

#[test]
fn logs_of_an_ended_container_are_those_of_its_engine() {
    let stage = Stage::set("logsended");
    for node in ["node0", "node1"] {
        let name = stage.name(node);
        let constraint = format!("constraint:node=={node}");
        let run = [
            "run",
            "--name",
            &name,
            "-e",
            &constraint,
            "busybox",
            "sh",
            "-c",
        ];
        stage.ok(&[&run[..], &["echo one; echo two; echo three"]].concat());
        for cli in BOTH {
            let all = stage.same(cli, node, &["logs", &name]);
            assert_eq!(all, Ran::wrote("one\ntwo\nthree\n"));
            let followed = stage.same(cli, node, &["logs", "-f", &name]);
            assert_eq!(followed, all);
            let last = stage.same(cli, node, &["logs", "--tail", "1", &name]);
            assert_eq!(last, Ran::wrote("three\n"));
            let timed = stage.same(cli, node, &["logs", "-t", &name]);
            assert!(
                timed.out.starts_with("20") && timed.out.contains("Z one\n"),
                "{timed:?}"
            );
            let since = timed
                .out
                .lines()
                .next_back()
                .unwrap()
                .split(' ')
                .next()
                .unwrap();
            let late = stage.same(cli, node, &["logs", "--since", since, &name]);
            assert_eq!(late, Ran::wrote("three\n"));
            let early = stage.same(
                cli,
                node,
                &["logs", "--until", "2001-01-01T00:00:00Z", &name],
            );
            assert_eq!(early, Ran::wrote(""));
        }
    }
}

#[test]
fn logs_keep_standard_error_apart() {
    let stage = Stage::set("logserr");
    let name = stage.name("c");
    let run = [
        "run",
        "--name",
        &name,
        "-e",
        "constraint:node==node2",
        "busybox",
    ];
    stage.ok(&[&run[..], &["sh", "-c", "echo out; echo err >&2"]].concat());
    for cli in BOTH {
        let seen = stage.same(cli, "node2", &["logs", &name]);
        assert_eq!((seen.out.as_str(), seen.err.as_str()), ("out\n", "err\n"));
    }
}

#[test]
fn logs_f_tells_each_line_as_it_is_written() {
    let stage = Stage::set("logsfollow");
    let name = stage.name("c");
    let run = ["run", "-d", "--name", &name, "-e", "constraint:node==node1"];
    let told = "while [ ! -e /end ]; do [ -e /go ] && rm /go && echo gone; usleep 10000; done";
    stage.ok(&[&run[..], &["busybox", "sh", "-c", told]].concat());
    let mut written = 0;
    for cli in BOTH {
        let mut follow = stage
            .docker(cli)
            .args(["logs", "-f", &name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
        for _ in 0..written {
            assert_eq!(lines.next().unwrap().unwrap(), "gone");
        }
        for _ in 0..3 {
            stage.ok(&["exec", &name, "touch", "/go"]);
            assert_eq!(lines.next().unwrap().unwrap(), "gone");
            written += 1;
        }
        follow.kill().unwrap();
        follow.wait().unwrap();
    }
    let follow = stage
        .docker(Cli::V28)
        .args(["logs", "-f", "--tail", "1", &name])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    stage.ok(&["exec", &name, "touch", "/end"]);
    let ended = follow.wait_with_output().unwrap();
    assert!(
        ended.status.success() && ended.stdout == b"gone\n",
        "{ended:?}"
    );
}

#[test]
fn logs_f_since_and_tail_together_give_the_last_lines_and_what_comes() {
    let stage = Stage::set("logsall");
    for node in ["node0", "node1"] {
        for cli in BOTH {
            let name = stage.name(&format!("{node}-{cli:?}"));
            let wish = format!("constraint:node=={node}");
            let run = ["run", "-d", "--name", &name, "-e", &wish, "busybox"];
            let script = "echo one; echo two; echo three; until [ -e /go ]; do usleep 10000; done; echo four";
            stage.ok(&[&run[..], &["sh", "-c", script]].concat());
            let written = || match stage.ok(&["logs", &name]) {
                told if told.lines().count() == 3 => Ok(()),
                told => Err(told),
            };
            eventually(Duration::from_secs(30), written).unwrap();
            let args = ["logs", "-f", "--since", "1h", "--tail", "2", &name];
            let mut follow = stage
                .docker(cli)
                .args(args)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
            let mut next = || lines.next().transpose().unwrap();
            assert_eq!(next().as_deref(), Some("two"), "{node} {cli:?}");
            assert_eq!(next().as_deref(), Some("three"));
            stage.ok(&["exec", &name, "touch", "/go"]);
            assert_eq!(next().as_deref(), Some("four"));
            assert_eq!(next(), None);
            assert!(follow.wait().unwrap().success());
            // Nothing is as late as that.
            let later = [
                "logs",
                "--since",
                "2100-01-01T00:00:00Z",
                "--tail",
                "2",
                &name,
            ];
            assert_eq!(stage.same(cli, node, &later), Ran::wrote(""));
        }
    }
}

#[test]
fn logs_of_nothing_fail_as_on_one_engine() {
    let stage = Stage::set("logsnone");
    for cli in BOTH {
        let seen = stage.same(cli, "node1", &["logs", "nosuchcontainer"]);
        assert_eq!(seen.code, Some(1));
    }
}
