//! Requests as an engine gets them (W3, W4, W16, W18): heads and bodies are the client's but for what is the
//! connection's.

use std::time::Duration;

use super::Container;
use crate::support::flotilla::Flotilla;
use crate::support::http::{Wire, call, call_with};
use crate::support::lab::{Lab, eventually};
use crate::support::relay::Relay;

/// Starts a Flotilla before one engine of the shared lab, with a relay between them.
fn overheard() -> (Flotilla, Relay) {
    let lab = Lab::shared().unwrap();
    let relay = Relay::before(&lab.engine("node1").address());
    let flotilla = Flotilla::start(lab.folder(), &[], relay.addr());
    flotilla.wait_for_nodes(1);
    (flotilla, relay)
}

/// Returns the head of a request, in small letters.
fn head(request: &str) -> String {
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    head.to_ascii_lowercase()
}

#[test]
fn w3_a_start_without_a_body_reaches_the_engine_with_a_length_of_zero() {
    let (flotilla, relay) = overheard();
    let container = Container::create(&flotilla, "w3-sent", "exec sleep 600", "");
    container.start();
    let sent = head(&relay.request("/start"));
    assert!(sent.contains("content-length: 0"), "{sent}");
    assert!(!sent.contains("transfer-encoding"), "{sent}");
}

#[test]
fn w4_the_content_type_of_a_request_is_the_clients() {
    let (flotilla, relay) = overheard();
    let container = Container::run(&flotilla, "w4-sent", "exec sleep 600", "");
    let path = container.path("kill?signal=WINCH");
    let answer = call_with(
        flotilla.addr(),
        "POST",
        &path,
        &["Content-Type: text/plain"],
        b"",
    );
    assert_eq!(answer.status(), 204, "{}", answer.text());
    let sent = head(&relay.request("/kill"));
    assert!(sent.contains("content-type: text/plain"), "{sent}");
}

#[test]
fn w16_headers_for_the_engine_reach_it_and_those_of_the_connection_do_not() {
    let (flotilla, relay) = overheard();
    let headers = [
        "X-Registry-Auth: e30=",
        "X-Meta-Team: blue",
        "User-Agent: Docker-Client/28.2.2 (linux)",
        "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Connection: X-Mine",
        "X-Mine: 1",
    ];
    call_with(
        flotilla.addr(),
        "POST",
        "/images/nosuch/push",
        &headers,
        b"",
    );
    let sent = head(&relay.request("/images/nosuch/push"));
    for kept in &headers[..4] {
        assert!(
            sent.contains(&kept.to_ascii_lowercase()),
            "{kept} is missing: {sent}"
        );
    }
    assert!(!sent.contains("x-mine"), "{sent}");
    assert!(!sent.contains("host: engine"), "{sent}");
}

#[test]
fn w16_credentials_of_a_build_and_repeated_headers_reach_the_engine_as_sent() {
    let (flotilla, relay) = overheard();
    let config = "X-Registry-Config: eyJyZWcuZXhhbXBsZSI6eyJ1c2VybmFtZSI6IncxNiJ9fQ==";
    let headers = [config, "Content-Type: application/x-tar"];
    // An empty archive has no Dockerfile; what matters is how it is asked for.
    let path = "/build?t=w16-build&version=1";
    let answer = call_with(flotilla.addr(), "POST", path, &headers, &[0; 1024]);
    println!("{}", answer.text());
    let sent = relay.request("t=w16-build");
    let sent = sent.split_once("\r\n\r\n").unwrap().0;
    let value = config.split_once(": ").unwrap().1;
    assert!(sent.contains(value), "{sent}");
    assert!(
        !flotilla.log().contains(value),
        "credentials are in the log"
    );

    let session = "0123456789abcdefw16";
    let uuid = format!("X-Docker-Expose-Session-Uuid: {session}");
    let methods = [
        "X-Docker-Expose-Session-Grpc-Method: /moby.filesync.v1.FileSync/DiffCopy",
        "X-Docker-Expose-Session-Grpc-Method: /moby.filesync.v1.Auth/Credentials",
        "X-Docker-Expose-Session-Grpc-Method: /grpc.health.v1.Health/Check",
    ];
    let headers = [
        &["Connection: Upgrade", "Upgrade: h2c", &uuid],
        &methods[..],
    ]
    .concat();
    let mut wire = Wire::connect(flotilla.addr());
    wire.request("POST", "/session", &headers, b"");
    let seen = eventually(Duration::from_secs(20), || {
        match relay.count("POST /session") {
            0 => Err("no session at the engine"),
            _ => Ok(relay.request("/session")),
        }
    });
    let seen = head(&seen.unwrap());
    let lines = seen.lines().filter(|l| l.contains("grpc-method:"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines, methods.map(str::to_ascii_lowercase), "{seen}");
    assert!(seen.contains(session), "{seen}");
}

#[test]
fn w16_what_a_client_wishes_of_its_builds_reaches_no_engine() {
    let (flotilla, relay) = overheard();
    let ask = |method: &str, path: &str, more: &[&str], body: &[u8]| {
        let wish = ["X-Flotilla-Constraint: node==node1", "X-Meta-Team: blue"];
        let mut wire = Wire::connect(flotilla.addr());
        wire.request(method, path, &[&wish, more].concat(), body);
        wire.head();
        let mark = path.split('?').next().unwrap();
        let sent = head(&relay.request(mark));
        assert!(sent.contains("x-meta-team"), "{sent}");
        assert!(!sent.contains("x-flotilla"), "{sent}");
    };
    let json = ["Content-Type: application/json"];
    let tunnel = ["Connection: Upgrade", "Upgrade: h2c"];
    ask("POST", "/images/wished/push", &[], b"");
    ask(
        "POST",
        "/containers/create",
        &json,
        br#"{"Image":"wished"}"#,
    );
    ask("POST", "/build?remote=wished", &[], b"");
    ask("POST", "/grpc", &tunnel, b"");
}

#[test]
fn w18_unknown_fields_and_large_integers_of_a_create_reach_the_engine_in_order() {
    let (flotilla, relay) = overheard();
    let more = r#","FromTomorrow":{"b":1,"a":18446744073709551615},"HostConfig":{"ShmSize":67108864,"Later":[1.50]}"#;
    let container = Container::create(&flotilla, "w18-sent", "true", more);
    let sent = relay.request("/containers/create?");
    assert!(sent.contains(&more[1..more.len() - 1]), "{sent}");
    let seen = call(flotilla.addr(), "GET", &container.path("json"));
    assert_eq!(seen.json()["HostConfig"]["ShmSize"], 67_108_864);
}
