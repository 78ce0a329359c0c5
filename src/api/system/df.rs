//! `GET /system/df`: the disk usage of all nodes, added up.
//!
//! Engines walk their whole store for it, so each does it once for all who ask at the same time, and one that takes too
//! long is left out and named in a `Warning` header.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::api::broadcast::{self, Asked, Done, Said};
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster;
use crate::cluster::flight::Flights;
use crate::engine::{self, Engine};
use crate::model::orders::ORDERS_LABEL;
use crate::net::body;

/// How long an engine may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// Nodes that are asked at once.
const AT_ONCE: usize = 32;

/// Where a volume's node stands until all are together.
const NODE: &str = "flotilla.node";

/// A question: node, version and query.
type Question = (Arc<str>, u16, String);

/// Questions under way; clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Usage {
    flights: Flights<Question, Result<Said, engine::Error>>,
    /// Whose turn it is at each engine: 20.10 refuses a second question while it works on one.
    turns: Arc<Mutex<HashMap<Arc<str>, Turn>>>,
}

/// Held by the one question that an engine works on.
type Turn = Arc<tokio::sync::Mutex<()>>;

impl Usage {
    fn turn(&self, node: &Arc<str>) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(Arc::clone(node)).or_default())
    }
}

/// Adds up what all nodes use.
pub(in crate::api) async fn df(call: Call) -> Answer {
    let members = call.members();
    let asked = Asked::from(call);
    let work = members.view.nodes().iter().map(|node| {
        let asked = asked.clone();
        let engine = members.engine(&node.key).cloned();
        async move {
            let engine = engine.filter(|_| node.health.is_healthy());
            let away = || engine::Error::Connect {
                node: node.key.to_string(),
                reason: node.health.reason().unwrap_or("not asked yet").to_owned(),
            };
            let result = match engine {
                Some(engine) => once(asked, engine).await,
                None => Err(away()),
            };
            Done {
                node: node.name.clone(),
                result: result.map(|said| ours(said, &node.name)),
            }
        }
    });
    let work: Vec<_> = work.collect();
    if work.is_empty() {
        return Err(Error::Cluster(cluster::Error::NoHealthyNode));
    }
    let done: Vec<Done> = stream::iter(work).buffered(AT_ONCE).collect().await;
    broadcast::merged(done, tell_apart)
}

/// Asks one engine, with all who ask the same of it now.
async fn once(asked: Asked, engine: Engine) -> Result<Said, engine::Error> {
    let node = Arc::clone(engine.client().key());
    let usage = asked.api.usage.clone();
    let key = (Arc::clone(&node), asked.version, asked.query.clone());
    let turn = usage.turn(&node);
    let work = || async move {
        let _turn = turn.lock().await;
        let answer = asked.one(&engine, &asked.query, body::empty());
        let answer = tokio::time::timeout(DEADLINE, answer).await;
        answer.unwrap_or_else(|_| {
            Err(engine::Error::Timeout {
                node: engine.client().key().to_string(),
                after: DEADLINE,
            })
        })
    };
    let outcome = usage.flights.join(key, work).await;
    outcome.unwrap_or_else(|| {
        Err(engine::Error::Broken {
            node: node.to_string(),
            reason: "the question was broken off".to_owned(),
        })
    })
}

/// Takes out of an engine's answer what is ours, and says of each volume where it is.
fn ours(said: Said, node: &str) -> Said {
    let (status, headers, text) = said;
    let usage = serde_json::from_slice::<Value>(&text);
    let Some(mut usage) = usage.ok().filter(|_| status.is_success()) else {
        return (status, headers, text);
    };
    if let Some(Value::Array(volumes)) = usage.get_mut("Volumes") {
        volumes.retain(|v| v["Labels"].get(ORDERS_LABEL).is_none());
        for volume in volumes {
            volume[NODE] = node.into();
        }
    }
    (status, headers, usage.to_string().into())
}

/// Gives local volumes that have the name of another the node's name in front, as lists do.
fn tell_apart(sum: &mut Value) {
    let Some(Value::Array(volumes)) = sum.get_mut("Volumes") else {
        return;
    };
    let mut seen = HashSet::new();
    for volume in volumes {
        let node = volume.as_object_mut().and_then(|v| v.shift_remove(NODE));
        let name = volume["Name"].as_str().unwrap_or_default().to_owned();
        if !seen.insert(name.clone())
            && volume["Scope"] == "local"
            && let Some(node) = node.as_ref().and_then(Value::as_str)
        {
            volume["Name"] = format!("{node}/{name}").into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn volumes_of_one_name_are_told_apart() {
        let mut sum = json!({"Volumes": [
            {"Name": "a", "Scope": "local", NODE: "n0"},
            {"Name": "a", "Scope": "local", NODE: "n1"},
            {"Name": "b", "Scope": "local", NODE: "n1"},
        ]});
        tell_apart(&mut sum);
        assert_eq!(
            sum,
            json!({"Volumes": [
                {"Name": "a", "Scope": "local"},
                {"Name": "n1/a", "Scope": "local"},
                {"Name": "b", "Scope": "local"},
            ]})
        );
    }

    #[test]
    fn what_a_node_keeps_for_us_is_not_shown() {
        let text = json!({"Volumes": [
            {"Name": "x", "Labels": {ORDERS_LABEL: "{}"}},
            {"Name": "y", "Labels": null},
        ]});
        let said = (
            http::StatusCode::OK,
            http::HeaderMap::new(),
            text.to_string().into(),
        );
        let (_, _, text) = ours(said, "n0");
        let usage: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            usage,
            json!({"Volumes": [{"Name": "y", "Labels": null, NODE: "n0"}]})
        );
    }
}
