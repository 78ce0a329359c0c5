//! Filters of images.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{List, Row, lab, shown, text};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Cache, Engine, Release, eventually, output};

const LIST: List = List {
    path: "/v1.41/images/json",
    direct: "/v1.41/images/json",
    name,
    only_node1: &[],
};

const ROWS: &[Row] = &[
    ("{}", "busybox:latest loose new:1 old:1 plain:1"),
    (r#"{"dangling":["true"]}"#, "loose"),
    (
        r#"{"dangling":["false"]}"#,
        "busybox:latest new:1 old:1 plain:1",
    ),
    (r#"{"label":["kind"]}"#, "loose new:1 old:1"),
    (r#"{"label":["kind=old"]}"#, "old:1"),
    (r#"{"label":["kind=old","kind=new"]}"#, ""),
    (r#"{"label":["nothing"]}"#, ""),
    (r#"{"before":["NODE/plain:1"]}"#, "busybox:latest old:1"),
    (r#"{"since":["NODE/plain:1"]}"#, "loose new:1"),
    (
        r#"{"since":["NODE/old:1"],"before":["NODE/new:1"]}"#,
        "loose plain:1",
    ),
    (
        r#"{"since":["NODE/plain:1"],"dangling":["false"]}"#,
        "new:1",
    ),
    (
        r#"{"before":["NODE/new:1"],"reference":["*/*"]}"#,
        "old:1 plain:1",
    ),
];

/// One without a name is called after its labels.
fn name(image: &Value) -> String {
    let tag = text(&image["RepoTags"][0]);
    match tag.as_str() {
        "" | "<none>:<none>" => format!("{}/loose", text(&image["Labels"]["on"])),
        _ => tag,
    }
}

/// Returns the seconds of the time.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs()
}

/// Imports an image with labels, and a name if it gets one; returns the first second after that of its creation.
fn import(engine: &Engine, labels: &str, name: &[&str]) -> u64 {
    let root = Cache::locate().busybox_root().display().to_string();
    let name: Vec<_> = name
        .iter()
        .map(|name| format!("{}/{name}", engine.name()))
        .collect();
    let change = format!("LABEL on={} {labels}", engine.name());
    let mut docker = engine.docker();
    docker.args(["import", "--change", change.trim_end(), &root]);
    output(docker.args(name)).unwrap();
    let made = now();
    // A list says when an image was made in whole seconds.
    eventually(Duration::from_secs(5), || match now() {
        later if later > made => Ok(later),
        same => Err(same),
    })
    .unwrap()
}

#[test]
fn every_filter_of_images_finds_what_engines_find() {
    let lab = lab();
    let mut between = 0;
    for engine in lab.engines() {
        import(engine, "kind=old", &["old:1"]);
        between = import(engine, "", &["plain:1"]);
        import(engine, "kind=loose", &[]);
        import(engine, "kind=new", &["new:1"]);
    }
    LIST.check(&lab, ROWS);

    // Engines know it from 24 on.
    let node1 = lab.engine("node1");
    let flotilla = Flotilla::before(&lab);
    let mut filters = json!({"until": [between.to_string()]});
    let direct = (node1.release() == Release::V28)
        .then(|| LIST.names(&node1.address(), "/v1.51/images/json", &filters));
    filters["node"] = json!(["node1"]);
    let ours = LIST.names(flotilla.addr(), LIST.path, &filters);
    assert_eq!(shown(&ours, node1), "busybox:latest old:1 plain:1");
    assert!(direct.is_none_or(|direct| direct == ours), "{ours:?}");
    let past = LIST.names(
        flotilla.addr(),
        LIST.path,
        &json!({"until": ["24h"], "node": ["node1"]}),
    );
    let fresh = past.iter().filter(|name| name.starts_with("node1/"));
    assert_eq!(fresh.count(), 0, "{past:?}");
}
