//! The emptiest node first.

use super::{MANY, Part, Score, Strategy, count, halved, weight, weight_and_count};
use crate::model::Node;
use crate::scheduler::Request;

/// Prefers the node with the largest share left; between equals that with fewer containers.
#[derive(Debug)]
pub(super) struct Spread;

impl Strategy for Spread {
    fn name(&self) -> &'static str {
        "spread"
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let weight = weight(request, node);
        Score {
            value: 100 - halved(weight),
            tie: -weight * MANY - count(node),
        }
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        weight_and_count(request, node)
    }
}
