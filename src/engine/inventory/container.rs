//! A container out of its list entry and its inspect.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::Error as _;

use crate::model::container::{Attachment, Mount, Port, PortBinding, RunState};
use crate::model::raw::{Object, quote};
use crate::model::{Container, Manners, clock, devices, host_config, splice};
use crate::scheduler::wishes;

/// One container as the engine told it: the entry of its list and its inspect.
#[derive(Debug)]
pub(crate) struct Found {
    /// The list entry.
    pub(crate) entry: String,
    /// The answer to inspect.
    pub(crate) inspect: Bytes,
}

impl Found {
    /// Makes do with the entry of a container that cannot be inspected yet: its name and its state are known, and what it
    /// was promised is not.
    ///
    /// # Errors
    /// The entry is not what the API promises.
    pub(crate) fn listed(entry: String) -> serde_json::Result<Self> {
        let Entry { state, .. } = serde_json::from_str(&entry)?;
        let inspect = serde_json::json!({ "State": { "Status": state } });
        let inspect = inspect.to_string().into();
        Ok(Self { entry, inspect })
    }
}

/// What all containers of one engine have in common.
#[derive(Debug)]
pub(super) struct Host<'a> {
    /// The node's name.
    pub(super) name: &'a str,
    /// The address of its published ports; empty for none.
    pub(super) ip: &'a str,
    /// How many CPUs the machine has.
    pub(super) cpus: i64,
    /// Whose habits are followed.
    pub(super) manners: Manners,
}

/// The parts of a list entry that we look at.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: String,
    #[serde(default, rename = "ImageID")]
    image_id: String,
    #[serde(default)]
    created: i64,
    #[serde(default)]
    state: String,
    #[serde(default)]
    ports: Option<Vec<EntryPort>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    network_settings: Option<EntryNetworks>,
    #[serde(default)]
    mounts: Option<Vec<EntryMount>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryPort {
    #[serde(default, rename = "IP")]
    ip: String,
    private_port: u16,
    #[serde(default)]
    public_port: u16,
    #[serde(default, rename = "Type")]
    protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryNetworks {
    #[serde(default)]
    networks: Option<BTreeMap<String, Option<EntryEndpoint>>>,
}

#[derive(Deserialize)]
struct EntryEndpoint {
    #[serde(default, rename = "NetworkID")]
    network_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryMount {
    #[serde(default, rename = "Type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    destination: String,
}

impl From<EntryMount> for Mount {
    fn from(told: EntryMount) -> Self {
        Self {
            kind: told.kind,
            name: told.name,
            source: told.source,
            destination: told.destination,
        }
    }
}

/// Builds a container from what the engine told.
///
/// # Errors
/// The answers are not what the API promises.
pub(super) fn container(found: &Found, on: &Host<'_>) -> serde_json::Result<Container> {
    let entry: Entry = serde_json::from_str(&found.entry)?;
    let text = std::str::from_utf8(&found.inspect).map_err(serde_json::Error::custom)?;
    let inspect = Object::parse(text)?;
    let host = inspect.object("HostConfig")?;
    let config = inspect.object("Config")?;
    let mut ports = host_config::bindings(&host);
    for live in entry.ports.iter().flatten().filter(|p| p.public_port != 0) {
        let binding = PortBinding {
            host_ip: live.ip.clone(),
            first: live.public_port,
            last: live.public_port,
            port: Port {
                number: live.private_port,
                protocol: live.protocol.clone(),
            },
        };
        // What runs holds one port, whatever range was asked.
        ports.retain(|p| p.port != binding.port || p.first == p.last && p.first != 0);
        if !ports.contains(&binding) {
            ports.push(binding);
        }
    }
    let state = state(&inspect)?;
    let listed = of_one_moment(&found.entry, &entry.state, &state)?;
    let networks = entry.network_settings.and_then(|s| s.networks);
    let labels = entry.labels.unwrap_or_default();
    let mut promised = devices::asked(&host);
    promised.extend(wishes::devices_of(&labels));
    Ok(Container {
        names: names(entry.names),
        links: links(&host),
        created_seconds: entry.created,
        created_nano: created_nano(&inspect),
        image: entry.image,
        image_id: entry.image_id,
        labels,
        state,
        networks: networks
            .into_iter()
            .flatten()
            .map(|(name, endpoint)| Attachment {
                name,
                id: endpoint.map(|e| e.network_id).unwrap_or_default(),
            })
            .collect(),
        mounts: entry
            .mounts
            .into_iter()
            .flatten()
            .map(Mount::from)
            .collect(),
        resources: host_config::promised(&host, on.manners, on.cpus),
        devices: promised,
        ports,
        exposed: host_config::exposed(&config),
        network_mode: host.decode("NetworkMode").unwrap_or_default(),
        isolation: host.decode("Isolation").unwrap_or_default(),
        entry: splice::splice(&listed, on.name, on.ip, on.manners)?,
        id: entry.id.into(),
    })
}

/// Builds a container as it is kept of an engine called `node0`, for who measures what that takes.
///
/// # Errors
/// The answers are not what the API promises.
pub fn record(entry: String, inspect: Bytes) -> serde_json::Result<Container> {
    let host = Host {
        name: "node0",
        ip: "10.0.0.1",
        cpus: 4,
        manners: Manners::Engine,
    };
    container(&Found { entry, inspect }, &host)
}

/// Returns names without the slash that lists put before them.
fn names(listed: Option<Vec<String>>) -> Vec<String> {
    let listed = listed.into_iter().flatten();
    listed
        .map(|n| n.strip_prefix('/').unwrap_or(&n).to_owned())
        .collect()
}

/// Reads the links, which engines tell in any order.
fn links(host: &Object<'_>) -> Vec<String> {
    let mut links: Vec<String> = host.decode("Links").unwrap_or_default();
    links.sort_unstable();
    links
}

/// Reads the part of a second at which a container was created.
fn created_nano(inspect: &Object<'_>) -> i32 {
    let created: String = inspect.decode("Created").unwrap_or_default();
    clock::parse(&created).map_or(0, jiff::Timestamp::subsec_nanosecond)
}

/// Returns the list entry with the state of the inspect, which is younger: what lists show must be of one moment.
fn of_one_moment<'a>(
    entry: &'a str,
    listed: &str,
    state: &RunState,
) -> serde_json::Result<Cow<'a, str>> {
    if listed == state.status {
        return Ok(entry.into());
    }
    let mut entry = Object::parse(entry)?;
    entry.set("State", quote(&state.status));
    Ok(entry.to_json().into())
}

/// Reads `State` of an inspect.
fn state(inspect: &Object<'_>) -> serde_json::Result<RunState> {
    let state = inspect.object("State")?;
    let health = state.object("Health")?;
    let time = |key: &str| {
        state
            .decode::<String>(key)
            .and_then(|text| clock::parse(&text))
    };
    Ok(RunState {
        status: state.decode("Status").unwrap_or_default(),
        started_at: time("StartedAt"),
        finished_at: time("FinishedAt"),
        exit_code: state.decode("ExitCode").unwrap_or(0),
        health: health.decode("Status").unwrap_or_default(),
    })
}
