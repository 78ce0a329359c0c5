//! GPUs and other things that are counted: what a container asks of them, and what containers hold.

use std::collections::BTreeMap;
use std::fmt;

use super::Container;
use super::raw::Object;

/// The kind of everything that calculates graphics.
pub const GPU: &str = "gpu";
/// The driver by which devices are asked for with their full names (Container Device Interface).
const CDI: &str = "cdi";

/// Some devices of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The kind in lower case: `gpu`, `fpga`.
    pub kind: String,
    /// How many, or which.
    pub amount: Amount,
    /// Who must have made them: `nvidia`; `None` for anybody.
    pub vendor: Option<String>,
    /// What they must be able to do beside, in alternatives of which one is enough; none for nothing.
    pub abilities: Vec<Vec<String>>,
}

/// How many devices, or which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many of any.
    Count(u32),
    /// All of a machine.
    All,
    /// These, by ID or by their number on the machine.
    These(Vec<String>),
}

impl Demand {
    /// Asks for so many of a kind.
    pub fn count(kind: &str, count: u32) -> Self {
        let (kind, vendor) = kind_and_vendor(kind);
        Self {
            kind,
            amount: Amount::Count(count),
            vendor,
            abilities: Vec::new(),
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = &self.kind;
        match &self.amount {
            Amount::Count(count) => write!(f, "{count} {kind}"),
            Amount::All => write!(f, "all {kind}"),
            Amount::These(ids) => write!(f, "{kind} {}", ids.join(" and ")),
        }
    }
}

/// Reads `HostConfig.DeviceRequests`. What is of another type is left to the engine to refuse.
pub fn asked(host: &Object<'_>) -> Vec<Demand> {
    let text = host.get_folded("DeviceRequests").unwrap_or("null");
    let list: Option<Vec<Object<'_>>> = serde_json::from_str(text).unwrap_or_default();
    let list = list.unwrap_or_default();
    list.iter().flat_map(demands).collect()
}

/// Reads one device request; full names may be of several kinds.
fn demands(request: &Object<'_>) -> Vec<Demand> {
    let driver: String = request.decode("Driver").unwrap_or_default();
    let ids: Vec<String> = request.decode("DeviceIDs").unwrap_or_default();
    if driver == CDI {
        return ids.iter().filter_map(|id| of_full_name(id)).collect();
    }
    let count: i64 = request.decode("Count").unwrap_or_default();
    let amount = match (ids.is_empty(), count) {
        (false, _) => Amount::These(ids),
        (true, ..=-1) => Amount::All,
        (true, 0) => return Vec::new(),
        (true, count) => Amount::Count(u32::try_from(count).unwrap_or(u32::MAX)),
    };
    let capabilities: Vec<Vec<String>> = request.decode("Capabilities").unwrap_or_default();
    let mut words = capabilities.iter().flatten();
    let makes_gpus = |word: &str| matches!(word, "nvidia" | "amd");
    let kind = match words.clone().any(|w| w == GPU) || makes_gpus(&driver) {
        true => GPU.to_owned(),
        // Not the engine's own words, but then there is no better one.
        false => match words.next() {
            Some(word) => word.to_ascii_lowercase(),
            None => return Vec::new(),
        },
    };
    let vendor = match makes_gpus(&driver) {
        true => Some(driver),
        false => capabilities
            .iter()
            .flatten()
            .find(|w| makes_gpus(w))
            .cloned(),
    };
    let beside = |alternative: &Vec<String>| -> Vec<String> {
        let words = alternative.iter().filter(|w| **w != kind && !makes_gpus(w));
        words.cloned().collect()
    };
    let mut abilities: Vec<Vec<String>> = capabilities.iter().map(beside).collect();
    if abilities.iter().any(Vec::is_empty) {
        abilities.clear();
    }
    vec![Demand {
        kind,
        amount,
        vendor,
        abilities,
    }]
}

/// Reads `nvidia.com/gpu=0`; `gpu=all` is all of them.
fn of_full_name(name: &str) -> Option<Demand> {
    let (of, id) = name.split_once('=')?;
    let (vendor, class) = of.split_once('/')?;
    Some(Demand {
        kind: class.to_ascii_lowercase(),
        amount: match id {
            "all" => Amount::All,
            id => Amount::These(vec![id.to_owned()]),
        },
        vendor: vendor.split('.').next().map(str::to_ascii_lowercase),
        abilities: Vec::new(),
    })
}

/// Splits what generic resources are called by: `NVIDIA-GPU` is a GPU of one vendor.
pub(super) fn kind_and_vendor(name: &str) -> (String, Option<String>) {
    let name = name.to_ascii_lowercase();
    match name
        .strip_suffix(GPU)
        .map(|v| v.trim_end_matches(['-', '_']))
    {
        Some("") => (GPU.to_owned(), None),
        Some(vendor) if name.len() > vendor.len() + GPU.len() => {
            (GPU.to_owned(), Some(vendor.to_owned()))
        }
        _ => (name, None),
    }
}

/// What containers hold of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Devices that any will do for.
    pub count: u64,
    /// How often all of the machine.
    pub all: u64,
    /// How often each that was named.
    pub these: BTreeMap<String, u64>,
}

impl Held {
    /// Adds an amount.
    pub fn add(&mut self, amount: &Amount) {
        match amount {
            Amount::Count(count) => self.count = self.count.saturating_add(u64::from(*count)),
            Amount::All => self.all += 1,
            Amount::These(ids) => {
                for id in ids {
                    *self.these.entry(id.clone()).or_default() += 1;
                }
            }
        }
    }
}

/// Adds up what containers hold, by kind.
pub(super) fn held<'a>(containers: impl Iterator<Item = &'a Container>) -> BTreeMap<String, Held> {
    let mut held: BTreeMap<String, Held> = BTreeMap::new();
    for demand in containers.flat_map(|c| &c.devices) {
        match held.get_mut(&demand.kind) {
            Some(held) => held.add(&demand.amount),
            None => held
                .entry(demand.kind.clone())
                .or_default()
                .add(&demand.amount),
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(requests: &str) -> Vec<Demand> {
        let text = format!(r#"{{"DeviceRequests":{requests}}}"#);
        asked(&Object::parse(&text).unwrap())
    }

    #[test]
    fn what_the_docker_cli_sends_is_understood() {
        let gpus = |amount, vendor: Option<&str>, abilities: &[&[&str]]| Demand {
            kind: GPU.to_owned(),
            amount,
            vendor: vendor.map(str::to_owned),
            abilities: abilities
                .iter()
                .map(|words| words.iter().map(|w| (*w).to_owned()).collect())
                .collect(),
        };
        let these = |ids: &[&str]| Amount::These(ids.iter().map(|i| (*i).to_owned()).collect());
        for (requests, expected) in [
            // --gpus all
            (
                r#"[{"Driver":"","Count":-1,"DeviceIDs":null,"Capabilities":[["gpu"]],"Options":{}}]"#,
                vec![gpus(Amount::All, None, &[])],
            ),
            // --gpus 2
            (
                r#"[{"Count":2,"Capabilities":[["gpu"]]}]"#,
                vec![gpus(Amount::Count(2), None, &[])],
            ),
            // --gpus '"device=0,GPU-1"'
            (
                r#"[{"count":0,"deviceids":["0","GPU-1"],"capabilities":[["gpu"]]}]"#,
                vec![gpus(these(&["0", "GPU-1"]), None, &[])],
            ),
            // --gpus '1,"capabilities=compute,utility",driver=nvidia'
            (
                r#"[{"Driver":"nvidia","Count":1,"Capabilities":[["compute","utility","gpu"]]}]"#,
                vec![gpus(
                    Amount::Count(1),
                    Some("nvidia"),
                    &[&["compute", "utility"]],
                )],
            ),
            (
                r#"[{"Count":1,"Capabilities":[["gpu","nvidia","compute"],["gpu","nvidia"]]}]"#,
                vec![gpus(Amount::Count(1), Some("nvidia"), &[])],
            ),
            // --device nvidia.com/gpu=0
            (
                r#"[{"Driver":"cdi","DeviceIDs":["nvidia.com/gpu=0","amd.com/gpu=all","x"]}]"#,
                vec![
                    gpus(these(&["0"]), Some("nvidia"), &[]),
                    gpus(Amount::All, Some("amd"), &[]),
                ],
            ),
            (
                r#"[{"Count":1,"Capabilities":[["tpu"]]}]"#,
                vec![Demand::count("tpu", 1)],
            ),
            (r#"[{"Count":0,"Capabilities":[["gpu"]]}]"#, vec![]),
            (r#"[{"Count":1}]"#, vec![]),
            ("null", vec![]),
            ("[null]", vec![]),
            ("7", vec![]),
        ] {
            assert_eq!(read(requests), expected, "{requests}");
        }
    }

    #[test]
    fn generic_resources_that_are_gpus_are_told_by_their_names() {
        let of = |name: &str| {
            let (kind, vendor) = kind_and_vendor(name);
            (kind, vendor.unwrap_or_default())
        };
        let told = |kind: &str, vendor: &str| (kind.to_owned(), vendor.to_owned());
        assert_eq!(of("gpu"), told("gpu", ""));
        assert_eq!(of("NVIDIA-GPU"), told("gpu", "nvidia"));
        assert_eq!(of("amd_gpu"), told("gpu", "amd"));
        assert_eq!(of("vgpu"), told("vgpu", ""));
        assert_eq!(of("SSD"), told("ssd", ""));
    }
}
