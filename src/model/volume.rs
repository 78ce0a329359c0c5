//! Volumes as a node lists them.

use std::collections::BTreeMap;

use bytes::Bytes;

/// One volume on one node.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    /// Its name on the node.
    pub name: String,
    /// The driver's name.
    pub driver: String,
    /// `local` or `global`.
    pub scope: String,
    /// User labels.
    pub labels: BTreeMap<String, String>,
    /// The entry of the engine's list, as it came.
    pub entry: Bytes,
}

impl Volume {
    /// Tells whether what another node lists is this very volume.
    pub fn is_also(&self, other: &Self) -> bool {
        self.is_shared()
            && other.is_shared()
            && self.name == other.name
            && self.driver == other.driver
    }

    /// Tells whether every node sees the same data under this name, so that it has no home node.
    pub fn is_shared(&self) -> bool {
        self.scope == "global"
    }
}
