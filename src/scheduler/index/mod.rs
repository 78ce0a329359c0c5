//! Choosing without a look at each node: who passes which test, and who scores how, is kept from one request to the
//! next, and only what has changed is looked at again.
//!
//! Invariant: what is kept are the answers of the rules of [`Scheduler::place`] about single nodes, so that the best
//! node is the same; a test compares both over random clusters.

pub mod bits;
mod log;
mod order;
mod rules;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

pub use bits::Bits;

use self::log::{Change, Log};
use super::filter::{self, Reads, Test};
use super::{Request, Scheduler};
use crate::model::{Manners, Node, Picture};
use order::Order;
use rules::Rules;

/// Classes of requests whose orders are kept at most.
const ORDERS: usize = 32;

/// What is known of the nodes of a picture. It belongs to one decision at a time.
#[derive(Debug, Default)]
pub struct Index {
    picture: Picture,
    nodes: Vec<Arc<Node>>,
    places: HashMap<Arc<str>, usize>,
    log: Log,
    /// How often something has changed that tells where images are.
    images: u64,
    rules: Rules,
    /// By the class of requests, with how far the log had come.
    orders: HashMap<String, (u64, Order)>,
}

impl Index {
    /// Takes note of what is other in a picture than in the one before.
    pub fn follow(&mut self, picture: &Picture) {
        let same = picture.len() == self.nodes.len();
        let stays = |at: usize, node: &Node| {
            let before = self.nodes.get(at);
            before.is_some_and(|before| before.key == node.key)
        };
        let others = |(at, node): (usize, &Arc<Node>)| !stays(at, node);
        if !same || picture.changes(&self.picture).any(others) {
            self.begin(picture);
            return;
        }
        let len = self.nodes.len();
        for (at, node) in picture.changes(&self.picture) {
            let before = std::mem::replace(&mut self.nodes[at], Arc::clone(node));
            self.images += u64::from(!has_images_as(&before, node));
            self.log.push(change(at, &before, node), len);
        }
        self.picture = picture.clone();
    }

    /// Begins with other nodes.
    fn begin(&mut self, picture: &Picture) {
        self.picture = picture.clone();
        self.nodes = picture.iter().cloned().collect();
        let places = self.nodes.iter().enumerate();
        self.places = places.map(|(at, n)| (Arc::clone(&n.key), at)).collect();
        self.images += 1;
        self.log.forget();
        self.rules.forget();
        self.orders.clear();
    }

    /// Returns the nodes, in their order in the view.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Returns a count that is another when images, or nodes that could give them, may have come or gone.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// Returns the node that [`Scheduler::place`] puts first among those of `first`, or, if it admits none of them,
    /// among the others; `None` when it admits none at all.
    ///
    /// The request must be one that [`Scheduler::knows_by_index`].
    pub fn best(
        &mut self,
        scheduler: &Scheduler,
        request: &Request,
        first: &Bits,
    ) -> Option<usize> {
        let mut left = self.admitted(scheduler, request);
        if left.is_empty() {
            return None;
        }
        left.prefer(first);
        let fit = Test::of("", Reads::Itself, Node::is_fit);
        left.prefer(self.passing("fit", &fit));
        left.prefer(self.passing("untainted", &filter::taint::soft_test(request)));
        self.prefer_wishes(scheduler, request, &mut left);
        let has_image = |node: &Node| node.image(&request.image).is_some();
        let has_image = Test::of(&request.image, Reads::Images, has_image);
        let image = self.passing("image", &has_image).clone();
        self.order(scheduler, request)?.best(&left, &image)
    }

    /// Returns the nodes that every hard rule admits.
    fn admitted(&mut self, scheduler: &Scheduler, request: &Request) -> Bits {
        let mut left = Bits::all(self.nodes.len());
        for filter in scheduler.filters.iter().chain(scheduler.always.iter()) {
            for test in filter.tests(request) {
                left.and(self.passing(filter.name(), &test));
            }
        }
        let among = request.among.iter().map(|a| a.nodes.as_slice());
        let required = request.required.iter();
        let required = required.map(|r| std::slice::from_ref(&r.node));
        for keys in among.chain(required) {
            let mut these = Bits::none(self.nodes.len());
            let places = keys.iter().filter_map(|key| self.places.get(key));
            places.for_each(|at| these.set(*at, true));
            left.and(&these);
        }
        left
    }

    /// Leaves those that meet the most soft wishes; to classic, all of them or whoever there is.
    fn prefer_wishes(&mut self, scheduler: &Scheduler, request: &Request, left: &mut Bits) {
        let tests = filter::soft_tests(request);
        let met = tests
            .iter()
            .map(|(kind, test)| self.passing(kind, test).clone());
        let met: Vec<Bits> = met.collect();
        match scheduler.manners {
            Manners::Engine => left.prefer_most(met.iter()),
            Manners::Classic => {
                let mut all = Bits::all(self.nodes.len());
                met.iter().for_each(|one| all.and(one));
                left.prefer(&all);
            }
        }
    }

    /// Returns the nodes that pass a test.
    fn passing(&mut self, asker: &'static str, test: &Test<'_>) -> &Bits {
        self.rules.passing(asker, test, &self.nodes, &self.log)
    }

    /// Returns the order of all nodes for a request.
    fn order(&mut self, scheduler: &Scheduler, request: &Request) -> Option<&Order> {
        let strategy = &scheduler.strategy;
        let class = format!("{} {}", strategy.name(), strategy.class(request)?);
        let score = |node: &Node| strategy.score(request, node);
        if self.orders.len() >= ORDERS && !self.orders.contains_key(&class) {
            self.orders.clear();
        }
        let (seen, order) = self.orders.entry(class).or_default();
        match self.log.since(*seen) {
            Some(changes) if order.len() == self.nodes.len() => {
                for change in changes {
                    order.set(change.at, score(&self.nodes[change.at]));
                }
            }
            _ => *order = Order::new(self.nodes.iter().map(|n| score(n)).collect()),
        }
        *seen = self.log.end();
        Some(order)
    }
}

impl Scheduler {
    /// Tells whether an index finds the best node for a request: its rules look at one node at a time, and its score is
    /// one of a class.
    pub fn knows_by_index(&self, request: &Request) -> bool {
        let alone = request.wishes.spreads.is_empty() && request.replaces.is_empty();
        alone
            && request.pod.is_none()
            && request.together.is_empty()
            && self.strategy.class(request).is_some()
    }
}

/// Tells whether a node has the images that it had, and gives and takes them as it did.
fn has_images_as(before: &Node, now: &Node) -> bool {
    let facts = || {
        let mut keys = ["OSType", "Architecture", "DriverStatus"].into_iter();
        keys.all(|key| before.facts.info[key] == now.facts.info[key])
    };
    Arc::ptr_eq(&before.images, &now.images)
        && before.health.is_healthy() == now.health.is_healthy()
        && (Arc::ptr_eq(&before.facts, &now.facts) || facts())
}

/// Says what of a node has changed.
fn change(at: usize, before: &Node, now: &Node) -> Change {
    let images = !Arc::ptr_eq(&before.images, &now.images);
    let same = Arc::ptr_eq(&before.facts, &now.facts)
        && Arc::ptr_eq(&before.plugins, &now.plugins)
        && before.labels == now.labels
        && before.orders == now.orders
        && before.health == now.health
        && before.failures == now.failures
        && before.trouble == now.trouble
        && before.name == now.name
        && before.engine_id == now.engine_id;
    Change {
        at,
        itself: !same,
        images,
    }
}
