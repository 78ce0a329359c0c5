//! `--compat classic` chooses as classic documents it: checked against a plain statement of its weights.

use proptest::prelude::*;

use super::tests::{GIB, asks, node, put, view};
use super::*;
use crate::model::Resources;

/// A node as drawn: processors, GiB, and what each of its containers was promised of them.
type Drawn = (i64, i64, Vec<(i64, i64)>);

/// Classic's words: of what is asked for, the percents that are used then, in whole numbers; of what is not, 100.
fn weight(node: &Node, cpus: i64, gib: i64) -> i64 {
    let percent = |asked: i64, used: i64, all: i64| match asked {
        0 => 100,
        asked => (used + asked) * 100 / all,
    };
    let cpu = percent(
        cpus,
        node.used.nano_cpus / Resources::NANO_PER_CPU,
        node.capacity.nano_cpus / Resources::NANO_PER_CPU,
    );
    let memory = percent(
        gib,
        node.used.memory_bytes / GIB,
        node.capacity.memory_bytes / GIB,
    );
    cpu + memory
}

fn nodes(drawn: &[Drawn]) -> Vec<Node> {
    let nodes = drawn
        .iter()
        .enumerate()
        .map(|(i, (cpus, gib, containers))| {
            let mut node = node(&format!("node{i}"), *cpus, *gib);
            for (c, (cpus, gib)) in containers.iter().enumerate() {
                let promised = Resources {
                    nano_cpus: cpus * Resources::NANO_PER_CPU,
                    memory_bytes: gib * GIB,
                };
                put(&mut node, &format!("c{i}-{c}"), promised);
            }
            node
        });
    nodes.collect()
}

proptest! {
    #[test]
    fn classic_weighs_whole_percents_and_then_counts_containers(
        drawn in prop::collection::vec((1..40_i64, 1..40_i64, prop::collection::vec((0..4_i64, 0..4_i64), 0..8)), 1..8),
        cpus in 0..4_i64,
        gib in 0..4_i64,
    ) {
        let nodes = nodes(&drawn);
        let request = asks(cpus, gib * GIB);
        let fits = |n: &Node| {
            let room = |asked, used, all| asked == 0 || used + asked <= all;
            room(request.resources.nano_cpus, n.used.nano_cpus, n.capacity.nano_cpus)
                && room(request.resources.memory_bytes, n.used.memory_bytes, n.capacity.memory_bytes)
        };
        let mut wanted: Vec<&Node> = nodes.iter().filter(|n| fits(n)).collect();
        let order = |n: &Node| (weight(n, cpus, gib), n.containers.len());
        for strategy in ["spread", "binpack"] {
            wanted.sort_by(|a, b| match strategy {
                "spread" => order(a).cmp(&order(b)),
                _ => order(b).cmp(&order(a)),
            });
            let scheduler = Scheduler::new(strategy, None, Manners::Classic).unwrap();
            let placed = scheduler.place(&request, &view(&nodes));
            let placed = placed.map(|p| p.candidates).unwrap_or_default();
            let got: Vec<_> = placed.iter().map(|n| n.name.as_str()).collect();
            // Classic leaves the order of equals to chance; here it is that of their names.
            let wanted: Vec<_> = wanted.iter().map(|n| n.name.as_str()).collect();
            prop_assert_eq!(got, wanted, "{}", strategy);
        }
    }
}

#[test]
fn random_takes_each_node_as_often_however_full() {
    let mut nodes = nodes(&[
        (40, 40, vec![(1, 1); 8]),
        (4, 4, Vec::new()),
        (40, 40, Vec::new()),
    ]);
    nodes[0].images = Arc::new(vec![crate::model::Image::default()]);
    for manners in [Manners::Classic, Manners::Engine] {
        let scheduler = Scheduler::new("random", None, manners).unwrap();
        let mut counts = [0; 3];
        for seed in 0..3000 {
            let request = Request {
                seed,
                ..asks(1, GIB)
            };
            let placed = scheduler.place(&request, &view(&nodes)).unwrap();
            let first = &placed.candidates[0].name;
            let at = nodes.iter().position(|n| n.name == *first).unwrap();
            counts[at] += 1;
        }
        // Six standard deviations around a third.
        assert!(
            counts.iter().all(|c| (845..=1155).contains(c)),
            "{counts:?}"
        );
    }
}

#[test]
fn classic_has_its_three_strategies_under_its_names() {
    for (given, name) in [
        ("spread", "spread"),
        ("binpack", "binpack"),
        ("binpacking", "binpack"),
        ("random", "random"),
    ] {
        let scheduler = Scheduler::new(given, None, Manners::Classic).unwrap();
        assert_eq!(scheduler.strategy_name(), name);
    }
}
