//! `docker node update`: availability and labels, kept on the node's own engine.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{find, id};
use crate::api::call::{Answer, Call, no_content};
use crate::api::error::Error;
use crate::api::home;
use crate::api::swarm;
use crate::api::swarm::entry::{self, Said};
use crate::engine::{Engine, Refresh};
use crate::model::orders::{Availability, ORDERS_LABEL, Orders};
use crate::model::raw::quote;

/// How long the engine may take for each step.
const DEADLINE: Duration = Duration::from_secs(10);

/// Swarm mode's `NodeSpec`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NodeSpec {
    availability: String,
    role: String,
    labels: Option<BTreeMap<String, String>>,
}

/// Updates one node.
pub(in crate::api) async fn update(mut call: Call) -> Answer {
    let text = call.read_body().await?;
    // By way of a map: an array would pass for a struct.
    let spec = serde_json::from_slice::<serde_json::Map<_, _>>(&text)
        .and_then(|map| serde_json::from_value::<NodeSpec>(map.into()))
        .map_err(|e| Error::Bad(format!("invalid JSON: {e}")))?;
    let version = call.query.text("version");
    let version: u64 = version.parse().map_err(|_| {
        let shown = quote(version);
        Error::Bad(format!(
            "invalid node version '{}': strconv.ParseUint: parsing {shown}: invalid syntax",
            version
        ))
    })?;
    let availability = Availability::parse(&spec.availability).ok_or_else(|| {
        Error::Bad(format!(
            "invalid Availability: {}",
            quote(&spec.availability)
        ))
    })?;
    let members = call.members();
    let node = find(&members, &call.id)?;
    let (node, engine) = home::engine(&members, &node)?;
    match spec.role.as_str() {
        "" | "worker" => {}
        "manager" if node.is_in_swarm() => {}
        "manager" => {
            let message = "the engine is not in swarm mode: it can manage nothing";
            return Err(Error::Bad(message.to_owned()));
        }
        other => return Err(Error::Bad(format!("invalid Role: {}", quote(other)))),
    }
    // One change of a node at a time; another manager's is seen by the version.
    let held = call
        .api
        .cluster
        .reservations()
        .reserve_object("node", &node.key);
    let _held = held
        .filter(|_| node.orders.revision == version)
        .ok_or_else(|| {
            Error::Conflict("update out of sequence: the node was changed meanwhile".to_owned())
        })?;
    let orders = Orders {
        revision: version + 1,
        availability,
        labels: spec.labels.unwrap_or_default(),
    };
    if let (true, Ok(manager)) = (node.is_in_swarm(), swarm::manager(&members)) {
        let said = Said {
            availability: orders.availability.word(),
            role: &spec.role,
            labels: json!(orders.labels),
        };
        entry::update(&manager, &id(&members, &node), &said).await?;
    }
    store(&engine, &node.orders, &orders).await?;
    call.api.cluster.refresh(&engine, Refresh::Volumes).await;
    Ok(no_content(StatusCode::OK))
}

/// Refuses: discovery, not this call, says who is in the cluster.
pub(in crate::api) fn remove(call: &Call) -> Answer {
    let node = find(&call.members(), &call.id)?;
    Err(Error::Conflict(format!(
        "node {} is in the cluster as long as discovery lists {}; take it out there",
        node.name, node.key
    )))
}

/// Writes the new orders beside the old ones and then removes those: the newest that is there counts, so that no
/// failure on the way loses both.
async fn store(engine: &Engine, old: &Orders, new: &Orders) -> Result<(), Error> {
    let text = serde_json::to_string(new).map_err(|e| Error::Internal(e.to_string()))?;
    let body = json!({"Name": new.volume(), "Driver": "local", "Labels": {ORDERS_LABEL: text}});
    let create = engine.client().call(
        Method::POST,
        "/volumes/create",
        Some(body.to_string().into()),
        DEADLINE,
    );
    create.await?;
    if old.revision > 0 {
        let path = format!("/volumes/{}", old.volume());
        let removed = engine
            .client()
            .call(Method::DELETE, &path, None, DEADLINE)
            .await;
        if let Err(error) = removed {
            // It is older and does not count.
            tracing::debug!(node = %engine.client().key(), %error, "old orders not removed");
        }
    }
    Ok(())
}
