//! Nodes that an operator lets take new containers.

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::model::orders::Availability as Word;
use crate::scheduler::{Refusal, Request};

/// Admits nodes that are neither paused nor drained (`docker node update --availability`).
#[derive(Debug)]
pub(super) struct Availability;

impl Filter for Availability {
    fn name(&self) -> &'static str {
        "availability"
    }

    fn check(&self, _: &Request, node: &Node) -> Result<(), Refusal> {
        let phrase = match node.orders.availability {
            Word::Active => return Ok(()),
            Word::Pause => "is paused",
            Word::Drain => "is drained",
        };
        Err(Refusal::new(
            phrase,
            format!("{}, by docker node update --availability", node.name),
            "[node available]".to_owned(),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        Test::whole(self, request, "", Reads::Itself)
    }

    fn is_lasting(&self) -> bool {
        true
    }
}
