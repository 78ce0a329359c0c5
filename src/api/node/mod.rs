//! `docker node` for plain engines: our nodes in the words of swarm mode (design §4.8).

pub(super) mod change;
mod filter;
pub(super) mod read;
mod show;
mod task;

use std::sync::Arc;

use super::error::Error;
use crate::cluster::Members;
use crate::model::Node;

/// What the docker CLI calls the node that it talks to: here all nodes, which it sees as one engine.
pub(super) const ALL: &str = "self";

/// Returns a node's ID for clients: the engine's own, unless machines were cloned and several have it; in a swarm-mode
/// cluster the one that it has there, by which tasks of services name it.
fn id(members: &Members, node: &Node) -> String {
    if let Some(id) = node.facts.info["Swarm"]["NodeID"].as_str()
        && node.is_in_swarm()
        && !id.is_empty()
    {
        return id.to_owned();
    }
    if node.engine_id.is_empty() {
        return node.key.to_string();
    }
    let nodes = members.view.nodes().iter();
    match nodes.filter(|n| n.engine_id == node.engine_id).count() {
        0 | 1 => node.engine_id.clone(),
        _ => node.id(),
    }
}

/// Finds the node that a user means: ID, host name, address, then unique prefix of an ID (as swarm mode, which knows no
/// addresses).
pub(super) fn find(members: &Members, reference: &str) -> Result<Arc<Node>, Error> {
    let nodes = members.view.nodes();
    let exact = |n: &&Arc<Node>| id(members, n) == reference || n.engine_id == reference;
    if let Some(node) = nodes.iter().find(exact) {
        return Ok(Arc::clone(node));
    }
    let mut hits: Vec<_> = nodes.iter().filter(|n| n.name == reference).collect();
    if hits.is_empty() {
        hits = nodes.iter().filter(|n| *n.key == *reference).collect();
    }
    if hits.is_empty() && !reference.is_empty() {
        let prefixed = |n: &&Arc<Node>| id(members, n).starts_with(reference);
        hits = nodes.iter().filter(prefixed).collect();
    }
    match hits.as_slice() {
        [] if reference == ALL => Err(Error::NotFound(
            "node self not found: it means all nodes here, so name one of them".to_owned(),
        )),
        [] => Err(Error::NotFound(format!("node {reference} not found"))),
        [node] => Ok(Arc::clone(node)),
        many => Err(Error::Conflict(format!(
            "node {reference} is ambiguous ({} matches found)",
            many.len()
        ))),
    }
}
