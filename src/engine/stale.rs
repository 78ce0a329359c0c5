//! What of an engine's picture is stale: events and requests say so, the monitor reads it anew.
//!
//! Invariant: only notes; it waits for nothing and asks no engine.

use std::collections::HashSet;
use std::sync::Arc;

use super::breaker::Breaker;
use super::inventory::Inventory;
use super::{Error, Order, Refresh};
use crate::model::event::Event;

/// What has to be done before the next publication.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) everything: bool,
    pub(crate) containers: HashSet<Arc<str>>,
    pub(crate) images: bool,
    pub(crate) networks: bool,
    pub(crate) volumes: bool,
    pub(crate) plugins: bool,
    /// Whether there is something to publish.
    pub(crate) changed: bool,
    /// Who waits for the next publication.
    pub(crate) waiting: Vec<Order>,
    /// Whether someone has begun to wait since the last try to read.
    pub(crate) asked: bool,
    /// Whether a late inspect was answered: the engine gets more time for the next one.
    pub(crate) answered: bool,
}

impl Pending {
    /// Notes what a request wants to be read anew, and that it waits.
    pub(crate) fn order(&mut self, order: Order) {
        match &order.what {
            Refresh::Container(id) => {
                self.containers.insert(Arc::clone(id));
            }
            Refresh::All => self.everything = true,
            Refresh::Images => self.images = true,
            Refresh::Networks => self.networks = true,
            Refresh::Volumes => self.volumes = true,
            Refresh::Plugins => self.plugins = true,
        }
        self.waiting.push(order);
        self.asked = true;
    }

    /// Notes what an event makes stale.
    pub(crate) fn mark(&mut self, event: &Event, inventory: &mut Inventory, breaker: &mut Breaker) {
        let action = event.action.split(':').next().unwrap_or_default();
        // A create that fails ends with a destroy too, of a container that never was: that frees nothing.
        let freed = match (event.kind.as_str(), action) {
            ("container", "destroy") => inventory.has_container(&event.actor),
            (_, action) => matches!(action, "destroy" | "delete" | "remove" | "prune"),
        };
        if freed {
            self.changed |= breaker.freed();
        }
        match (event.kind.as_str(), action) {
            ("container", "destroy") => {
                let linked = inventory.remove_container(&event.actor);
                self.containers.remove(event.actor.as_str());
                self.containers.extend(linked);
                self.changed = true;
            }
            // These change nothing that lists show.
            (
                "container",
                "exec_create" | "exec_start" | "exec_die" | "exec_detach" | "attach" | "detach"
                | "top" | "resize" | "export" | "archive-path" | "extract-to-dir" | "copy" | "kill",
            ) => {}
            ("container", "commit") => self.images = true,
            ("container", _) => {
                self.containers.insert(event.actor.as_str().into());
            }
            ("image", action) => {
                let tag = event.attributes.get("name").filter(|_| action == "tag");
                tag.into_iter().for_each(|tag| inventory.tagged(tag));
                self.images = true;
            }
            ("network", "connect" | "disconnect") => {
                self.networks = true;
                if let Some(id) = event.attributes.get("container") {
                    self.containers.insert(id.as_str().into());
                }
            }
            ("network", _) => self.networks = true,
            ("volume", "mount" | "unmount") => {}
            ("volume", _) => self.volumes = true,
            ("plugin", _) => self.plugins = true,
            ("node", _) => {
                inventory.peers_changed();
                self.changed = true;
            }
            _ => {}
        }
    }
}

/// Runs `read` when it is `wanted`.
pub(super) async fn when<T>(
    wanted: bool,
    read: impl Future<Output = Result<T, Error>>,
) -> Result<Option<T>, Error> {
    if wanted {
        read.await.map(Some)
    } else {
        Ok(None)
    }
}
