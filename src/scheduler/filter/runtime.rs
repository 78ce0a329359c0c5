//! Nodes that have the runtime.

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::scheduler::{Refusal, Request};

/// Admits nodes whose engine has the runtime that is asked for (`--runtime`), where some engine has it.
#[derive(Debug)]
pub(super) struct Runtime;

impl Filter for Runtime {
    fn name(&self) -> &'static str {
        "runtime"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        match &request.runtime {
            Some(wanted) if !node.has_runtime(wanted) => Err(Refusal::new(
                format!("lacks the runtime {wanted}"),
                format!("not on {}", node.name),
                format!("[runtime {wanted}]"),
            )),
            _ => Ok(()),
        }
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        let Some(wanted) = &request.runtime else {
            return Vec::new();
        };
        Test::whole(self, request, wanted.as_str(), Reads::Itself)
    }

    fn is_lasting(&self) -> bool {
        true
    }
}
