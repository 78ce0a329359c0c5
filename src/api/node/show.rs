//! One node as swarm mode shows it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::id;
use crate::api::system::about::About;
use crate::cluster::Members;
use crate::model::entry::Entry;
use crate::model::node::engine_labels;
use crate::model::{ClusterView, Health, Node};

/// What swarm mode calls the time of something that has none.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// Returns swarm mode's word for a node's health, and the reason when it is not ready.
pub(super) fn state(node: &Node) -> (&'static str, &str) {
    let word = match node.health {
        Health::Healthy | Health::Slow { .. } => "ready",
        Health::Unhealthy { .. } => "down",
        Health::New | Health::Pending(_) => "unknown",
    };
    (word, node.health.reason().unwrap_or_default())
}

/// Lists a node's drivers as an engine of swarm mode tells them.
fn plugins(node: &Node) -> Vec<Value> {
    ["Log", "Network", "Volume"]
        .iter()
        .flat_map(|kind| {
            let told = node.facts.info["Plugins"][kind].as_array();
            let names = told.into_iter().flatten().filter_map(Value::as_str);
            // Managed ones have a tag, and a list of their own.
            let plain = names.filter(|name| !name.contains(':'));
            let managed = node.plugins.iter().filter(move |p| p.kind.key() == *kind);
            plain
                .chain(managed.map(|p| p.name.as_str()))
                .map(move |name| json!({"Type": kind, "Name": name}))
        })
        .collect()
}

/// Writes a node as an entry of the list; its inspect is the same.
pub(super) fn node(members: &Members, node: &Node) -> Value {
    let info = &node.facts.info;
    let text = |key: &str| info[key].as_str().unwrap_or_default();
    let number = |key: &str| info[key].as_i64().unwrap_or_default();
    let updated = node
        .updated_at
        .map_or_else(|| NO_TIME.to_owned(), |at| at.to_string());
    let (state, message) = state(node);
    let mut status = json!({"State": state, "Addr": node.ip});
    if !message.is_empty() {
        status["Message"] = message.into();
    }
    // In the order in which swarm mode writes them.
    let labels: BTreeMap<&str, &str> = engine_labels(info).collect();
    let mut shown = json!({
        "ID": id(members, node),
        "Version": {"Index": node.carried.revision},
        "CreatedAt": NO_TIME,
        "UpdatedAt": updated,
        "Spec": {
            "Labels": node.orders.labels,
            "Role": "worker",
            "Availability": node.orders.availability.word(),
        },
        "Description": {
            "Hostname": node.name,
            "Platform": {"Architecture": text("Architecture"), "OS": text("OSType")},
            "Resources": {
                "NanoCPUs": number("NCPU") * 1_000_000_000,
                "MemoryBytes": number("MemTotal"),
            },
            "Engine": {
                "EngineVersion": node.facts.version,
                "Labels": labels,
                "Plugins": plugins(node),
            },
            "TLSInfo": {},
        },
        "Status": status,
    });
    if !node.is_in_swarm() {
        // Ours, for those who want to know which engines are in a cluster.
        shown["Description"]["Swarm"] = "inactive".into();
    }
    if node.is_manager() {
        shown["Spec"]["Role"] = "manager".into();
        let addr = info["Swarm"]["NodeAddr"].as_str().unwrap_or_default();
        // Which one leads is known to managers only; every one of them serves.
        shown["ManagerStatus"] = json!({"Reachability": "reachable", "Addr": addr});
    }
    shown
}

/// Writes all nodes as one, which the docker CLI asks of before it lists the tasks of "the current node".
pub(super) fn all(view: &ClusterView, about: &About) -> Value {
    let sum = |key: &str| -> i64 {
        let nodes = view.healthy();
        nodes.filter_map(|node| node.facts.info[key].as_i64()).sum()
    };
    json!({
        "ID": super::ALL,
        "Version": {"Index": 0},
        "CreatedAt": NO_TIME,
        "UpdatedAt": NO_TIME,
        "Spec": {"Labels": {}, "Role": "worker", "Availability": "active"},
        "Description": {
            "Hostname": about.name,
            "Platform": {},
            "Resources": {
                "NanoCPUs": sum("NCPU") * 1_000_000_000,
                "MemoryBytes": sum("MemTotal"),
            },
            "Engine": {"EngineVersion": about.server_version()},
            "TLSInfo": {},
            "Swarm": "inactive",
        },
        "Status": {"State": "ready", "Addr": ""},
    })
}

/// Writes a node as [`node`] does, with what a manager knows of its part in the swarm-mode cluster: what users said of it
/// there, its certificate, and who leads.
pub(super) fn with_entry(members: &Members, of: &Node, entries: &[Value]) -> Value {
    let mut shown = node(members, of);
    let entry = entries.iter().find(|entry| entry["ID"] == shown["ID"]);
    if let (Some(entry), true) = (entry, of.is_in_swarm()) {
        if let Some(entry) = Entry::parse(entry) {
            let orders = of.carried.with(&entry);
            shown["Spec"]["Labels"] = json!(orders.labels);
            shown["Spec"]["Availability"] = orders.availability.word().into();
        }
        shown["Spec"]["Role"] = entry["Spec"]["Role"].clone();
        if let Some(name) = entry["Spec"].get("Name") {
            shown["Spec"]["Name"] = name.clone();
        }
        for key in ["Version", "CreatedAt", "UpdatedAt"] {
            shown[key] = entry[key].clone();
        }
        for key in ["Resources", "TLSInfo"] {
            if entry["Description"][key].is_object() {
                shown["Description"][key] = entry["Description"][key].clone();
            }
        }
        match &entry["ManagerStatus"] {
            Value::Null => {
                if let Some(shown) = shown.as_object_mut() {
                    shown.remove("ManagerStatus");
                }
            }
            status => shown["ManagerStatus"] = status.clone(),
        }
    }
    shown
}

/// Returns the entries that only swarm mode has: of engines that we do not have, or that were someone else before.
pub(super) fn foreign(members: &Members, mut entries: Vec<Value>) -> Vec<Value> {
    let nodes = members.view.nodes();
    entries.retain(|entry| !nodes.iter().any(|n| entry["ID"] == *id(members, n)));
    for entry in &mut entries {
        entry["Description"]["Swarm"] = "only".into();
    }
    entries
}
