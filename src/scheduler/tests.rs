//! Placement as users see it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::container::{Port, PortBinding};
use crate::model::{Container, Health, Image, Resources};

pub(super) const GIB: i64 = 1 << 30;

pub(super) fn node(name: &str, cpus: i64, gib: i64) -> Node {
    Node {
        key: format!("{name}:2375").into(),
        engine_id: format!("id-{name}"),
        name: name.to_owned(),
        health: Health::Healthy,
        capacity: Resources {
            nano_cpus: cpus * Resources::NANO_PER_CPU,
            memory_bytes: gib * GIB,
        },
        ..Node::default()
    }
}

pub(super) fn put(node: &mut Node, id: &str, resources: Resources) {
    node.used = node.used + resources;
    node.containers.insert(Arc::new(Container {
        id: id.into(),
        names: vec![id.to_owned()],
        resources,
        ..Container::default()
    }));
}

pub(super) fn asks(cpus: i64, memory_bytes: i64) -> Request {
    Request {
        resources: Resources {
            nano_cpus: cpus * Resources::NANO_PER_CPU,
            memory_bytes,
        },
        ..Request::default()
    }
}

pub(super) fn view(nodes: &[Node]) -> ClusterView {
    ClusterView::new(nodes.iter().cloned().map(Arc::new).collect())
}

pub(super) fn scheduler(strategy: &str) -> Scheduler {
    Scheduler::new(strategy, None, Manners::Engine).unwrap()
}

pub(super) fn binding(first: u16, last: u16, ip: &str, protocol: &str) -> PortBinding {
    PortBinding {
        host_ip: ip.to_owned(),
        first,
        last,
        port: Port {
            number: 80,
            protocol: protocol.to_owned(),
        },
    }
}

#[test]
fn random_is_a_function_of_the_seed() {
    let nodes = [node("a", 4, 4), node("b", 4, 4), node("c", 4, 4)];
    let scheduler = scheduler("random");
    let best = |seed| {
        let request = Request {
            seed,
            ..Request::default()
        };
        scheduler.place(&request, &view(&nodes)).unwrap().candidates[0]
            .name
            .clone()
    };
    assert_eq!(best(7), best(7));
    let chosen: std::collections::BTreeSet<String> = (0..64).map(best).collect();
    assert_eq!(chosen.len(), 3);
}

#[test]
fn each_filter_says_why_it_alone_refuses_a_node() {
    let mut full = node("full", 4, 1);
    put(
        &mut full,
        "hog",
        Resources {
            nano_cpus: 0,
            memory_bytes: GIB / 2,
        },
    );
    let mut busy = node("busy", 4, 8);
    busy.containers.insert(Arc::new(Container {
        id: "c1".into(),
        names: vec!["web".into()],
        ports: vec![binding(80, 80, "", "tcp")],
        ..Container::default()
    }));
    let mut slots = node("slots", 4, 8);
    slots.labels = BTreeMap::from([("containerslots".into(), "0".into())]);
    let mut us = node("us", 4, 8);
    us.labels = BTreeMap::from([("zone".into(), "us".into())]);
    let mut down = node("down", 4, 8);
    down.health = Health::Unhealthy {
        since: "2026-11-24T12:03:11Z".parse().unwrap(),
        reason: "timed out".into(),
    };
    for eu in [&mut full, &mut busy, &mut slots, &mut down] {
        eu.labels.insert("zone".into(), "eu".into());
    }
    let mut request = asks(0, GIB);
    request.ports = vec![binding(80, 80, "", "tcp")];
    request.wishes.constraints = vec![Expr::parse("zone==eu").unwrap()];
    let refused = scheduler("spread")
        .place(&request, &view(&[full, busy, slots, us, down]))
        .unwrap_err();
    assert!(!refused.is_unavailable());
    assert_eq!(
        refused.to_string(),
        "no node can take this container (5 looked at): \
         1 has host port 80/tcp taken (by web on busy); \
         1 does not answer (has not answered since 2026-11-24T12:03:11Z (timed out)); \
         1 lacks memory (asks 1 GiB, best: 512 MiB free on full); \
         1 has no free container slot (0 of 0 taken on slots); \
         1 fails constraint zone==eu (us has zone=us). \
         Unable to find a node that satisfies the following conditions \
         [port 80 (Bridge mode)] [available container slots] [zone==eu]"
    );
}

#[test]
fn a_node_in_trouble_is_the_last_choice_and_not_refused() {
    let since = "2026-11-24T12:03:11Z".parse().unwrap();
    let mut missed = node("a-missed", 4, 8);
    missed.failures = 1;
    let mut slow = node("b-slow", 4, 8);
    let took = std::time::Duration::from_secs(2);
    slow.health = Health::Slow { since, took };
    let mut full = node("c-full", 4, 8);
    let reason = "no space left on device".to_owned();
    full.trouble = Some(crate::model::node::Trouble { since, reason });
    let mut busy = node("z-busy", 4, 8);
    put(&mut busy, "x", asks(3, GIB).resources);
    let placed = |nodes: &[Node]| {
        let placement = scheduler("spread").place(&asks(1, GIB), &view(nodes));
        let candidates = placement.unwrap().candidates;
        candidates
            .iter()
            .map(|n| n.name.clone())
            .collect::<Vec<_>>()
    };
    for troubled in [&missed, &slow, &full] {
        let order = placed(&[troubled.clone(), busy.clone()]);
        assert_eq!(order, ["z-busy", troubled.name.as_str()]);
    }
    assert_eq!(placed(&[full]), ["c-full"]);
}

#[test]
fn classic_sentences_are_said_where_classic_said_them() {
    let mut down = node("a", 1, 1);
    down.health = Health::Pending("refused".into());
    let none = scheduler("spread")
        .place(&asks(0, 0), &view(&[down]))
        .unwrap_err();
    assert!(none.is_unavailable());
    assert!(
        none.to_string()
            .ends_with("No healthy node available in the cluster")
    );
    let small = [node("a", 1, 1), node("b", 1, 2)];
    let full = scheduler("spread")
        .place(&asks(0, 4 * GIB), &view(&small))
        .unwrap_err();
    assert_eq!(
        full.to_string(),
        "no node can take this container (2 looked at): 2 lack memory (asks 4 GiB, best: 2 GiB free on b). \
         no resources available to schedule container"
    );
    let empty = scheduler("spread")
        .place(&asks(0, 0), &view(&[]))
        .unwrap_err();
    assert_eq!(empty.to_string(), "No nodes available in the cluster");
}

#[test]
fn soft_wishes_prefer_and_never_refuse() {
    let mut ssd = node("b", 4, 4);
    ssd.labels.insert("storage".into(), "ssd".into());
    put(&mut ssd, "x", Resources::default());
    let nodes = [node("a", 4, 4), ssd];
    let best = |wish: &str| {
        let mut request = asks(0, 0);
        request.wishes.constraints = vec![Expr::parse(wish).unwrap()];
        scheduler("spread")
            .place(&request, &view(&nodes))
            .unwrap()
            .candidates[0]
            .name
            .clone()
    };
    assert_eq!(best("storage==~ssd"), "b");
    assert_eq!(best("storage==~tape"), "a");
}

#[test]
fn holders_of_the_image_come_first_among_equals() {
    let mut holder = node("b", 4, 4);
    holder.images = Arc::new(vec![Image {
        tags: vec!["app:latest".into()],
        ..Image::default()
    }]);
    let nodes = [node("a", 4, 4), holder];
    let request = Request {
        image: "app".into(),
        ..Request::default()
    };
    assert_eq!(
        scheduler("spread")
            .place(&request, &view(&nodes))
            .unwrap()
            .candidates[0]
            .name,
        "b"
    );
}

#[test]
fn a_container_that_has_ended_holds_no_port() {
    let request = Request {
        ports: vec![binding(80, 80, "", "tcp")],
        ..Request::default()
    };
    for (status, free) in [("created", false), ("running", false), ("exited", true)] {
        let mut node = node("a", 4, 4);
        let mut holder = Container {
            ports: request.ports.clone(),
            ..Container::default()
        };
        holder.state.status = status.to_owned();
        node.containers.insert(Arc::new(holder));
        let admitted = scheduler("spread").admits(&request, &node);
        assert_eq!(admitted.is_ok(), free, "{status}");
    }
}

#[test]
fn ports_differ_by_protocol_address_and_range() {
    let mut busy = node("a", 4, 4);
    let held = |ports: Vec<PortBinding>| {
        Arc::new(Container {
            id: "c".into(),
            ports,
            ..Container::default()
        })
    };
    busy.containers.insert(held(vec![
        binding(53, 53, "10.0.0.1", "udp"),
        binding(80, 80, "", "tcp"),
    ]));
    let admits = |port: PortBinding| {
        let request = Request {
            ports: vec![port],
            ..Request::default()
        };
        scheduler("spread")
            .place(&request, &view(&[busy.clone()]))
            .is_ok()
    };
    assert!(admits(binding(53, 53, "", "tcp")));
    assert!(admits(binding(53, 53, "10.0.0.2", "udp")));
    assert!(!admits(binding(53, 53, "10.0.0.1", "udp")));
    assert!(!admits(binding(53, 53, "0.0.0.0", "udp")));
    assert!(!admits(binding(80, 80, "127.0.0.1", "tcp")));
    assert!(admits(binding(80, 81, "", "tcp")));
    assert!(admits(binding(0, 0, "", "tcp")));
}

#[test]
fn what_is_on_different_nodes_cannot_be_used_together() {
    let mut a = node("a", 4, 4);
    put(&mut a, "db", Resources::default());
    let request = Request {
        together: vec![Together {
            option: "--volumes-from=db".into(),
            container: "db".into(),
        }],
        required: vec![Required {
            node: "b:2375".into(),
            reason: "network app is on b".into(),
        }],
        ..Request::default()
    };
    let refused = scheduler("spread")
        .place(&request, &view(&[a, node("b", 4, 4)]))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no node can take this container: what it uses cannot be co-located: network app is on b; --volumes-from=db is on a"
    );
}

#[test]
fn affinities_look_at_containers_images_and_labels() {
    let mut a = node("a", 4, 4);
    put(&mut a, "redis-1", Resources::default());
    a.images = Arc::new(vec![Image {
        id: "sha256:ab".into(),
        tags: vec!["r:5000/x:1".into()],
        ..Image::default()
    }]);
    let admits = |wish: &str| {
        let mut request = asks(0, 0);
        request.wishes.affinities = vec![Expr::parse(wish).unwrap()];
        scheduler("spread").admits(&request, &a).is_ok()
    };
    for yes in [
        "container==redis*",
        "container!=web",
        "image==r:5000/x",
        "image==r:5000/x:1",
        "image==sha256:ab",
        "tier==*",
        "tier!=web",
    ] {
        assert!(admits(yes), "{yes}");
    }
    for no in ["container!=redis-1", "image==r:5000/x:2", "tier==web"] {
        assert!(!admits(no), "{no}");
    }
}

#[test]
fn whitelists_name_nodes_and_unlike_classic_heed_their_operator() {
    let admits = |wish: &str| {
        let mut request = asks(0, 0);
        request.wishes.whitelists = vec![Expr::parse(wish).unwrap()];
        scheduler("spread")
            .admits(&request, &node("a", 1, 1))
            .is_ok()
    };
    assert!(admits("node==a|b"));
    assert!(!admits("node==b|c"));
    assert!(!admits("node!=a|b"));
    assert!(admits("node==~b"));
}

#[test]
fn named_filters_replace_the_list_but_resources_stay() {
    let some = Scheduler::new("binpacking", Some(&["health".into()]), Manners::Engine).unwrap();
    assert_eq!(
        (some.strategy_name(), some.filter_names()),
        ("binpack", vec!["health"])
    );
    assert!(some.admits(&asks(9, 0), &node("a", 1, 1)).is_err());
    assert_eq!(
        Scheduler::new("best", None, Manners::Engine)
            .unwrap_err()
            .to_string(),
        "strategy not supported: best (there are spread, binpack, random, spread:running, binpack:running, locality, least-loaded, and mixes of them: spread*2+locality)"
    );
    assert!(
        Scheduler::new("spread", Some(&["x".into()]), Manners::Engine)
            .unwrap_err()
            .to_string()
            .starts_with("filter not supported: x")
    );
}

proptest! {
    #[test]
    fn no_candidate_is_one_that_a_filter_refuses(
        used in proptest::collection::vec((0i64..8, 0i64..8, any::<bool>()), 1..8),
        cpus in 0i64..6,
        gib in 0i64..6,
    ) {
        let nodes: Vec<Node> = used.iter().enumerate().map(|(i, (c, m, up))| {
            let mut n = node(&format!("n{i}"), 8, 8);
            put(&mut n, &format!("c{i}"), Resources { nano_cpus: c * Resources::NANO_PER_CPU, memory_bytes: m * GIB });
            if !up { n.health = Health::New; }
            n
        }).collect();
        let request = asks(cpus, gib * GIB);
        let scheduler = scheduler("spread");
        let admitted = nodes.iter().filter(|n| scheduler.admits(&request, n).is_ok()).count();
        match scheduler.place(&request, &view(&nodes)) {
            Ok(placement) => {
                prop_assert_eq!(placement.candidates.len(), admitted);
                for node in &placement.candidates { prop_assert!(scheduler.admits(&request, node).is_ok()); }
            }
            Err(_) => prop_assert_eq!(admitted, 0),
        }
    }
}

/// The nodes that a request may go to by classic's rules, best first.
fn classics(request: &Request, nodes: &[Node]) -> Vec<String> {
    let scheduler = Scheduler::new("spread", None, Manners::Classic).unwrap();
    let placed = scheduler.place(request, &view(nodes));
    let names = placed.map(|p| p.candidates.iter().map(|n| n.name.clone()).collect());
    names.unwrap_or_else(|refused| vec![refused.in_classics_words()])
}

#[test]
fn classics_soft_wishes_count_all_together_or_not_at_all() {
    let mut nodes = [node("a", 2, 2), node("b", 2, 2), node("c", 2, 2)];
    nodes[1].labels.insert("zone".into(), "eu".into());
    put(&mut nodes[1], "old", Resources::default());
    let wish = |list: &[&str]| {
        let mut request = Request::default();
        request.wishes.constraints = list.iter().map(|e| Expr::parse(e).unwrap()).collect();
        request
    };
    assert_eq!(classics(&wish(&["zone==~eu"]), &nodes)[0], "b");
    // No node has both: neither counts, and the emptiest is the best.
    let both = wish(&["zone==~eu", "disk==~ssd"]);
    assert_eq!(classics(&both, &nodes), ["a", "c", "b"]);
    let placed = scheduler("spread").place(&both, &view(&nodes)).unwrap();
    assert_eq!(placed.candidates[0].name, "b", "each counts on its own");
}

#[test]
fn classics_whitelist_has_no_operator_and_its_ports_no_protocol() {
    let mut nodes = [node("a", 2, 2), node("b", 2, 2)];
    let mut request = Request::default();
    request.wishes.whitelists = vec![Expr::parse("node!=a").unwrap()];
    assert_eq!(classics(&request, &nodes), ["a"]);
    let port = |protocol: &str| PortBinding {
        host_ip: String::new(),
        first: 53,
        last: 53,
        port: Port {
            number: 53,
            protocol: protocol.into(),
        },
    };
    nodes[0].containers.insert(Arc::new(Container {
        id: "dns".into(),
        ports: vec![port("udp")],
        ..Container::default()
    }));
    let request = Request {
        ports: vec![port("tcp")],
        ..Request::default()
    };
    assert_eq!(classics(&request, &nodes), ["b"]);
    assert_eq!(
        classics(&request, &nodes[..1]),
        ["Unable to find a node that satisfies the following conditions \n[port 53 (Bridge mode)]"]
    );
}
