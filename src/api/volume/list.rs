//! `GET /volumes`: the volumes of all nodes.
//!
//! A volume that every node sees (`Scope: global`) is one row. A local one is a row each; when several nodes have one of
//! that name, the first bears it plainly and the others are `node/name`; in classic all of them are.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::api::filters::Filters;
use crate::api::list::{ListError, NodeFilter, PlainNames, chunks, holders, write_named};
use crate::api::query::Query;
use crate::model::{ClusterView, Health, Manners, Node, Volume, raw};

/// Filters that a list of volumes accepts; `node` is ours.
pub const ALLOWED: &[&str] = &["dangling", "driver", "label", "name", "node"];

/// The volumes of the answer, and what is to be known about them.
#[derive(Clone, Debug)]
pub struct Volumes {
    rows: Vec<Row>,
    warnings: Vec<String>,
}

/// One volume of the list.
#[derive(Clone, Debug)]
struct Row {
    node: Arc<Node>,
    at: usize,
    /// The name to show, when it is not the volume's own.
    shown: Option<String>,
}

/// What makes volumes of several nodes one.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key<'n> {
    /// Driver and name of one that every node sees.
    Shared(&'n str, &'n str),
    /// The place of one that is alone.
    Local(usize, usize),
}

/// Reads the filters of the request.
///
/// # Errors
/// They are unreadable or unknown.
pub fn parse(query: &Query) -> Result<Filters, ListError> {
    let filters = Filters::parse(query.text("filters"))?;
    filters.validate(ALLOWED)?;
    Ok(filters)
}

/// Selects the volumes that the list shows, node by node.
///
/// # Errors
/// A filter's value cannot be read.
pub fn select(
    view: &ClusterView,
    filters: &Filters,
    manners: Manners,
) -> Result<Volumes, ListError> {
    let nodes = view.nodes();
    let dangling = filters.flag("dangling")?;
    let node_filter = NodeFilter::new(filters);
    let name = filters.pattern("name");
    let names = all(nodes).map(|(n, _, volume)| (volume.name.as_str(), n));
    let plain = PlainNames::new(names, manners);
    let keys = all(nodes).filter(|(n, ..)| node_filter.admits(&nodes[*n]));
    let holders = holders(nodes, keys.map(|(n, at, volume)| (key(n, at, volume), n)));
    let in_use = dangling.map(|_| in_use(nodes));
    let mut rows = Vec::new();
    for (n, at, volume) in all(nodes) {
        let node = &nodes[n];
        if holders.get(&key(n, at, volume)) != Some(&n) {
            continue;
        }
        let local = !volume.is_shared();
        let shown = plain.qualified(&volume.name, n, node).filter(|_| local);
        let full = || format!("{}/{}", node.name, volume.name);
        let named = name.matches(shown.as_deref().unwrap_or(&volume.name))
            || (local && name.looks_inside() && name.matches(&full()));
        let label = |name: &str| volume.labels.get(name).map(String::as_str);
        let used = |in_use: &HashSet<(usize, &str)>| {
            let used_on = |n: usize| in_use.contains(&(n, volume.name.as_str()));
            if local {
                used_on(n)
            } else {
                (0..nodes.len()).any(used_on)
            }
        };
        if named
            && filters.exact("driver", &volume.driver)
            && filters.labels("label", label)
            && in_use
                .as_ref()
                .is_none_or(|in_use| dangling != Some(used(in_use)))
        {
            let node = Arc::clone(node);
            rows.push(Row { node, at, shown });
        }
    }
    let lost = nodes.iter().filter(|node| node_filter.admits(node));
    let warnings = lost.filter_map(|node| warning(node)).collect();
    Ok(Volumes { rows, warnings })
}

/// Writes the answer as the engine's JSON, in chunks of about 64 KiB.
pub fn render(volumes: Volumes) -> impl Iterator<Item = Bytes> {
    let texts: Vec<String> = volumes
        .warnings
        .iter()
        .map(|text| raw::quote(text))
        .collect();
    let warnings = match texts.is_empty() {
        true => "null".to_owned(),
        false => format!("[{}]", texts.join(",")),
    };
    let close = format!("],\"Warnings\":{warnings}}}\n");
    chunks(
        "{\"Volumes\":[",
        volumes.rows.into_iter(),
        close,
        |row, out| {
            let entry = &row.node.volumes[row.at].entry;
            write_named(entry, row.shown.as_deref(), out);
        },
    )
}

/// Walks all volumes with the places of their node and of themselves.
fn all(nodes: &[Arc<Node>]) -> impl Iterator<Item = (usize, usize, &Volume)> {
    nodes.iter().enumerate().flat_map(|(n, node)| {
        let volumes = node.volumes.iter().enumerate();
        volumes.map(move |(at, volume)| (n, at, volume))
    })
}

/// Returns what makes a volume one with those of other nodes.
fn key(n: usize, at: usize, volume: &Volume) -> Key<'_> {
    if volume.is_shared() {
        Key::Shared(&volume.driver, &volume.name)
    } else {
        Key::Local(n, at)
    }
}

/// Returns the names of the volumes that containers have, running or not, by node.
fn in_use(nodes: &[Arc<Node>]) -> HashSet<(usize, &str)> {
    let mut names = HashSet::new();
    for (n, node) in nodes.iter().enumerate() {
        let mounts = node
            .containers
            .iter()
            .flat_map(|container| &container.mounts);
        let volumes = mounts.filter(|mount| !mount.name.is_empty());
        names.extend(volumes.map(|mount| (n, mount.name.as_str())));
    }
    names
}

/// Tells that a node's volumes are as they were last seen.
fn warning(node: &Node) -> Option<String> {
    let Health::Unhealthy { since, .. } = &node.health else {
        return None;
    };
    Some(format!(
        "node {} is not answering since {}; its volumes are the last known",
        node.name,
        since.strftime("%Y-%m-%dT%H:%M:%SZ")
    ))
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
