//! Why a node is chosen, comes after another, or is refused: the rules of [`Scheduler::place`], told one by one.
//!
//! Invariant: made from a request and a view when somebody asks, and never while a container is placed.

use std::cmp::Ordering;
use std::sync::Arc;

use super::strategy::Part;
use super::{Rank, Refusal, Request, Scheduler, filter};
use crate::model::{ClusterView, Health, Manners, Node};

/// What the rules say of one node.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The node.
    pub node: Arc<Node>,
    /// How good a place it is, or which rule refuses it.
    pub said: Result<Standing, Objection>,
}

/// A rule that refuses a node.
#[derive(Clone, Debug)]
pub struct Objection {
    /// The filter's name; `swarm` and `home` where something that the container uses decides.
    pub filter: &'static str,
    /// What is so on the node.
    pub refusal: Refusal,
}

/// How good a place an admitted node is, and what that is made of.
#[derive(Clone, Debug)]
pub struct Standing {
    rank: Rank,
    manners: Manners,
    /// Why it is a last choice although it answers.
    pub trouble: Option<String>,
    /// A soft taint that is not tolerated.
    pub taint: Option<String>,
    /// The soft wishes, in the order of their kinds.
    pub wishes: Vec<Wish>,
    /// What the strategy's score is made of.
    pub parts: Vec<Part>,
}

/// A soft wish on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// As it was written: `constraint:zone==~eu`.
    pub text: String,
    /// Whether the node meets it.
    pub met: bool,
}

/// In which respect one node is a worse place than another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The first respect in which they differ: `health`, `taint`, `wishes`, `score`, `image` or `order`.
    pub field: &'static str,
    /// How they differ.
    pub text: String,
}

impl Scheduler {
    /// Tells of every node, in the view's order, what [`Scheduler::place`] makes of it.
    pub fn explain(&self, request: &Request, view: &ClusterView) -> Vec<Verdict> {
        let request = self.balanced(request, view.nodes());
        let nodes = view.nodes().iter();
        nodes.map(|node| self.verdict(&request, node)).collect()
    }

    /// Tells what the rules say of one node.
    pub fn verdict(&self, request: &Request, node: &Arc<Node>) -> Verdict {
        let said = self.judge(request, node).map(|()| Standing {
            rank: self.rank(request, node),
            manners: self.manners(),
            trouble: trouble(node),
            taint: filter::taint::soft(request, node),
            wishes: wishes(request, node),
            parts: self.strategy.parts(request, node),
        });
        let node = Arc::clone(node);
        Verdict { node, said }
    }
}

/// Returns the soft wishes of a request, and whether a node meets them.
pub fn wishes(request: &Request, node: &Node) -> Vec<Wish> {
    let soft = filter::soft_wishes(request, node);
    let told = soft.map(|(kind, wish, met)| Wish {
        text: format!("{kind}:{wish}"),
        met,
    });
    told.collect()
}

impl Standing {
    /// Compares two places as placement does; the greater is the better.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }

    /// Returns the strategy's score in whole points, 0 to 100.
    pub fn score(&self) -> u32 {
        self.rank.score.points()
    }

    /// Says in what this place is worse than the one on the node `name`; `None` when it is better.
    pub fn behind(&self, other: &Self, name: &str) -> Option<Behind> {
        let (own, best) = (&self.rank, &other.rank);
        let (field, text) = match () {
            () if own > best => return None,
            () if own.fit != best.fit => {
                let trouble = self.trouble.as_deref().unwrap_or("does not answer well");
                ("health", format!("a last choice, as it {trouble}"))
            }
            () if own.untainted != best.untainted => {
                let taint = self.taint.as_deref().unwrap_or_default();
                ("taint", format!("is tainted with {taint}"))
            }
            () if own.wishes != best.wishes => ("wishes", self.unmet(other, name)),
            () if own.score != best.score => ("score", self.worse(other, name)),
            () if own.holds_image != best.holds_image => {
                ("image", format!("lacks the image, which {name} has"))
            }
            () => (
                "order",
                format!("as good as {name}, which comes first by name"),
            ),
        };
        Some(Behind { field, text })
    }

    /// Says which soft wishes another node meets more of.
    fn unmet(&self, other: &Self, name: &str) -> String {
        let met = |s: &Self| s.wishes.iter().filter(|w| w.met).count();
        let missed = self.wishes.iter().filter(|w| !w.met);
        let missed: Vec<_> = missed.map(|w| w.text.as_str()).collect();
        let (own, all, missed) = (met(self), self.wishes.len(), missed.join(", "));
        match self.manners {
            Manners::Engine => format!(
                "meets {own} of {all} soft wishes, {name} {}; not {missed}",
                met(other)
            ),
            Manners::Classic => {
                format!("meets {own} of {all} soft wishes, {name} all; not {missed}")
            }
        }
    }

    /// Says by which part of the score another node is better.
    fn worse(&self, other: &Self, name: &str) -> String {
        // Strategies compare their parts from the first to the last.
        let mut pairs = self.parts.iter().zip(&other.parts);
        match pairs.find(|(own, best)| own.value != best.value) {
            Some((own, best)) => format!("{own}; on {name} {}", best.amount()),
            None => format!("drawn after {name}"),
        }
    }
}

/// Says what speaks against giving something new to a node that answers.
fn trouble(node: &Node) -> Option<String> {
    if let Some(trouble) = &node.trouble {
        let (reason, since) = (&trouble.reason, trouble.since);
        return Some(format!("has failed creates since {since:.0} ({reason})"));
    }
    if let Health::Slow { since, took } = &node.health {
        let seconds = took.as_secs_f64();
        return Some(format!(
            "has been slow since {since:.0} (an answer took {seconds:.1} s)"
        ));
    }
    match node.failures {
        0 => None,
        1 => Some("has missed a probe".to_owned()),
        many => Some(format!("has missed {many} probes")),
    }
}
