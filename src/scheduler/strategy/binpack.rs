//! The fullest node first.

use super::{Counting, Part, Score, Strategy};
use crate::model::Node;
use crate::scheduler::Request;

/// Prefers the node with the smallest share left of what is asked for; between equals that with more containers for each
/// of its processors.
#[derive(Debug)]
pub(super) struct Binpack(pub(super) Counting);

impl Strategy for Binpack {
    fn name(&self) -> &str {
        self.0.name("binpack", "binpack:running")
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let full = self.0.measure(request, node);
        Score {
            value: full.value(),
            tie: full.tie(),
        }
    }

    fn class(&self, request: &Request) -> Option<String> {
        Some(self.0.class(request))
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        self.0.measure(request, node).parts()
    }
}
