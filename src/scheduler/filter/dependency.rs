//! Containers that must be where others are.

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::scheduler::{Refusal, Request};

/// Admits the node that has every container of `--volumes-from`, `--link` and the `container:` modes.
#[derive(Debug)]
pub(super) struct Dependency;

impl Filter for Dependency {
    fn name(&self) -> &'static str {
        "dependency"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let missing =
            |t: &&crate::scheduler::Together| node.containers.find(&t.container).is_none();
        let Some(first) = request.together.iter().find(missing) else {
            return Ok(());
        };
        let all: Vec<&str> = request.together.iter().map(|t| t.option.as_str()).collect();
        Err(Refusal::new(
            format!("lacks the container of {}", first.option),
            format!("not on {}", node.name),
            format!("[{}]", all.join(" ")),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        if request.together.is_empty() {
            return Vec::new();
        }
        Test::whole(self, request, format!("{:?}", request.together), Reads::All)
    }
}
