//! Placement by constraints and affinities on the command line.

use std::process::Command;

use super::{BOTH, Stage, ran};
use crate::support::lab::output;

const NODE: &str = "{{index .Config.Labels \"com.docker.swarm.node.name\"}} {{.Config.Env}}";

#[test]
fn constraints_choose_the_node_and_do_not_reach_the_container() {
    let stage = Stage::set("placenode");
    for cli in BOTH {
        for (number, (wish, node)) in [
            ("constraint:node==node1", "node1"),
            ("constraint:zone==c", "node2"),
            ("constraint:storage!=ssd", "node1"),
        ]
        .into_iter()
        .enumerate()
        {
            let name = stage.name(&format!("{cli:?}-{number}"));
            let args = [
                "run", "-d", "--name", &name, "-e", wish, "busybox", "sleep", "600",
            ];
            let ran = ran(stage.docker(cli).args(args), b"");
            assert_eq!(ran.code, Some(0), "{ran:?}");
            let on = stage
                .lab
                .engine(node)
                .docker()
                .args(["inspect", &name])
                .output()
                .unwrap();
            assert!(on.status.success(), "{wish} is not on {node}");
            let seen = stage.ok(&["inspect", "-f", NODE, &name]);
            assert!(seen.starts_with(node), "{seen}");
        }
    }
}

#[test]
fn affinity_follows_a_container() {
    let stage = Stage::set("placewith");
    let first = stage.name("first");
    stage.sleeper("node2", &first, &[]);
    let wish = format!("affinity:container=={first}");
    let second = stage.name("second");
    stage.ok(&[
        "run", "-d", "--name", &second, "-e", &wish, "busybox", "sleep", "600",
    ]);
    assert!(
        stage
            .ok(&["inspect", "-f", NODE, &second])
            .starts_with("node2 ")
    );
    let away = format!("affinity:container!={first}");
    let third = stage.name("third");
    stage.ok(&[
        "run", "-d", "--name", &third, "-e", &away, "busybox", "sleep", "600",
    ]);
    assert!(
        !stage
            .ok(&["inspect", "-f", NODE, &third])
            .starts_with("node2 ")
    );
}

#[test]
fn a_wish_that_no_node_meets_says_why() {
    let stage = Stage::set("placefails");
    for cli in BOTH {
        let wish = "constraint:zone==nowhere";
        let args = ["run", "--rm", "-e", wish, "busybox", "true"];
        let seen = ran(stage.docker(cli).args(args), b"");
        assert_eq!(seen.code, Some(125), "{seen:?}");
        let why = "docker: Error response from daemon: no node can take this container (3 looked at): \
                   3 fail constraint zone==nowhere (node0 has zone=a).";
        assert!(seen.err.starts_with(why), "{seen:?}");
    }
}

#[test]
fn a_wish_to_be_moved_from_a_lost_node_warns_that_nothing_moves() {
    let stage = Stage::set("placemoves");
    let label = "com.docker.swarm.reschedule-policies=[\"on-node-failure\"]";
    let told = "WARNING: reschedule:on-node-failure is kept on the container, but when its node fails nothing moves \
                it: rescheduling is not built yet\n";
    for cli in BOTH {
        for (number, (asked, err)) in [
            (["-e", "reschedule:on-node-failure"], told),
            (["-l", label], told),
            (["-e", "reschedule:off"], ""),
        ]
        .into_iter()
        .enumerate()
        {
            let name = stage.name(&format!("{cli:?}-{number}"));
            let create = ["create", "--name", &name];
            let args = [&create[..], &asked, &["busybox"]].concat();
            let seen = ran(stage.docker(cli).args(args), b"");
            assert_eq!((seen.code, seen.err.as_str()), (Some(0), err), "{asked:?}");
        }
    }
}

#[test]
fn a_wish_that_cannot_be_read_is_the_users_fault() {
    let stage = Stage::set("placebad");
    for cli in BOTH {
        let wish = "constraint:node==/";
        let args = ["run", "--rm", "-e", wish, "busybox", "true"];
        let seen = ran(stage.docker(cli).args(args), b"");
        assert_eq!(seen.code, Some(125), "{seen:?}");
        let why = "invalid expression \"node==/\" at position 7: Value '/' is invalid";
        assert!(seen.err.contains(why), "{seen:?}");
    }
    let url = format!("http://{}/containers/create", stage.flotilla.addr());
    let body = "{\"Image\":\"busybox\",\"Env\":[\"constraint:node==/\"]}";
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", body]);
    curl.args(["-H", "Content-Type: application/json", &url]);
    assert_eq!(output(&mut curl).unwrap(), "400");
}
