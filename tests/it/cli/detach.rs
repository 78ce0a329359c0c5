//! Detach keys: a client leaves, its container runs on.
//!
//! These clients come over unix sockets: over plain TCP neither CLI knows its own keys again, on one engine as here.
//! Go's `TCPConn.ReadFrom` wraps the error by which the CLI's reader tells of them, whereupon the CLI closes its side
//! and waits for the container's.

use super::{BOTH, Cli, Ran, Stage};
use crate::support::lab::Lab;

/// Says `sized` once its terminal has the client's size, which the client shows when it has made its own terminal raw,
/// then answers lines. A prompt would be drawn anew whenever a resize comes after it.
const ANSWERS: &str = "until stty size 2>/dev/null | grep -q '30 100'; do usleep 9000; done; echo sized; while read line; do echo got $line; done";

/// Which client leaves a container of which engine.
const WAYS: [(Cli, &str); 3] = [
    (Cli::V28, "node0"),
    (Cli::V28, "node1"),
    (Cli::V20, "node2"),
];

/// Sets a stage whose Flotilla also listens on a socket; returns both and the socket's `DOCKER_HOST`.
fn stage(word: &'static str) -> (Stage, String) {
    let folder = Lab::shared().unwrap().folder();
    let host = format!("unix://{}/{word}.sock", folder.display());
    (Stage::set_with(word, &["--host", &host]), host)
}

/// Runs `docker ARGS` with names of its own on the engine of `node`, straight and through Flotilla; asserts that both
/// ended and wrote the same and that the container runs on, and returns what was seen.
fn leave((stage, host): &(Stage, String), cli: Cli, node: &str, args: &[&str], keys: &str) -> Ran {
    let keys = format!("keys {keys}");
    let steps = ["expect sized", "send hi\\r", "expect got hi", &keys];
    let engine = stage.lab.engine(node);
    let constraint = format!("constraint:node=={node}");
    let straight = format!("unix://{}", engine.socket().display());
    let seen = [("straight", &straight), ("through", host)].map(|(way, host)| {
        let name = stage.name(&format!("{way}-{node}-{cli:?}-{}", args[0]));
        match args[0] {
            "attach" => {
                let run = ["-dit", "--name", &name, "-e", &constraint];
                stage.ok(&[&["run"], &run[..], &["busybox", "sh", "-c", ANSWERS]].concat());
            }
            "exec" => drop(stage.sleeper(node, &name, &[])),
            _ => {}
        }
        let args: Vec<_> = args
            .iter()
            .map(|arg| arg.replace("NAME", &name).replace("WISH", &constraint))
            .collect();
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let seen = stage.on_terminal_at(host, cli, &args, &steps);
        let state = stage.quiet(
            Cli::V28,
            &["inspect", "-f", "{{.State.Running}}", name.as_str()],
        );
        assert_eq!(state, "true", "{cli:?} {args:?}: {seen:?}");
        // What was left goes on, be it the container's own or an exec's.
        let top = stage.quiet(Cli::V28, &["top", name.as_str()]);
        assert!(top.contains("echo got"), "{args:?}: {top}");
        seen
    });
    let [straight, through] = seen;
    assert_eq!(
        straight, through,
        "{cli:?} {node} {args:?}: engine, then Flotilla"
    );
    through
}

#[test]
fn detach_keys_leave_a_run_and_the_container_goes_on() {
    let stage = stage("detachrun");
    for (cli, node) in WAYS {
        let run = ["run", "-it", "--name", "NAME", "-e", "WISH", "busybox"];
        let run = [&run[..], &["sh", "-c", ANSWERS]].concat();
        let seen = leave(&stage, cli, node, &run, "\\x10\\x11");
        assert_eq!(seen.code, Some(0), "{seen:?}");
    }
}

#[test]
fn detach_keys_leave_an_attach_and_the_container_goes_on() {
    let stage = stage("detachattach");
    for (cli, node) in WAYS {
        let seen = leave(&stage, cli, node, &["attach", "NAME"], "\\x10\\x11");
        assert!(seen.out.ends_with("read escape sequence\r\n"), "{seen:?}");
    }
}

#[test]
fn detach_keys_of_ones_own_are_taken() {
    let stage = stage("detachown");
    let own = "--detach-keys=ctrl-x";
    for cli in BOTH {
        let run = ["run", own, "-it", "--name", "NAME", "-e", "WISH", "busybox"];
        let run = [&run[..], &["sh", "-c", ANSWERS]].concat();
        let seen = leave(&stage, cli, "node1", &run, "\\x18");
        assert_eq!(seen.code, Some(0), "{seen:?}");
        let seen = leave(&stage, cli, "node1", &["attach", own, "NAME"], "\\x18");
        assert!(seen.out.ends_with("read escape sequence\r\n"), "{seen:?}");
        let exec = ["exec", own, "-it", "NAME", "sh", "-c", ANSWERS];
        leave(&stage, cli, "node1", &exec, "\\x18");
    }
}

#[test]
fn detach_keys_leave_an_exec_and_its_command_goes_on() {
    let stage = stage("detachexec");
    for (cli, node) in WAYS {
        let exec = ["exec", "-it", "NAME", "sh", "-c", ANSWERS];
        leave(&stage, cli, node, &exec, "\\x10\\x11");
    }
}
