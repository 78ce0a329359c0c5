//! Streams: raw ones, their halves, their early bytes, and streams that end with their client (W8 to W13).

use std::process::Command;
use std::time::Duration;

use super::{Container, flotilla};
use crate::support::flotilla::Flotilla;
use crate::support::http::{Head, Wire, call, call_json};
use crate::support::lab::{Lab, eventually};

/// The headers with which clients ask for a raw stream.
const UPGRADE: [&str; 2] = ["Connection: Upgrade", "Upgrade: tcp"];
/// The end of a container that reads its standard input once, with bytes as they are.
const STDIN: &str = r#","OpenStdin":true,"StdinOnce":true,"AttachStdin":true"#;
/// The query of an attach to all streams.
const ALL: &str = "attach?stream=1&stdin=1&stdout=1&stderr=1";

/// Returns one frame of a multiplexed stream's standard output.
fn frame(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    [&[1, 0, 0, 0], &length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// Asks for an attach and reads its head.
fn attach(flotilla: &Flotilla, container: &Container<'_>, headers: &[&str]) -> (Wire, Head) {
    let mut wire = Wire::connect(flotilla.addr());
    wire.request("POST", &container.path(ALL), headers, b"");
    let head = wire.head();
    (wire, head)
}

#[test]
fn w8_an_upgrade_is_answered_101_and_both_halves_end_on_their_own() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w8", "cat; echo end", STDIN);
    let (mut wire, head) = attach(&flotilla, &container, &UPGRADE);
    assert_eq!(head.line, "HTTP/1.1 101 UPGRADED");
    assert_eq!(head.header("upgrade"), Some("tcp"));
    container.start();
    wire.send("one\n");
    assert_eq!(wire.exactly(12), frame("one\n"));
    wire.finish_sending();
    assert_eq!(wire.rest(), frame("end\n"));
}

#[test]
fn w8_without_an_upgrade_the_answer_is_200_and_the_stream_is_raw_all_the_same() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w8-legacy", "cat; echo end", STDIN);
    let (mut wire, head) = attach(&flotilla, &container, &[]);
    assert_eq!(head.line, "HTTP/1.1 200 OK");
    // Neither a length nor chunks, as from an engine.
    let raw = "application/vnd.docker.raw-stream".to_owned();
    assert_eq!(head.headers, [("Content-Type".to_owned(), raw)]);
    container.start();
    wire.send("one\n");
    assert_eq!(wire.exactly(12), frame("one\n"));
    wire.finish_sending();
    assert_eq!(wire.rest(), frame("end\n"));
}

#[test]
fn w8_bytes_sent_before_the_101_reach_the_container() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w8-early", "cat", STDIN);
    let mut wire = Wire::connect(flotilla.addr());
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly\n",
        container.path(ALL)
    );
    wire.send(head);
    assert_eq!(wire.head().status, 101);
    container.start();
    assert_eq!(wire.exactly(14), frame("early\n"));
    wire.finish_sending();
    assert!(wire.rest().is_empty());
}

#[test]
fn w7_a_request_piped_through_attach_is_not_altered() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w7-piped", "cat", STDIN);
    let (mut wire, head) = attach(&flotilla, &container, &UPGRADE);
    assert_eq!(head.status, 101);
    container.start();
    let piped = "GET /x?filters={\"a\":[\"b\"]}|^ HTTP/1.1\r\nHost: a\r\n\r\n";
    wire.send(piped);
    assert_eq!(wire.exactly(8 + piped.len()), frame(piped));
}

#[test]
fn w8_detach_keys_end_the_stream_and_leave_the_container_running() {
    let flotilla = flotilla();
    let terminal = r#","OpenStdin":true,"Tty":true"#;
    let container = Container::create(&flotilla, "w8-detach", "cat", terminal);
    container.start();
    for (query, keys) in [
        (ALL, "\u{10}\u{11}"),
        (
            "attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,x",
            "\u{1}x",
        ),
    ] {
        let mut wire = Wire::connect(flotilla.addr());
        wire.request("POST", &container.path(query), &UPGRADE, b"");
        assert_eq!(wire.head().status, 101);
        wire.send(keys);
        // The engine ends its half; what the terminal echoed before does not matter.
        wire.rest();
        let seen = call(flotilla.addr(), "GET", &container.path("json")).json();
        assert_eq!(seen["State"]["Running"], true, "{query}");
    }
}

#[test]
fn w8_a_websocket_carries_the_streams_of_an_attach() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w8-ws", "read line; echo got $line", STDIN);
    let mut wire = Wire::connect(flotilla.addr());
    let headers = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Origin: http://localhost",
    ];
    let path = container.path("attach/ws?stream=1&stdin=1&stdout=1");
    wire.request("GET", &path, &headers, b"");
    let head = wire.head();
    assert_eq!(
        (head.status, head.header("upgrade")),
        (101, Some("websocket"))
    );
    container.start();
    // One masked frame with a mask of zeros (RFC 6455 §5.2), and the unmasked one that comes back.
    wire.send([&[0x82, 0x84, 0, 0, 0, 0][..], b"you\n"].concat());
    let frame = wire.exactly(10);
    assert_eq!((frame[1], &frame[2..]), (8, &b"got you\n"[..]));
}

#[test]
fn w9_a_client_that_ends_its_half_at_once_still_gets_all_output() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w9", "sleep 0.3; echo late", "");
    let (mut wire, head) = attach(&flotilla, &container, &UPGRADE);
    assert_eq!(head.status, 101);
    wire.finish_sending();
    container.start();
    assert_eq!(wire.rest(), frame("late\n"));
}

#[test]
fn w8_an_exec_streams_in_both_forms() {
    let flotilla = flotilla();
    let container = Container::run(&flotilla, "w8-exec", "exec sleep 600", "");
    let body = r#"{"Cmd":["cat"],"AttachStdin":true,"AttachStdout":true}"#;
    for (headers, status) in [(&UPGRADE[..], 101), (&[][..], 200)] {
        let made = call_json(flotilla.addr(), "POST", &container.path("exec"), body).json();
        let path = format!("/exec/{}/start", made["Id"].as_str().unwrap());
        let mut wire = Wire::connect(flotilla.addr());
        let headers = [headers, &["Content-Type: application/json"]].concat();
        wire.request("POST", &path, &headers, br#"{"Detach":false}"#);
        assert_eq!(wire.head().status, status);
        wire.send("in\n");
        assert_eq!(wire.exactly(11), frame("in\n"));
        wire.finish_sending();
        assert!(wire.rest().is_empty());
        let ended = call(flotilla.addr(), "GET", &path.replace("/start", "/json")).json();
        assert_eq!(ended["ExitCode"], 0, "{ended}");
    }
}

#[test]
fn w11_wait_gives_its_head_before_the_container_starts() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w11", "exit 7", "");
    let mut wire = Wire::connect(flotilla.addr());
    wire.request(
        "POST",
        &container.path("wait?condition=next-exit"),
        &[],
        b"",
    );
    let head = wire.head();
    assert_eq!(head.status, 200);
    container.start();
    let body = String::from_utf8(wire.body("POST", &head)).unwrap();
    assert!(body.contains("\"StatusCode\":7"), "{body}");
}

#[test]
fn w13_log_lines_arrive_one_by_one() {
    let flotilla = flotilla();
    let script = "echo one; read go; echo two";
    let container = Container::create(&flotilla, "w13", script, STDIN);
    let (mut stdin, _) = attach(&flotilla, &container, &UPGRADE);
    container.start();
    let mut logs = Wire::connect(flotilla.addr());
    logs.request("GET", &container.path("logs?follow=1&stdout=1"), &[], b"");
    let head = logs.head();
    assert!(head.is_chunked());
    assert_eq!(logs.chunk().unwrap(), frame("one\n"));
    stdin.send("go\n");
    assert_eq!(logs.chunk().unwrap(), frame("two\n"));
    assert_eq!(logs.chunk(), None);
}

#[test]
fn w12_an_idle_stream_of_events_stays_open() {
    let flotilla = flotilla();
    let mut events = Wire::connect(flotilla.addr());
    let filters = r#"{"event":["no-such-event"]}"#;
    events.request("GET", &format!("/events?filters={filters}"), &[], b"");
    assert_eq!(events.head().status, 200);
    assert!(events.is_silent_for(Duration::from_secs(6)));
}

/// Counts the connections to engines that this Flotilla holds.
pub(super) fn connections(flotilla: &Flotilla) -> usize {
    let mut ss = Command::new("ss");
    let ss = ss.args(["-Htnp", "state", "established", "dport = :2375"]);
    let text = String::from_utf8(ss.output().unwrap().stdout).unwrap();
    let own = format!("pid={},", flotilla.pid());
    text.lines().filter(|line| line.contains(&own)).count()
}

#[test]
fn w10_a_client_that_goes_ends_its_calls_at_the_engine() {
    let flotilla = flotilla();
    let container = Container::run(&flotilla, "w10", "exec sleep 600", "");
    let before = connections(&flotilla);
    for (method, endpoint) in [
        ("GET", "logs?follow=1&stdout=1"),
        ("POST", "wait"),
        ("GET", "stats?stream=1"),
    ] {
        let open = || -> Vec<Wire> {
            let wires = (0..40).map(|_| {
                let mut wire = Wire::connect(flotilla.addr());
                wire.request(method, &container.path(endpoint), &[], b"");
                assert_eq!(wire.head().status, 200);
                wire
            });
            wires.collect()
        };
        let wires = open();
        assert!(connections(&flotilla) >= 40, "{endpoint}");
        drop(wires);
        // What is left follows events, or looks at an engine.
        let own = 2 * Lab::shared().unwrap().engines().len();
        eventually(Duration::from_secs(120), || match connections(&flotilla) {
            left if left <= before + own => Ok(()),
            left => Err(format!("{endpoint}: {left} are left, {before} before")),
        })
        .unwrap();
    }
}
