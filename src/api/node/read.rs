//! Lists and inspects of nodes and their tasks, from memory.

use http::StatusCode;
use serde_json::Value;

use super::{filter, find, show, task};
use crate::api::call::{Answer, Call, json};
use crate::api::error::Error;
use crate::cluster::entries;
use crate::model::TASK_LABEL;

/// Lists the nodes; in swarm mode those too that only a manager knows.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let filters = filter::of_nodes(&call.query)?;
    let members = call.members();
    let entries = entries::all(&members).await;
    call.api.seen.note(&entries);
    let nodes = members.view.nodes().iter();
    let ours = nodes.map(|n| show::with_entry(&members, n, &entries));
    let mut shown: Vec<Value> = ours.collect();
    shown.extend(show::foreign(&members, entries));
    shown.retain(|node| filter::admits_node(&filters, node));
    Ok(answer(&Value::from(shown)))
}

/// Tells of one node.
pub(in crate::api) async fn inspect(call: Call) -> Answer {
    let members = call.members();
    let node = find(&members, &call.id)?;
    let entries = match node.is_in_swarm() {
        true => entries::all(&members).await,
        false => Vec::new(),
    };
    call.api.seen.note(&entries);
    Ok(answer(&show::with_entry(&members, &node, &entries)))
}

/// Tells of all nodes as of one.
pub(in crate::api) fn all(call: &Call) -> Answer {
    Ok(answer(&show::all(&call.members().view, &call.api.about())))
}

/// Lists containers as tasks, after the tasks of services that a manager told of; those have containers too.
pub(in crate::api) fn tasks(call: &Call, mut tasks: Vec<Value>) -> Answer {
    let filters = filter::of_tasks(&call.query)?;
    let members = call.members();
    let told = !tasks.is_empty();
    for node in members.view.nodes() {
        let containers = node.containers.iter();
        let containers = containers.filter(|c| !(told && c.labels.contains_key(TASK_LABEL)));
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
