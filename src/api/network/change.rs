//! Creating, joining, leaving and removing networks.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::replicated;
use crate::api::broadcast::Asked;
use crate::api::call::{Answer, Call, object, text, whole};
use crate::api::error::Error;
use crate::api::holding::{self, Held};
use crate::api::{home, swarm};
use crate::cluster;
use crate::cluster::resolve;
use crate::engine::backoff::Backoff;
use crate::engine::{self, Engine, Refresh};
use crate::model::plugin::Kind;
use crate::model::raw::{Object, quote};
use crate::model::{Manners, Network, Node};
use crate::net::body;

/// How long engines may take to forget a network that reached over them.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// How long one look for an outcome may take.
const LOOK: Duration = Duration::from_secs(3);

/// Creates a network on its home node: that of its compose project's other local objects, else by strategy.
pub(in crate::api) async fn create(mut call: Call) -> Answer {
    let text = text(&mut call).await?;
    let mut asked = object(&text, "network.CreateRequest")?;
    let mut name: String = asked.decode("Name").unwrap_or_default();
    let mut named_node = None;
    if let Some((node, plain)) = resolve::qualified(&call.api.cluster.members(), &name) {
        home::meant(&call, node)?;
        named_node = Some(Arc::clone(node));
        let plain = plain.to_owned();
        asked.set_folded("Name", quote(&plain));
        name = plain;
    }
    let taken = || Error::Conflict(format!("network with name {name} already exists"));
    let reservations = call.api.cluster.reservations();
    let reservation = reservations.reserve_object("network", &name);
    let reservation = Some(reservation.ok_or_else(taken)?);
    // Taken after the reservation: what another has made before it gave the name back is seen.
    let members = call.api.cluster.members();
    // What an engine brings by itself it refuses to create, in its own words.
    let by_name = |found: &Network| found.name == name && !found.is_predefined();
    let found = resolve::network(&members, &name);
    if named_node.is_none() && found.is_ok_and(|found| by_name(&found.object)) {
        return Err(taken());
    }
    let replicated = replicated::ask(
        &mut asked,
        match call.api.settings.replicate_networks {
            true => replicated::Unless::Forbidden,
            false => replicated::Unless::Asked,
        },
    )?;
    let driver = driver(&mut asked, call.api.cluster.manners());
    let scope: String = asked.decode("Scope").unwrap_or_default();
    let manages = members.healthy().any(|(n, _)| n.is_manager());
    let (_, engine) = match named_node {
        Some(node) => home::engine(&members, &node)?,
        None if reaches(&driver, &scope) && manages && !replicated => {
            asked.set_folded("Driver", quote("overlay"));
            if asked.decode::<bool>("Ingress") != Some(true) {
                // Plain containers may use no other.
                asked.set_folded("Attachable", "true".to_owned());
            }
            let engine = swarm::manager(&members)?;
            (engine.node(), engine)
        }
        None => home::choose_with(
            &call.api.cluster,
            &call.members(),
            &asked.decode("Labels").unwrap_or_default(),
            Kind::Network,
            &driver,
        )?,
    };
    call.set_body(asked.to_json());
    let held = Held {
        reservation,
        shows: Refresh::Networks,
    };
    let look = move |engine| exists(engine, name.clone());
    holding::forward(call, engine, "/networks/create".to_owned(), held, look).await
}

/// Tells whether an engine has a network of this name.
async fn exists(engine: Engine, name: String) -> Result<bool, engine::Error> {
    let filter = json!({ "name": [name] }).to_string();
    let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let path = format!("/networks?filters={filter}");
    let list = engine.client().get(&path, LOOK).await?;
    let list: Value = serde_json::from_slice(&list).unwrap_or_default();
    // The filter finds parts of names too.
    let mut list = list.as_array().into_iter().flatten();
    Ok(list.any(|network| network["Name"] == *name))
}

/// Returns the driver that is asked for; who asks for none of classic gets an overlay, whatever the engines can do.
fn driver(asked: &mut Object<'_>, manners: Manners) -> String {
    let driver: String = asked.decode("Driver").unwrap_or_default();
    if driver.is_empty() && manners.is_classic() {
        asked.set_folded("Driver", quote("overlay"));
    }
    driver
}

/// Tells whether a new network is to reach over nodes: that is what an overlay is for, and what is meant by no driver
/// where engines can do it (design §4.5), unless the scope is said to be one engine.
fn reaches(driver: &str, scope: &str) -> bool {
    driver == "overlay" || driver.is_empty() && scope != "local"
}

/// Connects a container to a network, or disconnects it; both happen on the container's engine.
pub(in crate::api) async fn connect(mut call: Call) -> Answer {
    let text = call.read_body().await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut asked = object(&text, "network.ConnectOptions")?;
    let members = call.members();
    let reference: String = asked.decode("Container").unwrap_or_default();
    if reference.is_empty() && !call.api.cluster.manners().is_classic() {
        let words = "invalid name or ID supplied: \"\"";
        return Err(Error::Bad(words.to_owned()));
    }
    let found = match resolve::container(&members, &reference) {
        Err(error) if error.is_not_found() && asked.decode("Force") == Some(true) => {
            return disconnect_lost(call, text).await;
        }
        found => found?.ready()?,
    };
    asked.set_folded("Container", quote(&found.object.id));
    let verb = call.path.rsplit('/').next().unwrap_or_default().to_owned();
    call.set_body(asked.to_json());
    let cluster = call.api.cluster.clone();
    let network = match resolve::network(&members, &call.id) {
        Ok(network) if network.object.is_replicated() && verb == "connect" => {
            replicated::bring(&cluster, &found.engine, &network.object).await?
        }
        _ => on_node(&members, &call.id, &found.node)?,
    };
    let path = format!("/networks/{network}/{verb}");
    let answer = call.forward(&found.engine, &path).await?;
    if answer.status().is_success() {
        let container = Refresh::Container(Arc::clone(&found.object.id));
        tokio::join!(
            cluster.refresh(&found.engine, container),
            cluster.refresh(&found.engine, Refresh::Networks),
        );
    }
    Ok(answer)
}

/// Takes what a container has left behind off a network, on the first node where it is found.
async fn disconnect_lost(call: Call, text: String) -> Answer {
    let members = call.members();
    let network = resolve::network(&members, &call.id)?;
    let mut asked = Asked::from(&call);
    let own = |node: &Node| {
        let mut networks = node.networks.iter();
        let own = networks.find(|n| n.id == network.object.id)?;
        Some(own.own_id().to_owned())
    };
    let mut last = None;
    for (own, engine) in members.healthy().filter_map(|(n, e)| Some((own(n)?, e))) {
        asked.path = format!("/networks/{own}/disconnect");
        let said = asked.one(engine, "", body::full(text.clone())).await?;
        if said.0.is_success() {
            call.api.cluster.refresh(engine, Refresh::Networks).await;
            return Ok(whole(said.0, said.1, said.2));
        }
        last = Some(said);
    }
    let (status, headers, text) = last.ok_or(cluster::Error::NoHealthyNode)?;
    Ok(whole(status, headers, text))
}

/// Returns what `node` calls a network that one of its containers joins.
fn on_node(members: &cluster::Members, reference: &str, node: &Arc<Node>) -> Result<String, Error> {
    let mut own = node.networks.iter();
    if let Some(own) = own.find(|n| n.name == reference || n.id == reference) {
        return Ok(match own.name == reference {
            true => reference.to_owned(),
            false => own.own_id().to_owned(),
        });
    }
    let network = resolve::network(members, reference)?;
    if network.node.key == node.key || network.object.is_shared() {
        return Ok(network.object.own_id().to_owned());
    }
    if network.object.is_replicated() {
        // Nothing can be on it here, says the engine.
        return Ok(network.object.name);
    }
    Err(Error::Conflict(format!(
        "network {} is on {} and the container is on {}: a {} network does not reach from node to node",
        network.object.name, network.node.name, node.name, network.object.driver
    )))
}

/// Removes a network from its home node; one that reaches over nodes, or is on several, only when none of them uses it.
pub(in crate::api) async fn remove(call: Call) -> Answer {
    let found = resolve::network(&call.members(), &call.id)?;
    let object = format!("network {}", found.object.name);
    let found = found.reachable(&object, "")?;
    if replicated::is_used(&call.api.cluster.members(), &found.object) {
        let (name, id) = (&found.object.name, &found.object.id);
        return Err(Error::Forbidden(format!(
            "error while removing network: network {name} id {id} has active endpoints"
        )));
    }
    let cluster = call.api.cluster.clone();
    if found.object.is_replicated() {
        let asked = Asked::from(&call);
        let said = replicated::remove(&asked, &cluster.members(), &found.object).await?;
        return Ok(whole(said.0, said.1, said.2));
    }
    let path = format!("/networks/{}", found.object.id);
    let answer = call.forward(&found.engine, &path).await?;
    if answer.status().is_success() {
        gone(&cluster, &found.engine, &found.object).await;
    }
    Ok(answer)
}

/// Waits until lists no longer show a network that was removed: on its engine, or on all when it was on all, where the
/// engines forget it one after the other.
async fn gone(cluster: &cluster::Cluster, engine: &Engine, network: &Network) {
    if !network.is_shared() {
        cluster.refresh(engine, Refresh::Networks).await;
        return;
    }
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let started = Instant::now();
    while started.elapsed() < FORGOTTEN {
        let members = cluster.members();
        let have = |node: &Node| node.networks.iter().any(|n| n.id == network.id);
        let having: Vec<_> = members.healthy().filter(|(n, _)| have(n)).collect();
        if having.is_empty() {
            return;
        }
        let all = having
            .iter()
            .map(|(_, engine)| cluster.refresh(engine, Refresh::Networks));
        join_all(all).await;
        if !cluster.members().healthy().any(|(n, _)| have(n)) {
            return;
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}
