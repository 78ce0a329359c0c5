//! `docker run`: output, exit codes, standard input.

use std::fs::File;
use std::process::{Command, Stdio};

use super::{BOTH, Stage, ran};
use crate::support::lab::output;

#[test]
fn run_writes_and_ends_as_on_one_engine() {
    let stage = Stage::set("runends");
    let cases: [(&[&str], i32); 6] = [
        (&["busybox", "echo", "hi"], 0),
        (
            &["busybox", "sh", "-c", "echo out; echo err >&2; exit 7"],
            7,
        ),
        (&["busybox", "/etc"], 126),
        (&["busybox", "/nosuch"], 127),
        (&["--memory", "1", "busybox", "true"], 125),
        (&["127.0.0.1:1/none:9", "true"], 125),
    ];
    for cli in BOTH {
        for (case, code) in cases {
            let mut args = vec!["run", "--rm", "-e", "constraint:node==node1"];
            args.extend(case);
            let seen = stage.same(cli, "node1", &args);
            assert_eq!(seen.code, Some(code), "{cli:?} {case:?}");
        }
    }
    let said = stage.ran(&[
        "run",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "echo out; echo err >&2",
    ]);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("out\n", "err\n"));
}

#[test]
fn run_d_prints_the_id_of_a_container_that_runs() {
    let stage = Stage::set("rundetached");
    for cli in BOTH {
        let name = stage.name(&format!("{cli:?}"));
        let mut docker = stage.docker(cli);
        docker.args(["run", "-d", "--name", &name, "busybox", "sleep", "600"]);
        let id = output(&mut docker).unwrap();
        let found = stage.ok(&["inspect", "-f", "{{.Id}} {{.State.Running}}", &name]);
        assert_eq!(found, format!("{id} true"));
    }
}

#[test]
fn a_container_that_ran_with_rm_is_gone() {
    let stage = Stage::set("runrm");
    let name = stage.name("gone");
    stage.ok(&["run", "--rm", "--name", &name, "busybox", "true"]);
    let said = stage.ran(&["inspect", "--type", "container", &name]);
    let text = format!("No such container: {name}\n");
    assert_eq!(said.code, Some(1));
    assert!(said.err.ends_with(&text), "{said:?}");
    // The name is free at once.
    stage.ok(&["run", "--rm", "--name", &name, "busybox", "true"]);
}

#[test]
fn a_hundred_megabytes_come_back_unchanged() {
    let stage = Stage::set("runbulk");
    let file = stage.lab.folder().join("runbulk");
    let mut dd = Command::new("dd");
    dd.args(["if=/dev/urandom", "bs=1M", "count=100"])
        .arg(format!("of={}", file.display()));
    output(&mut dd).unwrap();
    let want = output(Command::new("sha256sum").stdin(Stdio::null()).arg(&file)).unwrap();
    let want = want.split(' ').next().unwrap();
    for cli in BOTH {
        let mut cat = stage
            .docker(cli)
            .args(["run", "-i", "--rm", "busybox", "cat"])
            .stdin(File::open(&file).unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let summed = Command::new("sha256sum")
            .stdin(cat.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(cat.wait().unwrap().success(), "{cli:?}");
        let sum = String::from_utf8(summed.stdout).unwrap();
        assert_eq!(sum.split(' ').next(), Some(want), "{cli:?}");
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn standard_input_that_ends_ends_the_container() {
    let stage = Stage::set("runstdin");
    for cli in BOTH {
        let mut docker = stage.docker(cli);
        docker.args([
            "run",
            "-i",
            "--rm",
            "busybox",
            "sh",
            "-c",
            "cat; echo end; exit 5",
        ]);
        let seen = ran(&mut docker, b"one\ntwo\n");
        assert_eq!((seen.code, seen.out.as_str()), (Some(5), "one\ntwo\nend\n"));
    }
}

#[test]
fn the_last_client_of_a_run_gets_all_output() {
    let stage = Stage::set("runtail");
    for _ in 0..10 {
        let said = stage.ok(&["run", "--rm", "busybox", "seq", "2000"]);
        assert_eq!(said.lines().count(), 2000);
    }
}
