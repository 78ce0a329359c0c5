//! A swarm-mode cluster whose managers are lost goes on with the one that is left.

use std::time::Duration;

use crate::overlay::{docker, joined_of};
use crate::support::lab::{Spec, eventually};

/// How long it may take on a busy machine until engines are seen to be gone, and swarm mode has agreed on something.
const AGREED: Duration = Duration::from_secs(90);

#[test]
fn the_manager_that_is_left_goes_on_alone() {
    let (lab, flotilla) = joined_of(&Spec::mixed());
    let run = |args: &[&str]| docker(&flotilla, &lab, args);
    let force = ["swarm", "init", "--force-new-cluster"];
    let error = run(&force).unwrap_err();
    assert!(
        error.contains("node0, node1, node2 are managers and answer"),
        "{error}"
    );
    run(&[
        "config",
        "create",
        "--label",
        "a=b",
        "kept",
        "/etc/hostname",
    ])
    .unwrap();
    for lost in ["node1", "node2"] {
        lab.engine(lost).kill().unwrap();
    }
    eventually(AGREED, || {
        match run(&["config", "create", "more", "/etc/hostname"]) {
            Err(_) => Ok(()),
            Ok(told) => Err(told),
        }
    })
    .unwrap();
    let node0 = lab.engine("node0").address();
    let node0 = node0.split(':').next().unwrap();
    let at = |addr: &str| run(&[&force[..], &["--advertise-addr", addr]].concat());
    let error = at("10.255.255.1").unwrap_err();
    assert!(
        error.contains("no manager that answers has the address 10.255.255.1"),
        "{error}"
    );
    at(node0).unwrap();
    let kept = || {
        let configs = run(&["config", "ls", "--format", "{{.Name}}"])?;
        (configs.trim() == "kept").then_some(()).ok_or(configs)
    };
    eventually(AGREED, kept).unwrap();
    run(&["config", "create", "later", "/etc/hostname"]).unwrap();
    run(&["config", "rm", "later"]).unwrap();
    // And without an address, once the others are known to be gone.
    eventually(AGREED, || run(&force)).unwrap();
    eventually(AGREED, kept).unwrap();
}
