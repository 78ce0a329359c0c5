//! Requests that are wrong: each is refused as an engine refuses it, and leaves nothing behind.

use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, Wire, call, call_json, call_with};
use crate::support::lab::Lab;

const JSON: &str = "Content-Type: application/json";

/// Starts a Flotilla before the shared lab.
fn flotilla() -> Flotilla {
    Flotilla::before(Lab::shared().unwrap())
}

/// Asks each engine itself for containers whose name has this text.
fn made(name: &str) -> usize {
    let of = |engine: &crate::support::lab::Engine| {
        let path = format!("/containers/json?all=1&filters={{\"name\":[\"{name}\"]}}");
        let list = call(&engine.address(), "GET", &path).json();
        list.as_array().unwrap().len()
    };
    Lab::shared().unwrap().engines().iter().map(of).sum()
}

#[test]
fn bodies_that_cannot_be_read_create_nothing() {
    let flotilla = flotilla();
    let create = |kind: &str, body: &[u8]| -> Answer {
        let path = "/containers/create?name=bad-body";
        call_with(flotilla.addr(), "POST", path, &[kind], body)
    };
    for body in [
        r#"{"Image":"busybox""#,
        r#"{"Image":1}"#,
        r#"{"Image":"busybox","HostConfig":{"Memory":"much"}}"#,
        r#"{"Image":"busybox","HostConfig":{"Memory":1e7}}"#,
        r#"["busybox"]"#,
        "\u{feff}{\"Image\":\"busybox\"}",
        "",
    ] {
        let answer = create(JSON, body.as_bytes());
        // Engine 20.10 takes a wrong type for its own fault.
        let refused = matches!(answer.status(), 400 | 500);
        assert!(refused, "{body}: {}", answer.text());
        assert!(!answer.message().is_empty());
    }
    for kind in [
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
    ] {
        let answer = create(kind, br#"{"Image":"busybox"}"#);
        assert_eq!(answer.status(), 400, "{kind}");
        assert!(answer.message().starts_with("unsupported Content-Type"));
    }
    assert_eq!(made("bad-body"), 0);
}

#[test]
fn a_body_that_breaks_off_creates_nothing() {
    let flotilla = flotilla();
    let mut wire = Wire::connect(flotilla.addr());
    let head = "POST /containers/create?name=bad-cut HTTP/1.1\r\nHost: engine";
    // Complete as JSON and shorter than announced: engine 20.10 would create it.
    wire.send(format!(
        "{head}\r\n{JSON}\r\nContent-Length: 99\r\n\r\n{{\"Image\":\"busybox\"}}"
    ));
    wire.finish_sending();
    wire.rest();
    assert_eq!(made("bad-cut"), 0);
}

#[test]
fn a_body_of_70_megabytes_is_too_large() {
    let flotilla = flotilla();
    let mut body = br#"{"Image":"busybox","Labels":{"a":""#.to_vec();
    body.resize(70 << 20, b'a');
    body.extend_from_slice(b"\"}}");
    let mut wire = Wire::connect(flotilla.addr());
    wire.send(format!(
        "POST /containers/create?name=bad-large HTTP/1.1\r\nHost: engine\r\n{JSON}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    let mut reader = wire.reader();
    let sender = std::thread::spawn(move || wire.try_send(&body));
    let answer = reader.answer("POST");
    assert_eq!(answer.status(), 413, "{}", answer.text());
    assert!(!answer.message().is_empty());
    drop(reader);
    sender.join().unwrap();
    assert_eq!(made("bad-large"), 0);
}

#[test]
fn swarm_bodies_that_are_no_objects_are_refused_in_the_engines_words() {
    let flotilla = flotilla();
    for (path, kind) in [
        ("/swarm/init", "InitRequest"),
        ("/swarm/join", "JoinRequest"),
    ] {
        for (body, what) in [
            ("[]", "array"),
            ("1", "number"),
            (r#""x""#, "string"),
            ("true", "bool"),
        ] {
            let answer = call_json(flotilla.addr(), "POST", path, body);
            assert_eq!(answer.status(), 400, "{path} {body}");
            let words = format!(
                "invalid JSON: json: cannot unmarshal {what} into Go value of type swarm.{kind}"
            );
            assert_eq!(answer.message(), words);
        }
    }
}

#[test]
fn versions_out_of_range_are_refused_in_the_engines_words() {
    let flotilla = flotilla();
    let old = call(flotilla.addr(), "GET", "/v1.12/info");
    assert_eq!(old.status(), 400);
    let kind = old.head.header("content-type");
    assert_eq!(kind, Some("text/plain; charset=utf-8"));
    assert_eq!(
        old.text().trim_end(),
        "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
    );
    let new = call(flotilla.addr(), "GET", "/v1.99/info");
    assert_eq!(new.status(), 400);
    assert_eq!(
        new.message(),
        "client version 1.99 is too new. Maximum supported API version is 1.41"
    );
}

#[test]
fn wishes_that_cannot_be_read_create_nothing() {
    let flotilla = flotilla();
    for wish in [
        "constraint:zone",
        "constraint:zone==/(/",
        "affinity:image",
        "constraint:==a",
    ] {
        let body = format!(r#"{{"Image":"busybox","Env":["{wish}"]}}"#);
        let path = "/containers/create?name=bad-wish";
        let answer = call_json(flotilla.addr(), "POST", path, &body);
        assert_eq!(answer.status(), 400, "{wish}: {}", answer.text());
        assert!(!answer.message().is_empty());
    }
    assert_eq!(made("bad-wish"), 0);
}

#[test]
fn queries_that_cannot_be_read_are_refused() {
    let flotilla = flotilla();
    for (path, status) in [
        ("/containers/json?all=1;limit=1", 400),
        ("/containers/json?limit=x", 500),
        ("/containers/json?filters={\"status\":[\"asleep\"]}", 400),
        ("/containers/json?filters={\"exited\":[\"x\"]}", 400),
        ("/containers/json?filters=[]", 400),
        ("/images/json?filters={\"bogus\":[\"x\"]}", 400),
        ("/networks?filters={\"bogus\":[\"x\"]}", 400),
        ("/volumes?filters={\"bogus\":[\"x\"]}", 400),
        ("/events?filters=x", 400),
    ] {
        let answer = call(flotilla.addr(), "GET", path);
        assert_eq!(answer.status(), status, "{path}: {}", answer.text());
        assert!(!answer.message().is_empty());
    }
}

#[test]
fn forms_do_not_override_the_query() {
    let flotilla = flotilla();
    let path = "/containers/create?name=bad-form";
    let created = call_json(flotilla.addr(), "POST", path, r#"{"Image":"busybox"}"#);
    assert_eq!(created.status(), 201, "{}", created.text());
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let rename = "/containers/bad-form/rename?name=bad-form-query";
    let answer = call_with(
        flotilla.addr(),
        "POST",
        rename,
        &form,
        b"name=bad-form-body",
    );
    let names = [made("bad-form-body"), made("bad-form-query")];
    call(flotilla.addr(), "DELETE", "/containers/bad-form?force=1");
    assert_eq!(answer.status(), 400, "{}", answer.text());
    assert_eq!(names, [0, 0]);
}
