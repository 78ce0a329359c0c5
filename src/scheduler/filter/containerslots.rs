//! Nodes with a limit on the number of their containers.

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::scheduler::{Refusal, Request};

/// Admits nodes that hold fewer containers than their engine label `containerslots` says; none means no limit.
#[derive(Debug)]
pub(super) struct ContainerSlots;

impl Filter for ContainerSlots {
    fn name(&self) -> &'static str {
        "containerslots"
    }

    fn check(&self, _: &Request, node: &Node) -> Result<(), Refusal> {
        let limit = node.labels.get("containerslots");
        let Some(limit) = limit.and_then(|l| l.parse::<usize>().ok()) else {
            return Ok(());
        };
        let held = node.containers.len();
        if held < limit {
            return Ok(());
        }
        Err(Refusal::new(
            "has no free container slot",
            format!("{held} of {limit} taken on {}", node.name),
            "[available container slots]".to_owned(),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        Test::whole(self, request, "", Reads::All)
    }
}
