//! Strategies score the nodes that every filter admitted; the highest score gets the container.

mod advised;
mod binpack;
mod fullness;
mod least_loaded;
mod locality;
mod mix;
mod random;
mod spread;

use std::borrow::Cow;
use std::fmt::{self, Debug};

use super::Request;
use crate::model::{Manners, Node};
use fullness::Counting;

pub use mix::{Unknown, parse};

/// How good a node is. Higher wins; `tie` decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// 0 (worst) to [`Score::BEST`], so that strategies can be mixed.
    pub value: u32,
    /// Decides between nodes of one value.
    pub tie: i64,
}

impl Score {
    /// The best value: 100 points in thousandths of a point.
    pub const BEST: u32 = 100_000;

    /// Returns the value in whole points, 0 to 100.
    pub fn points(self) -> u32 {
        self.value / 1000
    }
}

/// One number that a score is made of, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What is counted: `containers`, `cpu`.
    pub name: Cow<'static, str>,
    /// How much of it there is, in units of the last decimal.
    pub value: i64,
    /// How many of the digits are decimals.
    pub decimals: u8,
    /// `%`, or empty for a plain number.
    pub unit: &'static str,
    /// What it is made of, if it is made of others.
    pub of: Vec<Self>,
}

impl Part {
    /// Makes a whole number.
    fn whole(name: &'static str, value: i64) -> Self {
        Self::named(name, value)
    }

    /// Makes a whole number with a name of its own.
    fn named(name: impl Into<Cow<'static, str>>, value: i64) -> Self {
        Self {
            name: name.into(),
            value,
            decimals: 0,
            unit: "",
            of: Vec::new(),
        }
    }

    /// Returns the number itself.
    pub fn number(&self) -> f64 {
        self.value as f64 / 10_f64.powi(self.decimals.into())
    }

    /// Writes the number with its unit, and what it is made of.
    pub fn amount(&self) -> String {
        let of: Vec<String> = self.of.iter().map(ToString::to_string).collect();
        let (value, unit) = (self.number(), self.unit);
        match of.as_slice() {
            [] => format!("{value}{unit}"),
            of => format!("{value}{unit} ({})", of.join(", ")),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.amount())
    }
}

/// One way to choose.
pub trait Strategy: Debug + Send + Sync {
    /// Name used by `--strategy` and in `docker info`.
    fn name(&self) -> &str;

    /// Scores `node`; called only for nodes that every filter admitted. The same input gives the same answer.
    fn score(&self, request: &Request, node: &Node) -> Score;

    /// Returns what of a request the score of a node depends on: requests of an equal class give every node one score.
    /// `None` when each request is a class of its own.
    fn class(&self, request: &Request) -> Option<String>;

    /// Returns what the score of `node` is made of. The first part in which two nodes differ is the one that decides
    /// between them.
    fn parts(&self, request: &Request, node: &Node) -> Vec<Part>;

    /// Returns the names of the plug-ins that it asks: what they said is in the request.
    fn plug_ins(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Tells whether it looks at what containers were measured to use, which costs engines something.
    fn uses_load(&self) -> bool {
        false
    }
}

/// Makes a strategy.
type Make = fn(Manners) -> Box<dyn Strategy>;

/// All strategies by name; the first is the default.
pub(super) const STRATEGIES: &[(&str, Make)] = &[
    ("spread", |m| Box::new(spread::Spread(Counting::all(m)))),
    ("binpack", |m| Box::new(binpack::Binpack(Counting::all(m)))),
    ("random", |_| Box::new(random::Random)),
    ("spread:running", |m| {
        Box::new(spread::Spread(Counting::running(m)))
    }),
    ("binpack:running", |m| {
        Box::new(binpack::Binpack(Counting::running(m)))
    }),
    ("locality", |_| Box::new(locality::Locality)),
    ("least-loaded", |_| Box::new(least_loaded::LeastLoaded)),
];
