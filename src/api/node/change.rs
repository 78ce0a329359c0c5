//! `docker node update`: availability and labels, kept on the node's own engine, and by the managers of its swarm-mode
//! cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{find, id};
use crate::api::call::{Answer, Call, no_content, object};
use crate::api::error::Error;
use crate::api::swarm;
use crate::api::swarm::entry::{self, Said};
use crate::api::{home, warning};
use crate::cluster::Members;
use crate::engine::{self, Engine, Refresh};
use crate::model::Node;
use crate::model::orders::{Availability, Orders};
use crate::model::raw::quote;
use crate::net::body::Body;

/// How long the engine may take for each step.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a new role may take to show: managers agree on it, and the engine takes it on.
const SHOWN: Duration = Duration::from_secs(20);

/// Swarm mode's `NodeSpec`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NodeSpec {
    availability: String,
    role: String,
    labels: Option<BTreeMap<String, String>>,
}

impl NodeSpec {
    fn parse(text: &[u8]) -> Result<Self, Error> {
        let text = String::from_utf8_lossy(text);
        // An array would pass for a struct.
        let object = object(&text, "swarm.NodeSpec")?;
        serde_json::from_str(&object.to_json())
            .map_err(|e| Error::Bad(format!("invalid JSON: {e}")))
    }
}

/// Updates one node.
pub(in crate::api) async fn update(mut call: Call) -> Answer {
    let spec = NodeSpec::parse(&call.read_body().await?)?;
    let version = version(&call)?;
    let availability = Availability::parse(&spec.availability).ok_or_else(|| {
        Error::Bad(format!(
            "invalid Availability: {}",
            quote(&spec.availability)
        ))
    })?;
    let members = call.members();
    let node = find(&members, &call.id)?;
    let (node, engine) = home::engine(&members, &node)?;
    check_role(&spec, &node)?;
    let manager = match node.is_in_swarm() {
        true => swarm::manager_of(&members, &node)?,
        false => None,
    };
    // One change of a node at a time; another's is seen by the version, which is the managers' where there are any.
    let held = call
        .api
        .cluster
        .reservations()
        .reserve_object("node", &node.key);
    let _held = held
        .filter(|_| manager.is_some() || node.carried.revision == version)
        .ok_or_else(|| {
            Error::Conflict("update out of sequence: the node was changed meanwhile".to_owned())
        })?;
    let mut orders = Orders {
        revision: node.carried.revision + 1,
        availability,
        labels: spec.labels.unwrap_or_default(),
        told: String::new(),
    };
    if let Some(manager) = &manager {
        let said = Said {
            availability: orders.availability.word(),
            role: &spec.role,
            labels: json!(orders.labels),
        };
        orders.told = id(&members, &node);
        let saw = (version, &call.api.seen);
        let entry = entry::update(manager, &orders.told, saw, &said).await;
        let entry = entry.map_err(refusal)?;
        entry.into_iter().for_each(|entry| engine.kept(entry));
    }
    store(&engine, &node.carried, &orders).await?;
    call.api.cluster.refresh(&engine, Refresh::Volumes).await;
    let mut answer = no_content(StatusCode::OK);
    match &manager {
        Some(manager) => changed(&members, (&engine, manager), &node, &spec.role).await,
        None => warn_if_untold(&mut answer, &node),
    }
    Ok(answer)
}

/// Warns when a node's swarm-mode cluster has no manager of ours to tell.
fn warn_if_untold(answer: &mut Response<Body>, node: &Node) {
    if node.is_in_swarm() {
        let (name, why) = (&node.name, "managers of others only, and was not told");
        let text = format!("{name}: its swarm-mode cluster has {why}");
        warning::warn(answer, &[text]);
    }
}

/// Reads the version that the client saw.
fn version(call: &Call) -> Result<u64, Error> {
    let version = call.query.text("version");
    version.parse().map_err(|_| {
        let shown = quote(version);
        Error::Bad(format!(
            "invalid node version '{version}': strconv.ParseUint: parsing {shown}: invalid syntax"
        ))
    })
}

/// Demands a role that the node can take on.
fn check_role(spec: &NodeSpec, node: &Node) -> Result<(), Error> {
    match spec.role.as_str() {
        // Taken for a wish, it would take all labels away.
        "" if *spec == NodeSpec::default() => Err(Error::Bad("invalid Role: \"\"".to_owned())),
        "" | "worker" => Ok(()),
        "manager" if node.is_in_swarm() => Ok(()),
        "manager" => Err(Error::Bad(
            "the engine is not in swarm mode: it can manage nothing".to_owned(),
        )),
        other => Err(Error::Bad(format!("invalid Role: {}", quote(other)))),
    }
}

/// Says in a manager's own words that the client's version is not the newest.
fn refusal(error: engine::Error) -> Error {
    match error {
        engine::Error::Status { message, .. } if message.contains(entry::OUTRUN) => {
            Error::Fault(message)
        }
        other => other.into(),
    }
}

/// Waits until the view shows a node's new role, and a manager the new count: what is asked next must not undo it.
async fn changed(before: &Members, (engine, manager): (&Engine, &Engine), node: &Node, role: &str) {
    let manages = role == "manager";
    if role.is_empty() || node.is_manager() == manages {
        return;
    }
    let count = |n: &Node| n.facts.info["Swarm"]["Managers"].clone();
    let before = before.view.by_key(manager.client().key());
    let before = before.map(|n| count(n));
    engine.suspect();
    let mut shown = engine.subscribe();
    let mut counted = manager.subscribe();
    let both = async {
        let _ = shown.wait_for(|n| n.is_manager() == manages).await;
        manager.suspect();
        // One that demoted itself counts no more.
        let _ = counted
            .wait_for(|n| !n.is_manager() || Some(count(n)) != before)
            .await;
    };
    // Late is not lost: the next probe shows it.
    let _ = tokio::time::timeout(SHOWN, both).await;
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
    let body = new.carrier();
    let body = body.map_err(|e| Error::Internal(e.to_string()))?;
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
