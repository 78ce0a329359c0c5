//! How full a node would be with one container more: what spread and binpack choose by.

use super::{Part, Score};
use crate::model::{Manners, Node, Resources};
use crate::scheduler::Request;

/// Larger than any crowd; keeps the load above it in a tie.
const MANY: i64 = 1 << 32;

/// What of a node counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counting {
    manners: Manners,
    /// Containers that have ended take no place.
    running: bool,
}

/// How full a node would be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fullness {
    manners: Manners,
    /// The share of processors in units of [`Fullness::whole`], if processors are asked for.
    cpus: Option<i64>,
    /// The same of memory.
    memory: Option<i64>,
    /// Containers before this one.
    containers: i64,
    /// Containers with this one for each processor, in thousandths.
    per_cpu: i64,
    /// The node's processors, in billionths.
    nano_cpus: i64,
}

impl Counting {
    /// Counts all containers.
    pub(super) fn all(manners: Manners) -> Self {
        let running = false;
        Self { manners, running }
    }

    /// Counts the containers that run or are about to.
    pub(super) fn running(manners: Manners) -> Self {
        let running = true;
        Self { manners, running }
    }

    /// Returns a name, with what is said when not all is counted.
    pub(super) fn name(self, all: &'static str, running: &'static str) -> &'static str {
        match self.running {
            true => running,
            false => all,
        }
    }

    /// Returns what of a request its measure depends on.
    pub(super) fn class(self, request: &Request) -> String {
        let Resources {
            nano_cpus,
            memory_bytes,
        } = request.resources;
        format!("{nano_cpus} {memory_bytes}")
    }

    /// Measures a node.
    pub(super) fn measure(self, request: &Request, node: &Node) -> Fullness {
        let (containers, used) = match self.running {
            true => (node.containers.active(), node.containers.promised()),
            false => (node.containers.len(), node.used),
        };
        let containers = i64::try_from(containers).unwrap_or(MANY).min(MANY / 1000);
        let Resources {
            nano_cpus,
            memory_bytes,
        } = request.resources;
        let whole = whole(self.manners);
        let share = |asked: i64, used: i64, capacity: i64| {
            let used = i128::from(used) + i128::from(asked);
            let share = used * i128::from(whole) / i128::from(capacity.max(1));
            let share = share.clamp(0, whole.into());
            (asked != 0).then(|| i64::try_from(share).unwrap_or(whole))
        };
        let capacity = node.capacity;
        // An engine that does not say how many it has, has one.
        let cpus = match capacity.nano_cpus {
            ..=0 => Resources::NANO_PER_CPU,
            some => some,
        };
        let scaled = i128::from(containers + 1) * 1000 * i128::from(Resources::NANO_PER_CPU);
        Fullness {
            manners: self.manners,
            cpus: share(nano_cpus, used.nano_cpus, capacity.nano_cpus),
            memory: share(memory_bytes, used.memory_bytes, capacity.memory_bytes),
            containers,
            per_cpu: i64::try_from(scaled / i128::from(cpus))
                .unwrap_or(MANY)
                .min(MANY - 1),
            nano_cpus: cpus,
        }
    }
}

/// Returns what a full share is counted as: percents in classic, tenths of them otherwise.
fn whole(manners: Manners) -> i64 {
    match manners {
        Manners::Classic => 100,
        Manners::Engine => 1000,
    }
}

impl Fullness {
    /// Returns the fuller the greater, from 0 to [`Score::BEST`]; of two nodes the one of a greater value is never the
    /// one of a smaller [`Fullness::tie`].
    pub(super) fn value(self) -> u32 {
        let best = i64::from(Score::BEST);
        let asked: Vec<i64> = self.cpus.into_iter().chain(self.memory).collect();
        let value = match (self.manners, asked.as_slice()) {
            // What is not asked for counts as full.
            (Manners::Classic, _) => self.load() * best / 200,
            // Containers that ask for nothing have their share of the processors, the smaller the more there are.
            (Manners::Engine, []) => self.per_cpu * best / (1000 + self.per_cpu),
            (Manners::Engine, asked) => {
                let sum: i64 = asked.iter().sum();
                sum * best / whole(self.manners) / i64::try_from(asked.len()).unwrap_or(1)
            }
        };
        u32::try_from(value.clamp(0, best)).unwrap_or(Score::BEST)
    }

    /// Returns the fuller the greater: the share of what is asked for, then how crowded it is.
    pub(super) fn tie(self) -> i64 {
        let crowd = match self.manners {
            Manners::Classic => self.containers,
            Manners::Engine => self.per_cpu,
        };
        self.load() * MANY + crowd
    }

    /// Returns the shares of processors and of memory, added. What is not asked for counts as full, as in classic.
    fn load(self) -> i64 {
        let whole = whole(self.manners);
        self.cpus.unwrap_or(whole) + self.memory.unwrap_or(whole)
    }

    /// Tells the numbers by which nodes are compared.
    pub(super) fn parts(self) -> Vec<Part> {
        let share = |name: &'static str, value, of| Part {
            name: name.into(),
            value,
            decimals: u8::from(self.manners == Manners::Engine),
            unit: "%",
            of,
        };
        let full = match (self.cpus, self.memory) {
            (None, None) => None,
            (Some(cpus), None) => Some(share("cpu", cpus, Vec::new())),
            (None, Some(memory)) => Some(share("memory", memory, Vec::new())),
            (Some(cpus), Some(memory)) => {
                let of = vec![
                    share("cpu", cpus, Vec::new()),
                    share("memory", memory, Vec::new()),
                ];
                Some(share("load", cpus + memory, of))
            }
        };
        let containers = |count| Part::whole("containers", count);
        let crowd = match self.manners {
            Manners::Classic => containers(self.containers),
            Manners::Engine => Part {
                name: "containers per CPU".into(),
                value: self.per_cpu,
                decimals: 3,
                unit: "",
                of: vec![
                    // With this one, as the share is.
                    containers(self.containers + 1),
                    Part {
                        decimals: 2,
                        ..Part::whole("CPUs", self.nano_cpus / 10_000_000)
                    },
                ],
            },
        };
        full.into_iter().chain([crowd]).collect()
    }
}
