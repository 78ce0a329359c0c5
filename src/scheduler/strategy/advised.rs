//! `script:PATH`, `wasm:PATH`, `http://…`: what a plug-in said, read from the request.

use super::{Counting, Part, Score, Strategy, spread};
use crate::model::{Manners, Node};
use crate::scheduler::Request;
use crate::scheduler::advice::Opinion;

/// What the names of plug-ins begin with.
const KINDS: [&str; 4] = ["script:", "wasm:", "http://", "https://"];

/// Prefers what a plug-in prefers. Where it failed, and between nodes of equal points, `spread` decides.
#[derive(Debug)]
pub(super) struct Advised {
    name: String,
    otherwise: spread::Spread,
}

impl Advised {
    /// Makes the strategy of a plug-in; `None` when the name is none of one.
    pub(super) fn named(name: &str, manners: Manners) -> Option<Self> {
        KINDS.iter().any(|k| name.starts_with(k)).then(|| Self {
            name: name.to_owned(),
            otherwise: spread::Spread(Counting::all(manners)),
        })
    }

    /// Returns the points that the plug-in gives a node; `None` when it failed.
    fn points(&self, request: &Request, node: &Node) -> Option<u32> {
        let said = request.advice.of(&self.name)?;
        Some(match said.get(&node.key) {
            Some(Opinion::Score(points)) => *points,
            Some(Opinion::Refused(_)) | None => 0,
        })
    }
}

impl Strategy for Advised {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let otherwise = self.otherwise.score(request, node);
        Score {
            // The plug-in has seen the nodes as they were: one that has got more since is behind its equals.
            tie: otherwise.tie,
            value: self.points(request, node).unwrap_or(otherwise.value),
        }
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        let points = self.points(request, node).map(|points| Part {
            decimals: 3,
            ..Part::named(format!("points of {}", self.name), points.into())
        });
        let rest = self.otherwise.parts(request, node);
        points.into_iter().chain(rest).collect()
    }

    fn class(&self, _: &Request) -> Option<String> {
        None
    }

    fn plug_ins(&self) -> Vec<&str> {
        vec![&self.name]
    }
}
