//! Streams that stand still for longer than any deadline of ours, because one end does not read, and streams whose end
//! is gone (W12).

use std::thread;
use std::time::{Duration, Instant};

use super::{Container, flotilla};
use crate::support::flotilla::Flotilla;
use crate::support::http::{Wire, call_json};
use crate::support::lab::{Lab, Release, Spec};

/// How long an end does not read.
const PAUSE: Duration = Duration::from_secs(40);
/// How long a stream is waited for in all.
const PATIENCE: Duration = Duration::from_secs(120);
/// How soon a stream whose other end is gone has to be given up.
const GIVEN_UP: Duration = Duration::from_secs(90);

/// Sends 16 MiB to a program that does not read them for a while, and returns its count of them.
fn counted(flotilla: &Flotilla, container: &Container<'_>) -> String {
    let script = format!("sleep {}; wc -c", PAUSE.as_secs());
    let body = format!(
        r#"{{"Cmd":["sh","-c","{script}"],"AttachStdin":true,"AttachStdout":true,"Tty":false}}"#
    );
    let exec = call_json(flotilla.addr(), "POST", &container.path("exec"), &body).json();
    let path = format!("/exec/{}/start", exec["Id"].as_str().unwrap());
    let mut wire = Wire::connect(flotilla.addr()).with_patience(PATIENCE);
    let headers = [
        "Connection: Upgrade",
        "Upgrade: tcp",
        "Content-Type: application/json",
    ];
    wire.request("POST", &path, &headers, br#"{"Detach":false}"#);
    assert_eq!(wire.head().status, 101);
    wire.send(vec![b'x'; 16 << 20]);
    wire.finish_sending();
    let frame = wire.rest();
    String::from_utf8_lossy(frame.get(8..).unwrap_or_default()).into_owned()
}

/// Connections on which nothing moves for a while, since nothing happens.
struct Idle<'a> {
    container: Container<'a>,
    kept: Wire,
    events: Wire,
    wait: Wire,
}

impl<'a> Idle<'a> {
    fn open(flotilla: &'a Flotilla) -> Self {
        let container = Container::run(flotilla, "w12-idle", "exec sleep 600", "");
        let connect = || Wire::connect(flotilla.addr()).with_patience(PATIENCE);
        let (mut kept, mut events, mut wait) = (connect(), connect(), connect());
        kept.request("GET", "/_ping", &[], b"");
        assert_eq!(kept.answer("GET").status(), 200);
        let filters = format!(r#"{{"container":["{}"]}}"#, container.name);
        events.request("GET", &format!("/events?filters={filters}"), &[], b"");
        assert_eq!(events.head().status, 200);
        wait.request("POST", &container.path("wait"), &[], b"");
        assert_eq!(wait.head().status, 200);
        Self {
            container,
            kept,
            events,
            wait,
        }
    }

    /// Checks that all three have lived, by what is told of the container's end.
    fn are_used(mut self) {
        assert!(self.events.is_silent_for(Duration::from_millis(1)));
        assert!(self.wait.is_silent_for(Duration::from_millis(1)));
        let kill = self.container.path("kill");
        self.kept.request("POST", &kill, &[], b"");
        assert_eq!(self.kept.answer("POST").status(), 204);
        let told = self.events.chunk().unwrap();
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains(&self.container.name), "{told}");
        let ended = self.wait.chunk().unwrap();
        let ended = String::from_utf8(ended).unwrap();
        assert!(ended.contains(r#""StatusCode":137"#), "{ended}");
    }
}

#[test]
fn w12_an_end_that_does_not_read_for_a_while_loses_nothing() {
    let flotilla = flotilla();
    let container = Container::run(&flotilla, "w12-stdin", "exec sleep 600", "");
    // More than the buffers on the way take.
    let lines = 24_000;
    let script = format!("yes $(head -c 999 /dev/zero | tr '\\0' x) | head -n {lines}");
    let writer = Container::run(&flotilla, "w12-logs", &script, "");
    let ended = call_json(flotilla.addr(), "POST", &writer.path("wait"), "").json();
    assert_eq!(ended["StatusCode"], 0);
    let idle = Idle::open(&flotilla);
    thread::scope(|scope| {
        let count = scope.spawn(|| counted(&flotilla, &container));
        let mut logs = Wire::connect(flotilla.addr()).with_patience(PATIENCE);
        let path = writer.path("logs?stdout=1&follow=1");
        logs.request("GET", &path, &[], b"");
        let head = logs.head();
        thread::sleep(PAUSE);
        idle.are_used();
        let body = logs.body("GET", &head);
        assert_eq!(body.len(), lines * (8 + 1000));
        assert_eq!(count.join().unwrap().trim(), (16 << 20).to_string());
    });
}

#[test]
fn w12_an_idle_stream_ends_when_its_engine_is_gone() {
    let lab = Lab::start(&Spec::of(&[Release::V28])).unwrap();
    let flotilla = Flotilla::before(&lab);
    let container = Container::run(&flotilla, "w12-gone", "echo on; exec sleep 600", "");
    let mut logs = Wire::connect(flotilla.addr()).with_patience(GIVEN_UP);
    let path = container.path("logs?stdout=1&follow=1");
    logs.request("GET", &path, &[], b"");
    logs.head();
    assert!(logs.chunk().is_some());
    let started = Instant::now();
    lab.engine("node0").unplug().unwrap();
    logs.rest();
    println!("given up after {:?}", started.elapsed());
}
