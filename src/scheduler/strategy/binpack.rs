//! The fullest node first.

use super::{MANY, Part, Score, Strategy, count, halved, weight, weight_and_count};
use crate::model::Node;
use crate::scheduler::Request;

/// Prefers the node with the smallest share left; between equals that with more containers.
#[derive(Debug)]
pub(super) struct Binpack;

impl Strategy for Binpack {
    fn name(&self) -> &'static str {
        "binpack"
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let weight = weight(request, node);
        Score {
            value: halved(weight),
            tie: weight * MANY + count(node),
        }
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        weight_and_count(request, node)
    }
}
