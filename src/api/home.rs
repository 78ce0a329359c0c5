//! The home node of a network or volume that lives on one node.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::call::Call;
use super::error::Error;
use super::wish::HEADER;
use crate::cluster::{self, Cluster, Members};
use crate::engine::Engine;
use crate::model::plugin::Kind;
use crate::model::{COMPOSE_PROJECT_LABEL, Health, Manners, Node, Plugin};
use crate::scheduler::{Request, wishes};

/// Chooses a home: where the compose project's other local objects are, else as for a container that asks nothing.
/// Wishes in the object's labels count.
pub(super) fn choose(
    cluster: &Cluster,
    members: &Members,
    labels: &BTreeMap<String, String>,
) -> Result<(Arc<Node>, Engine), Error> {
    choose_with(cluster, members, labels, Kind::Volume, "")
}

/// Chooses a home as [`choose`] does, among the nodes that have a driver; one that no node is known to have is left to
/// the engine, which may find it yet.
pub(super) fn choose_with(
    cluster: &Cluster,
    members: &Members,
    labels: &BTreeMap<String, String>,
    kind: Kind,
    driver: &str,
) -> Result<(Arc<Node>, Engine), Error> {
    let mut nodes = members.view.nodes().iter();
    let known = nodes.any(|node| node.has_plugin(kind, driver));
    if let Some(node) = labels
        .get(COMPOSE_PROJECT_LABEL)
        .and_then(|project| of_project(members, project, cluster.manners()))
        && (!known || node.has_plugin(kind, driver))
    {
        return engine(members, &node);
    }
    let plugin = Plugin {
        kind,
        name: driver.to_owned(),
    };
    let found = wishes::extract(&[], labels).map_err(|e| Error::Bad(e.to_string()))?;
    let request = Request {
        wishes: found.wishes,
        plugins: known.then_some(plugin).into_iter().collect(),
        seed: fastrand::u64(..),
        ..Request::default()
    };
    let placement = cluster
        .scheduler()
        .place(&request, &members.view)
        .map_err(cluster::Error::Refused)?;
    let best = placement
        .candidates
        .first()
        .ok_or(cluster::Error::NoHealthyNode)?;
    engine(members, best)
}

/// Lets through only a node that the client wishes for.
///
/// # Errors
/// It wishes for others.
pub(super) fn meant(call: &Call, node: &Node) -> Result<(), Error> {
    if call.scope.admits(node) {
        return Ok(());
    }
    let (node, wish) = (&node.name, call.wish.text());
    Err(Error::Conflict(format!(
        "it is to be on {node}, which is not what {HEADER} asks for: {wish}"
    )))
}

/// Returns a node's engine, when it answers.
pub(super) fn engine(members: &Members, node: &Arc<Node>) -> Result<(Arc<Node>, Engine), Error> {
    if let Health::Unhealthy { since, reason } = &node.health {
        return Err(Error::Cluster(cluster::Error::Unreachable {
            object: "its home".to_owned(),
            node: node.name.clone(),
            since: *since,
            reason: reason.clone(),
            state: String::new(),
        }));
    }
    let engine = members.engine(&node.key).cloned();
    let engine = engine.ok_or(cluster::Error::NoHealthyNode)?;
    Ok((Arc::clone(node), engine))
}

/// Returns the node on which a compose project has a local network or volume; classic's volumes are on all.
fn of_project(members: &Members, project: &str, manners: Manners) -> Option<Arc<Node>> {
    let is = |labels: &BTreeMap<String, String>| {
        labels
            .get(COMPOSE_PROJECT_LABEL)
            .is_some_and(|p| p == project)
    };
    let has = |node: &&Arc<Node>| {
        node.networks.iter().any(|n| is(&n.labels) && !n.is_one())
            || !manners.is_classic() && node.volumes.iter().any(|v| is(&v.labels) && !v.is_shared())
    };
    members.view.nodes().iter().find(has).cloned()
}
