//! Filters of networks.

use std::time::Duration;

use serde_json::{Value, json};

use super::{List, Row, docker, filters_on, lab, shown, text};
use crate::support::flotilla::Flotilla;
use crate::support::lab::eventually;

const LIST: List = List {
    path: "/v1.41/networks",
    direct: "/v1.41/networks",
    name,
    only_node1: &["docker_gwbridge", "ingress", "over"],
};

/// Networks of each node; node1 is in swarm mode and has its own besides.
const MADE: &[&str] = &[
    "network create --label kind=used NODE-used",
    "network create --label kind=idle NODE-idle",
    "run -d --name NODE-user --stop-signal KILL --network NODE-used busybox sleep 600",
];

const ALL: &str = "bridge docker_gwbridge host idle ingress none over used";

const ROWS: &[Row] = &[
    ("{}", ALL),
    (
        r#"{"driver":["bridge"]}"#,
        "bridge docker_gwbridge idle used",
    ),
    (r#"{"driver":["null"]}"#, "none"),
    (r#"{"driver":["host","null"]}"#, "host none"),
    (r#"{"driver":["overlay"]}"#, "ingress over"),
    (r#"{"driver":["nothing"]}"#, ""),
    (r#"{"name":["NODE-used"]}"#, "used"),
    (r#"{"name":["-us"]}"#, "used"),
    (r#"{"name":["bridge"]}"#, "bridge docker_gwbridge"),
    (
        r#"{"name":["bridge","-idle"]}"#,
        "bridge docker_gwbridge idle",
    ),
    (r#"{"name":["nothing"]}"#, ""),
    (r#"{"label":["kind"]}"#, "idle used"),
    (r#"{"label":["kind=idle"]}"#, "idle"),
    (r#"{"label":["kind=nothing"]}"#, ""),
    (
        r#"{"scope":["local"]}"#,
        "bridge docker_gwbridge host idle none used",
    ),
    (r#"{"scope":["swarm"]}"#, "ingress over"),
    (r#"{"scope":["global"]}"#, ""),
    (r#"{"type":["builtin"]}"#, "bridge host none"),
    (
        r#"{"type":["custom"]}"#,
        "docker_gwbridge idle ingress over used",
    ),
    (r#"{"type":["builtin","custom"]}"#, ALL),
    (
        r#"{"type":["custom"],"scope":["local"],"label":["kind"]}"#,
        "idle used",
    ),
];

/// Not compared with engines' own lists, which do not look at who uses a network (20.10 at any version).
const USED: &[Row] = &[
    (r#"{"dangling":["true"]}"#, "idle over"),
    (r#"{"dangling":["1"],"driver":["bridge"]}"#, "idle"),
    (
        r#"{"dangling":["false"]}"#,
        "bridge docker_gwbridge host ingress none used",
    ),
    (
        r#"{"dangling":["0"],"type":["custom"],"label":["kind"]}"#,
        "used",
    ),
];

fn name(network: &Value) -> String {
    text(&network["Name"])
}

#[test]
fn every_filter_of_networks_finds_what_engines_find() {
    let lab = lab();
    for engine in lab.engines() {
        for line in MADE {
            docker(engine, line);
        }
    }
    let node1 = lab.engine("node1");
    docker(
        node1,
        &format!("swarm init --advertise-addr {}", node1.ip()),
    );
    docker(node1, "network create -d overlay --attachable NODE-over");
    // Their own ends come a while after the answer.
    for network in ["docker_gwbridge", "ingress"] {
        let path = format!("/networks/{network}");
        eventually(Duration::from_secs(60), || match node1.ask(&path) {
            Ok(found)
                if found["Containers"]
                    .as_object()
                    .is_some_and(|all| !all.is_empty()) =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        })
        .unwrap();
    }
    LIST.check(&lab, ROWS);
    LIST.check_ids(&lab, "network inspect", "used");
    let flotilla = Flotilla::before(&lab);
    for engine in lab.engines() {
        for (filters, found) in USED {
            let mut filters = filters_on(filters, engine);
            filters["node"] = json!([engine.name()]);
            let ours = LIST.names(flotilla.addr(), LIST.path, &filters);
            assert_eq!(
                shown(&ours, engine),
                LIST.wanted(found, engine),
                "{filters}"
            );
        }
        // Each network alone says who is on it.
        let unused = json!({"dangling": ["true"], "node": [engine.name()]});
        let unused = LIST.names(flotilla.addr(), LIST.path, &unused);
        for network in LIST.names(&engine.address(), LIST.direct, &json!({})) {
            let found = engine.ask(&format!("/networks/{network}")).unwrap();
            let used = found["Containers"]
                .as_object()
                .is_some_and(|all| !all.is_empty());
            let predefined = ["bridge", "host", "none"].contains(&&*network);
            let seen = unused.contains(&network);
            assert_eq!(seen, !used && !predefined, "{found}");
        }
    }
}
