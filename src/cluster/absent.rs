//! What is said of something that no node which answers has.
//!
//! A node that answered once has told what it has, and is believed; one that has not answered since the start has told
//! nothing.

use super::error::Kind;
use super::{Error, Members, resolve};
use crate::model::{Health, Node};

/// Returns the error of something that no node is known to have. It is nowhere for sure when all have told what they
/// have, or when the name says on which node it would be.
pub fn missing(members: &Members, kind: Kind, name: &str) -> Error {
    let plain = name.strip_prefix('/').unwrap_or(name);
    // In names of images what stands before a slash is no node.
    let is_told = kind != Kind::Image && resolve::qualified(members, plain).is_some();
    let nodes = members.view.nodes().iter();
    let unheard = nodes.filter(|node| !is_told && !node.health.is_known());
    let nodes: Vec<String> = unheard.map(|node| node.key.to_string()).collect();
    let name = name.to_owned();
    match nodes.is_empty() {
        true => Error::NotFound { kind, name },
        false => Error::Unheard { kind, name, nodes },
    }
}

/// Returns the error of something that nodes do not tell before they are asked, and that none which answers has.
pub fn unasked(members: &Members, kind: Kind, name: &str) -> Error {
    let nodes = members.view.nodes().iter();
    let mut away = nodes.filter_map(|node| match &node.health {
        Health::Unhealthy { since, reason } => Some((node, since, reason)),
        Health::New | Health::Pending(_) | Health::Healthy | Health::Slow { .. } => None,
    });
    match away.next() {
        Some((node, since, reason)) => Error::Unsure {
            kind,
            name: name.to_owned(),
            node: node.name.clone(),
            since: *since,
            reason: reason.clone(),
        },
        None => missing(members, kind, name),
    }
}

/// Returns the error of something on a node that does not answer; `None` when it does.
pub(super) fn away(node: &Node, object: &str, state: &str) -> Option<Error> {
    match &node.health {
        Health::Unhealthy { since, reason } => Some(Error::Unreachable {
            object: object.to_owned(),
            node: node.name.clone(),
            since: *since,
            reason: reason.clone(),
            state: match state {
                "" => String::new(),
                state => format!(". Last known state: {state}"),
            },
        }),
        Health::New | Health::Pending(_) | Health::Healthy | Health::Slow { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::model::ClusterView;

    fn members(health: Health) -> Members {
        let node = |key: &str, name: &str, health| {
            Arc::new(Node {
                key: key.into(),
                name: name.to_owned(),
                health,
                ..Node::default()
            })
        };
        let nodes = vec![
            node("a:2375", "node0", Health::Healthy),
            node("b:2375", "(unknown)", health),
        ];
        Members {
            view: ClusterView::new(nodes),
            ..Members::default()
        }
    }

    #[test]
    fn only_a_node_that_has_told_nothing_makes_it_unsure() {
        let unhealthy = || Health::Unhealthy {
            since: Timestamp::UNIX_EPOCH,
            reason: "refused".to_owned(),
        };
        for (health, name, is_sure) in [
            (Health::Healthy, "web", true),
            (unhealthy(), "web", true),
            (Health::Pending("refused".to_owned()), "web", false),
            (Health::New, "web", false),
            (Health::New, "node0/web", true),
            (Health::New, "/node0/web", true),
            (Health::New, "node1/web", false),
        ] {
            let error = missing(&members(health.clone()), Kind::Container, name);
            assert_eq!(error.doubt().is_empty(), is_sure, "{health:?} {name}");
            assert!(error.is_not_found());
        }
        let image = missing(&members(Health::New), Kind::Image, "node0/web");
        assert!(!image.doubt().is_empty());
        let exec = unasked(&members(unhealthy()), Kind::Exec, "e");
        assert!(matches!(exec, Error::Unsure { .. }), "{exec:?}");
        let exec = unasked(&members(Health::New), Kind::Exec, "e");
        assert!(matches!(exec, Error::Unheard { .. }), "{exec:?}");
    }
}
