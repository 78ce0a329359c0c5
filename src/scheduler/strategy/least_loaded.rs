//! The least busy node first.

use super::{Counting, Part, Score, Strategy};
use crate::model::{Manners, Node, Resources};
use crate::scheduler::Request;

/// What a container that is not measured yet is taken to use, in billionths of a processor: creates at once do not all
/// go where little was measured a moment ago.
const NEW: i64 = Resources::NANO_PER_CPU / 10;
/// The percents at which a node of unknown load stands.
const UNKNOWN: i64 = 50;

/// Prefers the node whose containers were measured to use the smallest share of it, of processors or of memory,
/// whichever is greater; between equals as `spread:running`. A node of unknown load stands in the middle.
#[derive(Debug)]
pub(super) struct LeastLoaded;

/// Percents of a node in use with one container more.
#[derive(Clone, Copy)]
struct Busy {
    cpu: i64,
    memory: i64,
}

impl Busy {
    /// Returns what is known of a node.
    fn of(node: &Node) -> Option<Self> {
        let load = node.load?;
        let new = node.containers.active().saturating_sub(load.measured) + 1;
        let new = i64::try_from(new).unwrap_or(i64::MAX).saturating_mul(NEW);
        let percent = |used: i64, all: i64| {
            let percent = i128::from(used.max(0)) * 100 / i128::from(all.max(1));
            i64::try_from(percent.min(100)).unwrap_or(100)
        };
        Some(Self {
            cpu: percent(load.nano_cpus.saturating_add(new), node.capacity.nano_cpus),
            memory: percent(load.memory_bytes, node.capacity.memory_bytes),
        })
    }

    fn percent(self) -> i64 {
        self.cpu.max(self.memory)
    }
}

impl Strategy for LeastLoaded {
    fn name(&self) -> &str {
        "least-loaded"
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let percent = Busy::of(node).map_or(UNKNOWN, Busy::percent);
        let free = u32::try_from(100 - percent).unwrap_or(0);
        Score {
            value: Score::BEST / 100 * free,
            tie: -full(request, node).tie(),
        }
    }

    fn class(&self, request: &Request) -> Option<String> {
        Some(Counting::running(Manners::Engine).class(request))
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        let part = |name: &'static str, value, of| Part {
            unit: "%",
            of,
            ..Part::whole(name, value)
        };
        let load = match Busy::of(node) {
            None => part("load unknown, taken as", UNKNOWN, Vec::new()),
            Some(busy) => {
                let of = vec![
                    part("cpu", busy.cpu, Vec::new()),
                    part("memory", busy.memory, Vec::new()),
                ];
                part("measured load", busy.percent(), of)
            }
        };
        let rest = full(request, node).parts();
        [load].into_iter().chain(rest).collect()
    }

    fn uses_load(&self) -> bool {
        true
    }
}

/// Says how full a node is by what was promised.
fn full(request: &Request, node: &Node) -> super::fullness::Fullness {
    Counting::running(Manners::Engine).measure(request, node)
}
