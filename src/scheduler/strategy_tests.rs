//! What the strategies come to, one container after the other.

use super::tests::{GIB, asks, node, put, scheduler, view};
use super::*;
use crate::model::container::RunState;
use crate::model::load::Load;
use crate::model::{Container, Image, Resources};

fn classic(strategy: &str) -> Scheduler {
    Scheduler::new(strategy, None, Manners::Classic).unwrap()
}

/// Places `count` requests one after the other; returns how many each node got.
fn run(scheduler: &Scheduler, nodes: &mut [Node], request: &Request, count: usize) -> Vec<usize> {
    for i in 0..count {
        let placement = scheduler.place(request, &view(nodes)).unwrap();
        let key = Arc::clone(&placement.candidates[0].key);
        let node = nodes.iter_mut().find(|n| n.key == key).unwrap();
        put(
            node,
            &format!("{}-{i}", node.name.clone()),
            request.resources,
        );
    }
    nodes.iter().map(|n| n.containers.len()).collect()
}

#[test]
fn spread_fills_nodes_as_classic_documents() {
    let two = || [node("a", 21, 64), node("b", 42, 128)];
    let scheduler = classic("spread");
    assert_eq!(run(&scheduler, &mut two(), &asks(0, 0), 60), [30, 30]);
    assert_eq!(run(&scheduler, &mut two(), &asks(1, 0), 60), [20, 40]);
}

#[test]
fn spread_gives_a_bigger_node_more() {
    let two = || [node("a", 21, 64), node("b", 42, 128)];
    let scheduler = scheduler("spread");
    assert_eq!(run(&scheduler, &mut two(), &asks(0, 0), 60), [20, 40]);
    assert_eq!(run(&scheduler, &mut two(), &asks(1, 0), 60), [20, 40]);
    let equal = || [node("a", 4, 8), node("b", 4, 8), node("c", 4, 8)];
    assert_eq!(run(&scheduler, &mut equal(), &asks(0, 0), 30), [10, 10, 10]);
}

#[test]
fn containers_that_have_ended_count_as_told() {
    let mut littered = node("a", 4, 4);
    for i in 0..5 {
        littered.containers.insert(Arc::new(Container {
            id: format!("old{i}").into(),
            state: RunState {
                status: "exited".to_owned(),
                ..RunState::default()
            },
            ..Container::default()
        }));
    }
    let mut busy = node("b", 4, 4);
    put(&mut busy, "x", Resources::default());
    let nodes = view(&[littered, busy]);
    let best = |strategy: &str| {
        let placed = scheduler(strategy).place(&asks(0, 0), &nodes).unwrap();
        placed.candidates[0].name.clone()
    };
    assert_eq!(best("spread"), "b");
    assert_eq!(best("spread:running"), "a");
    assert_eq!(best("binpack"), "a");
    assert_eq!(best("binpack:running"), "b");
}

#[test]
fn a_mix_weighs_its_members() {
    let app = Request {
        image: "app".into(),
        ..Request::default()
    };
    let mut holder = node("a", 4, 4);
    holder.images = Arc::new(vec![Image {
        tags: vec!["app:latest".into()],
        ..Image::default()
    }]);
    // Four containers for four processors: 56 points less by spread than an empty node.
    for i in 0..15 {
        put(&mut holder, &format!("x{i}"), Resources::default());
    }
    let nodes = view(&[holder, node("b", 4, 4)]);
    let best = |strategy: &str| {
        let placed = scheduler(strategy).place(&app, &nodes).unwrap();
        placed.candidates[0].name.clone()
    };
    assert_eq!(best("spread"), "b");
    assert_eq!(best("spread+locality"), "a");
    assert_eq!(best("spread*3 + locality"), "b");
    assert_eq!(
        scheduler("spread*3 + locality*1").strategy_name(),
        "spread*3+locality"
    );
    assert_eq!(scheduler("spread*3").strategy_name(), "spread");
}

#[test]
fn what_is_no_mix_says_where() {
    let wrong = |text: &str| {
        Scheduler::new(text, None, Manners::Engine)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        wrong("spread*x"),
        "strategy spread*x: \"x\" at 8 is no weight (1 to 1000)"
    );
    assert_eq!(
        wrong("spread+random*1001"),
        "strategy spread+random*1001: \"1001\" at 15 is no weight (1 to 1000)"
    );
    assert!(
        wrong("spread+").starts_with("strategy not supported:  (there are spread, "),
        "{}",
        wrong("spread+")
    );
    assert!(wrong(&["spread"; 17].join("+")).ends_with("a mix has at most 16 members"));
}

#[test]
fn binpack_fills_nodes_as_classic_documents() {
    let mut nodes = [node("a", 4, 4), node("b", 4, 4)];
    let scheduler = classic("binpack");
    let place = |nodes: &mut [Node], id: &str, gib: i64| {
        let request = asks(0, gib * GIB);
        let best = scheduler.place(&request, &view(nodes)).unwrap().candidates[0]
            .name
            .clone();
        let at = nodes.iter_mut().find(|n| n.name == best).unwrap();
        put(at, id, request.resources);
        best
    };
    assert_eq!(place(&mut nodes, "1", 2), "a");
    assert_eq!(place(&mut nodes, "2", 3), "b");
    assert_eq!(place(&mut nodes, "3", 1), "b");
}

#[test]
fn the_least_loaded_is_taken_and_creates_at_once_do_not_pile_up() {
    let load = |cpus: i64, gib: i64, measured| {
        Some(Load {
            nano_cpus: cpus * Resources::NANO_PER_CPU,
            memory_bytes: gib * GIB,
            measured,
        })
    };
    let mut nodes = ["a", "b", "c", "d"].map(|name| node(name, 10, 10));
    nodes[0].load = load(3, 0, 0);
    nodes[1].load = load(1, 6, 0);
    nodes[2].load = load(1, 0, 0);
    let placed = |nodes: &[Node]| {
        let scheduler = scheduler("least-loaded");
        let placed = scheduler.place(&asks(0, 0), &view(nodes)).unwrap();
        let names = placed.candidates.iter().map(|n| n.name.clone());
        names.collect::<String>()
    };
    // The load of d is not known: it stands at half.
    assert_eq!(placed(&nodes), "cadb");
    // Twenty that are not measured yet are taken to use two processors.
    for i in 0..20 {
        put(&mut nodes[2], &format!("x{i}"), Resources::default());
    }
    assert_eq!(placed(&nodes), "acdb");
    nodes[2].load = load(1, 0, 20);
    assert_eq!(placed(&nodes), "cadb", "they use nothing");
    assert!(scheduler("spread+least-loaded").uses_load());
    assert!(!scheduler("spread+locality").uses_load());
}
