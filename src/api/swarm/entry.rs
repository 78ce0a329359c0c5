//! What swarm mode keeps of an engine: brought in line with what is said of our node, dropped when the engine is anew.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::seen::Seen;
use crate::engine::backoff::Backoff;
use crate::engine::{self, Engine};
use crate::model::Node;
use crate::model::entry::Entry;

/// How long a manager may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long managers may take to see that an engine is no longer who it was: three missed heartbeats, and a vote.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often an update is sent while the entry changes by itself.
const TRIES: u32 = 10;
/// What a manager says when an entry changed since it was read.
pub(in crate::api) const OUTRUN: &str = "update out of sequence";

/// What users say of a node that swarm mode keeps too.
pub(in crate::api) struct Said<'a> {
    pub(in crate::api) availability: &'a str,
    /// As it is, when empty.
    pub(in crate::api) role: &'a str,
    pub(in crate::api) labels: Value,
}

/// Says the same of a node to swarm mode's own scheduler, which places the tasks of services, for a client that `saw` a
/// version of the entry. Returns the entry as it is then, if the manager still tells it.
///
/// # Errors
/// The manager's, such as that the entry has changed since, or that the last manager cannot be demoted.
pub(in crate::api) async fn update(
    manager: &Engine,
    id: &str,
    saw: (u64, &Seen),
    said: &Said<'_>,
) -> Result<Option<Entry>, engine::Error> {
    let (version, seen) = saw;
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let mut tries = 1..=TRIES;
    loop {
        let entry = read(manager, id).await?;
        let mut spec = entry["Spec"].clone();
        spec["Availability"] = said.availability.into();
        spec["Labels"] = said.labels.clone();
        if !said.role.is_empty() {
            spec["Role"] = said.role.into();
        }
        let version = seen.current(&entry, version);
        let is_stale = entry["Version"]["Index"] != version;
        match (post(manager, id, version, &spec).await, tries.next()) {
            // Swarm mode itself changed the entry meanwhile.
            (Err(engine::Error::Status { message, .. }), Some(_))
                if message.contains(OUTRUN) && !is_stale => {}
            (done, _) => {
                done?;
                return Ok(read(manager, id).await.ok().as_ref().and_then(Entry::parse));
            }
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// Reads an entry.
async fn read(manager: &Engine, id: &str) -> Result<Value, engine::Error> {
    let path = format!("/nodes/{id}");
    let entry = manager.client().get(&path, DEADLINE).await?;
    Ok(serde_json::from_slice(&entry).unwrap_or_default())
}

/// Writes an entry's spec; the manager refuses when someone else changed the entry since that version.
async fn post(manager: &Engine, id: &str, version: u64, spec: &Value) -> Result<(), engine::Error> {
    let path = format!("/nodes/{id}/update?version={version}");
    let body = Some(spec.to_string().into());
    let client = manager.client();
    let done = client.call(Method::POST, &path, body, DEADLINE).await;
    done.map(drop)
}

/// Drops the entries of whom an engine was before it joined anew. A manager among them would count in every vote and
/// never answer.
///
/// # Errors
/// The manager's, or that it still takes such an entry for alive after [`PATIENCE`].
pub(super) async fn drop_former(manager: &Engine, node: &Node) -> Result<(), engine::Error> {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(2));
    let started = Instant::now();
    loop {
        let entries = manager.client().get("/nodes", DEADLINE).await?;
        let entries: Value = serde_json::from_slice(&entries).unwrap_or_default();
        let mut former: Vec<&Value> = entries.as_array().into_iter().flatten().collect();
        former.retain(|entry| is_former(entry, node));
        if former.is_empty() {
            return Ok(());
        }
        let mut last = None;
        for entry in former.into_iter().filter(|e| is_dead(e)) {
            last = drop_one(manager, entry).await.err();
        }
        if started.elapsed() > PATIENCE {
            let waited = || engine::Error::Answer {
                node: node.name.clone(),
                what: "the managers still take it for who it was before it joined anew".to_owned(),
            };
            return Err(last.unwrap_or_else(waited));
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// Makes a worker of a manager, on which the managers must agree.
///
/// # Errors
/// The manager's, such as that the entry changed since it was read.
pub(super) async fn demote(manager: &Engine, entry: &Value) -> Result<(), engine::Error> {
    let mut spec = entry["Spec"].clone();
    spec["Role"] = json!("worker");
    let id = entry["ID"].as_str().unwrap_or_default();
    let version = entry["Version"]["Index"].as_u64().unwrap_or_default();
    post(manager, id, version, &spec).await
}

/// Demotes an entry that is a manager's, which takes a vote; removes any other.
async fn drop_one(manager: &Engine, entry: &Value) -> Result<(), engine::Error> {
    let id = entry["ID"].as_str().unwrap_or_default();
    if entry["Spec"]["Role"] == "manager" {
        return demote(manager, entry).await;
    }
    let path = format!("/nodes/{id}?force=1");
    let client = manager.client();
    let done = client.call(Method::DELETE, &path, None, DEADLINE).await;
    done.map(drop)
}

/// Tells whether an entry is of the same host, and not who its engine is now.
fn is_former(entry: &Value, node: &Node) -> bool {
    let now = &node.facts.info["Swarm"]["NodeID"];
    // Who it is may not have been seen yet.
    now.as_str().is_some_and(|id| !id.is_empty())
        && entry["Description"]["Hostname"] == *node.name
        && entry["Status"]["Addr"] == *node.ip
        && entry["ID"] != *now
}

/// Tells whether the managers know that nobody is behind an entry.
fn is_dead(entry: &Value) -> bool {
    entry["Status"]["State"] == "down" || entry["ManagerStatus"]["Reachability"] == "unreachable"
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::fixture;
    use crate::model::node::Facts;

    #[test]
    fn only_a_dead_entry_of_the_same_host_is_dropped() {
        let mut node = fixture::node("node0");
        node.ip = "10.0.0.1".to_owned();
        let facts = Facts {
            info: json!({"Swarm": {"NodeID": "new"}}),
            ..Facts::default()
        };
        node.facts = Arc::new(facts);
        let entry = |id: &str, name: &str, addr: &str| json!({"ID": id, "Description": {"Hostname": name}, "Status": {"Addr": addr, "State": "ready"}});
        assert!(is_former(&entry("old", "node0", "10.0.0.1"), &node));
        assert!(!is_former(&entry("new", "node0", "10.0.0.1"), &node));
        assert!(!is_former(&entry("old", "node1", "10.0.0.1"), &node));
        assert!(!is_former(&entry("old", "node0", "10.0.0.2"), &node));
        let mut entry = entry("old", "node0", "10.0.0.1");
        assert!(!is_dead(&entry));
        entry["ManagerStatus"] = json!({"Reachability": "unreachable"});
        assert!(is_dead(&entry));
    }
}
