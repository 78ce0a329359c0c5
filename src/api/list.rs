//! What all lists share: errors, the `node` filter, names of objects that several nodes have, writing in chunks.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use regex::Regex;

use crate::model::{Manners, Node, raw};

use super::filters::{BadFilter, Filters};
use super::pattern::compile;
use super::query::BadQuery;

/// Bytes after which a chunk of an answer is handed on.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why a list cannot be given; the message is for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The query cannot be understood.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// The filters cannot be understood.
    #[error(transparent)]
    Filter(#[from] BadFilter),
    /// `before` or `since` names a container that no node has.
    #[error("No such container: {0}")]
    NoSuchContainer(String),
    /// `before` or `since` names an image that no node has.
    #[error("No such image: {0}")]
    NoSuchImage(String),
    /// `before` or `since` is the prefix of several IDs.
    #[error("multiple IDs found with provided prefix: {0}")]
    AmbiguousPrefix(String),
    /// `before` or `since` is a name that several nodes have.
    #[error("name {name} is ambiguous: {}", nodes.join(", "))]
    AmbiguousName {
        /// The name.
        name: String,
        /// The nodes.
        nodes: Vec<String>,
    },
}

/// The filter `node` of our own: the name of a node, its engine's ID, its address, or an expression for whole names.
///
/// Unlike an engine's name filters a value must match the whole name: `node1` is not `node10`.
#[derive(Clone, Debug, Default)]
pub struct NodeFilter {
    values: Vec<String>,
    expressions: Vec<Regex>,
}

impl NodeFilter {
    /// Takes the filter out of the query's; without one every node is admitted.
    pub fn new(filters: &Filters) -> Self {
        let whole = |value: &str| compile(&format!("^(?:{value})$"));
        Self {
            values: filters.values("node").map(str::to_owned).collect(),
            expressions: filters.values("node").filter_map(whole).collect(),
        }
    }

    /// Tells whether objects of this node are listed.
    pub fn admits(&self, node: &Node) -> bool {
        self.values.is_empty()
            || self.values.iter().any(|value| {
                *value == node.name
                    || *value == node.engine_id
                    || **value == *node.key
                    || *value == node.id()
            })
            || self.expressions.iter().any(|e| e.is_match(&node.name))
    }
}

/// Drops the node from a reference if it is this one: `node0/web` is `web` on node0.
pub fn unqualified<'r>(reference: &'r str, node: &Node) -> &'r str {
    reference
        .strip_prefix(node.name.as_str())
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(reference)
}

/// Picks one node for each key that several have: the first that answers, or else the first.
pub fn holders<K: Eq + Hash>(
    nodes: &[Arc<Node>],
    keys: impl Iterator<Item = (K, usize)>,
) -> HashMap<K, usize> {
    let mut holders = HashMap::new();
    for (key, index) in keys {
        let holder = holders.entry(key).or_insert(index);
        if !nodes[*holder].health.is_healthy() && nodes[index].health.is_healthy() {
            *holder = index;
        }
    }
    holders
}

/// Who bears a name plainly when local objects of several nodes have it: the first node; the others' are `node/name`. In
/// classic nobody does.
#[derive(Debug)]
pub struct PlainNames<'v> {
    bearers: HashMap<&'v str, usize>,
    manners: Manners,
}

impl<'v> PlainNames<'v> {
    /// Takes the names of all nodes in their order, whatever a client filters, so that they do not change with it.
    pub fn new(names: impl Iterator<Item = (&'v str, usize)>, manners: Manners) -> Self {
        let mut bearers = HashMap::new();
        for (name, index) in names {
            bearers.entry(name).or_insert(index);
        }
        Self { bearers, manners }
    }

    /// Returns the name to show when the plain one belongs to an object of another node.
    pub fn qualified(&self, name: &str, index: usize, node: &Node) -> Option<String> {
        let bears = || self.bearers.get(name).is_none_or(|bearer| *bearer == index);
        let plain = !self.manners.is_classic() && bears();
        (!plain).then(|| format!("{}/{name}", node.name))
    }
}

/// Appends a raw entry, with another `Name` if one is given.
pub fn write_named(entry: &[u8], name: Option<&str>, out: &mut Vec<u8>) {
    let renamed = name.and_then(|name| {
        let mut object = raw::Object::parse(std::str::from_utf8(entry).ok()?).ok()?;
        object.set("Name", raw::quote(name));
        Some(object.to_json())
    });
    match renamed {
        Some(json) => out.extend_from_slice(json.as_bytes()),
        None => out.extend_from_slice(entry),
    }
}

/// Writes `open`, the rows with commas between them and `close`, in chunks of about 64 KiB.
pub fn chunks<T>(
    open: &'static str,
    mut rows: impl Iterator<Item = T>,
    close: String,
    mut write: impl FnMut(T, &mut Vec<u8>),
) -> impl Iterator<Item = Bytes> {
    let mut separator = open;
    let mut close = Some(close);
    std::iter::from_fn(move || {
        close.as_ref()?;
        let mut out = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 16);
        for row in rows.by_ref() {
            out.extend_from_slice(separator.as_bytes());
            separator = ",";
            write(row, &mut out);
            if out.len() >= CHUNK_BYTES {
                return Some(Bytes::from(out));
            }
        }
        if separator == open {
            out.extend_from_slice(open.as_bytes());
        }
        out.extend_from_slice(close.take()?.as_bytes());
        Some(Bytes::from(out))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_admitted_by_whole_names() {
        let node = Node {
            key: "10.0.0.1:2375".into(),
            engine_id: "AB".into(),
            name: "node1".into(),
            ..Node::default()
        };
        let admits = |value: &str| {
            let mut filters = Filters::default();
            filters.insert("node", value);
            NodeFilter::new(&filters).admits(&node)
        };
        for yes in [
            "node1",
            "AB",
            "10.0.0.1:2375",
            "AB|10.0.0.1:2375",
            "node.*",
            "node[0-9]",
        ] {
            assert!(admits(yes), "{yes}");
        }
        for no in ["node", "node10", "ode1", "(", ""] {
            assert!(!admits(no), "{no}");
        }
        assert!(NodeFilter::new(&Filters::default()).admits(&node));
    }

    #[test]
    fn references_lose_only_their_own_node() {
        let node = Node {
            name: "node0".into(),
            ..Node::default()
        };
        assert_eq!(unqualified("node0/web", &node), "web");
        assert_eq!(unqualified("node1/web", &node), "node1/web");
        assert_eq!(unqualified("node0", &node), "node0");
    }

    #[test]
    fn chunks_are_bounded_and_join_to_one_text() {
        let write = |row: &str, out: &mut Vec<u8>| out.extend_from_slice(row.as_bytes());
        let join = |rows: Vec<&'static str>| {
            let parts: Vec<Bytes> =
                chunks("[", rows.into_iter(), "]\n".to_owned(), write).collect();
            (parts.len(), String::from_utf8(parts.concat()).unwrap())
        };
        assert_eq!(join(vec![]), (1, "[]\n".to_owned()));
        assert_eq!(join(vec!["1", "2"]), (1, "[1,2]\n".to_owned()));
        let big: &'static str = Box::leak("x".repeat(40_000).into_boxed_str());
        let (count, text) = join(vec![big; 5]);
        assert_eq!(count, 3);
        assert_eq!(text, format!("[{}]\n", [big; 5].join(",")));
        assert_eq!(
            join(vec![big; 4]).0,
            3,
            "the end comes in a chunk of its own"
        );
    }
}
