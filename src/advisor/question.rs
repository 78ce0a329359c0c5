//! What a plug-in is asked: the request and the nodes as documented data (docs/plugins.md).

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::model::devices::{Amount, GPU};
use crate::model::{Node, Resources};
use crate::scheduler::Request;

/// The version of the data's form.
const VERSION: u32 = 1;
/// Numbers of one node in the table for WebAssembly.
pub(super) const COLUMNS: usize = 16;
/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

/// One decision as it is put to plug-ins.
#[derive(Debug)]
pub struct Question {
    /// The keys of the nodes, in their order.
    pub(super) keys: Vec<Arc<str>>,
    /// The whole of it.
    pub(super) value: Value,
    /// The same in numbers alone: a row for each node.
    pub(super) table: Vec<[f64; COLUMNS]>,
}

impl Question {
    /// Makes the question about these nodes at this time.
    pub fn new(request: &Request, nodes: &[Arc<Node>], now: Timestamp) -> Self {
        let utc = TimeZone::UTC.to_datetime(now);
        let hour = i64::from(utc.hour());
        let value = json!({
            "version": VERSION,
            "utc": {
                "seconds": now.as_second(),
                "hour": hour,
                "minute": utc.minute(),
                // 1 is Monday.
                "weekday": utc.weekday().to_monday_one_offset(),
            },
            "request": self::request(request),
            "nodes": nodes.iter().map(|n| node(request, n)).collect::<Vec<_>>(),
        });
        Self {
            keys: nodes.iter().map(|n| Arc::clone(&n.key)).collect(),
            table: nodes.iter().map(|n| row(request, n, hour)).collect(),
            value,
        }
    }
}

/// Writes what a container asks for.
fn request(request: &Request) -> Value {
    let wishes = request.wishes.devices.iter().filter_map(|w| w.held());
    let devices = request.devices.iter().chain(wishes);
    let devices = devices.map(|d| json!({"kind": d.kind, "text": d.to_string()}));
    json!({
        "name": request.name.as_deref().unwrap_or_default(),
        "image": request.image,
        "cpus": cpus(request.resources.nano_cpus),
        "memory": request.resources.memory_bytes,
        "gpus": gpus(request),
        "devices": devices.collect::<Vec<_>>(),
    })
}

/// Writes one node.
fn node(request: &Request, node: &Node) -> Value {
    let (gpus, held) = stock(node);
    let load = node.load.map(|load| {
        json!({"cpus": cpus(load.nano_cpus), "memory": load.memory_bytes, "measured": load.measured})
    });
    json!({
        "id": &*node.key,
        "name": node.name,
        "labels": node.labels,
        "cpus": cpus(node.capacity.nano_cpus),
        "memory": node.capacity.memory_bytes,
        "used_cpus": cpus(node.used.nano_cpus),
        "used_memory": node.used.memory_bytes,
        "containers": node.containers.len(),
        "active": node.containers.active(),
        "gpus": gpus,
        "used_gpus": held,
        "has_image": node.image(&request.image).is_some(),
        "load": load,
    })
}

/// Writes one node in numbers; their order is documented.
fn row(request: &Request, node: &Node, hour: i64) -> [f64; COLUMNS] {
    let (gpus, held) = stock(node);
    let mib = |bytes: i64| bytes as f64 / MIB;
    [
        0.0,
        cpus(node.capacity.nano_cpus),
        cpus(node.used.nano_cpus),
        mib(node.capacity.memory_bytes),
        mib(node.used.memory_bytes),
        node.containers.len() as f64,
        node.containers.active() as f64,
        gpus as f64,
        held as f64,
        f64::from(u8::from(node.image(&request.image).is_some())),
        node.load.map_or(-1.0, |l| cpus(l.nano_cpus)),
        node.load.map_or(-1.0, |l| mib(l.memory_bytes)),
        cpus(request.resources.nano_cpus),
        mib(request.resources.memory_bytes),
        self::gpus(request) as f64,
        hour as f64,
    ]
}

/// Returns billionths of processors as processors.
fn cpus(nano: i64) -> f64 {
    nano as f64 / Resources::NANO_PER_CPU as f64
}

/// Returns how many GPUs a container asks for.
fn gpus(request: &Request) -> u64 {
    let wishes = request.wishes.devices.iter().filter_map(|w| w.held());
    let asked = request.devices.iter().chain(wishes);
    let counts = asked.filter(|d| d.kind == GPU).map(|d| match &d.amount {
        Amount::Count(count) => u64::from(*count),
        Amount::These(ids) => ids.len() as u64,
        // As many as there are, and at least one.
        Amount::All => 1,
    });
    counts.sum()
}

/// Returns how many GPUs a node has, as far as they are counted, and how many its containers hold.
fn stock(node: &Node) -> (u64, u64) {
    let gpus = node
        .devices
        .get(GPU)
        .and_then(|s| s.count)
        .map_or(0, u64::from);
    let held = node.containers.held(GPU).map_or(0, |held| {
        let named = held.these.values().filter(|times| **times > 0).count() as u64;
        match held.all {
            0 => held.count.saturating_add(named).min(gpus),
            _ => gpus,
        }
    });
    (gpus, held)
}
