//! What `GET /volumes` shows, with the cases that were tried on engines 20.10.24 and 28.5.2.

use super::*;
use crate::api::fixture::{down, exited, node, text, view, with};
use crate::model::container::Mount;

/// A volume with an entry.
fn volume(name: &str, driver: &str, scope: &str) -> Volume {
    Volume {
        name: name.into(),
        driver: driver.into(),
        scope: scope.into(),
        entry: Bytes::from(format!(r#"{{"Driver":"{driver}","Name":"{name}"}}"#)),
        ..Volume::default()
    }
}

/// Two nodes with a shared volume and a local one of the same name; node0's is used by a stopped container.
fn cluster() -> ClusterView {
    let having = |name: &str, volumes| {
        let mut node = node(name);
        node.volumes = Arc::new(volumes);
        node
    };
    let mut labelled = volume("only", "local", "local");
    labelled.labels.insert("k".into(), "v".into());
    let mut user = exited("c1", "db", 1, 0);
    user.mounts = vec![Mount {
        kind: "volume".into(),
        name: "data".into(),
        ..Mount::default()
    }];
    let first = vec![
        volume("data", "local", "local"),
        volume("nfs1", "nfs", "global"),
    ];
    let second = vec![
        volume("nfs1", "nfs", "global"),
        volume("data", "local", "local"),
        labelled,
    ];
    view(vec![
        with(having("node0", first), vec![(user, "[]")]),
        having("node1", second),
    ])
}

/// The answer for filters, or the error's text.
fn answer(view: &ClusterView, filters: &str) -> String {
    let mut raw = form_urlencoded::Serializer::new(String::new());
    let query = Query::parse(&raw.append_pair("filters", filters).finish()).unwrap();
    match parse(&query).and_then(|filters| select(view, &filters, Manners::Engine)) {
        Ok(volumes) => text(render(volumes)),
        Err(error) => error.to_string(),
    }
}

/// The names shown.
fn names(filters: &str) -> String {
    let answer = answer(&cluster(), filters);
    let Ok(value) = serde_json::from_str::<serde_json::Value>(&answer) else {
        return answer;
    };
    let volumes = value["Volumes"].as_array().unwrap();
    let names: Vec<_> = volumes
        .iter()
        .map(|v| v["Name"].as_str().unwrap())
        .collect();
    names.join(" ")
}

#[test]
fn volumes_are_selected_as_on_an_engine() {
    for (filters, expected) in [
        ("", "data nfs1 node1/data only"),
        (r#"{"dangling":["true"]}"#, "nfs1 node1/data only"),
        (r#"{"dangling":["0"]}"#, "data"),
        (r#"{"driver":["nfs"]}"#, "nfs1"),
        (r#"{"name":["data"]}"#, "data node1/data"),
        (r#"{"name":["^data$"]}"#, "data"),
        (r#"{"name":["^node0/data$"]}"#, "data"),
        (r#"{"label":["k=v"]}"#, "only"),
        (r#"{"node":["node1"]}"#, "nfs1 node1/data only"),
        (r#"{"dangling":["x"]}"#, "invalid filter 'dangling=[x]'"),
        (r#"{"bogus":["x"]}"#, "invalid filter 'bogus'"),
    ] {
        assert_eq!(names(filters), expected, "{filters}");
    }
}

#[test]
fn the_answer_is_the_engines() {
    assert_eq!(
        answer(&cluster(), r#"{"name":["data"]}"#),
        concat!(
            r#"{"Volumes":[{"Driver":"local","Name":"data"},{"Driver":"local","Name":"node1/data"}],"Warnings":null}"#,
            "\n"
        )
    );
    assert_eq!(
        answer(&ClusterView::default(), ""),
        "{\"Volumes\":[],\"Warnings\":null}\n"
    );
}

#[test]
fn lost_nodes_are_told() {
    let mut lost = node("node0");
    lost.volumes = Arc::new(vec![volume("data", "local", "local")]);
    assert_eq!(
        answer(&view(vec![down(lost)]), ""),
        concat!(
            r#"{"Volumes":[{"Driver":"local","Name":"data"}],"Warnings":["#,
            r#""node node0 is not answering since 2026-11-24T11:50:00Z; its volumes are the last known"]}"#,
            "\n"
        )
    );
}
