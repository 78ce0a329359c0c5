//! Filters admit a node or say why not; each looks at one node alone.

mod affinity;
mod availability;
mod constraint;
mod containerslots;
mod dependency;
mod health;
mod port;
mod resources;
mod whitelist;

use std::fmt::Debug;

use super::{Refusal, Request};
use crate::model::Node;

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

/// All filters by name, in the order in which they are asked when the user says nothing.
pub(super) const FILTERS: &[fn() -> Box<dyn Filter>] = &[
    || Box::new(availability::Availability),
    || Box::new(health::Health),
    || Box::new(port::Port),
    || Box::new(containerslots::ContainerSlots),
    || Box::new(dependency::Dependency),
    || Box::new(affinity::Affinity),
    || Box::new(constraint::Constraint),
    || Box::new(whitelist::Whitelist),
    || Box::new(resources::Resources),
];

/// The filters that stay in force when the user names filters: an operator's word holds in any case, and classic's
/// strategies checked resources themselves.
pub(super) fn always() -> [Box<dyn Filter>; 2] {
    [
        Box::new(availability::Availability),
        Box::new(resources::Resources),
    ]
}

/// Counts how many soft wishes a node meets.
pub(super) fn soft_wishes_met(request: &Request, node: &Node) -> usize {
    let soft = |list: &[super::Expr], met: fn(&super::Expr, &Node) -> bool| {
        list.iter().filter(|e| e.soft && met(e, node)).count()
    };
    soft(&request.wishes.constraints, constraint::met)
        + soft(&request.wishes.affinities, affinity::met)
        + soft(&request.wishes.whitelists, whitelist::met)
}
