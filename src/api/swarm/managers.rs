//! Who manages the engines' swarm-mode cluster, and calls to them.

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::api::call::{Call, whole};
use crate::api::error::Error;
use crate::cluster::Members;
use crate::engine::{self, Engine};
use crate::model::Node;
use crate::net::body::{self, Body};
use crate::proxy::{self, target};

/// How an engine begins that manages nothing now, be it a worker or in no cluster.
const NO_MANAGER: &str = "This node is not a swarm manager.";
/// The most bytes of a refusal.
const REFUSAL_LIMIT: usize = 64 << 10;

/// Returns an engine that manages the swarm-mode cluster of all engines; any manager answers for the leader.
///
/// # Errors
/// No healthy engine is a manager, or they manage several clusters.
pub(in crate::api) fn manager(members: &Members) -> Result<Engine, Error> {
    let mut all = managers(members)?;
    Ok(all.swap_remove(0))
}

/// Returns all engines that manage the swarm-mode cluster of all engines; at least one.
///
/// # Errors
/// As [`manager`].
pub(super) fn managers(members: &Members) -> Result<Vec<Engine>, Error> {
    let managers: Vec<_> = members.healthy().filter(|(n, _)| n.is_manager()).collect();
    let Some((first, _)) = managers.first() else {
        return Err(Error::NoSwarm);
    };
    let mut others = managers.iter();
    match others.find(|(n, _)| n.swarm_id() != first.swarm_id()) {
        None => Ok(managers.into_iter().map(|(_, e)| e.clone()).collect()),
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
pub(in crate::api) fn manager_of(members: &Members, node: &Node) -> Result<Option<Engine>, Error> {
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

/// Sends a call to one of these engines after the other as long as they say that they manage nothing: of a demotion or
/// a leave past us the view learns by the next probe. Such a refusal changed nothing, so the next one may be asked. With
/// the answer comes the engine that gave it.
///
/// # Errors
/// As [`Call::forward`]; the last engine's when none of them could be reached.
pub(super) async fn ask(
    call: &mut Call,
    engines: Vec<Engine>,
) -> Result<(Engine, Response<Body>), Error> {
    let text = call.read_body().await?;
    let mut last = Err(Error::NoSwarm);
    for engine in engines {
        let target = target::versioned(&engine, call.version, &call.path, call.raw_query());
        let part = body::full(text.clone());
        last = match proxy::forward(&engine, call.head.clone(), part, &target).await {
            Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
                let (head, refusal) = answer.into_parts();
                let refusal = engine.read(refusal, REFUSAL_LIMIT).await?;
                let goes_on = manages_nothing(&refusal);
                let answer = whole(head.status, head.headers, refusal);
                if !goes_on {
                    return Ok((engine, answer));
                }
                engine.suspect();
                Ok((engine, answer))
            }
            Err(error) if error.is_unsent() => Err(error.into()),
            answer => return Ok((engine, answer?)),
        };
    }
    last
}

/// Tells whether a refusal says that its engine manages nothing.
fn manages_nothing(refusal: &Bytes) -> bool {
    engine::client::message(refusal).starts_with(NO_MANAGER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_manages_nothing_is_passed_over() {
        for (message, expected) in [
            (
                "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.",
                true,
            ),
            (
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.",
                true,
            ),
            (
                "rpc error: code = Unknown desc = The swarm does not have a leader.",
                false,
            ),
            (
                "Swarm is encrypted and needs to be unlocked before it can be used.",
                false,
            ),
        ] {
            let text = serde_json::json!({ "message": message }).to_string();
            assert_eq!(manages_nothing(&text.into()), expected, "{message}");
        }
    }
}
