//! Nodes whose machine runs what is asked for.

use super::{Filter, Reads, Test};
use crate::model::{Node, Platform};
use crate::scheduler::{Refusal, Request};

/// Admits nodes of the platform that is asked for (`--platform`), where some node is of it.
#[derive(Debug)]
pub(super) struct OfPlatform;

impl Filter for OfPlatform {
    fn name(&self) -> &'static str {
        "platform"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let Some(wanted) = &request.platform else {
            return Ok(());
        };
        match Platform::of_engine(&node.facts.info) {
            Some(own) if !own.runs(wanted) => Err(Refusal::new(
                format!("is of another platform than {wanted}"),
                format!("is {own}"),
                format!("[platform {wanted}]"),
            )),
            _ => Ok(()),
        }
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        let Some(wanted) = &request.platform else {
            return Vec::new();
        };
        Test::whole(self, request, format!("{wanted:?}"), Reads::Itself)
    }

    fn is_lasting(&self) -> bool {
        true
    }
}
