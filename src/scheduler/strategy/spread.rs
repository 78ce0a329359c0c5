//! The emptiest node first.

use super::{Counting, Part, Score, Strategy};
use crate::model::Node;
use crate::scheduler::Request;

/// Prefers the node with the largest share left of what is asked for; between equals that with fewer containers for each
/// of its processors, so that a bigger node gets more. In classic a bigger one gets as many.
#[derive(Debug)]
pub(super) struct Spread(pub(super) Counting);

impl Strategy for Spread {
    fn name(&self) -> &str {
        self.0.name("spread", "spread:running")
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let full = self.0.measure(request, node);
        Score {
            value: Score::BEST - full.value(),
            tie: -full.tie(),
        }
    }

    fn class(&self, request: &Request) -> Option<String> {
        Some(self.0.class(request))
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        self.0.measure(request, node).parts()
    }
}
