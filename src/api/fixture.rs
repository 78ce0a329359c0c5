//! Small hand-made views for the tests of this layer.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::model::container::RunState;
use crate::model::{ClusterView, Container, Health, Manners, Node, splice};

/// The moment at which the tests look.
pub(super) fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// A healthy node called `name` at an address made of it.
pub(super) fn node(name: &str) -> Node {
    Node {
        key: format!("{name}:2375").into(),
        engine_id: format!("ID-{name}"),
        name: name.to_owned(),
        ip: "10.0.0.1".to_owned(),
        health: Health::Healthy,
        ..Node::default()
    }
}

/// Makes the node one that does not answer.
pub(super) fn down(mut node: Node) -> Node {
    node.health = Health::Unhealthy {
        since: "2026-11-24T11:50:00Z".parse().unwrap(),
        reason: "connection refused".to_owned(),
    };
    node
}

/// A container that has been running for five minutes, before it is put on a node.
pub(super) fn running(id: &str, name: &str, created_seconds: i64) -> Container {
    Container {
        id: id.into(),
        names: vec![name.to_owned()],
        created_seconds,
        state: RunState {
            status: "running".to_owned(),
            started_at: Some("2026-11-24T11:55:00Z".parse().unwrap()),
            ..RunState::default()
        },
        ..Container::default()
    }
}

/// A container that ended with `exit_code` three hours ago.
pub(super) fn exited(id: &str, name: &str, created_seconds: i64, exit_code: i64) -> Container {
    let mut container = running(id, name, created_seconds);
    container.state.status = "exited".to_owned();
    container.state.exit_code = exit_code;
    container.state.finished_at = Some("2026-11-24T09:00:00Z".parse().unwrap());
    container
}

/// Puts containers on the node; `ports` is the JSON of the `Ports` in their list entries.
pub(super) fn with(mut node: Node, containers: Vec<(Container, &str)>) -> Node {
    for (mut container, ports) in containers {
        let raw = format!(
            r#"{{"Id":"{}","Names":["/{}"],"Ports":{ports},"State":"{}","Status":"","Mounts":[]}}"#,
            container.id,
            container.name(),
            container.state.status,
        );
        container.entry = splice::splice(&raw, &node.name, "", Manners::Engine).unwrap();
        node.containers.insert(Arc::new(container));
    }
    node
}

/// A view of these nodes.
pub(super) fn view(nodes: Vec<Node>) -> ClusterView {
    ClusterView::new(nodes.into_iter().map(Arc::new).collect())
}

/// The text of an answer given in chunks.
pub(super) fn text(chunks: impl Iterator<Item = Bytes>) -> String {
    String::from_utf8(chunks.collect::<Vec<_>>().concat()).unwrap()
}
