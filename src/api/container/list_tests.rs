//! What `GET /containers/json` shows, with the cases that were tried on engines 20.10.24 and 28.5.2.

use std::sync::Arc;

use super::*;
use crate::api::fixture::{down, exited, node, now, running, text, view, with};
use crate::model::Image;
use crate::model::container::{Attachment, Mount};

/// Two nodes: on node0 `web`, `w2` (linked to `web` as `db`), `c0` and `ex1`; on node1 `hc` and another `ex1`.
fn cluster() -> ClusterView {
    let mut web = running("9cf1", "web", 100);
    web.labels.insert("a".into(), "b".into());
    web.image_id = "sha256:b0".into();
    web.mounts = vec![Mount {
        kind: "volume".into(),
        name: "v1".into(),
        source: "/data/v1".into(),
        destination: "/data".into(),
    }];
    let mut w2 = running("fa46", "w2", 200);
    w2.image_id = "sha256:c1".into();
    w2.networks = vec![Attachment {
        name: "n1".into(),
        id: "7394".into(),
    }];
    w2.names.push("web/db".into());
    let mut created = exited("70358", "c0", 50, 0);
    created.state.status = "created".into();
    created.state.started_at = None;
    let mut healthy = running("64bd", "hc", 300);
    healthy.state.health = "healthy".into();
    let mut node0 = node("node0");
    let image = |id: &str, parent: &str, tag: &str| Image {
        id: id.into(),
        parent_id: parent.into(),
        tags: vec![tag.into()],
        ..Image::default()
    };
    node0.images = Arc::new(vec![
        image("sha256:b0", "", "busybox:latest"),
        image("sha256:c0", "sha256:b0", "<none>:<none>"),
        image("sha256:c1", "sha256:c0", "child:latest"),
    ]);
    let web_ports = r#"[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"}]"#;
    let exposed = r#"[{"PrivatePort":99,"Type":"tcp"}]"#;
    let on_node0 = vec![
        (web, web_ports),
        (w2, exposed),
        (created, "[]"),
        (exited("d46f", "ex1", 250, 3), "[]"),
    ];
    let on_node1 = vec![(healthy, "[]"), (exited("d46e", "ex1", 20, 0), "[]")];
    view(vec![with(node0, on_node0), with(node("node1"), on_node1)])
}

/// The names that a query shows, in order, or the error's text.
fn names(view: &ClusterView, raw: &str) -> String {
    let rows = Query::parse(raw)
        .map_err(ListError::from)
        .and_then(|query| ListQuery::parse(&query, Manners::Engine))
        .and_then(|query| select(view, &query));
    match rows {
        Ok(rows) => {
            let names: Vec<_> = rows.iter().map(|row| row.container.name()).collect();
            names.join(" ")
        }
        Err(error) => error.to_string(),
    }
}

/// The same for one JSON of filters.
fn filtered(view: &ClusterView, filters: &str) -> String {
    let mut raw = form_urlencoded::Serializer::new(String::new());
    names(view, &raw.append_pair("filters", filters).finish())
}

#[test]
fn the_newest_come_first_and_stopped_ones_on_demand() {
    let view = cluster();
    for (query, expected) in [
        ("", "hc w2 web"),
        ("all=0", "hc w2 web"),
        ("all=1", "hc ex1 w2 web c0 ex1"),
        ("all=True&limit=4", "hc ex1 w2 web"),
        ("limit=2", "hc ex1"),
        ("limit=-1", "hc w2 web"),
        ("before=w2&all=1", "web c0 ex1"),
        ("since=/web&all=1", "hc ex1 w2"),
        ("since=node0/ex1", "hc"),
        ("before=9c&all=1", "c0 ex1"),
        ("before=nope", "No such container: nope"),
        ("before=ex1", "name ex1 is ambiguous: node0, node1"),
        ("since=d46", "multiple IDs found with provided prefix: d46"),
        ("limit=abc", "strconv.Atoi: parsing \"abc\": invalid syntax"),
        ("filters=x", "invalid filter"),
        ("unknown=1", "hc w2 web"),
    ] {
        assert_eq!(names(&view, query), expected, "{query}");
    }
}

#[test]
fn filters_select_as_on_an_engine() {
    let view = cluster();
    for (filters, expected) in [
        (r#"{"before":["web"]}"#, ""),
        (r#"{"since":["web"]}"#, "hc w2"),
        (r#"{"exited":["3"]}"#, ""),
        (r#"{"exited":["3"],"status":["exited"]}"#, "ex1"),
        (r#"{"exited":["0"],"status":["exited","created"]}"#, "ex1"),
        (r#"{"name":["^/web$"]}"#, "web"),
        (r#"{"name":["^web$"]}"#, "web"),
        (r#"{"name":["db"]}"#, ""),
        (r#"{"name":["w"]}"#, "w2 web"),
        (r#"{"name":["node0"]}"#, ""),
        (r#"{"name":["node0/"]}"#, "w2 web"),
        (r#"{"name":["^/node0/web$"]}"#, "web"),
        (r#"{"name":["("]}"#, ""),
        (r#"{"status":["exited"]}"#, "ex1 ex1"),
        (r#"{"status":["created"],"name":["c"]}"#, "c0"),
        (r#"{"publish":["8080"]}"#, "web"),
        (r#"{"publish":["8000-8100/tcp"]}"#, "web"),
        (r#"{"publish":["8080/udp"]}"#, ""),
        (r#"{"expose":["99"]}"#, "w2"),
        (r#"{"publish":["8080"],"expose":["99"]}"#, "w2 web"),
        (r#"{"publish":["0"]}"#, "w2"),
        (r#"{"volume":["v1"]}"#, "web"),
        (r#"{"volume":["node0/v1","/nowhere"]}"#, "web"),
        (r#"{"volume":["/data"]}"#, "web"),
        (r#"{"volume":["/data/v1"]}"#, ""),
        (r#"{"ancestor":["busybox"]}"#, "w2 web"),
        (r#"{"ancestor":["child"]}"#, "w2"),
        (r#"{"ancestor":["nosuch"]}"#, ""),
        (r#"{"network":["n1"]}"#, "w2"),
        (r#"{"network":["739"]}"#, "w2"),
        (r#"{"network":["n"]}"#, ""),
        (r#"{"health":["none"]}"#, "w2 web"),
        (r#"{"health":["healthy"]}"#, "hc"),
        (r#"{"is-task":["true"]}"#, ""),
        (r#"{"is-task":["false"]}"#, "hc w2 web"),
        (r#"{"label":["a"]}"#, "web"),
        (r#"{"label":["a=c"]}"#, ""),
        (r#"{"label":["com.docker.swarm.node.name=node1"]}"#, "hc"),
        (r#"{"node":["node1"]}"#, "hc"),
        (r#"{"node":["ID-node0"],"name":["web"]}"#, "web"),
        (r#"{"node":["nosuch"]}"#, ""),
        (r#"{"id":["9c"]}"#, "web"),
        (r#"{"id":["cf1"]}"#, ""),
        (r#"{"id":["d46"],"status":["exited"]}"#, ""),
        (r#"{"id":[""]}"#, ""),
        (r#"{"isolation":["hyperv"]}"#, "hc w2 web"),
        (r#"{"label":[],"name":[]}"#, "hc w2 web"),
    ] {
        assert_eq!(filtered(&view, filters), expected, "{filters}");
    }
}

#[test]
fn unusable_filters_are_refused_in_the_engines_words() {
    let view = cluster();
    for (filters, expected) in [
        (r#"{"bogus":["x"]}"#, "invalid filter 'bogus'"),
        (r#"{"before":["nope"]}"#, "No such container: nope"),
        (r#"{"is-task":["x"]}"#, "invalid filter 'is-task=[x]'"),
        (
            r#"{"status":["x"]}"#,
            "invalid filter 'status=x': invalid value for state (x): must be one of created, running, paused, restarting, removing, exited, dead",
        ),
        (
            r#"{"health":["x"]}"#,
            "invalid filter 'health=x': invalid value for health (x): must be one of none, starting, healthy, unhealthy",
        ),
        (
            r#"{"exited":["x"]}"#,
            "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax",
        ),
    ] {
        assert_eq!(filtered(&view, filters), expected, "{filters}");
    }
}

#[test]
fn rows_are_written_as_the_engine_writes_them() {
    let rows = |query: &str| {
        let query = ListQuery::parse(&Query::parse(query).unwrap(), Manners::Engine).unwrap();
        text(render(select(&cluster(), &query).unwrap(), now()))
    };
    assert_eq!(
        rows("filters=%7B%22name%22%3A%5B%22%5Eweb%24%22%5D%7D"),
        concat!(
            r#"[{"Id":"9cf1","Names":["/web","/node0/web"],"#,
            r#""Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"}],"#,
            r#""State":"running","Status":"Up 5 minutes","Mounts":[],"#,
            r#""Labels":{"com.docker.swarm.node.name":"node0"}}]"#,
            "\n"
        )
    );
    assert_eq!(rows("filters=%7B%22name%22%3A%5B%22none%22%5D%7D"), "[]\n");
}

#[test]
fn containers_of_a_lost_node_stay_listed() {
    let lost = with(
        down(node("node0")),
        vec![
            (running("aa", "web", 1), "[]"),
            (exited("bb", "old", 0, 1), "[]"),
        ],
    );
    let view = view(vec![lost]);
    let rows = select(&view, &ListQuery::default()).unwrap();
    assert_eq!(rows.len(), 1);
    let json = text(render(rows, now()));
    assert!(
        json.contains(r#""State":"running","Status":"Host Down""#),
        "{json}"
    );
}

#[test]
fn classic_hides_more_and_only_exited_containers_show_themselves() {
    let mut own = running("5a", "agent", 400);
    own.image = "swarm:1.2.9".into();
    let lost = running("6b", "far", 500);
    let mut nodes: Vec<Node> = cluster().nodes().iter().map(|n| (**n).clone()).collect();
    nodes.push(with(node("node2"), vec![(own, "[]")]));
    nodes.push(down(with_one("node3", lost)));
    let view = view(nodes);
    let shown = |query: &str, manners| {
        let query = ListQuery::parse(&Query::parse(query).unwrap(), manners).unwrap();
        let rows = select(&view, &query).unwrap();
        let names: Vec<_> = rows.iter().map(|row| row.container.name()).collect();
        names.join(" ")
    };
    let status = |value: &str| {
        let filters = format!(r#"{{"status":["{value}"]}}"#);
        let mut raw = form_urlencoded::Serializer::new(String::new());
        raw.append_pair("filters", &filters).finish()
    };
    for (query, engine, classic) in [
        ("", "far agent hc w2 web", "hc w2 web"),
        (
            "all=1",
            "far agent hc ex1 w2 web c0 ex1",
            "far agent hc ex1 w2 web c0 ex1",
        ),
        (&status("exited"), "ex1 ex1", "ex1 ex1"),
        (&status("created"), "c0", ""),
    ] {
        assert_eq!(shown(query, Manners::Engine), engine, "{query}");
        assert_eq!(shown(query, Manners::Classic), classic, "{query}");
    }
}

/// A node with one container.
fn with_one(name: &str, container: Container) -> Node {
    with(node(name), vec![(container, "[]")])
}
