//! Strategies score the nodes that every filter admitted; the highest score gets the container.

mod binpack;
mod random;
mod spread;

use std::fmt::Debug;

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

/// One way to choose.
pub trait Strategy: Debug + Send + Sync {
    /// Name used by `--strategy` and in `docker info`.
    fn name(&self) -> &'static str;

    /// Scores `node`; called only for nodes that every filter admitted. The same input gives the same answer.
    fn score(&self, request: &Request, node: &Node) -> Score;
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
    let share = |asked: i64, used: i64, capacity: i64| match asked {
        0 => 100,
        _ => {
            let share = i128::from(used + asked) * 100 / i128::from(capacity.max(1));
            i64::try_from(share.clamp(0, 100)).unwrap_or(100)
        }
    };
    let Resources {
        nano_cpus,
        memory_bytes,
    } = request.resources;
    share(nano_cpus, node.used.nano_cpus, node.capacity.nano_cpus)
        + share(
            memory_bytes,
            node.used.memory_bytes,
            node.capacity.memory_bytes,
        )
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
