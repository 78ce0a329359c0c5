//! Connections to engines that are no longer what they were (W12): reads go on, and nothing is done twice.

use std::time::Duration;

use serde_json::json;

use super::Container;
use crate::support::caller::{Caller, names_on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Release, Spec, eventually};
use crate::support::relay::Relay;

/// How often each is tried, since it may depend on who is first.
const ROUNDS: usize = 20;

/// One engine, a relay before it and Flotilla before that.
fn start(release: Release) -> (Lab, Relay, Flotilla) {
    let lab = Lab::start(&Spec::of(&[release])).unwrap();
    let relay = Relay::before(&lab.engines()[0].address());
    let flotilla = Flotilla::start(lab.folder(), &[], relay.addr());
    flotilla.wait_for_nodes(1);
    (lab, relay, flotilla)
}

#[test]
fn w12_a_call_after_the_engine_closed_its_connections_is_made_once() {
    let (lab, relay, flotilla) = start(Release::V28);
    let caller = Caller::new(flotilla.addr());
    let container = Container::run(&flotilla, "w12", "exec sleep 600", "");
    let inspect = container.path("json");
    for round in 0..ROUNDS {
        // Several connections lie ready.
        crate::support::caller::at_once(4, |_| caller.get(&inspect).expect(200));
        relay.sever("");
        caller.get(&inspect).expect(200);
        relay.sever("");
        let path = container.path(&format!("kill?signal=WINCH&round={round}"));
        caller.post(&path).expect(204);
        let sent = relay.count(&format!("POST {path}"));
        assert_eq!(sent, 1, "round {round}");
        relay.sever("");
        caller
            .create(&format!("made-{round}"), &json!({}))
            .expect(201);
    }
    let mut names = names_on(&lab.engines()[0]);
    names.retain(|name| name.starts_with("made-"));
    assert_eq!(names.len(), ROUNDS, "{names:?}");
}

#[test]
fn w12_a_call_that_an_engine_took_and_dropped_is_not_made_again() {
    let (_lab, relay, flotilla) = start(Release::V20);
    let caller = Caller::new(flotilla.addr());
    let container = Container::run(&flotilla, "w12-dropped", "exec sleep 600", "");
    for round in 0..ROUNDS {
        let path = container.path(&format!("kill?signal=WINCH&round={round}"));
        relay.refuse(&format!("round={round} "));
        let lost = caller.post(&path).expect(502).message();
        assert!(lost.contains("connection lost before the answer"), "{lost}");
        relay.allow();
        assert_eq!(relay.count(&format!("POST {path}")), 1, "round {round}");
        // The next is not harmed by it.
        caller.get(&container.path("json")).expect(200);
    }
}

#[test]
fn w12_calls_go_on_when_an_engine_has_restarted() {
    for release in [Release::V20, Release::V28] {
        let (lab, relay, flotilla) = start(release);
        let caller = Caller::new(flotilla.addr());
        let engine = &lab.engines()[0];
        caller.create("kept", &json!({})).expect(201);
        crate::support::caller::at_once(4, |_| caller.get("/containers/kept/json").expect(200));
        engine.restart().unwrap();
        // Until it is found to be back, it is said to be away, which is no broken connection.
        eventually(Duration::from_secs(30), || {
            let got = caller.get("/containers/kept/json");
            match got.status {
                200 => Ok(()),
                503 => Err(got),
                _ => panic!("{got:?}"),
            }
        })
        .unwrap();
        caller.create("after", &json!({})).expect(201);
        assert_eq!(relay.count("POST /containers/create?name=after"), 1);
        assert_eq!(names_on(engine).len(), 2);
    }
}
