//! Clients that speak HTTP/2 from the first byte (W20).

use super::flotilla;
use crate::support::http::{Answer, Wire};
use crate::support::lab::Lab;

#[test]
fn w20_http_2_that_nobody_asked_for_is_answered_as_by_an_engine() {
    let flotilla = flotilla();
    // The preface and an empty frame of settings (RFC 9113, 3.4).
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let said = |addr: &str| {
        let mut wire = Wire::connect(addr);
        wire.send(preface);
        let Answer { head, body } = wire.answer("GET");
        assert!(wire.rest().is_empty(), "{head:?}");
        let names: Vec<_> = head.headers.iter().map(|(name, _)| name.clone()).collect();
        let to = head.header("location").map(str::to_owned);
        (head.line, names, to, body)
    };
    let ours = said(flotilla.addr());
    for engine in Lab::shared().unwrap().engines() {
        assert_eq!(ours, said(&engine.address()), "{}", engine.version());
    }
}
