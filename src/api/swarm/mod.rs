//! Swarm mode of the engines: services, secrets and the like go to a manager engine, where there is one.

mod alone;
pub(in crate::api) mod entry;
mod managers;
mod membership;
pub(in crate::api) mod seen;

use managers::{ask, managers};
pub(super) use managers::{manager, manager_of};

use crate::api::call::{Answer, Call, whole};
use crate::api::error::Error;
use crate::api::filters::Filters;
use crate::api::node;
use crate::engine::Engine;

/// The most bytes of a list of tasks that are read to be added to.
const TASKS_LIMIT: usize = 64 << 20;

/// Makes a swarm-mode cluster of all engines.
pub(super) async fn init(call: Call) -> Answer {
    to_its_end(membership::init(call)).await
}

/// Makes all engines join a swarm-mode cluster.
pub(super) async fn join(call: Call) -> Answer {
    to_its_end(membership::join(call)).await
}

/// Has a manager change the swarm-mode cluster, and answers when `docker info` shows it.
pub(super) async fn change(call: Call) -> Answer {
    let (cluster, manager) = (call.api.cluster.clone(), manager(&call.members()));
    let answer = forward(call).await?;
    if let (Ok(engine), true) = (manager, answer.status().is_success()) {
        membership::changed(&cluster, &engine).await;
    }
    Ok(answer)
}

/// Makes all engines leave their swarm-mode cluster.
pub(super) async fn leave(call: Call) -> Answer {
    to_its_end(membership::leave(call)).await
}

/// Unlocks all engines that are locked.
pub(super) async fn unlock(call: Call) -> Answer {
    to_its_end(membership::unlock(call)).await
}

/// Runs a change of many engines to its end although its client may leave: done by halves it would stand in the way of
/// the next try.
async fn to_its_end(change: impl Future<Output = Answer> + Send + 'static) -> Answer {
    let done = tokio::spawn(change).await;
    done.map_err(|e| Error::Internal(e.to_string()))?
}

/// Sends a call to a manager; where none answers but one that is locked, that says so.
pub(super) async fn forward(mut call: Call) -> Answer {
    let members = call.members();
    let locked = || members.healthy().find(|(n, _)| n.is_locked());
    let engines = match managers(&members) {
        Err(Error::NoSwarm) => vec![locked().ok_or(Error::NoSwarm)?.1.clone()],
        found => found?,
    };
    Ok(ask(&mut call, engines).await?.1)
}

/// Lists tasks: those of services, or, when a node of ours is asked for, all containers there.
pub(super) async fn tasks(mut call: Call) -> Answer {
    let filters = Filters::parse(call.query.text("filters"))?;
    let Ok(engines) = managers(&call.members()) else {
        return node::read::tasks(&call, Vec::new());
    };
    let (engine, answer) = ask(&mut call, engines).await?;
    if !filters.contains("node") || !answer.status().is_success() {
        return Ok(answer);
    }
    let (head, text) = answer.into_parts();
    let text = engine.read(text, TASKS_LIMIT).await?;
    match serde_json::from_slice(&text) {
        Ok(tasks) => node::read::tasks(&call, tasks),
        Err(_) => Ok(whole(head.status, head.headers, text)),
    }
}

/// Tells of one task: a container of ours, or a task of a service.
pub(super) async fn task(mut call: Call) -> Answer {
    let members = call.members();
    let nodes = members.view.nodes();
    let ours = nodes.iter().any(|n| n.containers.by_id(&call.id).is_some());
    match managers(&members) {
        Ok(engines) if !ours => Ok(ask(&mut call, engines).await?.1),
        _ => node::read::one_task(&call),
    }
}

/// Tells of one node: one of ours, or one by its ID in swarm mode, as lists of tasks have it.
pub(super) async fn node(mut call: Call) -> Answer {
    match foreign(&call) {
        Some(managers) => Ok(ask(&mut call, managers).await?.1),
        None if means_all(&call) => node::read::all(&call),
        None => node::read::inspect(call).await,
    }
}

/// Updates a node: one of ours, or one that only swarm mode keeps.
pub(super) async fn update(mut call: Call) -> Answer {
    match foreign(&call) {
        Some(managers) => Ok(ask(&mut call, managers).await?.1),
        None => to_its_end(node::change::update(call)).await,
    }
}

/// Removes a node: none of ours, but one that only swarm mode keeps.
pub(super) async fn remove(mut call: Call) -> Answer {
    match foreign(&call) {
        Some(managers) => Ok(ask(&mut call, managers).await?.1),
        None => node::change::remove(&call),
    }
}

/// Returns whom to ask of the node that a call names, which is none of ours; `None` where nobody may know it.
fn foreign(call: &Call) -> Option<Vec<Engine>> {
    let members = call.members();
    match node::find(&members, &call.id) {
        Err(Error::NotFound(_)) => managers(&members).ok(),
        _ => None,
    }
}

/// Tells whether a call is for the node that means all of them, and none of ours has that name.
fn means_all(call: &Call) -> bool {
    let found = || node::find(&call.members(), &call.id);
    call.id == node::ALL && matches!(found(), Err(Error::NotFound(_)))
}
