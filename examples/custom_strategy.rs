//! A strategy of one's own, in Rust: nodes that restart soon get nothing that is to stay.
//!
//! `cargo run --example custom_strategy` places some containers on a made-up cluster and prints where they went. A proxy
//! of one's own gives the same scheduler to [`flotilla::run_with`].

#![allow(clippy::print_stdout, reason = "the lines are the program's result")]
#![allow(missing_docs, reason = "a program of its own")]

use std::sync::Arc;

use flotilla::model::{ClusterView, Container, Health, Manners, Node, Resources};
use flotilla::scheduler::{Part, Request, Scheduler, Score, Strategy};

/// Prefers the node whose label `restarts-in` (hours) is the greatest; between equals that with fewer containers.
#[derive(Debug)]
pub struct LongLived;

/// Hours that are as good as for ever.
const WEEK: u32 = 7 * 24;

impl Strategy for LongLived {
    fn name(&self) -> &str {
        "long-lived"
    }

    fn score(&self, _: &Request, node: &Node) -> Score {
        Score {
            value: hours(node) * (Score::BEST / WEEK),
            tie: -crowd(node),
        }
    }

    fn class(&self, _: &Request) -> Option<String> {
        // The score is the same whatever is asked for.
        Some(String::new())
    }

    fn parts(&self, _: &Request, node: &Node) -> Vec<Part> {
        let part = |name: &'static str, value| Part {
            name: name.into(),
            value,
            decimals: 0,
            unit: "",
            of: Vec::new(),
        };
        vec![
            part("hours to its restart", hours(node).into()),
            part("containers", crowd(node)),
        ]
    }
}

/// Returns the hours that a node will still run, a week at most; a node that does not say runs for ever.
fn hours(node: &Node) -> u32 {
    let label = node.labels.get("restarts-in");
    label.and_then(|h| h.parse().ok()).unwrap_or(WEEK).min(WEEK)
}

fn crowd(node: &Node) -> i64 {
    i64::try_from(node.containers.len()).unwrap_or(i64::MAX)
}

/// Places containers one after the other; returns the names of their nodes.
///
/// # Panics
/// No node admits one, which does not happen with these.
pub fn place(count: usize) -> Vec<String> {
    let usual = Scheduler::new("spread", None, Manners::Engine).expect("spread is there");
    let scheduler = usual.with(LongLived);
    let mut nodes = [("a", Some("2")), ("b", None), ("c", None)].map(|(name, restarts)| {
        let mut node = Node {
            key: format!("{name}:2375").into(),
            name: name.to_owned(),
            health: Health::Healthy,
            capacity: Resources {
                nano_cpus: 4 * Resources::NANO_PER_CPU,
                memory_bytes: 8 << 30,
            },
            ..Node::default()
        };
        let restarts = restarts.map(|hours| ("restarts-in".to_owned(), hours.to_owned()));
        node.labels.extend(restarts);
        node
    });
    let mut names = Vec::new();
    for number in 0..count {
        let view = ClusterView::new(nodes.iter().cloned().map(Arc::new).collect());
        let placed = scheduler.place(&Request::default(), &view);
        let placed = placed.expect("all nodes are healthy and empty enough");
        let best = placed.candidates[0].name.clone();
        let container = Container {
            id: format!("c{number}").into(),
            ..Container::default()
        };
        for node in nodes.iter_mut().filter(|n| n.name == best) {
            node.containers.insert(Arc::new(container.clone()));
        }
        names.push(best);
    }
    names
}

#[allow(dead_code, reason = "a test calls place alone")]
fn main() {
    for (number, node) in place(5).iter().enumerate() {
        println!("container {number} goes to node {node}");
    }
}
