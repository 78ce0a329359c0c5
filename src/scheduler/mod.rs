//! Where a container goes: pure functions of a request and a view.
//!
//! Filters admit or refuse each node with a reason; the strategy scores those that are left; soft wishes come before
//! the score and never refuse. Invariant: no clock, no network, no chance: the same inputs give the same answer.

pub mod advice;
pub mod explain;
pub mod expr;
pub mod filter;
pub mod global;
pub mod group;
pub mod index;
mod refusal;
pub mod request;
pub mod simulation;
pub mod strategy;
pub mod wait;
pub mod wishes;

#[cfg(test)]
mod classic_tests;
#[cfg(test)]
mod explain_tests;
#[cfg(test)]
mod explained_tests;
#[cfg(test)]
mod strategy_tests;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

pub use explain::{Objection, Standing, Verdict};
pub use expr::Expr;
pub use filter::Filter;
pub use index::Index;
pub use refusal::{Refusal, Refused};
pub use request::{Among, Request, Required, Together};
pub use strategy::{Part, Score, Strategy};

use crate::model::{ClusterView, Manners, Node};

/// The rules of one cluster; clones share them.
#[derive(Clone, Debug)]
pub struct Scheduler {
    filters: Arc<[Box<dyn Filter>]>,
    /// Asked after the user's filters, whatever they are.
    always: Arc<[Box<dyn Filter>]>,
    strategy: Arc<dyn Strategy>,
    manners: Manners,
}

/// A name that is no filter or strategy (classic's words).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No such filter.
    #[error("filter not supported: {name} (there are {known})")]
    Filter {
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// No such strategy.
    #[error(transparent)]
    Strategy(#[from] strategy::Unknown),
}

/// Nodes that can take a container, best first.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The nodes; never empty.
    pub candidates: Vec<Arc<Node>>,
    /// The nodes that were refused, with the reason.
    pub refused: Vec<(Arc<Node>, Refusal)>,
}

/// How good a place a node is: compared from the first field to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Nothing speaks against it: a node that missed a probe, is slow or has no space left is the last choice, as
    /// classic's health indicator made it.
    fit: bool,
    /// It has no soft taint that is not tolerated.
    untainted: bool,
    /// How many soft wishes it meets; in classic, whether it meets all.
    wishes: usize,
    /// What the strategy says.
    score: Score,
    /// It has the image.
    holds_image: bool,
}

impl Scheduler {
    /// Makes a scheduler. Filters that are named replace the default ones and are asked in the order given; that
    /// an operator lets the node take containers and that resources suffice is checked in any case.
    ///
    /// # Errors
    /// A name is not known.
    pub fn new(
        strategy: &str,
        filters: Option<&[String]>,
        manners: Manners,
    ) -> Result<Self, Unknown> {
        let all = || filter::FILTERS.iter().map(|make| make(manners));
        let (filters, always) = match filters {
            None => (all().collect(), Arc::from([])),
            Some(names) => {
                let known = || all().map(|f| f.name()).collect::<Vec<_>>().join(", ");
                let found = names.iter().map(|name| {
                    all()
                        .find(|f| f.name() == name)
                        .ok_or_else(|| Unknown::Filter {
                            name: name.clone(),
                            known: known(),
                        })
                });
                (found.collect::<Result<_, _>>()?, filter::always().into())
            }
        };
        Ok(Self {
            filters,
            always,
            strategy: strategy::parse(strategy, manners)?.into(),
            manners,
        })
    }

    /// Returns the same rules with a strategy of one's own.
    #[must_use]
    pub fn with(self, strategy: impl Strategy + 'static) -> Self {
        Self {
            strategy: Arc::new(strategy),
            ..self
        }
    }

    /// Returns the same rules with another strategy.
    ///
    /// # Errors
    /// The text names none.
    pub fn with_strategy(&self, strategy: &str) -> Result<Self, Unknown> {
        let strategy = strategy::parse(strategy, self.manners)?.into();
        Ok(Self {
            strategy,
            ..self.clone()
        })
    }

    /// Returns whose habits it has.
    pub fn manners(&self) -> Manners {
        self.manners
    }

    /// Returns the strategy's name.
    pub fn strategy_name(&self) -> &str {
        self.strategy.name()
    }

    /// Returns the names of the plug-ins that its strategy asks.
    pub fn plug_ins(&self) -> Vec<&str> {
        self.strategy.plug_ins()
    }

    /// Tells whether its strategy looks at what containers were measured to use.
    pub fn uses_load(&self) -> bool {
        self.strategy.uses_load()
    }

    /// Returns the filters' names in the order in which they are asked.
    pub fn filter_names(&self) -> Vec<&'static str> {
        self.filters.iter().map(|f| f.name()).collect()
    }

    /// Ranks the nodes that can take a container.
    ///
    /// # Errors
    /// None can; every reason is in the error with the number of nodes it holds for.
    pub fn place(&self, request: &Request, view: &ClusterView) -> Result<Placement, Refused> {
        if view.nodes().is_empty() {
            return Err(Refused::NoNodes);
        }
        refusal::conflict(request, view)?;
        let request = &*self.balanced(request, view.nodes());
        let mut admitted = Vec::new();
        let mut refused = Vec::new();
        for node in view.nodes() {
            match self.admits(request, node) {
                Ok(()) => admitted.push(node),
                Err(refusal) => refused.push((Arc::clone(node), refusal)),
            }
        }
        if admitted.is_empty() {
            return Err(Refused::All(refused));
        }
        // Stable, and the view is ordered by name: equals stay in that order.
        admitted.sort_by_cached_key(|node| Reverse(self.rank(request, node)));
        Ok(Placement {
            candidates: admitted.into_iter().cloned().collect(),
            refused,
        })
    }

    /// Returns the request with how its groups stand on these nodes, unless that has been said.
    pub fn balanced<'r>(&self, request: &'r Request, nodes: &[Arc<Node>]) -> Cow<'r, Request> {
        let wishes = &request.wishes.spreads;
        if wishes.len() == request.balances.len() {
            return Cow::Borrowed(request);
        }
        let filters = || self.filters.iter().chain(self.always.iter());
        let lasting = || filters().filter(|f| f.is_lasting());
        let admits = |node: &Node| lasting().all(|f| f.check(request, node).is_ok());
        let eligible = nodes
            .iter()
            .filter(|n| admits(n) && reaches(request, n).is_ok());
        let eligible: Vec<_> = eligible.collect();
        let balances = wishes.iter().map(|wish| wish.balance(&eligible, nodes));
        let balances = balances.collect();
        Cow::Owned(Request {
            balances,
            ..request.clone()
        })
    }

    /// Returns how good a place an admitted node is; of two nodes the greater is the better.
    pub fn rank(&self, request: &Request, node: &Node) -> Rank {
        Rank {
            fit: node.is_fit(),
            untainted: filter::taint::soft(request, node).is_none(),
            wishes: match (self.manners, filter::soft_count(request, node)) {
                (Manners::Engine, (met, _)) => met,
                // All of them together or none.
                (Manners::Classic, (met, all)) => usize::from(met == all),
            },
            score: self.strategy.score(request, node),
            holds_image: node.image(&request.image).is_some(),
        }
    }

    /// Checks one node against every hard rule.
    ///
    /// # Errors
    /// The first rule that refuses.
    pub fn admits(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        self.judge(request, node).map_err(|o| o.refusal)
    }

    /// Checks one node against every hard rule, and names the rule that refuses it.
    fn judge(&self, request: &Request, node: &Node) -> Result<(), Objection> {
        for filter in self.filters.iter().chain(self.always.iter()) {
            let named = |refusal| Objection {
                filter: filter.name(),
                refusal,
            };
            filter.check(request, node).map_err(named)?;
        }
        reaches(request, node)?;
        let refused = request.advice.admits(node);
        refused.map_err(|refusal| Objection {
            filter: "plug-in",
            refusal,
        })
    }
}

/// Checks that a node is where things are that the container uses.
fn reaches(request: &Request, node: &Node) -> Result<(), Objection> {
    let mut among = request.among.iter();
    if let Some(Among { what, .. }) = among.find(|a| !a.nodes.contains(&node.key)) {
        let refusal = Refusal::new(
            format!("is not in the swarm-mode cluster of {what}"),
            node.name.clone(),
            format!("[{what}]"),
        );
        let filter = "swarm";
        return Err(Objection { filter, refusal });
    }
    let elsewhere = request.required.iter().find(|r| r.node != node.key);
    match elsewhere {
        None => Ok(()),
        Some(required) => Err(Objection {
            filter: "home",
            refusal: Refusal::new(
                "is not where it has to be",
                required.reason.clone(),
                format!("[{}]", required.reason),
            ),
        }),
    }
}
