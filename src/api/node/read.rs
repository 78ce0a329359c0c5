//! Lists and inspects of nodes and their tasks, from memory.

use http::StatusCode;
use serde_json::Value;

use super::{filter, find, id, show, task};
use crate::api::call::{Answer, Call, json};
use crate::api::error::Error;

/// Lists the nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let filters = filter::of_nodes(&call.query)?;
    let members = call.members();
    let nodes = members.view.nodes().iter();
    let shown = nodes.filter(|n| filter::admits_node(&filters, &id(&members, n), n));
    let shown: Vec<Value> = shown.map(|n| show::node(&members, n)).collect();
    Ok(answer(&Value::from(shown)))
}

/// Tells of one node.
pub(in crate::api) fn inspect(call: &Call) -> Answer {
    let members = call.members();
    let node = find(&members, &call.id)?;
    Ok(answer(&show::node(&members, &node)))
}

/// Lists containers as tasks.
pub(in crate::api) fn tasks(call: &Call) -> Answer {
    let filters = filter::of_tasks(&call.query)?;
    let members = call.members();
    let mut tasks = Vec::new();
    for node in members.view.nodes() {
        let containers = node.containers.iter();
        let shown = containers.filter(|c| filter::admits_task(&filters, &members, node, c));
        tasks.extend(shown.map(|c| task::task(&members, node, c)));
    }
    Ok(answer(&Value::from(tasks)))
}

/// Tells of one container as a task.
pub(in crate::api) fn one_task(call: &Call) -> Answer {
    let members = call.members();
    let mut nodes = members.view.nodes().iter();
    let found = nodes.find_map(|n| Some((n, n.containers.by_id(&call.id)?)));
    let (node, container) =
        found.ok_or_else(|| Error::NotFound(format!("task {} not found", call.id)))?;
    Ok(answer(&task::task(&members, node, container)))
}

fn answer(value: &Value) -> http::Response<crate::net::body::Body> {
    json(StatusCode::OK, format!("{value}\n"))
}
