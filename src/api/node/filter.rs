//! Filters of node and task lists, as swarm mode has them.

use crate::api::error::Error;
use crate::api::filters::Filters;
use crate::api::query::Query;
use crate::cluster::Members;
use crate::model::node::engine_labels;
use crate::model::{Container, Node};

/// Filters that a list of nodes accepts.
const NODES: &[&str] = &["id", "label", "membership", "name", "node.label", "role"];
/// Filters that a list of tasks accepts.
const TASKS: &[&str] = &[
    "_up-to-date",
    "desired-state",
    "id",
    "label",
    "name",
    "node",
    "runtime",
    "service",
];

/// Reads the filters of a node list.
///
/// # Errors
/// They are unreadable or unknown.
pub(super) fn of_nodes(query: &Query) -> Result<Filters, Error> {
    let filters = Filters::parse(query.text("filters"))?;
    filters.validate(NODES)?;
    Ok(filters)
}

/// Reads the filters of a task list.
///
/// # Errors
/// They are unreadable or unknown.
pub(super) fn of_tasks(query: &Query) -> Result<Filters, Error> {
    let filters = Filters::parse(query.text("filters"))?;
    filters.validate(TASKS)?;
    Ok(filters)
}

/// Tells whether a list of nodes shows this one. All are accepted workers.
pub(super) fn admits_node(filters: &Filters, id: &str, node: &Node) -> bool {
    let of_engine = |key: &str| {
        let mut labels = engine_labels(&node.facts.info);
        labels.find(|(k, _)| *k == key).map(|(_, v)| v)
    };
    let ordered = |key: &str| node.orders.labels.get(key).map(String::as_str);
    filters.prefixes("id", id)
        && filters.prefixes("name", &node.name)
        && filters.exact("role", "worker")
        && filters.exact("membership", "accepted")
        && filters.labels("label", of_engine)
        && filters.labels("node.label", ordered)
}

/// Tells whether a list of tasks shows this container of this node.
pub(super) fn admits_task(
    filters: &Filters,
    members: &Members,
    node: &Node,
    container: &Container,
) -> bool {
    let label = |key: &str| container.labels.get(key).map(String::as_str);
    let desired = match container.state.is_running() {
        true => "running",
        false => "shutdown",
    };
    let on_node =
        filters.exact("node", &super::id(members, node)) || filters.exact("node", &node.name);
    on_node
        && filters.prefixes("id", &container.id)
        && filters.prefixes("name", container.name())
        && filters.exact("service", container.name())
        && filters.exact("desired-state", desired)
        && filters.labels("label", label)
}
