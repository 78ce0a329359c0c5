//! What the managers of a swarm-mode cluster keep of one of its nodes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::orders::Availability;

/// A manager's entry of a node, as far as placement looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The node's ID in swarm mode.
    pub id: String,
    /// Grows with every change of the entry.
    pub version: u64,
    /// Whether the node takes new tasks.
    pub availability: Availability,
    /// The node's labels, the engine's own not among them.
    pub labels: BTreeMap<String, String>,
}

impl Entry {
    /// Reads an entry of a manager's list of nodes; `None` when it is none.
    pub fn parse(entry: &Value) -> Option<Self> {
        let spec = &entry["Spec"];
        let labels = spec["Labels"].as_object().into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.into())));
        Some(Self {
            id: entry["ID"].as_str()?.to_owned(),
            version: entry["Version"]["Index"].as_u64()?,
            availability: Availability::parse(spec["Availability"].as_str()?)?,
            labels: labels.collect(),
        })
    }
}
