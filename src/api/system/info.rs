//! `GET /info`: all engines as one, from what each said of itself last.
//!
//! A field that is not named here is shown if all engines agree on it, so that fields of newer engines come through.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::model::{ClusterView, Manners, Resources};

use super::about::About;
use super::status::{self, Counts};
use super::warnings;

/// Numbers that add up; containers, images, processors and memory are counted apart.
const SUMS: &[&str] = &["NFd", "NGoroutines"];
/// Abilities that the cluster has when every engine has them.
const ABILITIES: &[&str] = &[
    "MemoryLimit",
    "SwapLimit",
    "KernelMemory",
    "KernelMemoryTCP",
    "CpuCfsPeriod",
    "CpuCfsQuota",
    "CPUShares",
    "CPUSet",
    "PidsLimit",
    "OomKillDisable",
    "IPv4Forwarding",
    "BridgeNfIptables",
    "BridgeNfIp6tables",
    "LiveRestoreEnabled",
    "ExperimentalBuild",
];
/// Facts that clients need some value of: the first engine's, when they differ.
const FIRST: &[&str] = &[
    "Driver",
    "LoggingDriver",
    "CgroupDriver",
    "CgroupVersion",
    "KernelVersion",
    "OperatingSystem",
    "OSVersion",
    "OSType",
    "Architecture",
    "DefaultRuntime",
    "IndexServerAddress",
    "RegistryConfig",
    "InitBinary",
    "ContainerdCommit",
    "RuncCommit",
    "InitCommit",
    "DockerRootDir",
    "Isolation",
];

/// Abilities that classic said it has, whatever its engines have.
const CLASSICS_ABILITIES: [&str; 9] = [
    "MemoryLimit",
    "SwapLimit",
    "CpuCfsPeriod",
    "CpuCfsQuota",
    "CPUShares",
    "CPUSet",
    "IPv4Forwarding",
    "BridgeNfIptables",
    "OomKillDisable",
];

/// The first API without `BridgeNfIptables`, as minor number; 28.5 says `false` before it.
const BRIDGE_GONE: u16 = 50;
/// The first API without `KernelMemory`, as minor number.
const KERNEL_MEMORY_GONE: u16 = 42;

/// The first API whose security options have keys, as minor number.
const OPTIONS_NAMED: u16 = 25;

/// Returns the answer for a client of API 1.`api`.
pub fn info(view: &ClusterView, about: &About, api: u16, now: Timestamp) -> Value {
    let answers = answers(view);
    // In the engines' own order, as far as there is one.
    let mut merged = Map::new();
    for key in answers.iter().flat_map(|a| a.keys()) {
        if merged.contains_key(key) {
            continue;
        }
        let values: Vec<&Value> = answers
            .iter()
            .filter_map(|answer| answer.get(key))
            .collect();
        if let Some(value) = merge(key, &values, answers.len()) {
            merged.insert(key.to_owned(), value);
        }
    }
    for (key, value) in defaults() {
        merged.entry(key).or_insert(value);
    }
    for (key, value) in older(api, &merged) {
        merged.entry(key).or_insert(value);
    }
    if api < OPTIONS_NAMED
        && let Some(Value::Array(options)) = merged.get_mut("SecurityOptions")
    {
        options.iter_mut().for_each(bare);
    }
    merged.extend(counted(view, about));
    merged.extend(own(view, about, now));
    if about.manners.is_classic() {
        merged.extend(of_classic());
    }
    Value::Object(merged)
}

/// Leaves nothing of a security option but its name: `name=seccomp,profile=default` becomes `seccomp`.
fn bare(option: &mut Value) {
    let text = option.as_str().unwrap_or_default();
    let name = text.strip_prefix("name=").unwrap_or(text).split(',').next();
    *option = name.unwrap_or_default().into();
}

/// Returns what newer engines say to clients of older versions only, and what we do not hear of them therefore.
fn older(api: u16, merged: &Map<String, Value>) -> Map<String, Value> {
    let mut more = Map::new();
    if api < BRIDGE_GONE {
        more.insert("BridgeNfIptables".to_owned(), false.into());
        more.insert("BridgeNfIp6tables".to_owned(), false.into());
    }
    if api < KERNEL_MEMORY_GONE {
        let tcp = merged.get("KernelMemoryTCP").cloned();
        more.insert("KernelMemory".to_owned(), tcp.unwrap_or(Value::Bool(false)));
    }
    more
}

/// Returns what the engines said; those that answer now, or else all that ever did.
fn answers(view: &ClusterView) -> Vec<&Map<String, Value>> {
    let healthy: Vec<_> = view
        .healthy()
        .filter_map(|n| n.facts.info.as_object())
        .collect();
    if healthy.is_empty() {
        view.nodes()
            .iter()
            .filter_map(|n| n.facts.info.as_object())
            .collect()
    } else {
        healthy
    }
}

/// Makes one value of those that the engines gave; `None` when the field is left out.
fn merge(key: &str, values: &[&Value], engines: usize) -> Option<Value> {
    let first = values.first()?;
    if SUMS.contains(&key) {
        let sum: i64 = values.iter().filter_map(|v| v.as_i64()).sum();
        return Some(json!(sum));
    }
    if ABILITIES.contains(&key) {
        return Some(json!(values.iter().all(|v| v.as_bool() == Some(true))));
    }
    match key {
        "Plugins" => Some(plugins(values)),
        "Runtimes" => Some(union_of_objects(values)),
        "SecurityOptions" => Some(in_all(values)),
        key if FIRST.contains(&key) => Some((*first).clone()),
        _ => {
            (values.len() == engines && values.iter().all(|v| v == first)).then(|| (*first).clone())
        }
    }
}

/// Unites the names of plugins, kind by kind; a kind that no engine has stays `null`.
fn plugins(values: &[&Value]) -> Value {
    let objects = || values.iter().filter_map(|v| v.as_object());
    let kinds: BTreeSet<&String> = objects().flat_map(Map::keys).collect();
    let names = |kind: &String| {
        let lists = objects().filter_map(|o| o.get(kind)?.as_array());
        let names: BTreeSet<&str> = lists.flatten().filter_map(Value::as_str).collect();
        let none = names.is_empty();
        if none { Value::Null } else { json!(names) }
    };
    kinds
        .into_iter()
        .map(|kind| (kind.clone(), names(kind)))
        .collect::<Map<_, _>>()
        .into()
}

/// Unites objects; the first engine that has a member gives it.
fn union_of_objects(values: &[&Value]) -> Value {
    let mut all = Map::new();
    for (key, value) in values.iter().filter_map(|v| v.as_object()).flatten() {
        all.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(all)
}

/// Returns the elements that are in every list.
fn in_all(values: &[&Value]) -> Value {
    let mut lists = values
        .iter()
        .map(|v| v.as_array().map_or(&[][..], Vec::as_slice));
    let first = lists.next().unwrap_or_default();
    let lists: Vec<_> = lists.collect();
    let common = first
        .iter()
        .filter(|item| lists.iter().all(|list| list.contains(item)));
    Value::Array(common.cloned().collect())
}

/// Returns what is counted from our own pictures of the nodes.
fn counted(view: &ClusterView, about: &About) -> Map<String, Value> {
    let nodes = view.nodes();
    let counts = nodes
        .iter()
        .map(|n| Counts::of(n))
        .fold(Counts::default(), |a, b| a + b);
    let images: usize = nodes.iter().map(|n| n.images.len()).sum();
    let sum = |key: &str, capacity: fn(Resources) -> i64| -> i64 {
        let of = |node: &crate::model::Node| {
            let fact = node.facts.info.get(key).and_then(Value::as_i64);
            // Classic's totals have the overcommit in them; an engine's are what the machine has.
            let fact = fact.filter(|_| about.manners == Manners::Engine);
            fact.unwrap_or_else(|| capacity(node.capacity))
        };
        nodes.iter().map(|node| of(node)).sum()
    };
    object(json!({
        "Containers": counts.all,
        "ContainersRunning": counts.running,
        "ContainersPaused": counts.paused,
        "ContainersStopped": counts.stopped(),
        "Images": images,
        "NCPU": sum("NCPU", |capacity| capacity.nano_cpus / Resources::NANO_PER_CPU),
        "MemTotal": sum("MemTotal", |capacity| capacity.memory_bytes),
    }))
}

/// Returns what the proxy says of itself, whatever the engines say.
fn own(view: &ClusterView, about: &About, now: Timestamp) -> Map<String, Value> {
    let warnings = warnings::all(view);
    object(json!({
        "ID": about.id,
        "Name": about.name,
        "ServerVersion": about.server_version(),
        "SystemTime": now.to_string(),
        "SystemStatus": status::lines(view, about),
        "NEventsListener": about.event_listeners,
        "Debug": false,
        "Labels": [],
        "HttpProxy": about.http_proxy,
        "HttpsProxy": about.https_proxy,
        "NoProxy": about.no_proxy,
        // Compose v1 warns when a swarm is active; an empty state makes the CLI print an empty node.
        "Swarm": swarm(view),
        "Warnings": if warnings.is_empty() { Value::Null } else { json!(warnings) },
    }))
}

/// Returns what classic told of itself instead of its engines.
fn of_classic() -> Map<String, Value> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let mut told = object(json!({
        "ID": "",
        "Driver": "",
        "DriverStatus": null,
        "Plugins": {"Volume": null, "Network": null, "Authorization": null, "Log": null},
        "KernelVersion": kernel.trim(),
        "OperatingSystem": std::env::consts::OS,
        "Architecture": architecture,
        "Swarm": {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "",
            "ControlAvailable": false,
            "Error": "",
            "RemoteManagers": null,
        },
    }));
    told.extend(CLASSICS_ABILITIES.map(|key| (key.to_owned(), Value::Bool(true))));
    told
}

/// Returns what a manager says of the engines' swarm-mode cluster. As long as an engine is locked, so is the cluster: the
/// docker CLI asks for the key only then.
fn swarm(view: &ClusterView) -> Value {
    let locked = view.healthy().find(|n| n.is_locked());
    let manager = view.healthy().find(|n| n.is_manager());
    let mut told = manager.or(locked).map_or_else(
        || {
            json!({
                "NodeID": "",
                "NodeAddr": "",
                "LocalNodeState": "inactive",
                "ControlAvailable": false,
                "Error": "",
                "RemoteManagers": null,
            })
        },
        |n| n.facts.info["Swarm"].clone(),
    );
    if locked.is_some() {
        told["LocalNodeState"] = "locked".into();
    }
    told
}

/// Returns what clients expect to be there when no engine has said anything yet.
fn defaults() -> Map<String, Value> {
    let mut defaults = object(json!({
        "Driver": "",
        "DriverStatus": null,
        "Plugins": {"Volume": [], "Network": [], "Authorization": null, "Log": []},
        "NFd": 0,
        "NGoroutines": 0,
        "LoggingDriver": "",
        "CgroupDriver": "",
        "KernelVersion": "",
        "OperatingSystem": "linux",
        "OSType": "linux",
        "Architecture": std::env::consts::ARCH,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": null,
        "GenericResources": null,
        "DockerRootDir": "",
        "Runtimes": {},
        "DefaultRuntime": "",
        "Isolation": "",
        "InitBinary": "",
        "ContainerdCommit": {"ID": ""},
        "RuncCommit": {"ID": ""},
        "InitCommit": {"ID": ""},
        "SecurityOptions": [],
        "LiveRestoreEnabled": false,
        "ExperimentalBuild": false,
    }));
    let linux = [
        "MemoryLimit",
        "SwapLimit",
        "CpuCfsPeriod",
        "CpuCfsQuota",
        "CPUShares",
        "CPUSet",
    ];
    for key in linux
        .into_iter()
        .chain(["PidsLimit", "OomKillDisable", "IPv4Forwarding"])
    {
        // Else `docker info` warns of each.
        defaults.insert(key.to_owned(), Value::Bool(true));
    }
    defaults
}

/// Takes the members out of an object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
#[path = "info_tests.rs"]
mod tests;
