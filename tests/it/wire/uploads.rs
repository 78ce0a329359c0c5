//! Archives: what is compressed stays so, and refusals come while a body is still on its way (W14, W19).

use super::{Container, flotilla};
use crate::support::http::{Wire, call_with};

#[test]
fn w14_a_compressed_archive_passes_as_it_is() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w14", "true", "");
    let path = container.path("archive?path=/etc/passwd");
    let gzip = ["Accept-Encoding: gzip"];
    let answer = call_with(flotilla.addr(), "GET", &path, &gzip, b"");
    assert_eq!(answer.head.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    let plain = call_with(flotilla.addr(), "GET", &path, &[], b"");
    assert_eq!(plain.head.header("content-encoding"), None);
    assert!(plain.body.starts_with(b"passwd\0"));
}

#[test]
fn w19_a_refusal_comes_while_the_body_is_still_on_its_way() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w19", "true", "");
    let mut wire = Wire::connect(flotilla.addr());
    let length = 50 << 20;
    let path = container.path("archive?path=/none");
    wire.send(format!(
        "PUT {path} HTTP/1.1\r\nHost: engine\r\nContent-Length: {length}\r\n\r\n"
    ));
    wire.send([0; 4096]);
    // The rest is never sent, so only an answer that does not wait for it gets here.
    let answer = wire.answer("PUT");
    assert_eq!(answer.status(), 404);
    assert!(
        answer
            .message()
            .starts_with("Could not find the file /none")
    );
}

#[test]
fn w19_a_refusal_of_a_large_body_is_read_by_a_client_that_sends_it_all() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w19-all", "true", "");
    let mut wire = Wire::connect(flotilla.addr());
    let body = vec![0; 50 << 20];
    let path = container.path("archive?path=/none");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: engine\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    wire.send(head);
    let mut reader = wire.reader();
    let sender = std::thread::spawn(move || wire.try_send(&body));
    assert_eq!(reader.answer("PUT").status(), 404);
    drop(reader);
    // Whether all was taken or the connection was closed after the answer, the sender does not hang.
    sender.join().unwrap();
}

#[test]
fn w19_a_client_that_sends_all_before_it_reads_gets_its_refusal() {
    let flotilla = flotilla();
    let container = Container::create(&flotilla, "w19-first", "true", "");
    let body = vec![b'{'; 96 << 20];
    let length = format!("Content-Length: {}", body.len());
    let chunk = format!("{:x}\r\n", body.len());
    let by_engine = container.path("archive?path=/none");
    for (method, path, form, status) in [
        ("PUT", &*by_engine, &*length, 404),
        ("PUT", &by_engine, "Transfer-Encoding: chunked", 404),
        ("POST", "/nowhere", &length, 404),
        ("POST", "/nowhere", "Transfer-Encoding: chunked", 404),
        ("POST", "/containers/create", &length, 413),
    ] {
        let mut wire = Wire::connect(flotilla.addr());
        let json = "Content-Type: application/json";
        wire.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: engine\r\n{json}\r\n{form}\r\n\r\n"
        ));
        if form != length {
            wire.send(&chunk);
        }
        assert!(wire.try_send(&body), "{path} with {form} was cut off");
        let answer = wire.answer(method);
        assert_eq!(answer.status(), status, "{path}: {}", answer.text());
        answer.message();
        // Nothing of the body was taken for a request.
        assert!(wire.rest().is_empty(), "{path} with {form}");
    }
}

#[test]
fn w8_what_follows_a_stream_that_is_refused_is_no_request() {
    let flotilla = flotilla();
    for path in [
        "/containers/none/attach?stream=1&stdin=1",
        "/exec/none/start",
    ] {
        let mut wire = Wire::connect(flotilla.addr());
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        ));
        wire.send("GET /_ping?input={\"of\":\"the stream\"} HTTP/1.1\r\nHost: engine\r\n\r\n");
        assert_eq!(wire.answer("POST").status(), 404, "{path}");
        let rest = wire.rest();
        assert!(
            rest.is_empty(),
            "{path}: {}",
            String::from_utf8_lossy(&rest)
        );
    }
}

#[test]
fn w19_a_client_that_waits_for_100_continue_gets_it() {
    let flotilla = flotilla();
    let mut wire = Wire::connect(flotilla.addr());
    let body = br#"{"Image":"w19-nowhere"}"#;
    let headers = ["Content-Type: application/json", "Expect: 100-continue"];
    let length = format!("Content-Length: {}", body.len());
    let head = [headers[0], headers[1], &length].join("\r\n");
    wire.send(format!(
        "POST /containers/create HTTP/1.1\r\nHost: engine\r\n{head}\r\n\r\n"
    ));
    assert_eq!(wire.head().status, 100);
    wire.send(body);
    let answer = wire.answer("POST");
    assert_eq!(answer.status(), 404, "{}", answer.text());
    assert!(answer.message().contains("w19-nowhere"));
}
