//! Volumes as classic had them: made on all nodes at once, and removed from all that have one of the name.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use crate::api::broadcast::{Asked, Done};
use crate::api::call::{Answer, Call, whole};
use crate::api::error::Error;
use crate::cluster::{self, Cluster, Members, resolve};
use crate::engine::{Engine, Refresh};
use crate::model::Node;
use crate::model::raw::{Object, quote};
use crate::net::body;
use crate::scheduler::{Request, wishes};

/// A node and its engine.
type Place = (Arc<Node>, Engine);

/// Creates a volume on all nodes that answer, or on those that its labels wish for; without a name it gets one for all.
pub(super) async fn create(mut call: Call, members: &Members, mut asked: Object<'_>) -> Answer {
    let name: String = asked.decode("Name").unwrap_or_default();
    if name.is_empty() {
        let name: String = (0..4)
            .map(|_| format!("{:016x}", fastrand::u64(..)))
            .collect();
        asked.set_folded("Name", quote(&name));
    }
    let places = wished(&call.api.cluster, members, &asked)?;
    call.head.headers.remove(http::header::CONTENT_LENGTH);
    on_all(call, places, asked.to_json().into()).await
}

/// Returns the nodes that have a local volume of this plain name, or `None` when it means a single one.
pub(super) fn holders(members: &Members, name: &str) -> Option<Vec<Place>> {
    let all = resolve::volumes(members, name);
    let shared = all.iter().any(|(_, volume)| volume.is_shared());
    if shared || all.len() < 2 {
        return None;
    }
    let places = all.into_iter();
    let place =
        |(node, _): (&Arc<Node>, _)| Some((Arc::clone(node), members.engine(&node.key)?.clone()));
    Some(places.filter_map(place).collect())
}

/// Removes a volume from all these nodes.
pub(super) async fn remove(call: Call, holders: Vec<Place>) -> Answer {
    on_all(call, holders, Bytes::new()).await
}

/// Returns the nodes that a new volume comes to.
fn wished(cluster: &Cluster, members: &Members, asked: &Object<'_>) -> Result<Vec<Place>, Error> {
    let labels = asked.decode("Labels").unwrap_or_default();
    let found = wishes::extract(&[], &labels).map_err(|e| Error::Bad(e.to_string()))?;
    let admitted = match found.labels.is_empty() {
        true => None,
        false => {
            let request = Request {
                wishes: found.wishes,
                ..Request::default()
            };
            let placement = cluster.scheduler().place(&request, &members.view);
            Some(placement.map_err(cluster::Error::Refused)?.candidates)
        }
    };
    let admits = |node: &Node| {
        let mut admitted = admitted.iter().flatten();
        admitted.any(|n| n.key == node.key)
    };
    let places = members
        .healthy()
        .filter(|(node, _)| admitted.is_none() || admits(node))
        .map(|(node, engine)| (Arc::clone(node), engine.clone()));
    Ok(places.collect())
}

/// Sends a call to all these nodes; it has failed when it failed on one, and says on which.
async fn on_all(call: Call, places: Vec<Place>, text: Bytes) -> Answer {
    let asked = Asked::from(call);
    let asked = &asked;
    let work = places.into_iter().map(|(node, engine)| {
        let sent = body::full(text.clone());
        async move {
            let result = asked.one(&engine, &asked.query, sent).await;
            asked.api.cluster.refresh(&engine, Refresh::Volumes).await;
            Done {
                node: node.name.clone(),
                result,
            }
        }
    });
    let mut done = join_all(work).await;
    let failed: Vec<String> = done
        .iter()
        .filter_map(|one| Some(format!("{}: {}", one.node, one.failure()?)))
        .collect();
    if !failed.is_empty() {
        return Err(Error::Fault(failed.join("\n")));
    }
    let last = done.pop().ok_or(cluster::Error::NoHealthyNode)?;
    let (status, headers, text) = last.result?;
    Ok(whole(status, headers, text))
}
