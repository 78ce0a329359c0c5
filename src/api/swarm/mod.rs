//! Swarm mode of the engines: services, secrets and the like go to a manager engine, where there is one.

pub(in crate::api) mod entry;
mod membership;

use crate::api::broadcast::Asked;
use crate::api::call::{Answer, Call, whole};
use crate::api::error::Error;
use crate::api::filters::Filters;
use crate::api::node;
use crate::cluster::Members;
use crate::engine::Engine;
use crate::model::Node;
use crate::net::body;

/// Returns an engine that manages the swarm-mode cluster of all engines; any manager answers for the leader.
///
/// # Errors
/// No healthy engine is a manager, or they manage several clusters.
pub(super) fn manager(members: &Members) -> Result<Engine, Error> {
    let managers: Vec<_> = members.healthy().filter(|(n, _)| n.is_manager()).collect();
    let Some((first, engine)) = managers.first() else {
        return Err(Error::NoSwarm);
    };
    match managers
        .iter()
        .find(|(n, _)| n.swarm_id() != first.swarm_id())
    {
        None => Ok((*engine).clone()),
        Some((other, _)) => Err(Error::Conflict(format!(
            "the engines are in different swarm-mode clusters (those of {} and {}): take them out of all but one with docker swarm leave on each",
            first.name, other.name
        ))),
    }
}

/// Returns a manager of the swarm-mode cluster that a node is in; `None` when none of our engines manages it.
///
/// # Errors
/// Engines of ours do, and none of them answers.
pub(super) fn manager_of(members: &Members, node: &Node) -> Result<Option<Engine>, Error> {
    let manages = |n: &Node| n.is_manager() && n.shares_swarm(node);
    if let Some((_, engine)) = members.healthy().find(|(n, _)| manages(n)) {
        return Ok(Some(engine.clone()));
    }
    match members.view.nodes().iter().find(|n| manages(n)) {
        None => Ok(None),
        Some(away) => Err(Error::NoManager {
            node: node.name.clone(),
            manager: away.name.clone(),
        }),
    }
}

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
pub(super) async fn forward(call: Call) -> Answer {
    let members = call.members();
    let locked = || members.healthy().find(|(n, _)| n.is_locked());
    let engine = match manager(&members) {
        Err(Error::NoSwarm) => locked().ok_or(Error::NoSwarm)?.1.clone(),
        found => found?,
    };
    let path = call.path.clone();
    call.forward(&engine, &path).await
}

/// Lists tasks: those of services, or, when a node of ours is asked for, all containers there.
pub(super) async fn tasks(call: Call) -> Answer {
    let filters = Filters::parse(call.query.text("filters"))?;
    match manager(&call.members()) {
        Ok(engine) if !filters.contains("node") => {
            let path = call.path.clone();
            call.forward(&engine, &path).await
        }
        Ok(engine) => {
            let asked = Asked::from(&call);
            let (status, headers, text) = asked.one(&engine, &asked.query, body::empty()).await?;
            match serde_json::from_slice(&text) {
                Ok(tasks) if status.is_success() => node::read::tasks(&call, tasks),
                _ => Ok(whole(status, headers, text)),
            }
        }
        Err(_) => node::read::tasks(&call, Vec::new()),
    }
}

/// Tells of one task: a container of ours, or a task of a service.
pub(super) async fn task(call: Call) -> Answer {
    let members = call.members();
    let nodes = members.view.nodes();
    let ours = nodes.iter().any(|n| n.containers.by_id(&call.id).is_some());
    match manager(&members) {
        Ok(engine) if !ours => {
            let path = call.path.clone();
            call.forward(&engine, &path).await
        }
        _ => node::read::one_task(&call),
    }
}

/// Tells of one node: one of ours, or one by its ID in swarm mode, as lists of tasks have it.
pub(super) async fn node(call: Call) -> Answer {
    let members = call.members();
    match (node::find(&members, &call.id), manager(&members)) {
        (Err(Error::NotFound(_)), Ok(engine)) => {
            let path = call.path.clone();
            call.forward(&engine, &path).await
        }
        (Err(Error::NotFound(_)), Err(_)) if call.id == node::ALL => node::read::all(&call),
        _ => node::read::inspect(call).await,
    }
}

/// Updates a node: one of ours, or one that only swarm mode keeps.
pub(super) async fn update(call: Call) -> Answer {
    let members = call.members();
    match (node::find(&members, &call.id), manager(&members)) {
        (Err(Error::NotFound(_)), Ok(engine)) => {
            let path = call.path.clone();
            call.forward(&engine, &path).await
        }
        _ => to_its_end(node::change::update(call)).await,
    }
}

/// Removes a node: none of ours, but one that only swarm mode keeps.
pub(super) async fn remove(call: Call) -> Answer {
    let members = call.members();
    match (node::find(&members, &call.id), manager(&members)) {
        (Err(Error::NotFound(_)), Ok(engine)) => {
            let path = call.path.clone();
            call.forward(&engine, &path).await
        }
        _ => node::change::remove(&call),
    }
}
