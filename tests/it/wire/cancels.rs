//! Calls whose client goes away are cancelled at the engines, also before there is an answer (W10); heads come before
//! there is anything to say (W11).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::streams::connections;
use super::{Container, flotilla};
use crate::support::flotilla::Flotilla;
use crate::support::http::{Wire, call};
use crate::support::images::{big_image, count_on, has};
use crate::support::lab::{Engine, EngineSpec, Lab, Release, Spec, eventually, output};

/// How long an engine may take to notice that nobody waits any more; longer than a connection is kept for the next call.
const NOTICED: Duration = Duration::from_secs(120);
/// Connections more that Flotilla may hold to an engine for its own looks.
const OWN: usize = 2;

/// Starts a registry that answers the ping of engines and nothing else, so that pulls and pushes wait for ever.
fn holding_registry(ip: &str) -> String {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || hold(client));
        }
    });
    addr
}

/// Serves one connection of an engine; every error is its end.
fn hold(mut client: TcpStream) -> Option<()> {
    let pong = "HTTP/1.1 200 OK\r\nDocker-Distribution-Api-Version: registry/2.0\r\nContent-Length: 2\r\n\r\n{}";
    let mut buffer = [0; 4096];
    loop {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        let text = String::from_utf8_lossy(&buffer[..count]);
        if text.starts_with("GET /v2/ ") {
            client.write_all(pong.as_bytes()).ok()?;
        } else if !text.contains(" HTTP/1.1\r\n") {
            // TLS, which is tried first.
            return None;
        }
    }
}

#[test]
fn w10_pulls_and_pushes_end_with_their_client() {
    let engine = |name: &str, release| {
        EngineSpec::new(name, release).arg("--insecure-registry=172.31.0.0/16")
    };
    let spec = [engine("node0", Release::V20), engine("node1", Release::V28)];
    let lab = Lab::start(&Spec::with(spec)).unwrap();
    let registry = holding_registry(&format!("172.31.{}.1", lab.number()));
    let mut requests = vec![(format!("/images/create?fromImage={registry}/held&tag=1"), 2)];
    for engine in lab.engines() {
        let image = format!("{registry}/held-{}", engine.name());
        output(engine.docker().args(["tag", "busybox", &image])).unwrap();
        requests.push((format!("/images/{image}/push?tag=latest"), 1));
    }
    let flotilla = Flotilla::before(&lab);
    let auth = ["X-Registry-Auth: e30="];
    let before = connections(&flotilla);
    for (path, nodes) in requests {
        let open = |_| {
            let mut client = Wire::connect(flotilla.addr());
            client.request("POST", &path, &auth, b"");
            client
        };
        let mut clients: Vec<Wire> = (0..20).map(open).collect();
        let under_way = || match connections(&flotilla) {
            count if count >= 20 * nodes => Ok(()),
            count => Err(format!("{path}: {count}")),
        };
        eventually(NOTICED, under_way).unwrap();
        // They do not end by themselves, whatever they say meanwhile.
        clients[0].is_silent_for(Duration::from_secs(1));
        under_way().unwrap();
        drop(clients);
        eventually(NOTICED, || match connections(&flotilla) {
            left if left <= before + OWN * lab.engines().len() => Ok(()),
            left => Err(format!("{path}: {left} are left, {before} were before")),
        })
        .unwrap();
    }
}

/// Returns how many archives an engine is unpacking.
fn unpacking(engine: &Engine) -> usize {
    let folder = engine.folder().join("data/tmp");
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(Result::ok).count()
}

#[test]
fn w10_a_load_on_many_nodes_ends_with_its_client() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let maker = lab.engine("node2");
    big_image(maker, "big:1", 32);
    let archive = lab.folder().join("big.tar");
    output(maker.docker().args(["save", "big:1", "-o"]).arg(&archive)).unwrap();
    output(maker.docker().args(["rmi", "big:1"])).unwrap();
    let flotilla = Flotilla::before(&lab);
    let before: Vec<_> = lab.engines().iter().map(count_on).collect();
    let bytes = std::fs::read(&archive).unwrap();
    let part = &bytes[..bytes.len() * 3 / 4];
    let mut client = Wire::connect(flotilla.addr());
    client.send(concat!(
        "POST /images/load?quiet=1 HTTP/1.1\r\nHost: engine\r\n",
        "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    client.send(format!("{:x}\r\n", part.len()));
    client.send(part);
    client.send("\r\n");
    let counts = || -> Vec<_> { lab.engines().iter().map(unpacking).collect() };
    let under_way = || match counts() {
        all if all.iter().all(|count| *count > 0) => Ok(()),
        all => Err(all),
    };
    eventually(NOTICED, under_way).unwrap();
    // It does not end by itself.
    assert!(client.is_silent_for(Duration::from_secs(1)));
    under_way().unwrap();
    drop(client);
    eventually(NOTICED, || match counts() {
        all if all.iter().all(|count| *count == 0) => Ok(()),
        all => Err(all),
    })
    .unwrap();
    let after: Vec<_> = lab.engines().iter().map(count_on).collect();
    assert_eq!(before, after);
    let mut docker = flotilla.clients(&lab).docker();
    output(docker.args(["load", "-i"]).arg(&archive)).unwrap();
    assert!(lab.engines().iter().all(|e| has(e, "big:1")));
}

#[test]
fn w10_readers_of_events_are_forgotten_when_they_go() {
    let flotilla = flotilla();
    let readers = || call(flotilla.addr(), "GET", "/info").json()["NEventsListener"].as_u64();
    let before = readers().unwrap();
    let open = |_| {
        let mut wire = Wire::connect(flotilla.addr());
        wire.request("GET", "/events", &[], b"");
        assert_eq!(wire.head().status, 200);
        wire
    };
    let wires: Vec<Wire> = (0..10).map(open).collect();
    assert_eq!(readers(), Some(before + 10));
    drop(wires);
    eventually(NOTICED, || match readers() {
        Some(left) if left == before => Ok(()),
        left => Err(left),
    })
    .unwrap();
}

#[test]
fn w10_a_client_that_goes_before_the_head_ends_its_call_too() {
    let flotilla = flotilla();
    let container = Container::run(&flotilla, "w10-early", "exec sleep 600", "");
    // At this version the head comes when the container ends.
    let path = format!("/v1.24{}", container.path("wait"));
    let open = |_| {
        let mut wire = Wire::connect(flotilla.addr());
        wire.request("POST", &path, &[], b"");
        wire
    };
    let before = connections(&flotilla);
    let mut wires: Vec<Wire> = (0..40).map(open).collect();
    eventually(NOTICED, || match connections(&flotilla) {
        count if count >= 40 => Ok(()),
        count => Err(count),
    })
    .unwrap();
    assert!(wires[0].is_silent_for(Duration::from_millis(100)));
    drop(wires);
    eventually(NOTICED, || match connections(&flotilla) {
        left if left <= before + OWN * Lab::shared().unwrap().engines().len() => Ok(()),
        left => Err(format!("{left} are left, {before} were before")),
    })
    .unwrap();
}

#[test]
fn w11_logs_give_their_head_before_there_is_a_line() {
    let flotilla = flotilla();
    let container = Container::run(&flotilla, "w11-logs", "exec sleep 600", "");
    let mut wire = Wire::connect(flotilla.addr());
    wire.request("GET", &container.path("logs?follow=1&stdout=1"), &[], b"");
    assert_eq!(wire.head().status, 200);
    assert!(wire.is_silent_for(Duration::from_millis(200)));
}

#[test]
fn w11_stats_give_their_head_as_soon_as_the_engine_does() {
    let lab = Lab::shared().unwrap();
    let flotilla = flotilla();
    for node in ["node0", "node1"] {
        let wish = format!(r#","Env":["constraint:node=={node}"]"#);
        let container = Container::run(&flotilla, "w11-stats", "exec sleep 600", &wish);
        let head_after = |addr: &str| {
            let mut wire = Wire::connect(addr);
            let started = Instant::now();
            wire.request("GET", &container.path("stats?stream=1"), &[], b"");
            assert_eq!(wire.head().status, 200);
            started.elapsed()
        };
        // The best of some, since anything else may run on this machine.
        let (mut direct, mut through) = (Duration::MAX, Duration::MAX);
        for round in 0..30 {
            direct = direct.min(head_after(&lab.engine(node).address()));
            through = through.min(head_after(flotilla.addr()));
            // The first sample comes a second later.
            if round >= 4 && through < direct + Duration::from_millis(400) {
                break;
            }
        }
        assert!(
            through < direct + Duration::from_millis(400),
            "{node}: {direct:?} direct, {through:?} through"
        );
    }
}
