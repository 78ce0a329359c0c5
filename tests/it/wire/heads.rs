//! Requests and answers without streams: paths, queries, heads, JSON (wire rules W1 to W7, W15 to W18).

use std::time::Duration;

use serde_json::Value;

use super::{Container, flotilla};
use crate::support::http::{Wire, call, call_json, call_with, request};
use crate::support::lab::Lab;

#[test]
fn w1_errors_are_a_message_of_type_json_without_charset() {
    let flotilla = flotilla();
    let answer = call(flotilla.addr(), "GET", "/containers/w1-none/json");
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.message(), "No such container: w1-none");
}

#[test]
fn w2_unknown_paths_and_methods_are_not_found() {
    let flotilla = flotilla();
    for (method, path) in [
        ("GET", "/nothing"),
        ("PUT", "/info"),
        ("GET", "/containers/json/"),
        ("GET", "/Containers/json"),
        ("GET", "/V1.41/info"),
        ("GET", "/debug/pprof/"),
        ("GET", "/v1.41/debug/vars"),
    ] {
        let answer = call(flotilla.addr(), method, path);
        assert_eq!(answer.status(), 404, "{method} {path}");
        assert_eq!(answer.message(), "page not found");
    }
    let slash = call(flotilla.addr(), "GET", "/networks/");
    assert_eq!(slash.status(), 200);
}

#[test]
fn w2_unclean_paths_move_and_encoded_ones_are_served() {
    let flotilla = flotilla();
    let engine = Lab::shared().unwrap().engine("node1").address();
    for path in [
        "/containers//x/json",
        "/containers/%2Fx/json",
        "/v1.41//info",
        "/networks//",
        "//",
        "*",
        "/containers//json?all=1&filters=%7B%22name%22:[%22a%22]%7D",
        "/containers//my%20x%2A!()+;,@&=$:%25%3f%23%22%c3%a4/json",
    ] {
        let to = |addr: &str| {
            let head = call(addr, "GET", path).head;
            (head.status, head.header("location").map(str::to_owned))
        };
        let ours = to(flotilla.addr());
        assert_eq!((ours.0, &ours), (301, &to(&engine)), "{path}");
    }
    for path in [
        "/%63ontainers/json",
        "/v1.41%2fcontainers/json",
        "/v01.041/info",
    ] {
        assert_eq!(call(flotilla.addr(), "GET", path).status(), 200, "{path}");
    }
    let image = call(flotilla.addr(), "GET", "/images/a%2Fb/json");
    assert_eq!(image.message(), "No such image: a/b:latest");
}

#[test]
fn w3_a_start_without_a_body_stays_without_one() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w3", "exec sleep 600", "");
    container.start();
    let stop = call_json(
        flotilla.addr(),
        "POST",
        &container.path("stop"),
        r#"{"t":0}"#,
    );
    assert_eq!(stop.status(), 204, "{}", stop.text());
}

#[test]
fn w5_booleans_are_true_unless_they_are_one_of_the_words_for_false() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w5", "true", "");
    let listed = |value: &str| {
        let filters = format!("{{\"name\":[\"{}\"]}}", container.name);
        let path = format!("/containers/json?all={value}&filters={filters}");
        let answer = call(flotilla.addr(), "GET", &path);
        answer.json().as_array().unwrap().len() == 1
    };
    for value in ["1", "True", "yes", "2", "on"] {
        assert!(listed(value), "{value}");
    }
    for value in ["", "0", "no", "False", "none", "%20FALSE%20"] {
        assert!(!listed(value), "{value}");
    }
}

#[test]
fn w6_filters_come_in_two_forms_and_bad_ones_are_refused() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w6", "true", r#","Labels":{"w6":"yes"}"#);
    let get = |filters: &str| {
        let path = format!("/containers/json?all=1&filters={filters}");
        call(flotilla.addr(), "GET", &path)
    };
    for filters in [r#"{"label":["w6=yes"]}"#, r#"{"label":{"w6=yes":true}}"#] {
        let list = get(filters).json();
        assert_eq!(list.as_array().unwrap().len(), 1, "{filters}: {list}");
        assert_eq!(list[0]["Names"][0], format!("/{}", container.name));
    }
    let bad = get("rubbish");
    assert_eq!(
        (bad.status(), bad.message().as_str()),
        (400, "invalid filter")
    );
    let unknown = get(r#"{"bogus":["x"]}"#);
    assert_eq!(unknown.status(), 400);
    assert_eq!(unknown.message(), "invalid filter 'bogus'");
}

#[test]
fn w7_raw_quotes_are_taken_in_each_request_of_a_connection() {
    let flotilla = flotilla();
    let mut wire = Wire::connect(flotilla.addr());
    let quoted = r#"/containers/json?filters={"name":["w7-none"]}"#;
    for round in 0..2 {
        wire.request("GET", quoted, &[], b"");
        let list = wire.answer("GET");
        assert_eq!((list.status(), list.text().trim()), (200, "[]"), "{round}");
    }
    let json = ["Content-Type: application/json"];
    let path = "/containers/create?name=w7";
    wire.request("POST", path, &json, br#"{"Image":"w7-nowhere"}"#);
    assert_eq!(wire.answer("POST").status(), 404);
    wire.request("GET", quoted, &[], b"");
    assert_eq!(wire.answer("GET").status(), 200);
    wire.request("POST", "/containers/w7-none/start", &[], b"");
    assert_eq!(wire.answer("POST").status(), 404);
    wire.request("GET", quoted, &[], b"");
    assert_eq!(wire.answer("GET").status(), 200);
}

#[test]
fn w7_raw_quotes_are_taken_after_a_refusal_of_a_body_that_nobody_read() {
    let flotilla = flotilla();
    let mut wire = Wire::connect(flotilla.addr());
    let quoted = r#"/containers/json?filters={"name":["w7-none"]}"#;
    for (path, kind, status) in [
        ("/no/such/route", "Content-Type: application/json", 404),
        ("/containers/create", "Content-Type: text/plain", 400),
    ] {
        wire.request("POST", path, &[kind], br#"{"Image":"w7-nowhere"}"#);
        assert_eq!(wire.answer("POST").status(), status, "{path}");
        wire.request("GET", quoted, &[], b"");
        assert_eq!(wire.answer("GET").status(), 200, "after {path}");
    }
}

#[test]
fn w7_a_body_that_comes_after_its_head_is_no_request_line() {
    let flotilla = flotilla();
    let quoted = r#"/containers/json?filters={"name":["w7-none"]}"#;
    let body = br#"{"Detach":false,"Tty":false}"#;
    for pause in [0, 1, 3, 10, 30, 100] {
        let mut wire = Wire::connect(flotilla.addr());
        for exec in ["a", "b"] {
            let path = format!("/exec/{}/start", exec.repeat(64));
            let json = ["Content-Type: application/json"];
            let whole = request("POST", &path, &json, body);
            let (head, body) = whole.split_at(whole.len() - body.len());
            wire.send(head);
            std::thread::sleep(Duration::from_millis(pause));
            wire.send(body);
            let refused = wire.answer("POST");
            assert_eq!(refused.status(), 404, "{pause}: {}", refused.text());
            wire.request("GET", quoted, &[], b"");
            assert_eq!(wire.answer("GET").status(), 200, "{pause}");
        }
    }
}

#[test]
fn w7_a_long_query_is_taken_up_to_64_kib_and_refused_above() {
    let flotilla = flotilla();
    let get = |length: usize| {
        let path = format!("/containers/json?limit=1&x={}", "a".repeat(length));
        call(flotilla.addr(), "GET", &path).status()
    };
    assert_eq!(get(60 << 10), 200);
    // An engine takes 1 MiB; `http::Uri` does not.
    assert_eq!(get(70 << 10), 414);
    let big = format!("X-Big: {}", "a".repeat(300 << 10));
    assert_eq!(
        call_with(flotilla.addr(), "GET", "/_ping", &[&big], b"").status(),
        200
    );
}

#[test]
fn w15_each_answer_says_what_an_engine_says_of_itself() {
    let flotilla = flotilla();
    for path in [
        "/_ping",
        "/info",
        "/containers/json",
        "/containers/w15-none/json",
    ] {
        let head = call(flotilla.addr(), "GET", path).head;
        let is = |name: &str, value: &str| {
            let found = head.headers.iter().find(|(n, _)| n == name);
            assert_eq!(found.map(|(_, v)| v.as_str()), Some(value), "{path}");
        };
        is("Api-Version", "1.41");
        is("Ostype", "linux");
        is("Docker-Experimental", "false");
        assert!(head.header("server").unwrap().starts_with("Docker/"));
        assert!(head.header("date").is_some());
    }
}

#[test]
fn w16_credentials_reach_the_engine_and_never_the_log() {
    let flotilla = flotilla();
    let secret = "c2VjcmV0LXRoYXQtbm9ib2R5LXNlZXM";
    let header = format!("X-Registry-Auth: {secret}");
    let path = "/images/create?fromImage=127.0.0.1:1/w16&tag=1";
    call_with(flotilla.addr(), "POST", path, &[&header], b"");
    let body = r#"{"username":"u","password":"w16-password","serveraddress":"127.0.0.1:1"}"#;
    call_json(flotilla.addr(), "POST", "/auth", body);
    let log = flotilla.log();
    assert!(log.contains("/images/create"), "{log}");
    assert!(
        !log.contains(secret) && !log.contains("w16-password"),
        "{log}"
    );
}

#[test]
fn w17_answers_that_have_no_body_send_none() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w17", "exec sleep 600", "");
    let mut wire = Wire::connect(flotilla.addr());
    let archive = container.path("archive?path=/etc/passwd");
    let start = container.path("start");
    // Bytes too many would be the next answer's beginning.
    for (method, path, status) in [
        ("HEAD", "/_ping", 200),
        ("POST", start.as_str(), 204),
        ("POST", start.as_str(), 304),
        ("HEAD", archive.as_str(), 200),
        ("GET", "/_ping", 200),
    ] {
        wire.request(method, path, &[], b"");
        let answer = wire.answer(method);
        assert_eq!(answer.status(), status, "{method} {path}");
        if path == archive {
            assert!(answer.head.header("X-Docker-Container-Path-Stat").is_some());
        }
        if (method, path) == ("HEAD", "/_ping") {
            assert_eq!(answer.head.header("content-length"), Some("0"));
        }
    }
    // Of a refusal, whose body is as long as a GET would say.
    let gone = "/containers/w17-none/archive?path=/";
    wire.request("HEAD", gone, &[], b"");
    let head = wire.answer("HEAD").head;
    let full = call(flotilla.addr(), "GET", gone);
    assert_eq!((head.status, full.status()), (404, 404));
    let length = full.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
}

#[test]
fn w18_large_integers_and_unknown_fields_reach_the_engine_and_come_back() {
    let flotilla = flotilla();
    let large = r#","NoSuchField":{"deep":[1]},"HostConfig":{"ShmSize":9007199254740993,"Ulimits":[{"Name":"nofile","Soft":1,"Hard":9223372036854775807}]}"#;
    let container = Container::create(&flotilla, "w18", "true", large);
    let direct = Lab::shared().unwrap().engines().iter().find_map(|engine| {
        let answer = call(&engine.address(), "GET", &container.path("json"));
        (answer.status() == 200).then(|| answer.json())
    });
    let check = |inspect: &Value| {
        let host = &inspect["HostConfig"];
        assert_eq!(host["ShmSize"].as_i64(), Some(9_007_199_254_740_993));
        assert_eq!(host["Ulimits"][0]["Hard"].as_i64(), Some(i64::MAX));
    };
    check(&direct.unwrap());
    check(&call(flotilla.addr(), "GET", &container.path("json")).json());
}

#[test]
fn requests_in_http_1_0_are_answered_and_closed() {
    let flotilla = flotilla();
    let mut wire = Wire::connect(flotilla.addr());
    wire.send("GET /_ping HTTP/1.0\r\n\r\n");
    assert_eq!(wire.answer("GET").text(), "OK");
    assert!(wire.rest().is_empty());
    let mut wire = Wire::connect(flotilla.addr());
    let two = [
        request("GET", "/_ping", &[], b""),
        request("GET", "/_ping", &[], b""),
    ];
    wire.send(two.concat());
    assert_eq!(wire.answer("GET").text(), "OK");
    assert_eq!(wire.answer("GET").text(), "OK");
}
