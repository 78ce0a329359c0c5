//! Bridge networks that their owners want on every node that needs them: each copy is made just before it is used.
//!
//! Invariant: which network a copy is one of is kept in a label on the copy, so that it outlives Flotilla. No traffic goes
//! from node to node on such a network.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::create::Create;
use super::flight::Flights;
use super::{Cluster, Error};
use crate::engine::{self, Engine, Refresh};
use crate::model::network::REPLICA_LABEL;
use crate::model::{Network, Node};

/// How long an engine may take to tell of a network.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);
/// How long an engine may take to make one.
const MAKE_DEADLINE: Duration = Duration::from_secs(20);

/// Copies that are being made, by node and network; the outcome is what the engine calls the copy.
pub type Copying = Flights<(Arc<str>, String), Result<String, engine::Error>>;

/// Makes the networks of a create on its node that are not there yet.
///
/// # Errors
/// One cannot be made there.
pub(super) async fn all(cluster: &Cluster, engine: &Engine, create: &Create) -> Result<(), Error> {
    for id in &create.spec.replicated {
        on(cluster, engine, id).await?;
    }
    Ok(())
}

/// Returns what an engine calls a network that is replicated; makes it there first if it has to be, once however many
/// ask for it.
///
/// # Errors
/// It cannot be made there: no node that answers has it, or the engine refuses, as when its subnet is taken.
pub async fn on(cluster: &Cluster, engine: &Engine, id: &str) -> Result<String, engine::Error> {
    if let Some(own) = there(&engine.node(), id) {
        return Ok(own.own_id().to_owned());
    }
    let key = (Arc::clone(engine.client().key()), id.to_owned());
    let (cluster, engine, id) = (cluster.clone(), engine.clone(), id.to_owned());
    let copying = cluster.copying().clone();
    let lost = engine.client().answer("a copy of a network was broken off");
    let made = copying.join(key, |_| async move { make(&cluster, &engine, &id).await });
    made.await.unwrap_or(Err(lost))
}

/// Finds a network on a node.
fn there<'n>(node: &'n Node, id: &str) -> Option<&'n Network> {
    node.networks.iter().find(|network| network.id == id)
}

/// Makes a copy, as one of the engines that have the network tells of it.
async fn make(cluster: &Cluster, engine: &Engine, id: &str) -> Result<String, engine::Error> {
    if let Some(own) = there(&engine.node(), id) {
        return Ok(own.own_id().to_owned());
    }
    let members = cluster.members();
    let holders = members.healthy();
    let mut holders: Vec<_> = holders
        .filter_map(|(node, giver)| Some((there(node, id)?, giver)))
        .collect();
    holders.sort_by_key(|(network, _)| network.copy.is_some());
    let Some((network, giver)) = holders.first() else {
        return Err(engine
            .client()
            .answer(format!("no node that answers has network {id}")));
    };
    let path = format!("/networks/{}", network.own_id());
    let told = giver.client().get(&path, LOOK_DEADLINE).await?;
    let told: Value = serde_json::from_slice(&told).unwrap_or_default();
    let body = copy_of(&told, id).to_string().into();
    let client = engine.client();
    let create = client.call(Method::POST, "/networks/create", Some(body), MAKE_DEADLINE);
    let created = create.await;
    cluster.refresh(engine, Refresh::Networks).await;
    let taken = |e: &engine::Error| {
        let status = e.status();
        status == Some(StatusCode::CONFLICT) || status == Some(StatusCode::FORBIDDEN)
    };
    match (created, there(&engine.node(), id)) {
        (Err(error), Some(own)) if taken(&error) => {
            // Another Flotilla was faster.
            Ok(own.own_id().to_owned())
        }
        (Err(error), _) => Err(error),
        (Ok((_, text)), _) => {
            let made: Value = serde_json::from_slice(&text).unwrap_or_default();
            let own = made["Id"].as_str().unwrap_or_default().to_owned();
            tracing::info!(node = %client.key(), network = network.name, own, "network made on another node");
            Ok(own)
        }
    }
}

/// Returns the body that makes the same network on another engine, out of an inspect.
fn copy_of(told: &Value, id: &str) -> Value {
    let mut labels = told["Labels"].as_object().cloned().unwrap_or_default();
    labels.insert(REPLICA_LABEL.to_owned(), id.into());
    let mut body = json!({
        "Name": told["Name"],
        "CheckDuplicate": true,
        "Driver": told["Driver"],
        "Options": told["Options"],
        "Labels": labels,
        "Internal": told["Internal"],
        "Attachable": told["Attachable"],
        "EnableIPv6": told["EnableIPv6"],
        "IPAM": {
            "Driver": told["IPAM"]["Driver"],
            "Options": told["IPAM"]["Options"],
            "Config": pools(&told["IPAM"]["Config"]),
        },
    });
    // Older engines do not tell, and know nothing else.
    if told["EnableIPv4"] == false {
        body["EnableIPv4"] = false.into();
    }
    body
}

/// Returns the address pools without what is not said, which engines refuse as no address.
fn pools(told: &Value) -> Vec<Value> {
    let pools = told.as_array().into_iter().flatten();
    let said = pools.map(|pool| {
        let parts = pool.as_object().into_iter().flatten();
        let said = parts.filter(|(_, value)| !value.is_null() && **value != "");
        let said = said.map(|(key, value)| match value.as_str() {
            // Old engines tell the width of an IPv6 gateway's network with it, and take none.
            Some(text) if key == "Gateway" => {
                let address = text.split('/').next().unwrap_or_default();
                (key.clone(), address.into())
            }
            _ => (key.clone(), value.clone()),
        });
        Value::Object(said.collect::<Map<_, _>>())
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_what_the_network_is_and_says_of_what() {
        let told = json!({
            "Name": "app", "Id": "aa", "Created": "2026-01-01T00:00:00Z", "Scope": "local", "Driver": "bridge",
            "EnableIPv4": true, "EnableIPv6": true, "Internal": true, "Attachable": false,
            "IPAM": {"Driver": "default", "Options": null, "Config": [
                {"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1", "IPRange": ""},
                {"Subnet": "fd00::/64", "Gateway": "fd00::1/64"},
            ]},
            "Containers": {"x": {}}, "Options": {"com.docker.network.driver.mtu": "1400"}, "Labels": {"a": "b"},
        });
        let expected = json!({
            "Name": "app", "CheckDuplicate": true, "Driver": "bridge", "EnableIPv6": true, "Internal": true,
            "Attachable": false, "Options": {"com.docker.network.driver.mtu": "1400"},
            "Labels": {"a": "b", "com.docker.swarm.replica-of": "aa"},
            "IPAM": {"Driver": "default", "Options": null, "Config": [
                {"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1"},
                {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            ]},
        });
        assert_eq!(copy_of(&told, "aa"), expected);
    }
}
