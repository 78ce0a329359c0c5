//! One daemon: how to talk to it, and the task that keeps our picture of it true.
//!
//! State: an [`Engine`]'s node is written by its [`monitor`] task alone and published through a `watch` channel.
//! Invariant: every wait on an engine has a deadline, or is a stream that its reader can end.

pub mod backoff;
mod breaker;
pub mod client;
pub mod error;
mod events;
mod feed;
mod fetch;
mod gap;
mod inventory;
mod late;
mod ledger;
mod link;
mod load;
pub mod monitor;
mod probe;
mod pulse;
mod rounds;
mod settings;
mod stale;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

pub use breaker::exhausted;
pub use client::Client;
pub use error::Error;
pub use events::history;
pub use feed::Feed;
pub use inventory::{Copying, record};
pub use settings::Settings;

use crate::model::Node;
use crate::model::entry::Entry;
use crate::net::body::{self, Body};

/// How long an engine may take for a request before it is asked whether it answers at all.
pub const SILENCE: Duration = Duration::from_secs(3);
/// How long a caller waits for a refresh before it answers without: longer than an engine that is not yet given up.
const REFRESH_DEADLINE: Duration = Duration::from_secs(15);

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
    /// The list of managed plugins.
    Plugins,
    /// Everything.
    All,
}

/// A handle to one engine: cheap to clone, shared by all requests.
#[derive(Clone, Debug)]
pub struct Engine {
    client: Client,
    node: watch::Receiver<Arc<Node>>,
    commands: mpsc::Sender<Command>,
}

/// What requests tell the monitor.
#[derive(Debug)]
pub(crate) enum Command {
    /// Something is to be read anew.
    Read(Order),
    /// A connection failed: does the engine answer at all?
    Suspect,
    /// A create worked, or failed because the machine lacks something.
    Created(Result<(), String>),
    /// A tag was given to an image, which may have had it already.
    Tagged(String),
    /// A copy of an image is about to bring a tag, which came to the image at this time where it is from.
    Copying(Copying, String, Option<Timestamp>),
    /// The copy has ended, whichever way.
    Copied(Copying, String),
    /// What managers of its swarm-mode cluster keep of it.
    Kept(Entry),
}

/// A wish for a refresh; the sender is answered with the node's revision once it is published.
#[derive(Debug)]
pub(crate) struct Order {
    what: Refresh,
    done: oneshot::Sender<u64>,
}

impl Engine {
    /// Tells whether both are one engine with one monitor.
    pub fn is_same(&self, other: &Self) -> bool {
        self.commands.same_channel(&other.commands)
    }

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
            self.commands
                .send(Command::Read(Order { what, done }))
                .await
                .ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(REFRESH_DEADLINE, wait)
            .await
            .ok()
            .flatten()
    }

    /// Has `what` read anew soon; never waits.
    pub fn reread(&self, what: Refresh) {
        let (done, _) = oneshot::channel();
        // Lost in a full queue, it is read with everything else later.
        let _ = self.commands.try_send(Command::Read(Order { what, done }));
    }

    /// Asks the monitor to look soon whether the engine answers; never waits.
    pub fn suspect(&self) {
        // A full queue means that the monitor is looking already.
        let _ = self.commands.try_send(Command::Suspect);
    }

    /// Tells how a create ended that says something of the machine: [`exhausted`] named what it lacks, or it worked on
    /// a node in [`crate::model::node::Trouble`]. Never waits.
    pub fn created(&self, result: Result<(), String>) {
        // Lost in a full queue, it is told again by the next create.
        let _ = self.commands.try_send(Command::Created(result));
    }

    /// Says that a tag was given to an image, which may have had it already.
    pub async fn tagged(&self, tag: &str) {
        // Who is not heard has left the cluster.
        let _ = self.commands.send(Command::Tagged(tag.to_owned())).await;
    }

    /// Says that a copy is about to bring a tag, which came to its image at `moved_at` where it is from: it is no newer
    /// here. To be ended by [`Engine::copied`].
    pub async fn copying(&self, copy: Copying, tag: &str, moved_at: Option<Timestamp>) {
        // Who is not heard has left the cluster.
        let _ = self
            .commands
            .send(Command::Copying(copy, tag.to_owned(), moved_at))
            .await;
    }

    /// Says that the copy that brought a tag has ended and was looked at.
    pub async fn copied(&self, copy: Copying, tag: &str) {
        let ended = Command::Copied(copy, tag.to_owned());
        let _ = self.commands.send(ended).await;
    }

    /// Tells what managers of its swarm-mode cluster keep of the engine. Never waits.
    pub fn kept(&self, entry: Entry) {
        // Lost in a full queue, it is told again when managers are next asked.
        let _ = self.commands.try_send(Command::Kept(entry));
    }

    /// Has the engine looked at when a call takes long, and returns once it is no longer healthy, with the reason.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn silent(&self) -> String {
        tokio::time::sleep(SILENCE).await;
        self.suspect();
        self.lost().await
    }

    /// Reads the body of an answer of its whole, up to `limit` bytes, as long as the engine answers anything at all: it may
    /// hang after the head.
    ///
    /// # Errors
    /// The engine broke off or became unhealthy, or sends more.
    pub async fn read(&self, answer: Body, limit: usize) -> Result<Bytes, Error> {
        tokio::select! {
            biased;
            text = body::read(answer, limit) => text.map_err(|e| self.client.broken(e.to_string())),
            reason = self.silent() => Err(Error::Lost {
                node: self.client.key().to_string(),
                reason,
                outcome: "",
            }),
        }
    }

    /// Returns once the engine is no longer healthy, with the reason.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn lost(&self) -> String {
        let mut node = self.node.clone();
        let lost = node.wait_for(|n| !n.health.is_healthy()).await;
        let reason = lost.map(|n| n.health.reason().unwrap_or_default().to_owned());
        match reason {
            Ok(reason) => reason,
            // It has left the cluster; what is under way goes on.
            Err(_) => std::future::pending().await,
        }
    }
}
