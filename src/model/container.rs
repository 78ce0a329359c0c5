//! Containers: what placement and look-ups need, beside the engine's own list entry.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::devices::Demand;
use super::network::Copies;
use super::{Resources, clock};

/// One container on one node.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: Arc<str>,
    /// Names without the leading slash; legacy link aliases (`web/db`) among them.
    pub names: Vec<String>,
    /// Its links to others as inspects have them (`/db:/web/db`), in order: each is a name of the one that it leads to.
    pub links: Vec<String>,
    /// Unix time of creation, in seconds, as lists show it.
    pub created_seconds: i64,
    /// The nanoseconds beyond: lists are in the exact order of creation.
    pub created_nano: i32,
    /// The image as the creator named it.
    pub image: String,
    /// The image's ID on its node.
    pub image_id: String,
    /// Labels as the engine knows them.
    pub labels: BTreeMap<String, String>,
    /// What it is doing.
    pub state: RunState,
    /// The networks it is on.
    pub networks: Vec<Attachment>,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
    /// What it was promised.
    pub resources: Resources,
    /// The devices it was promised.
    pub devices: Vec<Demand>,
    /// Host ports it holds, or will hold when started.
    pub ports: Vec<PortBinding>,
    /// Ports it exposes, published or not.
    pub exposed: Vec<Port>,
    /// `HostConfig.NetworkMode`.
    pub network_mode: String,
    /// `HostConfig.Isolation`; empty on Linux.
    pub isolation: String,
    /// Its entry in lists.
    pub entry: ListEntry,
}

impl Container {
    /// Returns the name that is not a link alias, without its slash; empty when it has none.
    pub fn name(&self) -> &str {
        self.names
            .iter()
            .find(|n| !n.contains('/'))
            .map_or("", String::as_str)
    }

    /// Tells whether it is on a network that is a copy, by what its engine told.
    pub fn is_on_copy(&self, copies: &Copies) -> bool {
        let mut networks = self.networks.iter();
        networks.any(|network| copies.of(&network.id).is_some())
    }

    /// Puts it on the networks that its own are copies of.
    #[must_use]
    pub fn on_originals(mut self, copies: &Copies) -> Self {
        for network in &mut self.networks {
            if let Some(id) = copies.of(&network.id) {
                id.clone_into(&mut network.id);
            }
        }
        self.entry = self.entry.on_originals(copies);
        self
    }

    /// Returns the identity that Flotilla gave it at its creation.
    pub fn swarm_id(&self) -> Option<&str> {
        self.labels.get(super::SWARM_ID_LABEL).map(String::as_str)
    }

    /// Tells whether its host ports are its own: an engine gives them back when a container ends, to whoever starts next.
    pub fn keeps_ports(&self) -> bool {
        !self.has_ended()
    }

    /// Tells whether it has run and does not any more.
    pub fn has_ended(&self) -> bool {
        matches!(self.state.status.as_str(), "exited" | "dead")
    }

    /// Returns the compose project it belongs to.
    pub fn project(&self) -> Option<&str> {
        self.labels
            .get(super::COMPOSE_PROJECT_LABEL)
            .map(String::as_str)
    }
}

/// A container port with its protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// Port number.
    pub number: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// A host port, or a range of which the engine takes one, bound for a container port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PortBinding {
    /// The address it binds; empty means all.
    pub host_ip: String,
    /// First acceptable host port; 0 lets the engine choose any.
    pub first: u16,
    /// Last acceptable host port, equal to `first` but for ranges.
    pub last: u16,
    /// The port inside.
    pub port: Port,
}

impl PortBinding {
    /// Tells whether it binds every address of the host.
    pub fn binds_all(&self) -> bool {
        matches!(self.host_ip.as_str(), "" | "0.0.0.0" | "::")
    }
}

/// A container's place on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The network's name.
    pub name: String,
    /// The network's ID; empty until the first start.
    pub id: String,
}

/// Something mounted into a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// `volume`, `bind`, `tmpfs`, …
    pub kind: String,
    /// The volume's name; empty for other kinds.
    pub name: String,
    /// The path on the host.
    pub source: String,
    /// The path inside.
    pub destination: String,
}

/// What a container is doing, from which the clock makes the `Status` text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunState {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub status: String,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub finished_at: Option<Timestamp>,
    /// The last exit code.
    pub exit_code: i64,
    /// `starting`, `healthy` or `unhealthy`; empty without a health check.
    pub health: String,
}

impl RunState {
    /// Tells whether its process runs: also while paused, and between the tries of a restart policy.
    pub fn is_running(&self) -> bool {
        matches!(self.status.as_str(), "running" | "paused" | "restarting")
    }

    /// Writes the `Status` text of lists in the engine's words.
    pub fn text(&self, now: Timestamp) -> String {
        let ago = |at: Option<Timestamp>| at.map(|t| clock::human(clock::since(t, now)));
        let up = ago(self.started_at).unwrap_or_default();
        let ended = ago(self.finished_at);
        match self.status.as_str() {
            "paused" => format!("Up {up} (Paused)"),
            "restarting" => format!(
                "Restarting ({}) {} ago",
                self.exit_code,
                ended.unwrap_or_default()
            ),
            "running" => match self.health.as_str() {
                "" | "none" => format!("Up {up}"),
                "starting" => format!("Up {up} (health: starting)"),
                health => format!("Up {up} ({health})"),
            },
            "removing" => "Removal In Progress".to_owned(),
            "dead" => "Dead".to_owned(),
            _ if self.started_at.is_none() => "Created".to_owned(),
            _ => match ended {
                None => String::new(),
                Some(ended) => format!("Exited ({}) {ended} ago", self.exit_code),
            },
        }
    }
}

/// The engine's list entry with the parts we change already spliced in, cut around the value of `Status`.
#[derive(Clone, Debug, Default)]
pub struct ListEntry {
    /// From `{` to just before the value of `Status`.
    pub head: Bytes,
    /// From just after the value of `Status` to `}`.
    pub tail: Bytes,
}

impl ListEntry {
    /// Returns the entry with the IDs of networks that clients know.
    fn on_originals(&self, copies: &Copies) -> Self {
        let told = |bytes: &Bytes| match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::from(copies.told(text).into_owned()),
            // What is no text has no ID in it.
            Err(_) => bytes.clone(),
        };
        Self {
            head: told(&self.head),
            tail: told(&self.tail),
        }
    }

    /// Appends the entry with `status` as its `Status` text.
    pub fn write(&self, status: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(super::raw::quote(status).as_bytes());
        out.extend_from_slice(&self.tail);
    }
}

impl std::fmt::Display for PortBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.binds_all() {
            write!(f, "{}:", self.host_ip)?;
        }
        write!(f, "{}", self.first)?;
        if self.last != self.first {
            write!(f, "-{}", self.last)?;
        }
        f.write_char('/')?;
        f.write_str(&self.port.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_reads_as_the_engine_writes_it() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let at = |s: &str| Some(s.parse::<Timestamp>().unwrap());
        let base = RunState {
            status: "running".into(),
            started_at: at("2026-11-24T11:55:00Z"),
            ..RunState::default()
        };
        let with = |change: fn(&mut RunState)| {
            let mut state = base.clone();
            change(&mut state);
            state.text(now)
        };
        assert_eq!(with(|_| ()), "Up 5 minutes");
        assert_eq!(
            with(|s| s.health = "starting".into()),
            "Up 5 minutes (health: starting)"
        );
        assert_eq!(
            with(|s| s.health = "unhealthy".into()),
            "Up 5 minutes (unhealthy)"
        );
        assert_eq!(
            with(|s| s.status = "paused".into()),
            "Up 5 minutes (Paused)"
        );
        let exited = RunState {
            status: "exited".into(),
            finished_at: at("2026-11-24T09:00:00Z"),
            exit_code: 137,
            ..base.clone()
        };
        assert_eq!(exited.text(now), "Exited (137) 3 hours ago");
        let restarting = RunState {
            status: "restarting".into(),
            exit_code: 1,
            ..exited
        };
        assert_eq!(restarting.text(now), "Restarting (1) 3 hours ago");
        assert_eq!(
            RunState {
                status: "created".into(),
                ..RunState::default()
            }
            .text(now),
            "Created"
        );
        assert_eq!(
            RunState {
                status: "removing".into(),
                ..base
            }
            .text(now),
            "Removal In Progress"
        );
    }
}
