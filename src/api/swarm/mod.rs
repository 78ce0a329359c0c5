//! Swarm mode of the engines: services, secrets and the like go to a manager engine, where there is one.

pub(super) mod entry;
mod membership;

pub(super) use membership::{init, join, leave};

use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::api::filters::Filters;
use crate::api::node;
use crate::cluster::Members;
use crate::engine::Engine;

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

/// Sends a call to a manager.
pub(super) async fn forward(call: Call) -> Answer {
    let engine = manager(&call.members())?;
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
        _ => node::read::tasks(&call),
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
        _ => node::read::inspect(&call),
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
