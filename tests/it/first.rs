//! The main job: containers started through one address land on three engines.

use std::collections::BTreeSet;

use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, output};

#[test]
fn containers_land_on_all_nodes_and_are_seen_as_one() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let docker = || flotilla.clients(&lab).docker();
    for _ in 0..3 {
        let run = [
            "run",
            "-d",
            "--stop-signal",
            "KILL",
            "busybox",
            "sleep",
            "600",
        ];
        output(docker().args(run)).unwrap();
    }
    let format = "{{.Label \"com.docker.swarm.node.name\"}}";
    let nodes = output(docker().args(["ps", "--format", format])).unwrap();
    let nodes: BTreeSet<&str> = nodes.lines().collect();
    assert_eq!(nodes, BTreeSet::from(["node0", "node1", "node2"]));
}
