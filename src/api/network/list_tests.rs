//! What `GET /networks` shows, with the cases that were tried on engines 20.10.24 and 28.5.2.

use super::*;
use crate::api::fixture::{down, node, running, text, view, with};
use crate::model::container::Attachment;

/// A network with an entry.
fn network(id: &str, name: &str, scope: &str, driver: &str) -> Network {
    Network {
        id: id.into(),
        name: name.into(),
        scope: scope.into(),
        driver: driver.into(),
        entry: Bytes::from(format!(r#"{{"Name":"{name}","Id":"{id}","Big":1.50}}"#)),
        ..Network::default()
    }
}

/// A lost node and two healthy ones with predefined, overlay and local networks; `app` is on both healthy ones.
fn cluster() -> ClusterView {
    let predefined = |tag: &str| {
        vec![
            network(&format!("{tag}b"), "bridge", "local", "bridge"),
            network(&format!("{tag}n"), "none", "local", "null"),
        ]
    };
    let mut lost = predefined("x");
    lost.push(network("x1", "old", "local", "bridge"));
    let mut first = predefined("y");
    first.push(network("ov", "mesh", "swarm", "overlay"));
    first.push(network("y1", "app", "local", "bridge"));
    let mut second = predefined("z");
    second.push(network("ov", "mesh", "swarm", "overlay"));
    let mut labelled = network("z1", "app", "local", "macvlan");
    labelled.labels.insert("k".into(), "v".into());
    second.push(labelled);
    let having = |name: &str, networks| {
        let mut node = node(name);
        node.networks = Arc::new(networks);
        node
    };
    let mut user = running("c1", "web", 1);
    user.networks = vec![
        Attachment {
            name: "app".into(),
            id: "y1".into(),
        },
        Attachment {
            name: "mesh".into(),
            id: "ov".into(),
        },
    ];
    view(vec![
        down(having("node0", lost)),
        with(having("node1", first), vec![(user, "[]")]),
        having("node2", second),
    ])
}

/// The IDs that filters show, or the error's text.
fn ids(filters: &str) -> String {
    let rows = Filters::parse(filters)
        .map_err(ListError::from)
        .and_then(|filters| {
            filters
                .validate(ALLOWED)
                .map(|()| filters)
                .map_err(ListError::from)
        })
        .and_then(|filters| select(&cluster(), &filters, Manners::Engine));
    let id = |row: &Row| row.node.networks[row.at].id.clone();
    match rows {
        Ok(rows) => rows.iter().map(id).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn networks_are_selected_as_on_an_engine() {
    for (filters, expected) in [
        ("", "x1 yb yn ov y1 z1"),
        (r#"{"name":["app"]}"#, "y1 z1"),
        (r#"{"name":["^app$"]}"#, "y1"),
        (r#"{"name":["^node1/app$"]}"#, "y1"),
        (r#"{"name":["^node2/app$"]}"#, "z1"),
        (r#"{"id":["1$"]}"#, "x1 y1 z1"),
        (r#"{"driver":["null"]}"#, "yn"),
        (r#"{"scope":["swarm"]}"#, "ov"),
        (r#"{"scope":["x"]}"#, ""),
        (r#"{"label":["k=v"]}"#, "z1"),
        (r#"{"type":["custom"]}"#, "x1 ov y1 z1"),
        (r#"{"type":["builtin"]}"#, "yb yn"),
        (r#"{"type":["builtin","custom"]}"#, "x1 yb yn ov y1 z1"),
        (r#"{"dangling":["true"]}"#, "x1 z1"),
        (r#"{"dangling":["0"]}"#, "yb yn ov y1"),
        (r#"{"node":["node2"]}"#, "zb zn ov z1"),
        (r#"{"bogus":["x"]}"#, "invalid filter 'bogus'"),
        (r#"{"type":["x"]}"#, "invalid filter: 'type'='x'"),
        (
            r#"{"dangling":["x"]}"#,
            r#"invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")"#,
        ),
        (
            r#"{"dangling":["true","false"]}"#,
            r#"got more than one value for filter key "dangling""#,
        ),
    ] {
        assert_eq!(ids(filters), expected, "{filters}");
    }
}

#[test]
fn what_swarm_mode_makes_for_itself_is_in_use() {
    let mut node = node("node0");
    node.networks = Arc::new(vec![
        network("n1", "ingress", "swarm", "overlay"),
        network("n2", "docker_gwbridge", "local", "bridge"),
        network("n3", "mesh", "swarm", "overlay"),
    ]);
    let view = view(vec![node]);
    for (value, expected) in [("true", vec!["n3"]), ("false", vec!["n1", "n2"])] {
        let mut filters = Filters::default();
        filters.insert("dangling", value);
        let rows = select(&view, &filters, Manners::Engine).unwrap();
        let ids: Vec<&str> = rows
            .iter()
            .map(|row| row.node.networks[row.at].id.as_str())
            .collect();
        assert_eq!(ids, expected, "{value}");
    }
}

#[test]
fn names_that_another_node_bears_are_qualified() {
    let query = Query::parse("filters=%7B%22name%22%3A%5B%22app%22%5D%7D").unwrap();
    let filters = parse(&query).unwrap();
    let rows = select(&cluster(), &filters, Manners::Engine).unwrap();
    assert_eq!(
        text(render(rows)),
        concat!(
            r#"[{"Name":"app","Id":"y1","Big":1.50},"#,
            r#"{"Name":"node2/app","Id":"z1","Big":1.50}]"#,
            "\n"
        )
    );
}

#[test]
fn in_classic_all_local_networks_are_named_with_their_node() {
    let rows = select(&cluster(), &Filters::default(), Manners::Classic).unwrap();
    let list: serde_json::Value = serde_json::from_str(&text(render(rows))).unwrap();
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|network| network["Name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "node0/bridge",
            "node0/none",
            "node0/old",
            "node1/bridge",
            "node1/none",
            "mesh",
            "node1/app",
            "node2/bridge",
            "node2/none",
            "node2/app"
        ]
    );
}
