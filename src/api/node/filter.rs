//! Filters of node and task lists, as swarm mode has them.

use serde_json::Value;

use crate::api::error::Error;
use crate::api::filters::Filters;
use crate::api::query::Query;
use crate::cluster::Members;
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

/// Tells whether a list of nodes shows this entry. All nodes of ours are accepted ones.
pub(super) fn admits_node(filters: &Filters, node: &Value) -> bool {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let membership = match text(&node["Spec"]["Membership"]) {
        none if none.is_empty() => "accepted".to_owned(),
        told => told,
    };
    let engines = &node["Description"]["Engine"]["Labels"];
    let given = &node["Spec"]["Labels"];
    filters.prefixes("id", &text(&node["ID"]))
        && filters.prefixes("name", &text(&node["Description"]["Hostname"]))
        && filters.exact("role", &text(&node["Spec"]["Role"]))
        && filters.exact("membership", &membership)
        && filters.labels("label", |key: &str| engines[key].as_str())
        && filters.labels("node.label", |key: &str| given[key].as_str())
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
    let names = [&super::id(members, node), &node.name, super::ALL];
    let on_node = names.iter().any(|name| filters.exact("node", name));
    on_node
        && filters.prefixes("id", &container.id)
        && filters.prefixes("name", container.name())
        && filters.exact("service", container.name())
        && filters.exact("desired-state", desired)
        && filters.labels("label", label)
}
