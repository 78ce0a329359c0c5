//! Wishes on the node and its labels.

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::scheduler::wishes::Wishes;
use crate::scheduler::{Expr, Refusal, Request};

/// Admits nodes whose name, ID and labels satisfy every hard constraint. A missing label is an empty one.
#[derive(Debug)]
pub(super) struct Constraint;

impl Filter for Constraint {
    fn name(&self) -> &'static str {
        "constraint"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let hard = || request.wishes.constraints.iter().filter(|e| !e.soft);
        let Some(failed) = hard().find(|e| !met(e, node)) else {
            return Ok(());
        };
        let has = match (failed.key.as_str(), node.labels.get(&failed.key)) {
            ("node", _) => format!("is {}", node.name),
            (key, Some(value)) => format!("{} has {key}={value}", node.name),
            (key, None) => format!("{} has no label {key}", node.name),
        };
        let all: Vec<&str> = hard().map(Expr::text).collect();
        Err(Refusal::new(
            format!("fails constraint {failed}"),
            has,
            format!("[{}]", all.join(" ")),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        let hard = request.wishes.constraints.iter().filter(|e| !e.soft);
        hard.map(test).collect()
    }

    fn is_lasting(&self) -> bool {
        true
    }
}

impl Wishes {
    /// Tells whether a node satisfies every hard constraint.
    pub fn admit(&self, node: &Node) -> bool {
        let mut hard = self.constraints.iter().filter(|e| !e.soft);
        hard.all(|e| met(e, node))
    }
}

/// Makes the test of one constraint.
pub(super) fn test(expr: &Expr) -> Test<'_> {
    Test::of(expr.text(), Reads::Itself, |node| met(expr, node))
}

/// Tells whether a node satisfies one constraint.
pub(super) fn met(expr: &Expr, node: &Node) -> bool {
    if expr.key == "node" {
        return expr.matches([
            node.engine_id.as_str(),
            node.id().as_str(),
            node.name.as_str(),
            &node.key,
        ]);
    }
    expr.matches([node.labels.get(&expr.key).map_or("", String::as_str)])
}
