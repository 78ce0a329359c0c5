//! Which node a build goes to.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::api::call::Call;
use crate::api::error::Error;
use crate::cluster::builds::{self, Part, UnderWay};
use crate::cluster::supply::Wanted;
use crate::cluster::{self, Members};
use crate::engine::Engine;
use crate::model::Node;
use crate::scheduler::Request;

/// Returns the nodes that may take a build, best first.
pub(super) fn candidates(
    call: &Call,
    members: &Members,
    request: &Request,
) -> Result<Vec<Arc<Node>>, Error> {
    let scheduler = call.api.cluster.scheduler();
    let placed = scheduler.place(request, &members.view);
    Ok(placed.map_err(cluster::Error::Refused)?.candidates)
}

/// Chooses a place for one build and counts it there: where its other `parts` are; else where the same was built before;
/// else where the fewest builds are under way, of these where the images are that it starts from, and then the node of
/// this client's last build, which has what that made.
///
/// # Errors
/// Its other parts are on a node that cannot take it.
pub(super) fn begin(
    call: &Call,
    members: &Members,
    candidates: &[Arc<Node>],
    parts: &[Part],
    bases: &[Wanted<'_>],
) -> Result<UnderWay, Error> {
    let builds = call.api.cluster.builds();
    let tags: Vec<_> = call
        .query
        .all("t")
        .map(|t| Part::Tag(t.to_owned()))
        .collect();
    let last = Part::Last(client(call));
    let home = builds.place(&last);
    let home = home.filter(|key| candidates.iter().any(|n| n.key == *key));
    let home = match home {
        Some(key) => key,
        None => Arc::clone(&of_client(call, members)?.key),
    };
    let fit = candidates.iter().filter(|n| n.is_fit());
    // Looked at before, since others wait while a place is chosen.
    let fit: Vec<_> = fit
        .map(|n| {
            let lacks = bases.iter().filter(|base| base.copy_to(n).is_some());
            (n, lacks.count())
        })
        .collect();
    let all = parts.iter().chain(&tags).cloned().chain([last]);
    builds.begin(all.collect(), |moment| {
        if let Some(key) = parts.iter().find_map(|part| moment.place(part)) {
            return match candidates.iter().any(|n| n.key == *key) {
                true => Ok(Arc::clone(key)),
                false => Err(unfit(members, key)),
            };
        }
        let before: Vec<_> = tags.iter().filter_map(|t| moment.place(t)).collect();
        // Stable: of equals the scheduler's first.
        let best = fit.iter().min_by_key(|(n, lacks)| {
            let again = before.contains(&&n.key);
            (!again, moment.running(&n.key), *lacks, n.key != home)
        });
        let best = best.map(|(n, _)| *n).or_else(|| candidates.first());
        let best = best.ok_or(cluster::Error::NoHealthyNode)?;
        Ok(Arc::clone(&best.key))
    })
}

/// Returns the error of a build whose other parts are on this node.
fn unfit(members: &Members, key: &str) -> Error {
    let name = members.view.by_key(key).map_or(key, |n| &n.name);
    Error::Conflict(format!(
        "the session of this build is on {name}, which cannot take the build"
    ))
}

/// Returns the place of all tunnels of one client: as long as it takes builds it stays the same, also between
/// processes, so that the client finds its cache again. It is one that the client wishes.
pub(super) fn of_client(call: &Call, members: &Members) -> Result<Arc<Node>, Error> {
    let request = Request {
        wishes: call.wish.read()?,
        ..Request::default()
    };
    let candidates = candidates(call, members, &request)?;
    let builds = call.api.cluster.builds();
    let part = Part::Client(client(call));
    let peer = peer(call);
    let pinned = builds.place(&part);
    let pinned = pinned.and_then(|key| candidates.iter().find(|n| n.key == key));
    let best = || {
        let rank = |n: &&Arc<Node>| (n.is_fit(), weight(&peer, &n.key));
        candidates.iter().max_by_key(rank)
    };
    let node = pinned
        .or_else(best)
        .ok_or(cluster::Error::NoHealthyNode)?
        .clone();
    builds.put(part, &node.key);
    Ok(node)
}

/// Ranks the nodes for a client (rendezvous hashing): clients spread over the nodes, and when a node comes or goes only
/// its own clients move.
fn weight(client: &str, node: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (client, node).hash(&mut hasher);
    hasher.finish()
}

/// Says whose builds these are: a client's, and of several with one address those that wish the same.
pub(super) fn client(call: &Call) -> String {
    builds::who_wishes(&peer(call), &call.wish.text())
}

/// Says who a client is: the subject of its certificate, or else its address without the port.
pub(super) fn peer(call: &Call) -> String {
    let peer = &call.peer;
    match (&peer.subject, peer.addr.parse::<SocketAddr>()) {
        (Some(subject), _) => subject.clone(),
        (None, Ok(addr)) => addr.ip().to_string(),
        (None, Err(_)) => peer.addr.clone(),
    }
}

/// Returns the engine of a place, if it is still in the cluster.
pub(super) fn engine(members: &Members, key: &str) -> Result<Engine, Error> {
    let engine = members.engine(key).cloned();
    Ok(engine.ok_or(cluster::Error::NoHealthyNode)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'n>(client: &str, nodes: &[&'n str]) -> &'n str {
        nodes.iter().max_by_key(|n| weight(client, n)).unwrap()
    }

    #[test]
    fn clients_spread_and_only_those_of_a_lost_node_move() {
        let nodes = ["a:2375", "b:2375", "c:2375"];
        let clients: Vec<String> = (0..300).map(|n| format!("10.0.1.{n}")).collect();
        for node in nodes {
            let of = clients.iter().filter(|c| best(c, &nodes) == node).count();
            assert!((60..140).contains(&of), "{node}: {of}");
        }
        for client in clients.iter().filter(|c| best(c, &nodes) != "c:2375") {
            assert_eq!(best(client, &nodes), best(client, &nodes[..2]));
        }
    }
}
