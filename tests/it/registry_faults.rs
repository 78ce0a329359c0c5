//! Pulls from a registry that is slow, stalls, or is asked by many at once.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::caller::{Caller, sleeper};
use crate::support::flotilla::Flotilla;
use crate::support::gate::Gate;
use crate::support::http::{Wire, call};
use crate::support::images::{big_image, count_on, has};
use crate::support::lab::{Engine, EngineSpec, Lab, Release, Spec, eventually, output};
use crate::support::relay::Relay;

/// How long engines may take to come to the registry, or to leave it.
const SOON: Duration = Duration::from_secs(60);
/// Pulls that run at once.
const AT_ONCE: usize = 8;
/// What comes of a layer before it stands still. Engines cannot leave before the head of an answer.
const PIECE: usize = 64 << 10;
/// How long an engine may say nothing of its pulls.
const STALLED: Duration = Duration::from_secs(180);

/// A lab with a gate before its registry.
fn scene(releases: &[Release]) -> (Lab, Gate) {
    let engines = releases.iter().enumerate();
    let engines = engines.map(|(number, release)| {
        let engine = EngineSpec::new(format!("node{number}"), *release);
        engine.arg("--insecure-registry=172.31.0.0/16")
    });
    let lab = Lab::start(&Spec::with(engines).registry()).unwrap();
    let gate = Gate::before(lab.registry().unwrap());
    (lab, gate)
}

/// Puts an image into the registry that no engine has, and returns what it is called through the gate.
fn pushed(lab: &Lab, gate: &Gate, name: &str) -> String {
    let maker = lab.engine("node0");
    let image = format!("{}/{name}:1", lab.registry().unwrap());
    big_image(maker, &image, 4);
    output(maker.docker().args(["push", &image])).unwrap();
    output(maker.docker().args(["rmi", &image])).unwrap();
    format!("{}/{name}:1", gate.addr())
}

/// Returns the path of a pull.
fn path(image: &str) -> String {
    let (repository, tag) = image.rsplit_once(':').unwrap();
    format!("/images/create?fromImage={repository}&tag={tag}")
}

/// Waits until so many machines wait at the gate.
fn wait_for(gate: &Gate, count: usize) {
    let waiting = || match gate.waiting() {
        all if all.len() == count => Ok(()),
        all => Err(all),
    };
    eventually(SOON, waiting).unwrap();
}

/// Waits until an engine says that a pull was cancelled; its connection to the registry may stay as long as that is
/// silent.
fn wait_for_cancel(engine: &Engine) {
    let path = engine.folder().join("log");
    let said = || match std::fs::read_to_string(&path).unwrap() {
        log if log.contains("context canceled") => Ok(()),
        log => Err(log),
    };
    eventually(SOON, said).unwrap();
}

#[test]
fn a_pull_on_many_nodes_ends_at_their_engines_with_its_client() {
    let (lab, gate) = scene(&[Release::V20, Release::V28, Release::V28]);
    let image = pushed(&lab, &gate, "left");
    let before: Vec<_> = lab.engines().iter().map(count_on).collect();
    let flotilla = Flotilla::before(&lab);
    gate.hold("/blobs/", PIECE, None);
    let mut client = Wire::connect(flotilla.addr());
    client.request("POST", &path(&image), &[], b"");
    assert_eq!(client.head().status, 200);
    wait_for(&gate, 3);
    // They do not leave by themselves.
    thread::sleep(Duration::from_secs(1));
    wait_for(&gate, 3);
    drop(client);
    lab.engines().iter().for_each(wait_for_cancel);
    let after: Vec<_> = lab.engines().iter().map(count_on).collect();
    assert_eq!(before, after);
    gate.open();
    let answer = call(flotilla.addr(), "POST", &path(&image));
    assert!(!answer.text().contains("errorDetail"), "{}", answer.text());
    assert!(lab.engines().iter().all(|e| has(e, &image)));
}

#[test]
fn pulls_on_many_nodes_run_a_few_at_once() {
    let (lab, gate) = scene(&[Release::V20; 10]);
    let (pulled, created) = (
        pushed(&lab, &gate, "pulled"),
        pushed(&lab, &gate, "created"),
    );
    let spread = ["--image-spread", "everywhere"];
    let flotilla = Flotilla::start(lab.folder(), &spread, &lab.addresses());
    flotilla.wait_for_nodes(10);
    // How many are at the registry at most, looked at for a while.
    let most_at_once = || {
        wait_for(&gate, AT_ONCE);
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            assert_eq!(gate.waiting().len(), AT_ONCE);
            thread::sleep(Duration::from_millis(100));
        }
        gate.open();
    };
    gate.hold("/manifests/", 0, None);
    let addr = flotilla.addr();
    let told = thread::scope(|scope| {
        let pull = scope.spawn(|| Caller::new(addr).post(&path(&pulled)));
        most_at_once();
        pull.join().unwrap()
    });
    assert_eq!(
        told.body.matches("\"status\":\"done\"").count(),
        10,
        "{told:?}"
    );
    assert!(lab.engines().iter().all(|e| has(e, &pulled)));

    gate.hold("/manifests/", 0, None);
    let create = |node: usize| {
        let wish = format!("constraint:node==node{node}");
        let body = sleeper(&json!({"Image": created, "Env": [wish]})).to_string();
        let headers = ["Content-Type: application/json", "X-Registry-Auth: e30="];
        let mut wire = Wire::connect(addr).with_patience(SOON * 2);
        wire.request("POST", "/containers/create", &headers, body.as_bytes());
        wire.answer("POST")
    };
    let create = &create;
    thread::scope(|scope| {
        let creates: Vec<_> = (0..10)
            .map(|node| scope.spawn(move || create(node)))
            .collect();
        most_at_once();
        for create in creates {
            let answer = create.join().unwrap();
            assert_eq!(answer.status(), 201, "{}", answer.text());
        }
    });
    assert!(lab.engines().iter().all(|e| has(e, &created)));
}

#[test]
fn a_pull_from_a_registry_that_stalls_ends_and_names_the_nodes_that_lack_the_image() {
    let (lab, gate) = scene(&[Release::V20, Release::V28, Release::V28]);
    let image = pushed(&lab, &gate, "stalled");
    let [one, two] = ["node1", "node2"].map(|node| lab.engine(node));
    // Another node cannot give it to this one either.
    let relay = Relay::before(&one.address());
    relay.refuse("/images/load");
    let node0 = lab.engine("node0").address();
    let all = format!("{node0},{},{}", relay.addr(), two.address());
    let flotilla = Flotilla::start(lab.folder(), &[], &all);
    flotilla.wait_for_nodes(3);
    gate.hold("/blobs/", PIECE, Some(&[one.ip(), two.ip()]));
    let mut docker: Command = flotilla.clients(&lab).docker();
    let started = Instant::now();
    let pull = docker
        .args(["pull", &image])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let took = started.elapsed();
    let [out, err] = [pull.stdout, pull.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
    assert_eq!(pull.status.code(), Some(1), "{out}{err}");
    assert!(took > STALLED && took < STALLED + SOON * 2, "{took:?}");
    assert!(err.contains("pull failed on node1: "), "{err}");
    assert!(
        err.contains("has said nothing of its pulls for 3m"),
        "{err}"
    );
    for row in ["node0: done", "node2: Copying from node0", "node2: done"] {
        assert!(out.contains(row), "no {row}: {out}");
    }
    assert!(has(lab.engine("node0"), &image) && has(two, &image));
    assert!(!has(one, &image));
    [one, two].into_iter().for_each(wait_for_cancel);
}
