//! Any node.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Part, Score, Strategy};
use crate::model::Node;
use crate::scheduler::Request;

/// Prefers whatever the request's seed and the node's address make: random over requests, and yet a pure function.
#[derive(Debug)]
pub(super) struct Random;

impl Strategy for Random {
    fn name(&self) -> &str {
        "random"
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let mut hasher = DefaultHasher::new();
        (request.seed, &node.key).hash(&mut hasher);
        let hash = hasher.finish();
        Score {
            value: u32::try_from(hash % u64::from(Score::BEST + 1)).unwrap_or(0),
            tie: i64::from_ne_bytes(hash.to_ne_bytes()),
        }
    }

    fn class(&self, _: &Request) -> Option<String> {
        None
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        let draw = self.score(request, node).value.into();
        vec![Part {
            decimals: 3,
            ..Part::whole("draw", draw)
        }]
    }
}
