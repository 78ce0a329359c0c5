//! Nodes by name.

use super::{Filter, Reads, Test};
use crate::model::{Manners, Node};
use crate::scheduler::expr::Operator;
use crate::scheduler::{Expr, Refusal, Request};

/// Admits nodes that every hard whitelist names (`node==a|b`); with `!=`, those it does not name, for which classic had
/// no eye.
#[derive(Debug)]
pub(super) struct Whitelist(pub(super) Manners);

impl Filter for Whitelist {
    fn name(&self) -> &'static str {
        "whitelist"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let hard = || request.wishes.whitelists.iter().filter(|e| !e.soft);
        let admits = |e: &Expr| match self.0 {
            Manners::Engine => met(e, node),
            Manners::Classic => names(e, node),
        };
        let Some(failed) = hard().find(|e| !admits(e)) else {
            return Ok(());
        };
        let all: Vec<String> = hard().map(|e| format!("{e} (soft=false)")).collect();
        Err(Refusal::new(
            format!("fails whitelist {failed}"),
            format!("is {}", node.name),
            format!("[{}]", all.join(" ")),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        let hard = request.wishes.whitelists.iter().filter(|e| !e.soft);
        let text = hard.map(Expr::text).collect::<Vec<_>>().join("\n");
        if text.is_empty() {
            return Vec::new();
        }
        Test::whole(self, request, text, Reads::Itself)
    }

    fn is_lasting(&self) -> bool {
        true
    }
}

/// Tells whether a whitelist lets a node through.
pub(super) fn met(expr: &Expr, node: &Node) -> bool {
    names(expr, node) == (expr.operator == Operator::Equal)
}

/// Tells whether a whitelist has a node's name in it. Names are compared exactly, as classic does.
fn names(expr: &Expr, node: &Node) -> bool {
    let text = expr.text();
    let value = text.split_once("==").or_else(|| text.split_once("!="));
    let names = value.map_or("", |(_, v)| v.trim_start_matches('~'));
    names.split('|').any(|name| name == node.name)
}
