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

/// Returns the address of an engine of 28.5, whose words Flotilla's are.
fn straight() -> String {
    Lab::shared().unwrap().engine("node1").address()
}

/// Checks that Flotilla refused what an engine refuses, with its status and in its form.
fn same(what: &str, ours: &Answer, theirs: &Answer) {
    assert!(theirs.status() >= 400, "{what}: {}", theirs.text());
    let told = |answer: &Answer| format!("{} {}", answer.status(), answer.message());
    assert_eq!(
        ours.status(),
        theirs.status(),
        "{what}: {} / {}",
        told(ours),
        told(theirs)
    );
    assert!(!ours.message().is_empty() && !theirs.message().is_empty());
}

#[test]
fn bodies_that_cannot_be_read_create_nothing() {
    let flotilla = flotilla();
    let create = |kind: &str, body: &[u8]| -> Answer {
        let path = "/containers/create?name=bad-body";
        call_with(flotilla.addr(), "POST", path, &[kind], body)
    };
    let path = "/containers/create?name=bad-body";
    // What cannot be read at all is refused before an engine is chosen.
    for body in [
        r#"{"Image":"busybox""#,
        r#"["busybox"]"#,
        r#""busybox""#,
        "\u{feff}{\"Image\":\"busybox\"}",
        "null",
        "{}",
        "",
    ] {
        let theirs = call_with(&straight(), "POST", path, &[JSON], body.as_bytes());
        same(body, &create(JSON, body.as_bytes()), &theirs);
    }
    // What is of another type is refused by the engine that is chosen, each in its words.
    for node in ["node0", "node1"] {
        let engine = Lab::shared().unwrap().engine(node).address();
        for part in [
            r#""Image":1"#,
            r#""Image":"busybox","Tty":"yes""#,
            r#""Image":"busybox","HostConfig":{"Memory":"much"}"#,
            r#""Image":"busybox","HostConfig":{"Memory":1e7}"#,
        ] {
            let body = format!(r#"{{"Env":["constraint:node=={node}"],{part}}}"#);
            let path = "/v1.41/containers/create?name=bad-body";
            let ours = call_with(flotilla.addr(), "POST", path, &[JSON], body.as_bytes());
            let theirs = call_with(&engine, "POST", path, &[JSON], body.as_bytes());
            same(&body, &ours, &theirs);
            assert_eq!(ours.message(), theirs.message(), "{node}");
        }
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
fn bodies_of_networks_volumes_and_nodes_are_refused_in_the_engines_words() {
    let flotilla = flotilla();
    for (path, direct) in [
        ("/networks/create", "/networks/create"),
        ("/networks/bridge/connect", "/networks/bridge/connect"),
        ("/volumes/create", "/volumes/create"),
        // Of a node an engine says more only in swarm mode.
        ("/nodes/node1/update?version=0", "/nodes/x/update?version=0"),
    ] {
        for body in ["{", r#"{"Name":"#, "nonsense", "[]", r#""x""#, "tru"] {
            let ours = call_json(flotilla.addr(), "POST", path, body);
            let theirs = call_json(&straight(), "POST", direct, body);
            same(path, &ours, &theirs);
            assert_eq!(ours.message(), theirs.message(), "{path} {body}");
        }
    }
    let path = "/networks/bridge/connect";
    for body in ["", "{}", "null"] {
        let ours = call_json(flotilla.addr(), "POST", path, body);
        let theirs = call_json(&straight(), "POST", path, body);
        same(body, &ours, &theirs);
        assert_eq!(ours.message(), theirs.message(), "{body}");
    }
}

#[test]
fn parameters_of_a_container_that_is_not_there_are_judged_first() {
    let flotilla = flotilla();
    for (method, path) in [
        ("GET", "/containers/nobody/logs"),
        ("GET", "/containers/nobody/logs?stdout=1"),
        ("GET", "/containers/nobody/archive"),
        ("PUT", "/containers/nobody/archive?path=/"),
        ("POST", "/containers/nobody/rename"),
        ("POST", "/containers/nobody/rename?name=x"),
        ("POST", "/containers/nobody/resize"),
        ("POST", "/containers/nobody/resize?h=1&w=x"),
        ("POST", "/containers/nobody/wait?condition=bogus"),
    ] {
        let ours = call(flotilla.addr(), method, path);
        let theirs = call(&straight(), method, path);
        same(path, &ours, &theirs);
        assert_eq!(ours.message(), theirs.message(), "{method} {path}");
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
    for path in [
        "/v1.41/containers/json?all=1;limit=1",
        "/v1.41/containers/json?limit=x",
        "/v1.41/containers/json?filters={\"status\":[\"asleep\"]}",
        "/v1.41/containers/json?filters={\"exited\":[\"x\"]}",
        "/v1.41/containers/json?filters=[]",
        "/v1.41/containers/json?filters={\"bogus\":[\"x\"]}",
        "/v1.41/containers/json?filters={\"before\":[\"nosuchcontainer\"]}",
        "/v1.41/images/json?filters={\"bogus\":[\"x\"]}",
        "/v1.41/images/json?filters={\"dangling\":[\"perhaps\"]}",
        "/v1.41/networks?filters={\"bogus\":[\"x\"]}",
        "/v1.41/networks?filters={\"type\":[\"x\"]}",
        "/v1.41/volumes?filters={\"bogus\":[\"x\"]}",
        "/v1.41/events?filters=x",
        "/v1.41/events?since=x",
        "/v1.41/events?until=x",
        "/v1.41/containers/json/",
        "/v1.41/nothing",
        "/v1.99/info",
    ] {
        if path.contains("v1.99") {
            // Which is the newest is not the same.
            assert_eq!(
                call(flotilla.addr(), "GET", path).status(),
                call(&straight(), "GET", path).status()
            );
            continue;
        }
        let ours = call(flotilla.addr(), "GET", path);
        same(path, &ours, &call(&straight(), "GET", path));
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
    // With nothing in them they are no forms, as for an engine.
    let name = "/containers/bad-form/rename?name=bad-form-empty";
    for (path, status) in [("/containers/bad-form/start", 204), (name, 204)] {
        let empty = call_with(flotilla.addr(), "POST", path, &form, b"");
        assert_eq!(empty.status(), status, "{path}: {}", empty.text());
    }
    for path in ["/networks/create", "/containers/bad-form-empty/update"] {
        let ours = call_with(flotilla.addr(), "POST", path, &form, b"");
        same(
            path,
            &ours,
            &call_with(&straight(), "POST", path, &form, b""),
        );
    }
    let path = "/containers/bad-form-empty?force=1";
    call(flotilla.addr(), "DELETE", path);
    assert_eq!(answer.status(), 400, "{}", answer.text());
    assert_eq!(names, [0, 0]);
}
