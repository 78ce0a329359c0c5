//! Events as an engine sends them, with what filters need taken out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

/// One event of one engine.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Key of the node it came from.
    pub node: Arc<str>,
    /// `container`, `image`, `network`, `volume`, `daemon`, `swarm`, …
    pub kind: String,
    /// What happened, with its detail: `exec_create: sh -c true`.
    pub action: String,
    /// The ID of what it happened to.
    pub actor: String,
    /// Attributes of the actor; a container's labels are among them.
    pub attributes: BTreeMap<String, String>,
    /// `local` or `swarm`.
    pub scope: String,
    /// Nanoseconds since the Unix epoch, by the engine's clock.
    pub time_nano: i64,
    /// Whether it is ours: no engine told it.
    pub made_up: bool,
    /// The event as JSON, node attributes added, without a newline.
    pub json: Bytes,
}
