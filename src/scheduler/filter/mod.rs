//! Filters admit a node or say why not; each looks at one node alone.

mod affinity;
mod availability;
mod constraint;
mod containerslots;
mod dependency;
pub mod devices;
mod health;
pub mod limit;
mod platform;
mod plugins;
pub mod pod;
mod port;
mod resources;
mod runtime;
pub mod spread;
pub mod taint;
mod whitelist;

use std::borrow::Cow;
use std::fmt::Debug;

use super::{Expr, Refusal, Request};
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

    /// Splits what a request asks of it into tests that a node must pass each, which [`Filter::check`] sums up; none
    /// where every node passes.
    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>>;

    /// Tells whether it refuses a node for what that is, and not for what is on it at the moment.
    fn is_lasting(&self) -> bool {
        false
    }
}

/// A part of what is asked, which tests of an equal text answer alike for one node.
pub struct Test<'r> {
    /// What is asked, as text.
    pub text: Cow<'r, str>,
    /// What of a node it looks at.
    pub reads: Reads,
    /// Whether a node passes.
    pub passes: Box<dyn Fn(&Node) -> bool + 'r>,
}

/// What of a node is looked at: the answer stays the same as long as that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// What it is: anything but its containers and what they take.
    Itself,
    /// Its images.
    Images,
    /// Anything.
    All,
}

impl<'r> Test<'r> {
    /// Makes a test.
    pub(super) fn of(
        text: impl Into<Cow<'r, str>>,
        reads: Reads,
        passes: impl Fn(&Node) -> bool + 'r,
    ) -> Self {
        Self {
            text: text.into(),
            reads,
            passes: Box::new(passes),
        }
    }

    /// Makes a filter's only test out of its check.
    fn whole(
        filter: &'r impl Filter,
        request: &'r Request,
        text: impl Into<Cow<'r, str>>,
        reads: Reads,
    ) -> Vec<Self> {
        let passes = |node: &Node| filter.check(request, node).is_ok();
        vec![Self::of(text, reads, passes)]
    }
}

impl Debug for Test<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.text, self.reads)
    }
}

/// Makes a filter.
type Make = fn(Manners) -> Box<dyn Filter>;

/// All filters by name, in the order in which they are asked when the user says nothing.
pub(super) const FILTERS: &[Make] = &[
    |_| Box::new(availability::Availability),
    |_| Box::new(health::Health),
    |_| Box::new(taint::Taint),
    |_| Box::new(platform::OfPlatform),
    |_| Box::new(plugins::Plugins),
    |_| Box::new(runtime::Runtime),
    |manners| Box::new(port::Port(manners)),
    |_| Box::new(containerslots::ContainerSlots),
    |_| Box::new(limit::Limit),
    |_| Box::new(dependency::Dependency),
    |_| Box::new(affinity::Affinity),
    |_| Box::new(constraint::Constraint),
    |manners| Box::new(whitelist::Whitelist(manners)),
    |_| Box::new(spread::Spread),
    |_| Box::new(pod::OfPod),
    |_| Box::new(devices::Devices),
    |_| Box::new(resources::Resources),
];

/// The filters that stay in force when the user names filters: an operator's word holds in any case, and classic's
/// strategies checked resources themselves.
pub(super) fn always() -> [Box<dyn Filter>; 5] {
    [
        Box::new(availability::Availability),
        Box::new(taint::Taint),
        Box::new(pod::OfPod),
        Box::new(devices::Devices),
        Box::new(resources::Resources),
    ]
}

/// Returns the names of all filters, in the order in which they are asked, and of those that are asked in any case.
pub fn names() -> (Vec<&'static str>, Vec<&'static str>) {
    let all = FILTERS.iter().map(|make| make(Manners::Engine).name());
    let always = always().iter().map(|filter| filter.name()).collect();
    (all.collect(), always)
}

/// A soft wish on one node: its kind, how it was written, and whether the node meets it.
type Soft<'a> = (&'static str, &'a Expr, bool);

/// Walks the soft wishes, kind by kind.
pub(super) fn soft_wishes<'a>(
    request: &'a Request,
    node: &'a Node,
) -> impl Iterator<Item = Soft<'a>> {
    type Met = fn(&Expr, &Node) -> bool;
    let wishes = &request.wishes;
    let all: [(&'static str, &[Expr], Met); 3] = [
        ("constraint", &wishes.constraints, constraint::met),
        ("affinity", &wishes.affinities, affinity::met),
        ("whitelist", &wishes.whitelists, whitelist::met),
    ];
    let expressions = all.into_iter().flat_map(move |(kind, list, met)| {
        let soft = list.iter().filter(|wish| wish.soft);
        soft.map(move |wish| (kind, wish, met(wish, node)))
    });
    let devices = wishes.devices.iter().filter(|wish| wish.expr.soft);
    let devices = devices.map(|wish| ("device", &wish.expr, devices::met(wish, node)));
    let limits = wishes.limits.iter().filter(|wish| wish.expr.soft);
    let limits = limits.map(|wish| ("limit", &wish.expr, limit::met(wish, node)));
    let spreads = wishes.spreads.iter().zip(&request.balances);
    let spreads = spreads.filter(|(wish, _)| wish.expr.soft);
    let spreads = spreads.map(|(wish, balance)| {
        let met = spread::met(wish, balance, node);
        ("spread", &wish.expr, met)
    });
    expressions.chain(devices).chain(limits).chain(spreads)
}

/// Splits the soft wishes into tests that a node passes when it meets them, each with its kind; a balance depends on all
/// nodes and is no such test.
pub(super) fn soft_tests(request: &Request) -> Vec<(&'static str, Test<'_>)> {
    let wishes = &request.wishes;
    let mut all = Vec::new();
    for wish in wishes.constraints.iter().filter(|wish| wish.soft) {
        all.push(("constraint", constraint::test(wish)));
    }
    for wish in wishes.affinities.iter().filter(|wish| wish.soft) {
        all.push(("affinity", affinity::test(wish)));
    }
    for wish in wishes.whitelists.iter().filter(|wish| wish.soft) {
        let met = |node: &Node| whitelist::met(wish, node);
        all.push(("whitelist", Test::of(wish.text(), Reads::Itself, met)));
    }
    for wish in wishes.devices.iter().filter(|wish| wish.expr.soft) {
        let met = |node: &Node| devices::met(wish, node);
        all.push(("device", Test::of(wish.expr.text(), Reads::All, met)));
    }
    for wish in wishes.limits.iter().filter(|wish| wish.expr.soft) {
        all.push(("limit", limit::test(wish)));
    }
    all
}

/// Counts how many soft wishes a node meets, and how many there are.
pub(super) fn soft_count(request: &Request, node: &Node) -> (usize, usize) {
    let wishes = soft_wishes(request, node);
    wishes.fold((0, 0), |(met, all), (_, _, meets)| {
        (met + usize::from(meets), all + 1)
    })
}
