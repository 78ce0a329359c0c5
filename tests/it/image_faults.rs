//! Pulls, loads and copies while an engine breaks: the others get the image, and who does not is told of.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::flotilla::Flotilla;
use crate::support::images::{big_image, has};
use crate::support::lab::{Lab, Spec, output};

/// How long a call may go on after an engine hangs: until that is noticed, on a busy machine.
const ENDED: Duration = Duration::from_secs(25);

/// Waits for the end of a child and returns its code and what is left of its standard error.
fn ended(mut child: Child, since: Instant) -> (Option<i32>, String) {
    let mut errors = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    let code = child.wait().unwrap().code();
    let took = since.elapsed();
    assert!(took < ENDED, "{took:?}: {errors}");
    (code, errors)
}

#[test]
fn a_pull_ends_although_an_engine_hangs_in_its_middle() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let image = format!("{}/big:1", lab.registry().unwrap());
    let maker = lab.engine("node2");
    big_image(maker, &image, 96);
    output(maker.docker().args(["push", &image])).unwrap();
    output(maker.docker().args(["rmi", &image])).unwrap();
    let mut docker = flotilla.clients(&lab).docker_28().unwrap();
    let mut pull = docker
        .args(["pull", &image])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(pull.stdout.take().unwrap());
    let mut lines = told.lines().map(Result::unwrap);
    lines.find(|line| line.starts_with("node1: ")).unwrap();
    lab.engine("node1").pause().unwrap();
    let since = Instant::now();
    let reading = thread::spawn(move || lines.count());
    let (code, errors) = ended(pull, since);
    reading.join().unwrap();
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("pull failed on node1: "), "{errors}");
    assert!(errors.contains("did not answer"), "{errors}");
    assert!(
        ["node0", "node2"]
            .iter()
            .all(|n| has(lab.engine(n), &image))
    );
    lab.engine("node1").resume().unwrap();
}

#[test]
fn a_load_ends_although_an_engine_hangs_in_its_middle() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let maker = lab.engine("node2");
    big_image(maker, "big:1", 64);
    let archive = lab.folder().join("big.tar");
    output(maker.docker().args(["save", "big:1", "-o"]).arg(&archive)).unwrap();
    output(maker.docker().args(["rmi", "big:1"])).unwrap();
    let archive = std::fs::read(archive).unwrap();
    let mut docker = flotilla.clients(&lab).docker_28().unwrap();
    let mut load = docker
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = load.stdin.take().unwrap();
    let (one, other) = archive.split_at(archive.len() / 2);
    stdin.write_all(one).unwrap();
    lab.engine("node1").pause().unwrap();
    let since = Instant::now();
    // Far more than what may wait for the node that hangs.
    stdin.write_all(other).unwrap();
    drop(stdin);
    let (code, errors) = ended(load, since);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("load failed on node1: "), "{errors}");
    assert!(
        ["node0", "node2"]
            .iter()
            .all(|n| has(lab.engine(n), "big:1"))
    );
    lab.engine("node1").resume().unwrap();
}
