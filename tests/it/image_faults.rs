//! Pulls, loads and copies while an engine breaks: the others get the image, and who does not is told of.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::http::call;
use crate::support::images::{big_image, count_on, has};
use crate::support::lab::{Lab, Spec, eventually, output};
use crate::support::relay::Relay;

/// How long a pull may go on after an engine hangs, which would have it go on for ever: until that is noticed, and the
/// others have the image, on a busy machine.
const PULLED: Duration = Duration::from_secs(120);
/// The same of a load, which leaves a node out by itself that takes nothing for a minute.
const LOADED: Duration = Duration::from_secs(50);

/// Waits for the end of a child and returns its code and what is left of its standard error.
fn ended(mut child: Child, since: Instant, limit: Duration) -> (Option<i32>, String) {
    let mut errors = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    let code = child.wait().unwrap().code();
    let took = since.elapsed();
    assert!(took < limit, "{took:?}: {errors}");
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
    let mut docker = flotilla.clients(&lab).docker();
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
    let (code, errors) = ended(pull, since, PULLED);
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
    big_image(maker, "big:1", 48);
    let archive = lab.folder().join("big.tar");
    output(maker.docker().args(["save", "big:1", "-o"]).arg(&archive)).unwrap();
    output(maker.docker().args(["rmi", "big:1"])).unwrap();
    let archive = std::fs::read(archive).unwrap();
    let mut docker = flotilla.clients(&lab).docker();
    let mut load = docker
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = load.stdin.take().unwrap();
    let (one, other) = archive.split_at(archive.len() / 8);
    stdin.write_all(one).unwrap();
    let before = flotilla.peak_kb();
    lab.engine("node1").pause().unwrap();
    let since = Instant::now();
    // Far more than what may wait for the node that hangs.
    stdin.write_all(other).unwrap();
    drop(stdin);
    let (code, errors) = ended(load, since, LOADED);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("load failed on node1: "), "{errors}");
    let grown = flotilla.peak_kb() - before;
    assert!(
        grown < 24 << 10,
        "memory grew by {grown} kB while 42 MiB waited"
    );
    assert!(
        ["node0", "node2"]
            .iter()
            .all(|n| has(lab.engine(n), "big:1"))
    );
    lab.engine("node1").resume().unwrap();
}

#[test]
fn what_goes_to_a_slow_node_does_not_wait_in_memory() {
    const MIB: u32 = 160;
    const PACE: u64 = 20_000_000;
    let at_pace = Duration::from_secs((u64::from(MIB) << 20) / PACE);
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let maker = lab.engine("node2");
    big_image(maker, "big:1", MIB);
    let archive = lab.folder().join("big.tar");
    output(maker.docker().args(["save", "big:1", "-o"]).arg(&archive)).unwrap();
    output(maker.docker().args(["rmi", "big:1"])).unwrap();
    let slow = lab.engine("node1");
    slow.narrow(PACE).unwrap();
    let before = flotilla.peak_kb();
    let is_held = |what: &str, took: Duration| {
        assert!(took > at_pace / 2, "{what} took no more than {took:?}");
        let grown = flotilla.peak_kb() - before;
        assert!(grown < 64_000, "{what}: memory grew by {grown} kB");
    };
    let since = Instant::now();
    let mut docker = flotilla.clients(&lab).docker();
    output(docker.args(["load", "-i"]).arg(&archive)).unwrap();
    is_held("a load", since.elapsed());
    assert!(lab.engines().iter().all(|engine| has(engine, "big:1")));

    output(slow.docker().args(["rmi", "big:1"])).unwrap();
    let caller = Caller::new(flotilla.addr());
    let gone = || {
        let images = caller.get("/images/json").json();
        let images = images.as_array().cloned().unwrap_or_default();
        let big = images.iter().find(|i| i["RepoTags"][0] == "big:1");
        match big.is_some_and(|i| i["Nodes"].to_string().contains("node1")) {
            true => Err(images),
            false => Ok(()),
        }
    };
    eventually(Duration::from_secs(30), gone).unwrap();
    let since = Instant::now();
    let body = json!({"Image": "big:1", "Env": ["constraint:node==node1"]});
    caller.create("", &body).expect(201);
    is_held("a copy", since.elapsed());
}

#[test]
fn a_removal_says_which_nodes_it_did_not_reach() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    for image in ["app:1", "app:2", "app:3"] {
        let path = format!("/images/busybox/tag?repo=app&tag={}", &image[4..]);
        caller.post(&path).expect(201);
    }
    output(
        lab.engine("node1")
            .docker()
            .args(["tag", "busybox", "own:1"]),
    )
    .unwrap();
    let own = || match caller.get("/images/own:1/json").status {
        200 => Ok(()),
        other => Err(other),
    };
    eventually(Duration::from_secs(30), own).unwrap();
    lab.engine("node1").pause().unwrap();
    // Asked while it still counts as healthy.
    let message = caller.delete("/images/app:1").expect(504).message();
    assert!(message.starts_with("node1: "), "{message}");
    assert!(message.ends_with("(done on node0, node2)"), "{message}");
    // Known not to answer by now.
    let answer = call(flotilla.addr(), "DELETE", "/images/app:2");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let warning = answer.head.header("warning");
    assert_eq!(
        warning,
        Some("199 flotilla \"node1 does not answer and keeps app:2\"")
    );
    assert!(!has(lab.engine("node0"), "app:2"));
    let answer = call(flotilla.addr(), "POST", "/images/app:3/tag?repo=app&tag=4");
    assert_eq!(answer.status(), 201);
    assert!(answer.head.header("warning").unwrap().contains("node1"));
    let message = caller.delete("/images/own:1").expect(503).message();
    assert!(message.contains("node1"), "{message}");
    lab.engine("node1").resume().unwrap();
}

#[test]
fn a_copy_to_an_engine_that_is_killed_leaves_nothing_there() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let giver = lab.engine("node2");
    big_image(giver, "big:1", 64);
    let relay = Relay::before(&giver.address());
    let address = |name: &str| lab.engine(name).address();
    let all = format!("{},{},{}", address("node0"), address("node1"), relay.addr());
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let taker = lab.engine("node1");
    let before = count_on(taker);
    relay.hold(Duration::from_millis(2));
    let body = json!({"Image": "big:1", "Env": ["constraint:node==node1"]});
    let creating = {
        let (caller, body) = (caller.clone(), body.clone());
        thread::spawn(move || caller.create("cut", &body))
    };
    let copying = || match flotilla.log().contains("copying an image") {
        true => Ok(()),
        false => Err(()),
    };
    eventually(Duration::from_secs(60), copying).unwrap();
    thread::sleep(Duration::from_secs(1));
    taker.kill().unwrap();
    let message = creating.join().unwrap().expect(500).message();
    let start = "image big:1 could not be copied from node2 to node1: ";
    assert!(message.starts_with(start), "{message}");
    relay.hold(Duration::ZERO);
    taker.restart().unwrap();
    flotilla.wait_for_nodes(3);
    assert_eq!(count_on(taker), before);
    caller.create("cut", &body).expect(201);
}
