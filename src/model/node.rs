//! Our immutable picture of one engine.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::load::Load;
use super::network::Copies;
use super::orders::Orders;
use super::{
    Container, Containers, Image, Network, Plugin, Resources, SWARM_ID_LABEL, Stock, Volume, plugin,
};

/// One engine as its monitor last published it.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The engine's address as discovery gave it; unique in the cluster.
    pub key: Arc<str>,
    /// The ID the engine reports. Cloned machines share one, so it identifies nothing by itself.
    pub engine_id: String,
    /// The host name the engine reports; `(unknown)` until it has answered once.
    pub name: String,
    /// The address that clients of published ports use; empty for engines on a local socket.
    pub ip: String,
    /// Whether it answers.
    pub health: Health,
    /// Probes in a row that failed; more than none makes a healthy node the last choice.
    pub failures: u32,
    /// Why it cannot create at the moment although it answers; makes it the last choice.
    pub trouble: Option<Trouble>,
    /// The labels that constraints see: built-in ones, those an operator gave, the engine's own.
    pub labels: BTreeMap<String, String>,
    /// What operators decided about it, be it here or at a manager of its swarm-mode cluster.
    pub orders: Orders,
    /// What of that its engine carries.
    pub carried: Orders,
    /// Grows when the engine, a manager, tells that nodes of its swarm-mode cluster have changed.
    pub peers_told: u64,
    /// What the engine says of itself.
    pub facts: Arc<Facts>,
    /// What the node can give, overcommit included.
    pub capacity: Resources,
    /// What its containers were promised.
    pub used: Resources,
    /// What its containers were measured to use; `None` when nobody asks, or it is not known.
    pub load: Option<Load>,
    /// Its devices, by kind; what its containers hold of them is in their counts.
    pub devices: Arc<BTreeMap<String, Stock>>,
    /// Its containers.
    pub containers: Containers,
    /// Its images, intermediate ones included.
    pub images: Arc<Vec<Image>>,
    /// Its networks.
    pub networks: Arc<Vec<Network>>,
    /// Which of its networks are copies, and were.
    pub network_copies: Arc<Copies>,
    /// Its volumes.
    pub volumes: Arc<Vec<Volume>>,
    /// Its managed plugins that are enabled; others are in its facts.
    pub plugins: Arc<Vec<Plugin>>,
    /// Grows by one with every publication of this node.
    pub revision: u64,
    /// When it was last known to be true.
    pub updated_at: Option<Timestamp>,
    /// Classic's `Node` object of container inspects, as JSON; made when it is first asked for.
    pub described: OnceLock<Arc<str>>,
}

impl Node {
    /// Returns classic's node ID: the engine's ID and its address, so that clones stay apart.
    pub fn id(&self) -> String {
        format!("{}|{}", self.engine_id, self.key)
    }

    /// Returns this node with containers added that are reserved on it but not yet visible.
    #[must_use]
    pub fn with_reserved(&self, reserved: &[Arc<Container>]) -> Self {
        let mut node = self.clone();
        for container in reserved {
            let id = container.swarm_id();
            let visible = id.is_some_and(|id| self.containers.has_label(SWARM_ID_LABEL, id));
            if !visible {
                node.used = node.used + container.resources;
                node.containers.insert(Arc::clone(container));
            }
        }
        node
    }

    /// Returns this node without these of its containers, by ID.
    #[must_use]
    pub fn without(mut self, gone: &[Arc<str>]) -> Self {
        for id in gone {
            if let Some(container) = self.containers.remove(id) {
                self.used = self.used - container.resources;
            }
        }
        self
    }

    /// Counts it and the objects on it.
    pub fn weight(&self) -> usize {
        let lists = self.images.len() + self.networks.len() + self.volumes.len();
        1 + self.containers.len() + lists
    }

    /// Tells whether nothing speaks against giving it something new: it answers at once, and creates there work.
    pub fn is_fit(&self) -> bool {
        self.failures == 0 && self.health == Health::Healthy && self.trouble.is_none()
    }

    /// Tells whether the engine is in a swarm-mode cluster.
    pub fn is_in_swarm(&self) -> bool {
        let state = self.facts.info["Swarm"]["LocalNodeState"].as_str();
        !matches!(state, None | Some("" | "inactive"))
    }

    /// Returns the engine's ID in its swarm-mode cluster; empty when it is in none.
    pub fn swarm_node_id(&self) -> &str {
        let id = self.facts.info["Swarm"]["NodeID"].as_str();
        id.unwrap_or_default()
    }

    /// Tells whether the engine manages a swarm-mode cluster.
    pub fn is_manager(&self) -> bool {
        self.facts.info["Swarm"]["ControlAvailable"].as_bool() == Some(true)
    }

    /// Tells whether the engine waits for the key of its swarm-mode cluster; until then it manages nothing.
    pub fn is_locked(&self) -> bool {
        self.facts.info["Swarm"]["LocalNodeState"] == "locked"
    }

    /// Returns the ID of the swarm-mode cluster; only managers know it.
    pub fn swarm_id(&self) -> Option<&str> {
        self.facts.info["Swarm"]["Cluster"]["ID"].as_str()
    }

    /// Tells whether both engines are in the same swarm-mode cluster: they know a manager in common. One that has joined
    /// a moment ago knows none yet, and is taken to be.
    pub fn shares_swarm(&self, other: &Self) -> bool {
        let known = |node: &'_ Self| -> Vec<String> {
            let swarm = &node.facts.info["Swarm"];
            let managers = swarm["RemoteManagers"].as_array().into_iter().flatten();
            let ids = managers.filter_map(|m| m["NodeID"].as_str());
            ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
        };
        let (ours, theirs) = (known(self), known(other));
        let common =
            ours.is_empty() || theirs.is_empty() || ours.iter().any(|m| theirs.contains(m));
        self.key == other.key || self.is_in_swarm() && other.is_in_swarm() && common
    }

    /// Tells whether the engine is known to have a driver. Drivers of before managed plugins are known once the engine
    /// has listed its volumes.
    pub fn has_plugin(&self, kind: plugin::Kind, name: &str) -> bool {
        let told = self.facts.info["Plugins"][kind.key()].as_array();
        let mut told = told.into_iter().flatten();
        // Managed ones are told here too, by their name with a tag, and later than in their own list.
        let is = |told: &serde_json::Value| told == name && !name.contains(':');
        told.any(is) || self.plugins.iter().any(|p| p.is_called(kind, name))
    }

    /// Tells whether the engine is known to have a runtime.
    pub fn has_runtime(&self, name: &str) -> bool {
        self.facts.info["Runtimes"].get(name).is_some()
    }

    /// Finds an image by ID, prefix or name.
    pub fn image(&self, reference: &str) -> Option<&Image> {
        self.images
            .iter()
            .find(|i| i.has_name(reference))
            .or_else(|| self.images.iter().find(|i| i.has_id(reference)))
    }
}

/// Whether a node answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Discovered; has not answered yet, for this reason.
    #[default]
    New,
    /// Could not be taken in, for this reason.
    Pending(String),
    /// Answers.
    Healthy,
    /// Answers, and takes long for it: the last choice for what is new.
    Slow {
        /// Since when.
        since: Timestamp,
        /// How long the last late answer took.
        took: Duration,
    },
    /// Answered once and does not now.
    Unhealthy {
        /// Since when.
        since: Timestamp,
        /// What happened at the last try.
        reason: String,
    },
}

impl Health {
    /// Tells whether requests are sent there.
    pub fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy | Self::Slow { .. })
    }

    /// Tells whether the node has answered once, so that its name and objects are known.
    pub fn is_known(&self) -> bool {
        self.is_healthy() || matches!(self, Self::Unhealthy { .. })
    }

    /// Returns classic's word for `docker info`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::New | Self::Pending(_) => "Pending",
            Self::Healthy => "Healthy",
            Self::Slow { .. } => "Slow",
            Self::Unhealthy { .. } => "Unhealthy",
        }
    }

    /// Returns why it is not healthy.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Pending(reason) | Self::Unhealthy { reason, .. } => Some(reason),
            Self::New | Self::Healthy | Self::Slow { .. } => None,
        }
    }
}

/// Why an engine that answers cannot create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When the first create failed for it.
    pub since: Timestamp,
    /// What the machine lacks, in the engine's words.
    pub reason: String,
}

/// What an engine says of itself (`/info`, `/version`).
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The engine's version, `28.5.2`.
    pub version: String,
    /// The newest API it speaks, as minor number: `51` for 1.51.
    pub api_max: u16,
    /// The oldest API it speaks, as minor number.
    pub api_min: u16,
    /// The whole answer of `/info`.
    pub info: serde_json::Value,
    /// The whole answer of `/version`.
    pub version_answer: serde_json::Value,
    /// Its clock less ours, in milliseconds.
    pub clock_skew_ms: i64,
}

impl Facts {
    /// Returns its clock less ours, in nanoseconds.
    pub fn skew_nano(&self) -> i64 {
        self.clock_skew_ms.saturating_mul(1_000_000)
    }
}

/// Walks the labels of an engine's own in its answer of `/info`.
pub fn engine_labels(info: &serde_json::Value) -> impl Iterator<Item = (&str, &str)> {
    let labels = info["Labels"].as_array().into_iter().flatten();
    labels.filter_map(|label| label.as_str()?.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_share_a_swarm_when_they_know_a_manager_in_common() {
        let node = |key: &str, state: &str, managers: &[&str]| {
            let managers = managers
                .iter()
                .map(|id| serde_json::json!({ "NodeID": id }));
            let managers: Vec<_> = managers.collect();
            let swarm = serde_json::json!({"LocalNodeState": state, "RemoteManagers": managers});
            Node {
                key: key.into(),
                facts: Arc::new(Facts {
                    info: serde_json::json!({ "Swarm": swarm }),
                    ..Facts::default()
                }),
                ..Node::default()
            }
        };
        let one = node("one", "active", &["a", "b"]);
        assert!(one.shares_swarm(&node("two", "active", &["b"])));
        assert!(
            one.shares_swarm(&node("two", "active", &[])),
            "it joined just now"
        );
        assert!(!one.shares_swarm(&node("two", "active", &["c"])));
        assert!(!one.shares_swarm(&node("two", "inactive", &[])));
    }

    #[test]
    fn reserved_containers_count_once_even_when_they_became_visible() {
        let label = |id: &str| BTreeMap::from([(SWARM_ID_LABEL.to_owned(), id.to_owned())]);
        let make = |id: &str, swarm: &str| {
            Arc::new(Container {
                id: id.into(),
                labels: label(swarm),
                resources: Resources {
                    nano_cpus: 1,
                    memory_bytes: 10,
                },
                ..Container::default()
            })
        };
        let mut node = Node::default();
        node.containers.insert(make("c1", "s1"));
        node.used = Resources {
            nano_cpus: 1,
            memory_bytes: 10,
        };
        let seen = node.with_reserved(&[make("pending-1", "s1"), make("pending-2", "s2")]);
        assert_eq!(seen.used.memory_bytes, 20);
        assert_eq!(seen.containers.len(), 2);
    }
}
