//! What can go wrong between the engines.

use jiff::Timestamp;

use super::decision::Id;
use super::queue::Parting;
use crate::engine;
use crate::model::{image, reference};
use crate::scheduler::Refused;

/// A failure of the cluster to do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No node has it.
    #[error("{}", not_found(kind, name))]
    NotFound {
        /// What kind of object.
        kind: Kind,
        /// What the user called it.
        name: String,
    },
    /// A prefix fits several IDs (the engine's words).
    #[error("multiple IDs found with provided prefix: {prefix}")]
    AmbiguousPrefix {
        /// The prefix.
        prefix: String,
    },
    /// A name means several objects.
    #[error("{kind} {name} is ambiguous: it is on {}; say which as {}/{name}", nodes.join(", "), nodes[0])]
    AmbiguousName {
        /// What kind of object.
        kind: Kind,
        /// The name.
        name: String,
        /// The nodes that have one.
        nodes: Vec<String>,
    },
    /// A container name is taken (the engine's words).
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The container that has it.
        id: String,
    },
    /// A container name is being given to another container at this moment.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by a container that is being created or renamed{on}. You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameReserved {
        /// The name.
        name: String,
        /// ` on node X`, or empty.
        on: String,
    },
    /// The object's node does not answer.
    #[error(
        "{object} is on {node}, which has not answered since {since:.0} ({reason}); nothing was changed{state}"
    )]
    Unreachable {
        /// The object with its kind.
        object: String,
        /// The node.
        node: String,
        /// Since when.
        since: Timestamp,
        /// What happened at the last try.
        reason: String,
        /// `. Last known state: running`, or empty.
        state: String,
    },
    /// No node that answers has it, and another one may.
    #[error(
        "{} on the nodes that answer; {node} has not answered since {since:.0} ({reason})",
        not_found(kind, name)
    )]
    Unsure {
        /// What kind of object.
        kind: Kind,
        /// What the user called it.
        name: String,
        /// A node that does not answer.
        node: String,
        /// Since when.
        since: Timestamp,
        /// What happened at the last try.
        reason: String,
    },
    /// No node that answers has it, and those that have not answered since the start may.
    #[error("{}{}", not_found(kind, name), doubt(nodes))]
    Unheard {
        /// What kind of object.
        kind: Kind,
        /// What the user called it.
        name: String,
        /// The addresses of these nodes.
        nodes: Vec<String>,
    },
    /// No node answers at all.
    #[error("No healthy node available in the cluster")]
    NoHealthyNode,
    /// No node may take the container.
    #[error("{0}")]
    Refused(Refused),
    /// No node may take the container, and why is kept.
    #[error("{refused} (flotilla why {decision})")]
    Unplaced {
        /// The reasons, counted.
        refused: Refused,
        /// What explains them node by node.
        decision: Id,
    },
    /// No node could take the container, and waiting for room did not help.
    #[error("{error}; {end}")]
    Waited {
        /// What would have been said at once.
        error: Box<Self>,
        /// How the wait ended.
        end: Parting,
    },
    /// Wishes or references exclude each other.
    #[error("{0}")]
    Conflict(String),
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The image could not be brought to the node that was chosen.
    #[error("image {image} could not be {how} to {node}: {reason}")]
    Image {
        /// What the user calls it.
        image: String,
        /// The node.
        node: String,
        /// `copied from node0` or `pulled`.
        how: String,
        /// What happened.
        reason: String,
    },
    /// An engine took a create and its outcome is not known.
    #[error(
        "{node} was asked to create {what} but did not answer: {reason}. The outcome is unknown; it is being checked, and the name stays reserved until then. See: docker ps -a --filter label={label}={id}"
    )]
    Unknown {
        /// The node.
        node: String,
        /// The container's name in quotes, or `a container`.
        what: String,
        /// What happened.
        reason: String,
        /// The identity label.
        label: &'static str,
        /// Its value.
        id: String,
    },
}

impl Error {
    /// Tells whether no node is known to have what was named.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Unheard { .. })
    }

    /// Says which nodes may yet have what was not found; empty when all have told what they have.
    pub fn doubt(&self) -> String {
        match self {
            Self::Unheard { nodes, .. } => doubt(nodes),
            _ => String::new(),
        }
    }

    /// Adds to why an image could not be brought in one way why it could not in another.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Image {
                    image,
                    node,
                    how,
                    reason,
                },
                Self::Image {
                    how: second,
                    reason: why,
                    ..
                },
            ) => Self::Image {
                image,
                node,
                how,
                reason: format!("{reason}; and it could not be {second}: {why}"),
            },
            (one, _) => one,
        }
    }
}

/// Kinds of objects, in the engine's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A container.
    Container,
    /// An exec.
    Exec,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A plugin.
    Plugin,
    /// A volume.
    Volume,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Exec => "exec instance",
            Self::Image => "image",
            Self::Network => "network",
            Self::Plugin => "plugin",
            Self::Volume => "volume",
        })
    }
}

/// Says which nodes may have what no other has; of many only the first.
fn doubt(nodes: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = nodes[..nodes.len().min(SHOWN)].join(", ");
    let who = match nodes.len() {
        1 => format!("{shown} has"),
        count if count > SHOWN => format!("{shown} and {} others have", count - SHOWN),
        _ => format!("{shown} have"),
    };
    format!(" on any node that answers; {who} not answered yet and may have it")
}

/// Says that an object does not exist, in the words that clients match on.
fn not_found(kind: &Kind, name: &str) -> String {
    match kind {
        Kind::Container => format!("No such container: {name}"),
        Kind::Exec => format!("No such exec instance: {name}"),
        Kind::Image => {
            let familiar = image::familiar(name);
            let shown = if name.starts_with("sha256:") || name.contains('@') {
                familiar.to_owned()
            } else if reference::is_whole_id(name) {
                format!("sha256:{name}")
            } else {
                image::with_tag(familiar)
            };
            format!("No such image: {shown}")
        }
        Kind::Network => format!("network {name} not found"),
        Kind::Plugin => format!("plugin \"{name}\" not found"),
        Kind::Volume => format!("get {name}: no such volume"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_silent_node_may_have_is_missing_in_the_engines_words_first() {
        let text = |kind, count: usize| {
            let nodes = (1..=count).map(|n| format!("10.0.0.{n}:2375")).collect();
            let name = "web".to_owned();
            Error::Unheard { kind, name, nodes }.to_string()
        };
        assert_eq!(
            text(Kind::Container, 1),
            "No such container: web on any node that answers; 10.0.0.1:2375 has not answered yet and may have it"
        );
        assert_eq!(
            text(Kind::Network, 2),
            "network web not found on any node that answers; 10.0.0.1:2375, 10.0.0.2:2375 have not answered yet and may have it"
        );
        let many = text(Kind::Volume, 9);
        assert!(
            many.contains("10.0.0.3:2375 and 6 others have not"),
            "{many}"
        );
    }
}
