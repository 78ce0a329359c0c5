//! Networks as a node lists them.

use std::collections::BTreeMap;

use bytes::Bytes;

/// One network on one node.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// 64 hexadecimal digits, or swarmkit's shorter ID.
    pub id: String,
    /// Its name on the node.
    pub name: String,
    /// `local`, `global` or `swarm`.
    pub scope: String,
    /// The driver's name.
    pub driver: String,
    /// User labels.
    pub labels: BTreeMap<String, String>,
    /// The entry of the engine's list, as it came.
    pub entry: Bytes,
}

impl Network {
    /// Names that every engine brings by itself.
    pub const PREDEFINED: [&'static str; 4] = ["bridge", "host", "none", "default"];

    /// Tells whether the engine made it by itself; such networks are on every node and tie a container to none.
    pub fn is_predefined(&self) -> bool {
        Self::PREDEFINED.contains(&self.name.as_str())
            || (self.name == "docker_gwbridge" || self.name == "ingress")
    }

    /// Tells whether it reaches over nodes, so that the same ID on several nodes is one network.
    pub fn is_shared(&self) -> bool {
        self.scope == "swarm" || self.scope == "global"
    }
}
