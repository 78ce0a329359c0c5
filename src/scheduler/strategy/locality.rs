//! The node that has the image first.

use super::{Part, Score, Strategy};
use crate::model::Node;
use crate::scheduler::Request;

/// Prefers nodes that have the image. Of use in a mix: alone it fills the first of them.
#[derive(Debug)]
pub(super) struct Locality;

impl Strategy for Locality {
    fn name(&self) -> &str {
        "locality"
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let has = node.image(&request.image).is_some();
        Score {
            value: if has { Score::BEST } else { 0 },
            tie: 0,
        }
    }

    fn class(&self, request: &Request) -> Option<String> {
        Some(request.image.clone())
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        let has = node.image(&request.image).is_some();
        vec![Part::whole("images as asked for", i64::from(has))]
    }
}
