//! Memory and processors: no more is promised than there is.

use super::{Filter, Reads, Test};
use crate::model::{Node, Resources as Amount, units};
use crate::scheduler::{Refusal, Request};

/// Admits nodes that have what is asked left, overcommit included.
#[derive(Debug)]
pub(super) struct Resources;

impl Filter for Resources {
    fn name(&self) -> &'static str {
        "resources"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let asked = request.resources;
        let free = |capacity: i64, used: i64| (capacity - used).max(0);
        let memory = free(node.capacity.memory_bytes, node.used.memory_bytes);
        if asked.memory_bytes > 0 && asked.memory_bytes > memory {
            let asks = units::bytes(asked.memory_bytes);
            return Err(Refusal::lacking(
                format!("lacks memory (asks {asks}"),
                memory,
                format!("{} free on {}", units::bytes(memory), node.name),
            ));
        }
        let nano = free(node.capacity.nano_cpus, node.used.nano_cpus);
        if asked.nano_cpus > 0 && asked.nano_cpus > nano {
            return Err(Refusal::lacking(
                format!("lacks CPUs (asks {}", cpus(asked.nano_cpus)),
                nano,
                format!("{} free on {}", cpus(nano), node.name),
            ));
        }
        Ok(())
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        let Amount {
            memory_bytes,
            nano_cpus,
        } = request.resources;
        if memory_bytes <= 0 && nano_cpus <= 0 {
            return Vec::new();
        }
        let text = format!("{memory_bytes} {nano_cpus}");
        Test::whole(self, request, text, Reads::All)
    }
}

/// Writes billionths of a CPU as CPUs.
pub(super) fn cpus(nano: i64) -> String {
    let cpus = nano as f64 / Amount::NANO_PER_CPU as f64;
    format!("{}", (cpus * 100.0).round() / 100.0)
}
