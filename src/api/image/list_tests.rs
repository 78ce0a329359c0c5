//! What `GET /images/json` shows, with the cases that were tried on engines 20.10.24 and 28.5.2.

use super::*;
use crate::api::fixture::{down, node, now, text, view};
use crate::model::Image;

/// An image with an entry as an engine of API 1.51 lists it.
fn image(id: &str, created_seconds: i64, tags: &[&str], digests: &[&str], size: i64) -> Image {
    let json = |names: &[&str]| serde_json::to_string(names).unwrap();
    let entry = format!(
        r#"{{"Containers":1,"Created":{created_seconds},"Id":"{id}","Labels":null,"ParentId":"","Descriptor":{{}},"RepoDigests":{},"RepoTags":{},"SharedSize":5,"Size":{size}}}"#,
        json(digests),
        json(tags)
    );
    Image {
        id: id.into(),
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        digests: digests.iter().map(|d| (*d).to_owned()).collect(),
        created_seconds,
        entry: Bytes::from(entry),
        ..Image::default()
    }
}

/// Two nodes with a common image, a stale tag, an untagged image, an intermediate one and one with a digest only.
fn cluster() -> ClusterView {
    let mut child = image("sha256:c1", 300, &["child:latest"], &[], 7);
    child.labels.insert("l".into(), "1".into());
    let mut layer = image("sha256:aa", 250, &[], &[], 1);
    layer.intermediate = true;
    let mut node0 = node("node0");
    node0.images = Arc::new(vec![
        image("sha256:b0", 100, &["busybox:latest"], &[], 10),
        child,
        layer,
        image("sha256:dd", 200, &["<none>:<none>"], &["<none>@<none>"], 2),
    ]);
    let mut node1 = node("node1");
    node1.images = Arc::new(vec![
        image(
            "sha256:b0",
            100,
            &["reg.example:5000/a/b:1", "busybox:latest"],
            &["busybox@sha256:1"],
            11,
        ),
        image("sha256:c0", 50, &["child:latest"], &[], 7),
        image("sha256:ee", 150, &[], &["other@sha256:2"], 3),
    ]);
    view(vec![node0, node1])
}

/// The IDs that a query shows, in order, or the error's text.
fn ids(raw: &str) -> String {
    let rows = ListQuery::parse(&Query::parse(raw).unwrap(), 40)
        .and_then(|query| select(&cluster(), &query, now()));
    let id = |row: &Row| {
        let (node, at) = &row.holders[0];
        node.images[*at].id.trim_start_matches("sha256:").to_owned()
    };
    match rows {
        Ok(rows) => rows.iter().map(id).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

/// The same for one JSON of filters.
fn filtered(filters: &str) -> String {
    let mut raw = form_urlencoded::Serializer::new(String::new());
    ids(&raw.append_pair("filters", filters).finish())
}

#[test]
fn images_are_selected_as_on_an_engine() {
    assert_eq!(ids(""), "c1 dd ee b0 c0");
    assert_eq!(ids("all=1"), "c1 aa dd ee b0 c0");
    assert_eq!(ids("filter=busybox"), "b0");
    for (filters, expected) in [
        (r#"{"dangling":["true"]}"#, "dd ee"),
        (r#"{"dangling":["1"]}"#, "dd ee"),
        (r#"{"dangling":["false"]}"#, "c1 ee b0 c0"),
        (r#"{"label":["l=1"]}"#, "c1"),
        (r#"{"before":["sha256:dd"]}"#, "ee b0 c0"),
        (r#"{"since":["busybox"]}"#, "c1 dd ee"),
        (r#"{"until":["1970-01-01T00:02:00Z"]}"#, "b0 c0"),
        (r#"{"reference":["busy*"]}"#, "b0"),
        (r#"{"reference":["*"]}"#, "c1 ee b0 c0"),
        (r#"{"reference":["*/*/*"]}"#, "b0"),
        (r#"{"reference":["busybox:l*"]}"#, "b0"),
        (r#"{"reference":["child","other"]}"#, "c1 ee c0"),
        (r#"{"node":["node1"]}"#, "ee b0 c0"),
        (r#"{"dangling":["x"]}"#, "invalid filter 'dangling=[x]'"),
        (r#"{"before":["nosuch"]}"#, "No such image: nosuch:latest"),
        (r#"{"before":["nosuch:9"]}"#, "No such image: nosuch:9"),
        (r#"{"since":["sha256:1234"]}"#, "No such image: sha256:1234"),
        (r#"{"reference":["["]}"#, "syntax error in pattern"),
        (
            r#"{"until":["x"]}"#,
            "failed to parse value as time or duration: \"x\"",
        ),
        (r#"{"bogus":["1"]}"#, "invalid filter 'bogus'"),
    ] {
        assert_eq!(filtered(filters), expected, "{filters}");
    }
}

/// The JSON of one reference in API `1.{api_minor}`.
fn json(view: &ClusterView, reference: &str, api_minor: u16) -> String {
    let mut query = ListQuery {
        api_minor,
        ..ListQuery::default()
    };
    query.filters.insert("reference", reference);
    text(render(select(view, &query, now()).unwrap()))
}

#[test]
fn equal_ids_are_one_row() {
    assert_eq!(
        json(&cluster(), "busybox", 51),
        concat!(
            r#"[{"Containers":2,"Created":100,"Id":"sha256:b0","Labels":null,"ParentId":"","Descriptor":{},"#,
            r#""RepoDigests":["busybox@sha256:1"],"RepoTags":["busybox:latest"],"SharedSize":5,"Size":11,"#,
            r#""Nodes":["node0","node1"]}]"#,
            "\n"
        )
    );
    assert_eq!(json(&cluster(), "nosuch", 51), "[]\n");
}

#[test]
fn each_api_gets_the_fields_it_knows() {
    let old = json(&cluster(), "child", 42);
    assert!(
        old.contains(r#""RepoDigests":null,"RepoTags":["child:latest"]"#),
        "{old}"
    );
    assert!(
        old.contains(r#""VirtualSize":7"#) && !old.contains("Descriptor"),
        "{old}"
    );
    assert!(old.contains(r#""Containers":-1"#), "{old}");
    let new = json(&cluster(), "child", 48);
    assert!(
        new.contains(r#""RepoDigests":[]"#) && new.contains("Descriptor"),
        "{new}"
    );
    assert!(!new.contains("VirtualSize"), "{new}");
    for (api_minor, expected) in [
        (
            42,
            r#""RepoDigests":["<none>@<none>"],"RepoTags":["<none>:<none>"]"#,
        ),
        (43, r#""RepoDigests":[],"RepoTags":[]"#),
    ] {
        let mut query = ListQuery {
            api_minor,
            ..ListQuery::default()
        };
        query.filters.insert("before", "child");
        query.filters.insert("since", "sha256:ee");
        let json = text(render(select(&cluster(), &query, now()).unwrap()));
        assert!(json.contains(expected), "{json}");
    }
}

#[test]
fn a_holder_that_answers_speaks_for_the_image() {
    let holding = |name: &str, size| {
        let mut node = node(name);
        node.images = Arc::new(vec![image("sha256:b0", 1, &["a:1"], &[], size)]);
        node
    };
    let view = view(vec![down(holding("a", 1)), holding("b", 2)]);
    let json = json(&view, "a", 51);
    assert!(
        json.contains(r#""Nodes":["b","a"]"#) && json.contains(r#""Size":2"#),
        "{json}"
    );
}
