//! Lists from memory and inspects from the home node.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::Value;

use super::list;
use crate::api::broadcast::Asked;
use crate::api::call::{Answer, Call, chunked, whole};
use crate::api::warning;
use crate::cluster::error::Kind;
use crate::cluster::resolve::Located;
use crate::cluster::{self, Members, resolve};
use crate::engine;
use crate::model::network::REPLICA_LABEL;
use crate::model::{Network, Node};
use crate::net::body;

/// Lists networks of all nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let filters = list::parse(&call.query)?;
    let manners = call.api.cluster.manners();
    let members = call.members();
    let rows = list::select(&members.view, &filters, manners)?;
    let list = chunked(list::render(rows));
    Ok(warning::of_away(list, &members, manners))
}

/// Inspects a network on its home node; of one that reaches over nodes all of them say which containers they have on it.
pub(in crate::api) async fn inspect(call: Call) -> Answer {
    let found = resolve::network(&call.members(), &call.id)?;
    let scope = call.query.text("scope");
    // Asked of another scope it is not there, as on an engine.
    let is_other = !scope.is_empty() && *scope != *found.object.scope;
    let is_classic = call.api.cluster.manners().is_classic();
    if is_other || is_classic && is_on_many(&call.members(), &call.id) {
        let (kind, name) = (Kind::Network, call.id);
        return Err(cluster::Error::NotFound { kind, name }.into());
    }
    let object = format!("network {}", found.object.name);
    let found = found.reachable(&object, "")?;
    let path = format!("/networks/{}", found.object.own_id());
    if !found.object.is_one() {
        return call.forward(&found.engine, &path).await;
    }
    of_all_nodes(call, found).await
}

/// Asks all nodes that have a network for it, and makes one answer of theirs.
async fn of_all_nodes(call: Call, found: Located<Network>) -> Answer {
    let path = format!("/networks/{}", found.object.own_id());
    let members = call.members();
    let mut asked = Asked::from(call);
    asked.path = path;
    let of = |node: &Node| {
        let mut asked = asked.clone();
        let mut networks = node.networks.iter();
        let own = networks.find(|one| one.id == found.object.id);
        asked.path = format!("/networks/{}", own.map_or("", |own| own.own_id()));
        asked
    };
    let holds = |n: &Node| n.networks.iter().any(|one| one.id == found.object.id);
    let nodes = members.view.nodes().iter();
    let others: Vec<_> = nodes
        .filter(|n| n.key != found.node.key && holds(n))
        .collect();
    let query = asked.query.as_str();
    let reachable = others.iter().filter(|n| n.health.is_healthy());
    let reachable = reachable.filter_map(|n| Some((*n, members.engine(&n.key)?)));
    let answers = reachable
        .map(async |(node, engine)| (node, of(node).one(engine, query, body::empty()).await));
    let (first, answers) = tokio::join!(
        asked.one(&found.engine, query, body::empty()),
        join_all(answers)
    );
    let (status, headers, text) = first?;
    let text = as_original(&text, &found.node);
    let network = serde_json::from_slice::<Value>(&text);
    let Some(mut network) = network.ok().filter(|_| status.is_success()) else {
        return Ok(whole(status, headers, text));
    };
    let mut failures = away(&others);
    for (node, answer) in answers {
        match answer {
            Ok((status, _, text)) if status.is_success() => {
                add(
                    &mut network,
                    &serde_json::from_slice(&text).unwrap_or_default(),
                );
            }
            // The last container has left it meanwhile.
            Ok((StatusCode::NOT_FOUND, ..)) => {}
            Ok((_, _, text)) => {
                failures.push(format!("{}: {}", node.name, engine::client::message(&text)));
            }
            Err(error) => failures.push(format!("{}: {error}", node.name)),
        }
    }
    idle(&mut network);
    if let Some(labels) = network["Labels"].as_object_mut() {
        labels.remove(REPLICA_LABEL);
    }
    let mut answer = whole(status, headers, format!("{network}\n").into());
    warning::warn(&mut answer, &failures);
    Ok(answer)
}

/// Returns what an engine tells of a copy with the ID of the network that it is a copy of.
fn as_original(text: &Bytes, node: &Node) -> Bytes {
    let told = std::str::from_utf8(text).map(|text| node.network_copies.told(text).into_owned());
    told.map_or_else(|_| text.clone(), Bytes::from)
}

/// Says of each node that does not answer what is missing because of it.
fn away(nodes: &[&Arc<Node>]) -> Vec<String> {
    let away = nodes.iter().filter(|n| !n.health.is_healthy());
    away.map(|n| {
        let reason = n.health.reason().unwrap_or("not asked yet");
        format!("{}: its containers are not shown: {reason}", n.name)
    })
    .collect()
}

/// Adds what one node has on a network to what the others have.
fn add(network: &mut Value, other: &Value) {
    if let Some(more) = other["Containers"].as_object() {
        match network["Containers"].as_object_mut() {
            Some(all) => all.extend(more.clone()),
            None => network["Containers"] = more.clone().into(),
        }
    }
    let Some(more) = other["Peers"].as_array() else {
        return;
    };
    match network["Peers"].as_array_mut() {
        Some(all) => {
            let new: Vec<Value> = more.iter().filter(|p| !all.contains(p)).cloned().collect();
            all.extend(new);
        }
        None => network["Peers"] = more.clone().into(),
    }
}

/// Tells whether a name means an own network of several engines: `bridge`.
fn is_on_many(members: &Members, name: &str) -> bool {
    let nodes = members.view.nodes().iter();
    let own = |n: &&Arc<Node>| {
        n.networks
            .iter()
            .any(|one| one.name == name && !one.is_one())
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
    fn what_several_nodes_have_on_a_network_is_added_once() {
        let (one, two) = (
            json!({"Name": "a", "IP": "1"}),
            json!({"Name": "b", "IP": "2"}),
        );
        let mut network = json!({"Containers": {"x": {}}, "Peers": [one]});
        add(
            &mut network,
            &json!({"Containers": {"y": {}}, "Peers": [one, two]}),
        );
        let all = json!({"Containers": {"x": {}, "y": {}}, "Peers": [one, two]});
        assert_eq!(network, all);
        let mut manager = json!({"Containers": null});
        add(&mut manager, &all);
        assert_eq!(manager, all, "a manager that has nothing on it");
    }

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
