//! Engines that hang in the middle of an answer, after its head.

use std::time::Duration;

use serde_json::json;

use super::aside_for;
use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::images::wait_for;
use crate::support::lab::{Lab, Spec, eventually, output};
use crate::support::relay::Relay;

/// How long a call may go on after an engine hangs: until that is noticed, on a busy machine.
const ENDED: Duration = Duration::from_secs(30);

#[test]
fn whose_answer_has_begun_is_not_waited_for_for_ever() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let node1 = lab.engine("node1");
    output(node1.docker().args(["tag", "busybox", "own:1"])).unwrap();
    let relay = Relay::before(&node1.address());
    let all = format!("{},{}", lab.engine("node0").address(), relay.addr());
    let start = |args: &[&str]| {
        let flotilla = Flotilla::start(lab.folder(), args, &all);
        flotilla.wait_for_nodes(2);
        flotilla
    };
    let (flotilla, classic) = (start(&[]), start(&["--compat", "classic"]));
    let (ours, classics) = [&flotilla, &classic].map(|f| Caller::new(f.addr())).into();
    ours.run_on("node1", "c1");
    wait_for(&ours, "own:1");
    let known = || match classics.get("/containers/c1/json").status {
        200 => Ok(()),
        other => Err(other),
    };
    eventually(ENDED, known).unwrap();

    // Engines do not know the parameter.
    relay.mute("muted=1");
    let exec = json!({"AttachStdout": true, "Cmd": ["true"]});
    let calls = [
        (&ours, "DELETE", "/images/own:1?muted=1", None, 504),
        (&ours, "GET", "/containers/c1/json?muted=1", None, 504),
        (
            &ours,
            "POST",
            "/containers/c1/exec?muted=1",
            Some(exec),
            504,
        ),
        // Refused, since it runs.
        (&classics, "DELETE", "/containers/c1?muted=1", None, 500),
    ];
    let count = calls.len();
    let under_way = calls.map(|(caller, method, path, body, status)| {
        let caller = caller.clone();
        let answer = aside_for(ENDED * 2, move || caller.call(method, path, body.as_ref()));
        (answer, path, status)
    });
    let met = || match relay.muted() {
        met if met >= count => Ok(()),
        met => Err(met),
    };
    eventually(ENDED, met).unwrap();
    node1.pause().unwrap();
    for (answer, path, status) in under_way {
        let answer = answer();
        println!("{path}: {answer:?}");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    node1.resume().unwrap();
}
