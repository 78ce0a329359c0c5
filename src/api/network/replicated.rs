//! Networks that are on several nodes without reaching over them: made, removed and pruned as one.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;

use crate::api::broadcast::{Asked, Said};
use crate::api::error::Error;
use crate::api::filters::Filters;
use crate::api::timestamp;
use crate::cluster::resolve::Located;
use crate::cluster::{self, Members};
use crate::engine::{self, Engine, Refresh};
use crate::model::network::{REPLICA_LABEL, REPLICATE_LABEL, is_yes};
use crate::model::raw::{Object, quote};
use crate::model::{Container, Network, Node, TASK_LABEL, clock};
use crate::net::body;

/// Whether networks are replicated whose owners do not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unless {
    /// They are not.
    Asked,
    /// They are.
    Forbidden,
}

/// Reads whether a new network is to be replicated, and says so in its labels.
///
/// # Errors
/// It is to be, and is none that can.
pub(super) fn ask(asked: &mut Object<'_>, unless: Unless) -> Result<bool, Error> {
    let mut labels: BTreeMap<String, String> = asked.decode("Labels").unwrap_or_default();
    let driver: String = asked.decode("Driver").unwrap_or_default();
    let scope: String = asked.decode("Scope").unwrap_or_default();
    let from: BTreeMap<String, String> = asked.decode("ConfigFrom").unwrap_or_default();
    let borrows = from.values().any(|name| !name.is_empty());
    let yes = |key: &str| asked.decode::<bool>(key) == Some(true);
    let is_bridge = matches!(&*driver, "" | "bridge") && matches!(&*scope, "" | "local");
    let can = is_bridge && !borrows && !yes("ConfigOnly") && !yes("Ingress");
    let said = labels.get(REPLICATE_LABEL).map(|value| is_yes(value));
    if said == Some(true) && !can {
        return Err(Error::Bad(format!(
            "{REPLICATE_LABEL}: only a bridge network with a configuration of its own can be on several nodes"
        )));
    }
    let replicated = said.unwrap_or(unless == Unless::Forbidden && can);
    let foreign = labels.remove(REPLICA_LABEL).is_some();
    if replicated {
        labels.insert(REPLICATE_LABEL.to_owned(), "true".to_owned());
        asked.set_folded("Driver", quote("bridge"));
    }
    if foreign || replicated && said.is_none() {
        let labels = serde_json::to_string(&labels).map_err(|e| Error::Internal(e.to_string()))?;
        asked.set_folded("Labels", labels);
    }
    Ok(replicated)
}

/// Tells whether a container of any node is active on a network; of what is on one node alone its engine knows.
pub(super) fn is_used(members: &Members, network: &Network) -> bool {
    let uses = |c: &Arc<Container>| {
        let mut networks = c.networks.iter();
        // Managers judge tasks themselves: one whose service is gone is ending, and no use any more.
        let is_task = c.labels.contains_key(TASK_LABEL);
        !is_task && c.state.is_running() && networks.any(|n| n.id == network.id)
    };
    let mut nodes = members.view.nodes().iter();
    network.is_one() && nodes.any(|n| n.containers.iter().any(uses))
}

/// Finds a network on a node.
fn on<'n>(node: &'n Node, id: &str) -> Option<&'n Network> {
    node.networks.iter().find(|network| network.id == id)
}

/// Removes a network from all nodes that have it, the first of them last: whatever goes wrong, it is still there.
///
/// # Errors
/// A node that has it does not answer: it would come back with that.
pub(super) async fn remove(
    asked: &Asked,
    members: &Members,
    network: &Network,
) -> Result<Said, Error> {
    let mut holders = Vec::new();
    for node in members.view.nodes() {
        if let Some(own) = on(node, &network.id) {
            let engine = members.engine(&node.key).cloned();
            let engine = engine.ok_or(cluster::Error::NoHealthyNode)?;
            let object = own.clone();
            let node = Arc::clone(node);
            let found = Located {
                node,
                engine,
                object,
            };
            holders.push(found.reachable(&format!("network {}", network.name), "")?);
        }
    }
    holders.sort_by_key(|found| found.object.copy.is_none());
    let mut told: Option<Said> = None;
    for found in &holders {
        let said = one(asked, found).await?;
        // Gone already is gone.
        if !said.0.is_success() && (said.0 != StatusCode::NOT_FOUND || holders.len() == 1) {
            return Ok(said);
        }
        // One that had it says that it is removed.
        if told
            .as_ref()
            .is_none_or(|(status, ..)| !status.is_success())
        {
            told = Some(said);
        }
    }
    Ok(told.ok_or(cluster::Error::NoHealthyNode)?)
}

/// Removes a network from one node.
async fn one(asked: &Asked, found: &Located<Network>) -> Result<Said, Error> {
    let mut asked = asked.clone();
    asked.head.method = http::Method::DELETE;
    asked.path = format!("/networks/{}", found.object.own_id());
    let (status, headers, text) = asked.one(&found.engine, "", body::empty()).await?;
    asked
        .api
        .cluster
        .refresh(&found.engine, Refresh::Networks)
        .await;
    let told = std::str::from_utf8(&text);
    let told = told.map(|text| found.node.network_copies.told(text).into_owned());
    Ok((status, headers, told.map_or(text, Into::into)))
}

/// Connects the engine of a container to a network, which is made there if it has to be; returns what it is called there.
///
/// # Errors
/// It cannot be made there.
pub(super) async fn bring(
    cluster: &cluster::Cluster,
    engine: &Engine,
    network: &Network,
) -> Result<String, Error> {
    let made = cluster::replicas::on(cluster, engine, &network.id).await;
    made.map_err(|error| match error {
        // The engine's words are not of what was asked for.
        engine::Error::Status { message, .. } => Error::Conflict(message),
        error => error.into(),
    })
}

/// Removes the networks that no node uses, and that are for engines not to prune: each sees its own containers alone.
/// Returns the names of those that are gone, and why others are not.
pub(in crate::api) async fn prune(
    asked: &Asked,
    filters: &Filters,
    meant: impl Fn(&Network) -> bool,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let now = Timestamp::now();
    let until = filters
        .values("until")
        .map(|text| timestamp::parse(text, now));
    let until = until.collect::<Result<Vec<_>, _>>();
    let until = until.map_err(|e| Error::Bad(e.to_string()))?;
    let members = asked.scope.members(&asked.api.cluster);
    let all = asked.api.cluster.members();
    let (mut seen, mut gone, mut failed) = (HashSet::new(), Vec::new(), Vec::new());
    for network in members
        .view
        .nodes()
        .iter()
        .flat_map(|node| node.networks.iter())
    {
        let label = |name: &str| network.labels.get(name).map(String::as_str);
        let spared = filters.contains("label!") && filters.labels("label!", label);
        let entry = std::str::from_utf8(&network.entry);
        let entry = entry.ok().and_then(|text| Object::parse(text).ok());
        let says = |key| entry.as_ref().and_then(|e| e.decode::<bool>(key)) == Some(true);
        let is_old = || {
            let created = clock::parse(&entry.as_ref()?.decode::<String>("Created")?)?;
            Some(until.iter().all(|until| created < *until))
        };
        // Engines do not prune those either: one is for others to be made from, one for all published ports.
        if network.is_predefined()
            || says("ConfigOnly")
            || says("Ingress")
            || !meant(network)
            || !seen.insert(&network.id)
            || spared
            || !filters.labels("label", label)
            || !is_old().unwrap_or(until.is_empty())
            || is_used(&all, network)
        {
            continue;
        }
        match remove(asked, &all, network).await {
            Ok((status, ..)) if status.is_success() => gone.push(network.name.clone()),
            // Used by then, or by what only its engine knows of.
            Ok(_) => {}
            Err(error) => failed.push(format!("{}: {error}", network.name)),
        }
    }
    Ok((gone, failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str, unless: Unless) -> Result<(bool, String), String> {
        let mut object = Object::parse(body).unwrap();
        let replicated = ask(&mut object, unless).map_err(|e| e.to_string())?;
        Ok((replicated, object.to_json()))
    }

    #[test]
    fn a_bridge_is_replicated_when_its_owner_or_the_operator_says_so() {
        let plain = r#"{"Name":"app"}"#;
        let same =
            |body: &str, unless| assert_eq!(asked(body, unless).unwrap(), (false, body.to_owned()));
        same(plain, Unless::Asked);
        let yes = r#"{"Labels":{"com.docker.swarm.replicate":"true"}}"#;
        let (replicated, body) = asked(yes, Unless::Asked).unwrap();
        assert!(
            replicated && body.contains(r#""Driver":"bridge""#),
            "{body}"
        );
        let (replicated, body) = asked(plain, Unless::Forbidden).unwrap();
        assert!(
            replicated && body.contains(r#""com.docker.swarm.replicate":"true""#),
            "{body}"
        );
        same(
            r#"{"Labels":{"com.docker.swarm.replicate":"false"}}"#,
            Unless::Forbidden,
        );
        same(r#"{"Driver":"macvlan"}"#, Unless::Forbidden);
        same(r#"{"ConfigFrom":{"Network":"x"}}"#, Unless::Forbidden);
        for other in [
            r#""Driver":"overlay""#,
            r#""ConfigOnly":true"#,
            r#""ConfigFrom":{"Network":"x"}"#,
        ] {
            let body = format!("{{{other},{}", &yes[1..]);
            assert!(
                asked(&body, Unless::Asked)
                    .unwrap_err()
                    .contains("only a bridge"),
                "{body}"
            );
        }
    }
}
