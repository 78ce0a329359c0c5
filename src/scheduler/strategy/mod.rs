//! Strategies score the nodes that every filter admitted; the highest score gets the container.

mod binpack;
mod random;
mod spread;

use std::fmt::{self, Debug};

use super::Request;
use crate::model::{Node, Resources};

/// How good a node is. Higher wins; `value` is 0..=100 so that strategies can be mixed, `tie` decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// 0 (worst) to 100 (best).
    pub value: u8,
    /// Decides between nodes of one value.
    pub tie: i64,
}

/// One number that a score is made of, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What is counted: `containers`, `cpu`.
    pub name: &'static str,
    /// How much of it there is.
    pub value: i64,
    /// `%`, or empty for a plain number.
    pub unit: &'static str,
    /// What it is the sum of, if it is one.
    pub of: Vec<Self>,
}

impl Part {
    /// Writes the number with its unit, and what it is the sum of.
    pub fn amount(&self) -> String {
        let of: Vec<String> = self.of.iter().map(ToString::to_string).collect();
        let (value, unit) = (self.value, self.unit);
        match of.as_slice() {
            [] => format!("{value}{unit}"),
            of => format!("{value}{unit} ({})", of.join(", ")),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.amount())
    }
}

/// One way to choose.
pub trait Strategy: Debug + Send + Sync {
    /// Name used by `--strategy` and in `docker info`.
    fn name(&self) -> &'static str;

    /// Scores `node`; called only for nodes that every filter admitted. The same input gives the same answer.
    fn score(&self, request: &Request, node: &Node) -> Score;

    /// Returns what the score of `node` is made of. The first part in which two nodes differ is the one that decides
    /// between them.
    fn parts(&self, request: &Request, node: &Node) -> Vec<Part>;
}

/// All strategies; the first is the default.
pub(super) const STRATEGIES: &[fn() -> Box<dyn Strategy>] = &[
    || Box::new(spread::Spread),
    || Box::new(binpack::Binpack),
    || Box::new(random::Random),
];

/// Returns how full the node would be in percent of processors and of memory, added: 0 to 200. What is not asked for
/// counts as 100, as in classic.
fn weight(request: &Request, node: &Node) -> i64 {
    let (cpus, memory) = shares(request, node);
    cpus.unwrap_or(100) + memory.unwrap_or(100)
}

/// Returns how full the node would be in percent of processors and of memory, of what is asked for.
fn shares(request: &Request, node: &Node) -> (Option<i64>, Option<i64>) {
    let share = |asked: i64, used: i64, capacity: i64| {
        let share = (i128::from(used) + i128::from(asked)) * 100 / i128::from(capacity.max(1));
        (asked != 0).then(|| i64::try_from(share.clamp(0, 100)).unwrap_or(100))
    };
    let Resources {
        nano_cpus,
        memory_bytes,
    } = request.resources;
    let (used, capacity) = (node.used, node.capacity);
    (
        share(nano_cpus, used.nano_cpus, capacity.nano_cpus),
        share(memory_bytes, used.memory_bytes, capacity.memory_bytes),
    )
}

/// Tells of the weight and the number of containers, by which both spread and binpack choose.
fn weight_and_count(request: &Request, node: &Node) -> Vec<Part> {
    let part = |name, value, unit, of| Part {
        name,
        value,
        unit,
        of,
    };
    let share = |name, value| part(name, value, "%", Vec::new());
    let full = match shares(request, node) {
        (None, None) => None,
        (Some(cpus), None) => Some(share("cpu", cpus)),
        (None, Some(memory)) => Some(share("memory", memory)),
        (Some(cpus), Some(memory)) => {
            let of = vec![share("cpu", cpus), share("memory", memory)];
            Some(part("load", cpus + memory, "%", of))
        }
    };
    let containers = part("containers", count(node), "", Vec::new());
    full.into_iter().chain([containers]).collect()
}

/// More containers than any node has; keeps weight above count in a tie.
const MANY: i64 = 1 << 32;

/// Turns a 0..=200 weight into a 0..=100 value.
fn halved(weight: i64) -> u8 {
    u8::try_from(weight / 2).unwrap_or(100).min(100)
}

/// Returns the number of containers of a node, in any state.
fn count(node: &Node) -> i64 {
    i64::try_from(node.containers.len()).unwrap_or(MANY)
}
