//! `GET /networks`: the networks of all nodes.
//!
//! A network that reaches over nodes or is replicated is one row, and so is each that every engine brings by itself; a local one is a row
//! each, and when several nodes have one of that name, the first bears it plainly and the others are `node/name`. In
//! classic all that are local are `node/name`, predefined ones too.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::api::filters::{BadFilter, Filters};
use crate::api::list::{ListError, NodeFilter, PlainNames, chunks, holders, write_named};
use crate::api::query::Query;
use crate::model::{ClusterView, Manners, Network, Node};

/// Filters that a list of networks accepts; `node` is ours.
pub const ALLOWED: &[&str] = &[
    "dangling", "driver", "id", "label", "name", "node", "scope", "type",
];

/// One network of the list.
#[derive(Clone, Debug)]
pub struct Row {
    node: Arc<Node>,
    at: usize,
    /// The name to show, when it is not the network's own.
    shown: Option<String>,
}

/// What makes networks of several nodes one.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key<'n> {
    /// The ID of one that reaches over nodes, or is replicated.
    Shared(&'n str),
    /// The name of one that every engine has.
    Predefined(&'n str),
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

/// Selects the networks that the list shows, node by node.
///
/// # Errors
/// A filter's value cannot be read.
pub fn select(
    view: &ClusterView,
    filters: &Filters,
    manners: Manners,
) -> Result<Vec<Row>, ListError> {
    let nodes = view.nodes();
    let use_filter = dangling(filters)?;
    let type_filter = types(filters)?;
    let node_filter = NodeFilter::new(filters);
    let (name, id) = (filters.pattern("name"), filters.pattern("id"));
    let names = all(nodes).map(|(n, _, network)| (network.name.as_str(), n));
    let plain = PlainNames::new(names, manners);
    let key = |n: usize, at: usize, network| match key(n, at, network) {
        // Classic shows every engine's own.
        Key::Predefined(_) if manners.is_classic() => Key::Local(n, at),
        key => key,
    };
    let keys = all(nodes).filter(|(n, ..)| node_filter.admits(&nodes[*n]));
    let holders = holders(nodes, keys.map(|(n, at, network)| (key(n, at, network), n)));
    let in_use = use_filter.map(|_| InUse::new(nodes));
    let mut rows = Vec::new();
    for (n, at, network) in all(nodes) {
        let node = &nodes[n];
        let key = key(n, at, network);
        let local = matches!(key, Key::Local(..));
        if holders.get(&key) != Some(&n) {
            continue;
        }
        let shown = plain.qualified(&network.name, n, node).filter(|_| local);
        let full = || format!("{}/{}", node.name, network.name);
        let named = name.matches(shown.as_deref().unwrap_or(&network.name))
            || (local && name.looks_inside() && name.matches(&full()));
        let label = |name: &str| network.labels.get(name).map(String::as_str);
        let builtin = Network::PREDEFINED.contains(&network.name.as_str());
        // Swarm mode's own have ends that belong to no container.
        let used = |in_use: &InUse<'_>| network.is_predefined() || in_use.has(n, network);
        if named
            && id.matches(&network.id)
            && filters.exact("driver", &network.driver)
            && filters.exact("scope", &network.scope)
            && filters.labels("label", label)
            && type_filter
                .is_none_or(|(custom, predefined)| if builtin { predefined } else { custom })
            && in_use
                .as_ref()
                .is_none_or(|in_use| use_filter != Some(used(in_use)))
        {
            let node = Arc::clone(node);
            rows.push(Row { node, at, shown });
        }
    }
    Ok(rows)
}

/// Writes the rows as the engine's JSON, in chunks of about 64 KiB.
pub fn render(rows: Vec<Row>) -> impl Iterator<Item = Bytes> {
    chunks("[", rows.into_iter(), "]\n".to_owned(), |row, out| {
        let entry = &row.node.networks[row.at].entry;
        write_named(entry, row.shown.as_deref(), out);
    })
}

/// Walks all networks with the places of their node and of themselves.
fn all(nodes: &[Arc<Node>]) -> impl Iterator<Item = (usize, usize, &Network)> {
    nodes.iter().enumerate().flat_map(|(n, node)| {
        let networks = node.networks.iter().enumerate();
        networks.map(move |(at, network)| (n, at, network))
    })
}

/// Returns what makes a network one with those of other nodes.
fn key(n: usize, at: usize, network: &Network) -> Key<'_> {
    if network.is_one() {
        Key::Shared(&network.id)
    } else if network.is_predefined() {
        Key::Predefined(&network.name)
    } else {
        Key::Local(n, at)
    }
}

/// Reads `dangling`.
fn dangling(filters: &Filters) -> Result<Option<bool>, BadFilter> {
    let mut values = filters.values("dangling");
    let wanted = match values.next() {
        None => None,
        Some("1" | "true") => Some(true),
        Some("0" | "false") => Some(false),
        Some(_) => {
            return Err(values.next().map_or(BadFilter::NetworkDangling, |_| {
                BadFilter::NetworkDanglingTwice
            }));
        }
    };
    values
        .next()
        .map_or(Ok(wanted), |_| Err(BadFilter::NetworkDanglingTwice))
}

/// Reads `type`: whether custom and whether predefined networks are listed.
fn types(filters: &Filters) -> Result<Option<(bool, bool)>, BadFilter> {
    let mut wanted = None;
    for value in filters.values("type") {
        let (custom, predefined) = wanted.unwrap_or_default();
        wanted = Some(match value {
            "custom" => (true, predefined),
            "builtin" => (custom, true),
            other => return Err(BadFilter::NetworkType(other.to_owned())),
        });
    }
    Ok(wanted)
}

/// The networks that running containers are on. Engines say so in the list only before API 1.28.
#[derive(Debug)]
struct InUse<'n> {
    names: HashSet<(usize, &'n str)>,
    ids: HashSet<&'n str>,
}

impl<'n> InUse<'n> {
    /// Walks the containers of all nodes.
    fn new(nodes: &'n [Arc<Node>]) -> Self {
        let mut in_use = Self {
            names: HashSet::new(),
            ids: HashSet::new(),
        };
        for (n, node) in nodes.iter().enumerate() {
            let running = node.containers.iter().filter(|c| c.state.is_running());
            for network in running.flat_map(|container| &container.networks) {
                in_use.names.insert((n, &network.name));
                in_use.ids.insert(&network.id);
            }
        }
        in_use
    }

    /// Tells whether the network of this node is among them.
    fn has(&self, n: usize, network: &Network) -> bool {
        self.ids.contains(network.id.as_str()) || self.names.contains(&(n, network.name.as_str()))
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
