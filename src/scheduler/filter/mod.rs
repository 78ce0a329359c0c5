//! Filters admit a node or say why not; each looks at one node alone.

mod affinity;
mod availability;
mod constraint;
mod containerslots;
mod dependency;
mod health;
mod platform;
mod plugins;
mod port;
mod resources;
mod runtime;
mod whitelist;

use std::fmt::Debug;

use super::{Refusal, Request};
use crate::model::{Manners, Node};

/// One rule.
pub trait Filter: Debug + Send + Sync {
    /// Name used by `--filter` and in `docker info`.
    fn name(&self) -> &'static str;

    /// Admits `node`, or says why not. The node holds reserved containers too. Soft wishes never refuse.
    ///
    /// # Errors
    /// The refusal reaches the user when no node is left; it names the request's wish.
    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal>;
}

/// Makes a filter.
type Make = fn(Manners) -> Box<dyn Filter>;

/// All filters by name, in the order in which they are asked when the user says nothing.
pub(super) const FILTERS: &[Make] = &[
    |_| Box::new(availability::Availability),
    |_| Box::new(health::Health),
    |_| Box::new(platform::OfPlatform),
    |_| Box::new(plugins::Plugins),
    |_| Box::new(runtime::Runtime),
    |manners| Box::new(port::Port(manners)),
    |_| Box::new(containerslots::ContainerSlots),
    |_| Box::new(dependency::Dependency),
    |_| Box::new(affinity::Affinity),
    |_| Box::new(constraint::Constraint),
    |manners| Box::new(whitelist::Whitelist(manners)),
    |_| Box::new(resources::Resources),
];

/// The filters that stay in force when the user names filters: an operator's word holds in any case, and classic's
/// strategies checked resources themselves.
pub(super) fn always() -> [Box<dyn Filter>; 2] {
    [
        Box::new(availability::Availability),
        Box::new(resources::Resources),
    ]
}

/// Counts how many soft wishes a node meets, and how many there are.
pub(super) fn soft_wishes(request: &Request, node: &Node) -> (usize, usize) {
    let wishes = &request.wishes;
    let soft = |list: &[super::Expr], met: fn(&super::Expr, &Node) -> bool| {
        let soft = || list.iter().filter(|e| e.soft);
        (soft().filter(|e| met(e, node)).count(), soft().count())
    };
    let all = [
        soft(&wishes.constraints, constraint::met),
        soft(&wishes.affinities, affinity::met),
        soft(&wishes.whitelists, whitelist::met),
    ];
    let add = |(met, all), (more_met, more)| (met + more_met, all + more);
    all.into_iter().fold((0, 0), add)
}
