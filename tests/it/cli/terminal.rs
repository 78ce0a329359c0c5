//! Terminals: resizes, `-t`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::{BOTH, Cli, Ran, Stage, of, ran};
use crate::support::clients::Clients;

/// Drives a program on a terminal by a script on its standard input: `expect`, `send`, `resize`.
const TERMINAL: &str = include_str!("terminal.py");

impl Stage {
    /// Runs `docker ARGS` on a terminal of 30 rows and 100 columns and does the steps; see `terminal.py`.
    pub(super) fn on_terminal(&self, cli: Cli, args: &[&str], steps: &[&str]) -> Ran {
        self.on_terminal_at(&self.flotilla.docker_host(), cli, args, steps)
    }

    /// Does the same with another `DOCKER_HOST`.
    pub(super) fn on_terminal_at(
        &self,
        host: &str,
        cli: Cli,
        args: &[&str],
        steps: &[&str],
    ) -> Ran {
        let clients = Clients::new(host, self.lab);
        let docker = of(&clients, cli);
        let mut python = clients.plain_python();
        // What is compared with another engine's answer is asked for in one version.
        python.env("DOCKER_API_VERSION", "1.41");
        python
            .args(["-c", TERMINAL])
            .arg(docker.get_program())
            .args(args);
        ran(&mut python, steps.join("\n").as_bytes())
    }
}

#[test]
fn a_terminal_has_the_clients_size_and_follows_it() {
    let stage = Stage::set("ttysize");
    for node in ["node0", "node1"] {
        let constraint = format!("constraint:node=={node}");
        for cli in BOTH {
            let watch = "until stty size | grep -q '30 100'; do usleep 9000; done; echo ready; until stty size | grep '41 132'; do usleep 9000; done; read line; [ $line = bye ] && exit 4";
            let seen = stage.on_terminal(
                cli,
                &[
                    "run",
                    "-it",
                    "--rm",
                    "-e",
                    &constraint,
                    "busybox",
                    "sh",
                    "-c",
                    watch,
                ],
                &[
                    "expect ready",
                    "resize 41 132",
                    "expect 41 132",
                    "send bye\\r",
                ],
            );
            assert_eq!(seen.code, Some(4), "{cli:?} {node}: {seen:?}");
        }
    }
}

#[test]
fn exec_on_a_terminal_has_its_size() {
    let stage = Stage::set("ttyexec");
    for node in ["node0", "node2"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &[]);
        for cli in BOTH {
            let watch = "until stty size | grep -q '30 100'; do usleep 9000; done; echo ready; until stty size | grep '41 132'; do usleep 9000; done; exit 3";
            let seen = stage.on_terminal(
                cli,
                &["exec", "-it", &name, "sh", "-c", watch],
                &["expect ready", "resize 41 132", "expect 41 132"],
            );
            assert_eq!(seen.code, Some(3), "{cli:?} {node}: {seen:?}");
        }
        let tty = ran(
            stage.docker(Cli::V28).args(["exec", "-t", &name, "tty"]),
            b"",
        );
        assert!(tty.out.starts_with("/dev/pts/"), "{tty:?}");
    }
}

#[test]
fn attach_without_a_terminal_gets_the_output_and_the_exit_code() {
    let stage = Stage::set("ttynone");
    let told = "until [ -e /go ]; do echo tick; usleep 9000; done; echo last; exit 5";
    for cli in BOTH {
        let name = stage.name(&format!("{cli:?}"));
        stage.ok(&["run", "-d", "--name", &name, "busybox", "sh", "-c", told]);
        let mut attach = stage
            .docker(cli)
            .args(["attach", &name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(attach.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "tick");
        stage.ok(&["exec", &name, "touch", "/go"]);
        assert_eq!(lines.last().unwrap().unwrap(), "last");
        assert_eq!(attach.wait().unwrap().code(), Some(5));
    }
}
