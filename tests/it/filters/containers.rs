//! Filters of containers.

use std::time::Duration;

use serde_json::Value;

use super::{List, Row, docker, lab, text};
use crate::support::lab::{Engine, eventually};

/// How long health checks and a task may take, on a busy machine.
const SETTLED: Duration = Duration::from_secs(60);

const LIST: List = List {
    path: "/v1.41/containers/json?all=1",
    direct: "/v1.41/containers/json?all=1",
    name,
    only_node1: &["task"],
};

/// Containers of each node in the order of their creation: `first` never ran, `well`, `sick` and `slow` have health
/// checks, `last` has ended; node1 has a service's task besides.
const MADE: &[&str] = &[
    "network create NODE-wide",
    "volume create NODE-data",
    "create --name NODE-first busybox",
    "run -d --name NODE-well --stop-signal KILL --network NODE-wide -v NODE-data:/data -p 18080:80 -p 18053:53/udp --expose 9000 --health-cmd true --health-interval 1s busybox sleep 600",
    "run -d --name NODE-sick --stop-signal KILL --health-cmd false --health-interval 1s --health-retries 1 busybox sleep 600",
    "run -d --name NODE-slow --stop-signal KILL --health-cmd true --health-interval 600s busybox sleep 600",
    "run --name NODE-last busybox true",
];

const ROWS: &[Row] = &[
    ("{}", "first last sick slow task well"),
    (r#"{"health":["healthy"]}"#, "well"),
    (r#"{"health":["unhealthy"]}"#, "sick"),
    (r#"{"health":["starting"]}"#, "slow"),
    (r#"{"health":["none"]}"#, "first last task"),
    (r#"{"health":["healthy","starting"]}"#, "slow well"),
    (r#"{"volume":["NODE-data"]}"#, "well"),
    (r#"{"volume":["/data"]}"#, "well"),
    (r#"{"volume":["/nothing"]}"#, ""),
    (r#"{"volume":["/nothing","/data"]}"#, "well"),
    (r#"{"network":["NODE-wide"]}"#, "well"),
    (
        r#"{"network":["bridge"],"is-task":["false"]}"#,
        "first last sick slow",
    ),
    (r#"{"network":["host"]}"#, ""),
    (r#"{"network":["nothing"]}"#, ""),
    (r#"{"publish":["18080"]}"#, "well"),
    (r#"{"publish":["18000-18100/tcp"]}"#, "well"),
    (r#"{"publish":["18080/udp"]}"#, ""),
    (r#"{"publish":["18053/udp"]}"#, "well"),
    (r#"{"publish":["80"]}"#, ""),
    (r#"{"expose":["80"]}"#, "well"),
    (r#"{"expose":["8999-9000"]}"#, "well"),
    (r#"{"expose":["53"]}"#, ""),
    (r#"{"expose":["53/udp"]}"#, "well"),
    (r#"{"publish":["1"],"expose":["9000"]}"#, "well"),
    (r#"{"is-task":["true"]}"#, "task"),
    (r#"{"is-task":["false"]}"#, "first last sick slow well"),
    // Looked at on Windows only.
    (
        r#"{"isolation":["hyperv"]}"#,
        "first last sick slow task well",
    ),
    (r#"{"before":["NODE-sick"]}"#, "first well"),
    (r#"{"since":["NODE-sick"]}"#, "last slow task"),
    (
        r#"{"since":["NODE-first"],"before":["NODE-last"]}"#,
        "sick slow well",
    ),
    (
        r#"{"since":["NODE-well"],"health":["healthy","starting"]}"#,
        "slow",
    ),
    (r#"{"before":["NODE-first"]}"#, ""),
];

fn name(container: &Value) -> String {
    let name = text(&container["Names"][0]);
    match name.starts_with("/served.1.") {
        true => "task".to_owned(),
        false => name.trim_start_matches('/').to_owned(),
    }
}

/// Waits until as many containers of an engine have each state of health as must.
fn settle(engine: &Engine) {
    for (health, count) in [("healthy", 1), ("unhealthy", 1), ("starting", 1)] {
        eventually(SETTLED, || {
            let filter = format!("ps -aq --filter health={health}");
            match docker(engine, &filter).lines().count() {
                found if found == count => Ok(()),
                found => Err(format!("{found} are {health} on {}", engine.name())),
            }
        })
        .unwrap();
    }
}

#[test]
fn every_filter_of_containers_finds_what_engines_find() {
    let lab = lab();
    for engine in lab.engines() {
        for line in MADE {
            docker(engine, line);
        }
    }
    let node1 = lab.engine("node1");
    let init = format!("swarm init --advertise-addr {}", node1.ip());
    docker(node1, &init);
    let service = "service create --detach --no-resolve-image --name served";
    docker(node1, &format!("{service} busybox sleep 600"));
    eventually(SETTLED, || {
        match docker(node1, "ps -q --filter is-task=true") {
            none if none.is_empty() => Err(docker(node1, "service ps served")),
            one => Ok(one),
        }
    })
    .unwrap();
    lab.engines().iter().for_each(settle);
    LIST.check(&lab, ROWS);
    LIST.check_ids(&lab, "container inspect", "well");
}
