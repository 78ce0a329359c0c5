//! Nodes by name.

use super::Filter;
use crate::model::Node;
use crate::scheduler::expr::Operator;
use crate::scheduler::{Expr, Refusal, Request};

/// Admits nodes that every hard whitelist names (`node==a|b`); with `!=`, those it does not name.
#[derive(Debug)]
pub(super) struct Whitelist;

impl Filter for Whitelist {
    fn name(&self) -> &'static str {
        "whitelist"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let hard = || request.wishes.whitelists.iter().filter(|e| !e.soft);
        let Some(failed) = hard().find(|e| !met(e, node)) else {
            return Ok(());
        };
        let all: Vec<String> = hard().map(|e| format!("{e} (soft=false)")).collect();
        Err(Refusal::new(
            format!("fails whitelist {failed}"),
            format!("is {}", node.name),
            format!("[{}]", all.join(" ")),
        ))
    }
}

/// Tells whether a whitelist lets a node through. Names are compared exactly, as classic does.
pub(super) fn met(expr: &Expr, node: &Node) -> bool {
    let text = expr.text();
    let value = text.split_once("==").or_else(|| text.split_once("!="));
    let names = value.map_or("", |(_, v)| v.trim_start_matches('~'));
    let named = names.split('|').any(|name| name == node.name);
    named == (expr.operator == Operator::Equal)
}
