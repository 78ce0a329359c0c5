//! Lists from memory and inspects from the home node.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;

use super::list;
use crate::api::broadcast::Asked;
use crate::api::call::{Answer, Call, chunked, whole};
use crate::cluster::error::Kind;
use crate::cluster::{self, Members, resolve};
use crate::model::Node;
use crate::net::body;

/// Lists networks of all nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let filters = list::parse(&call.query)?;
    let manners = call.api.cluster.manners();
    let rows = list::select(&call.members().view, &filters, manners)?;
    Ok(chunked(list::render(rows)))
}

/// Inspects a network on its home node; of one that reaches over nodes all of them say which containers they have on it.
pub(in crate::api) async fn inspect(call: Call) -> Answer {
    let found = resolve::network(&call.members(), &call.id)?;
    if call.api.cluster.manners().is_classic() && is_on_many(&call.members(), &call.id) {
        let (kind, name) = (Kind::Network, call.id);
        return Err(cluster::Error::NotFound { kind, name }.into());
    }
    let object = format!("network {}", found.object.name);
    let found = found.reachable(&object, "")?;
    let path = format!("/networks/{}", found.object.id);
    if !found.object.is_shared() {
        return call.forward(&found.engine, &path).await;
    }
    let members = call.members();
    let mut asked = Asked::from(call);
    asked.path = path;
    let holds = |n: &Node| n.networks.iter().any(|one| one.id == found.object.id);
    let others = members
        .healthy()
        .filter(|(n, _)| n.key != found.node.key && holds(n));
    let asked = &asked;
    let query = asked.query.as_str();
    let others = others.map(|(_, engine)| asked.one(engine, query, body::empty()));
    let (first, others) = tokio::join!(
        asked.one(&found.engine, query, body::empty()),
        join_all(others)
    );
    let (status, headers, text) = first?;
    let Ok(mut network) = serde_json::from_slice::<Value>(&text) else {
        return Ok(whole(status, headers, text));
    };
    for (_, _, text) in others.into_iter().flatten() {
        let other: Value = serde_json::from_slice(&text).unwrap_or_default();
        if let (Some(all), Some(more)) = (
            network["Containers"].as_object_mut(),
            other["Containers"].as_object(),
        ) {
            all.extend(more.clone());
        }
    }
    idle(&mut network);
    Ok(whole(status, headers, format!("{network}\n").into()))
}

/// Tells whether a name means an own network of several engines: `bridge`.
fn is_on_many(members: &Members, name: &str) -> bool {
    let nodes = members.view.nodes().iter();
    let own = |n: &&Arc<Node>| {
        n.networks
            .iter()
            .any(|one| one.name == name && !one.is_shared())
    };
    nodes.filter(own).count() > 1
}

/// Takes away what stays on an engine for a moment when the last container has left: its load balancer. Clients that
/// count what is connected, as compose does before it removes a network, would take that for use.
fn idle(network: &mut Value) {
    if let Some(all) = network["Containers"].as_object_mut()
        && all.keys().all(|key| key.starts_with("lb-"))
    {
        all.clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_network_with_nothing_but_load_balancers_is_not_in_use() {
        let mut network = json!({"Containers": {"lb-wide": {}}});
        idle(&mut network);
        assert_eq!(network, json!({"Containers": {}}));
        let mut network = json!({"Containers": {"lb-wide": {}, "0a1b": {}}});
        idle(&mut network);
        assert_eq!(network["Containers"].as_object().unwrap().len(), 2);
    }
}
