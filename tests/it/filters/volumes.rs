//! Filters of volumes.

use std::time::Duration;

use serde_json::Value;

use super::{List, Row, docker, lab, text};
use crate::support::lab::eventually;
use crate::support::volume_plugin::VolumePlugin;

const LIST: List = List {
    path: "/v1.41/volumes",
    direct: "/v1.41/volumes",
    name,
    only_node1: &[],
};

const MADE: &[&str] = &[
    "volume create --label kind=used NODE-used",
    "volume create --label kind=idle --label more NODE-idle",
    "create --name NODE-user -v NODE-used:/data busybox",
];

const ROWS: &[Row] = &[
    ("{}", "idle used wide"),
    (r#"{"driver":["local"]}"#, "idle used"),
    (r#"{"driver":["shared"]}"#, "wide"),
    (r#"{"driver":["shared","local"]}"#, "idle used wide"),
    (r#"{"driver":["nothing"]}"#, ""),
    (r#"{"label":["kind"]}"#, "idle used"),
    (r#"{"label":["kind=used"]}"#, "used"),
    (r#"{"label":["kind=idle","more"]}"#, "idle"),
    (r#"{"label":["kind=used","more"]}"#, ""),
    (r#"{"dangling":["true"]}"#, "idle wide"),
    (r#"{"dangling":["false"]}"#, "used"),
    (r#"{"dangling":["1"],"driver":["local"]}"#, "idle"),
    (r#"{"dangling":["true"],"label":["kind=used"]}"#, ""),
    (r#"{"dangling":["true"],"name":["idle"]}"#, "idle"),
];

fn name(volume: &Value) -> String {
    text(&volume["Name"])
}

#[test]
fn every_filter_of_volumes_finds_what_engines_find() {
    let lab = lab();
    let _plugin = VolumePlugin::start(&lab, &["node0", "node1"]);
    docker(lab.engine("node0"), "volume create -d shared wide");
    for engine in lab.engines() {
        for line in MADE {
            docker(engine, line);
        }
        // An engine finds the driver when it lists volumes.
        eventually(Duration::from_secs(30), || {
            match docker(engine, "volume ls -q --filter name=wide") {
                none if none.is_empty() => Err(engine.name().to_owned()),
                _ => Ok(()),
            }
        })
        .unwrap();
    }
    LIST.check(&lab, ROWS);
}
