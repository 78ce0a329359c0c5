//! One daemon: how to talk to it, and the task that keeps our picture of it true.
//!
//! State: an [`Engine`]'s node is written by its [`monitor`] task alone and published through a `watch` channel.
//! Invariant: every wait on an engine has a deadline, or is a stream that its reader can end.

pub mod backoff;
pub mod client;
pub mod error;
mod events;
mod fetch;
mod inventory;
pub mod monitor;
mod probe;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

pub use client::Client;
pub use error::Error;
pub use events::history;
pub use monitor::Settings;

use crate::model::Node;

/// How long a caller waits for a refresh before it answers without.
const REFRESH_DEADLINE: Duration = Duration::from_secs(5);

/// What is to be read anew from an engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refresh {
    /// One container, by full ID.
    Container(Arc<str>),
    /// The image list.
    Images,
    /// The network list.
    Networks,
    /// The volume list.
    Volumes,
    /// Everything.
    All,
    /// Whether the engine answers at all: sent by whoever saw a connection fail.
    Health,
}

/// A handle to one engine: cheap to clone, shared by all requests.
#[derive(Clone, Debug)]
pub struct Engine {
    client: Client,
    node: watch::Receiver<Arc<Node>>,
    commands: mpsc::Sender<Command>,
}

/// A wish for a refresh; the sender is answered with the node's revision once it is published.
#[derive(Debug)]
pub(crate) struct Command {
    what: Refresh,
    done: oneshot::Sender<u64>,
}

impl Engine {
    /// Returns the newest picture of the engine, without waiting.
    pub fn node(&self) -> Arc<Node> {
        Arc::clone(&self.node.borrow())
    }

    /// Returns a receiver that sees each publication.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Node>> {
        self.node.clone()
    }

    /// Returns the way to send requests.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Reads `what` anew and returns the revision of the node that shows it.
    ///
    /// `None` means that the engine did not answer in time; the monitor goes on by itself.
    pub async fn refresh(&self, what: Refresh) -> Option<u64> {
        let (done, answer) = oneshot::channel();
        let wait = async {
            self.commands.send(Command { what, done }).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(REFRESH_DEADLINE, wait)
            .await
            .ok()
            .flatten()
    }

    /// Asks the monitor to look soon whether the engine answers; never waits.
    pub fn suspect(&self) {
        let (done, _) = oneshot::channel();
        let what = Refresh::Health;
        // A full queue means that the monitor is looking already.
        let _ = self.commands.try_send(Command { what, done });
    }
}
