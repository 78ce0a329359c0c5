//! `docker pull` on a terminal: a row for each node, redrawn in its place, and an error that is told once.

use std::process::Command;

use regex::Regex;

use crate::support::clients::Clients;
use crate::support::flotilla::Flotilla;
use crate::support::images::{big_image, has};
use crate::support::lab::{EngineSpec, Lab, Release, Spec, output};

/// Runs a program on a terminal; see the file.
const TERMINAL: &str = include_str!("cli/terminal.py");

/// Puts an image of this size into the lab's registry, and on no engine.
fn pushed(lab: &Lab, mib: u32) -> String {
    let image = format!("{}/big:1", lab.registry().unwrap());
    let maker = lab.engine("node2");
    big_image(maker, &image, mib);
    output(maker.docker().args(["push", &image])).unwrap();
    output(maker.docker().args(["rmi", &image])).unwrap();
    image
}

/// Pulls on a terminal; returns the exit code and what was written.
fn pull(clients: &Clients<'_>, docker: &Command, image: &str) -> (Option<i32>, String) {
    let mut python = clients.plain_python();
    python.args(["-c", TERMINAL]).arg(docker.get_program());
    let ran = python.args(["pull", image]).output().unwrap();
    let failed = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(failed, "");
    let written = String::from_utf8_lossy(&ran.stdout).into_owned();
    (ran.status.code(), written)
}

/// Returns the lines that a terminal shows in the end.
fn screen(written: &str) -> Vec<String> {
    let step = Regex::new(r"(?s)\x1b\[(\d*)([A-Za-z])|(.)").unwrap();
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    for step in step.captures_iter(written) {
        let count = step
            .get(1)
            .and_then(|n| n.as_str().parse().ok())
            .unwrap_or(1);
        match (
            step.get(2).map(|m| m.as_str()),
            step.get(3).map(|m| m.as_str()),
        ) {
            (Some("A"), _) => row -= count,
            (Some("B"), _) => row += count,
            (Some("K"), _) => lines[row].clear(),
            (Some(other), _) => panic!("{other} in {written:?}"),
            (None, Some("\r")) => column = 0,
            (None, Some("\n")) => row += 1,
            (None, text) => {
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = text.and_then(|t| t.chars().next()).unwrap();
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    lines
        .into_iter()
        .map(|line| line.into_iter().collect())
        .collect()
}

#[test]
fn each_node_has_one_row_that_is_redrawn_in_its_place() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let image = pushed(&lab, 24);
    let clients = flotilla.clients(&lab);
    for docker in [clients.docker(), clients.docker_20()] {
        let (code, written) = pull(&clients, &docker, &image);
        let shown = screen(&written);
        assert_eq!(code, Some(0), "{shown:#?}");
        for engine in lab.engines() {
            let start = format!("{}: ", engine.name());
            let rows: Vec<_> = shown.iter().filter(|l| l.starts_with(&start)).collect();
            assert!(
                matches!(rows[..], [row] if row.contains("done")),
                "{shown:#?}"
            );
            let drawn = written.matches(&start).count();
            assert!(drawn > 3, "drawn {drawn} times: {written:?}");
        }
        let status = format!("Status: Downloaded newer image for {image}");
        assert_eq!(
            shown.iter().filter(|l| **l == status).count(),
            1,
            "{shown:#?}"
        );
        for engine in lab.engines() {
            output(engine.docker().args(["rmi", &image])).unwrap();
        }
    }
}

#[test]
fn an_error_of_one_node_is_told_once_and_last() {
    let spec = Spec::with([
        EngineSpec::new("node0", Release::V20),
        EngineSpec::new("node1", Release::V28).disk(96),
        EngineSpec::new("node2", Release::V28),
    ]);
    let lab = Lab::start(&spec.registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let image = pushed(&lab, 128);
    let clients = flotilla.clients(&lab);
    for docker in [clients.docker(), clients.docker_20()] {
        let (code, written) = pull(&clients, &docker, &image);
        let shown = screen(&written);
        assert_eq!(code, Some(1), "{shown:#?}");
        assert_eq!(
            written.matches("pull failed on node1: ").count(),
            1,
            "{shown:#?}"
        );
        let mut lines = shown.iter().filter(|l| !l.is_empty());
        let last = lines.next_back().unwrap();
        assert!(last.contains("pull failed on node1: "), "{shown:#?}");
        assert!(
            !shown.iter().any(|l| l.starts_with("Status: ")),
            "{shown:#?}"
        );
        assert!(
            shown.iter().any(|l| l.starts_with("node1: failed: ")),
            "{shown:#?}"
        );
        for (node, there) in [("node0", true), ("node1", false), ("node2", true)] {
            assert_eq!(has(lab.engine(node), &image), there, "{node}");
        }
    }
}
