//! Nodes that answer.

use super::{Filter, Reads, Test};
use crate::model::{self, Node};
use crate::scheduler::{Refusal, Request};

/// Admits nodes that answer.
#[derive(Debug)]
pub(super) struct Health;

impl Filter for Health {
    fn name(&self) -> &'static str {
        "health"
    }

    fn check(&self, _: &Request, node: &Node) -> Result<(), Refusal> {
        Err(Refusal::unhealthy(match &node.health {
            model::Health::Healthy | model::Health::Slow { .. } => return Ok(()),
            model::Health::New => "is being connected to".to_owned(),
            model::Health::Pending(reason) => format!("could not be taken in ({reason})"),
            model::Health::Unhealthy { since, reason } => {
                format!("has not answered since {since:.0} ({reason})")
            }
        }))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        Test::whole(self, request, "", Reads::Itself)
    }

    fn is_lasting(&self) -> bool {
        true
    }
}
