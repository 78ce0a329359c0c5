//! Nodes that have the drivers.

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::scheduler::{Refusal, Request};

/// Admits nodes that have every volume, network and log driver that is asked for and that not all engines have.
#[derive(Debug)]
pub(super) struct Plugins;

impl Filter for Plugins {
    fn name(&self) -> &'static str {
        "plugins"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let mut plugins = request.plugins.iter();
        let Some(missing) = plugins.find(|p| !node.has_plugin(p.kind, &p.name)) else {
            return Ok(());
        };
        let what = format!("{} driver {}", missing.kind, missing.name);
        Err(Refusal::new(
            format!("lacks the {what}"),
            format!("not on {}", node.name),
            format!("[{what}]"),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        if request.plugins.is_empty() {
            return Vec::new();
        }
        Test::whole(
            self,
            request,
            format!("{:?}", request.plugins),
            Reads::Itself,
        )
    }

    fn is_lasting(&self) -> bool {
        true
    }
}
