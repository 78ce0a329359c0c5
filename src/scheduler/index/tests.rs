//! The index against the rules themselves, over random clusters, changes and requests.

use std::collections::BTreeMap;

use fastrand::Rng;
use proptest::prelude::*;

use super::*;
use crate::model::container::{Port, PortBinding};
use crate::model::node::Facts;
use crate::model::orders::Availability;
use crate::model::{ClusterView, Container, Health, Image, Resources, Stock};
use crate::scheduler::filter::limit::AtMost;
use crate::scheduler::filter::{devices, taint};
use crate::scheduler::wishes::Wishes;
use crate::scheduler::{Among, Expr, Required};

fn pick<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    &list[rng.usize(..list.len())]
}

/// Tells whether one of so many times has come.
fn once_in(rng: &mut Rng, many: usize) -> bool {
    rng.usize(..many) == 0
}

fn container(rng: &mut Rng, id: usize) -> Arc<Container> {
    let value = |rng: &mut Rng, prefix: &str| format!("{prefix}{}", rng.usize(..3));
    let mut labels = BTreeMap::new();
    for label in ["tier", "app"] {
        if !once_in(rng, 3) {
            labels.insert(label.to_owned(), value(rng, "v"));
        }
    }
    let mut container = Container {
        id: format!("{id:04x}").into(),
        names: vec![format!("c{id}")],
        labels,
        resources: Resources {
            nano_cpus: rng.i64(0..3),
            memory_bytes: rng.i64(0..3),
        },
        ..Container::default()
    };
    if once_in(rng, 3) {
        container.ports.push(binding(rng));
    }
    if once_in(rng, 4) {
        container
            .devices
            .push(crate::model::devices::Demand::count("gpu", 1));
    }
    let status = *pick(rng, &["running", "created", "exited"]);
    container.state.status = status.to_owned();
    Arc::new(container)
}

fn binding(rng: &mut Rng) -> PortBinding {
    let port = 80 + rng.u16(..2);
    PortBinding {
        host_ip: (*pick(rng, &["", "10.0.0.1"])).to_owned(),
        first: port,
        last: port,
        port: Port {
            number: port,
            protocol: (*pick(rng, &["tcp", "udp"])).to_owned(),
        },
    }
}

fn image(number: usize) -> Image {
    Image {
        id: format!("sha256:{number:0>64}"),
        tags: vec![format!("app:{number}")],
        ..Image::default()
    }
}

/// Changes anything about a node but its key and its name.
fn change(rng: &mut Rng, node: &mut Node) {
    match rng.usize(..9) {
        0 => {
            let id = rng.usize(..4_000);
            let container = container(rng, id);
            node.used = node.used + container.resources;
            node.containers.insert(container);
        }
        1 => {
            let first = node.containers.iter().next().map(|c| Arc::clone(&c.id));
            first.map(|id| node.containers.remove(&id));
        }
        2 => {
            let labels = [
                ("zone", "z0"),
                ("zone", "z1"),
                ("storage", "ssd"),
                ("containerslots", "2"),
                ("taint.dedicated", "db"),
                ("taint.slow", "~yes"),
            ];
            let (key, value) = *pick(rng, &labels);
            match once_in(rng, 3) {
                true => node.labels.remove(key),
                false => node.labels.insert(key.to_owned(), value.to_owned()),
            };
        }
        3 => {
            node.health = match rng.usize(..4) {
                0 => Health::New,
                1 => Health::Slow {
                    since: jiff::Timestamp::UNIX_EPOCH,
                    took: std::time::Duration::ZERO,
                },
                _ => Health::Healthy,
            };
        }
        4 => node.failures = rng.u32(..2),
        5 => {
            let images = (0..3).filter(|_| once_in(rng, 2)).map(image);
            node.images = Arc::new(images.collect());
        }
        6 => {
            let all = [Availability::Active, Availability::Pause];
            node.orders.availability = *pick(rng, &all);
        }
        7 => {
            let runtimes = *pick(rng, &["fast", "slow"]);
            node.facts = Arc::new(Facts {
                info: serde_json::json!({"Runtimes": {runtimes: {}}}),
                ..Facts::default()
            });
        }
        _ => {
            let gpus = [("device.gpu".to_owned(), rng.usize(..4).to_string())];
            let stock = Stock::of(&BTreeMap::from(gpus), &serde_json::Value::Null);
            node.devices = Arc::new(stock);
        }
    }
}

/// Wishes that are made: hard and soft ones, of every kind of pattern.
const CONSTRAINTS: [&str; 7] = [
    "zone==z0",
    "zone!=z1",
    "zone==~z1",
    "storage==~ssd",
    "zone==/z./",
    "node!=n1",
    "zone==z*",
];
const AFFINITIES: [&str; 9] = [
    "image==app:1",
    "image==~app:*",
    "tier==v0",
    "tier!=v1",
    "tier==~v*",
    "app!=~v2",
    "container==c7",
    "container!=~c1*",
    "image!=~app",
];
const WHITELISTS: [&str; 3] = ["node==n0|n1|n2", "node!=~n0", "node==~n3"];

fn wishes(rng: &mut Rng) -> Wishes {
    let some = |rng: &mut Rng, list: &[&str]| -> Vec<Expr> {
        let many = [0, 0, 0, 1, 1, 2, 3][rng.usize(..7)];
        let texts = (0..many).map(|_| list[rng.usize(..list.len())]);
        texts.map(|text| Expr::parse(text).unwrap()).collect()
    };
    let mut wishes = Wishes {
        constraints: some(rng, &CONSTRAINTS),
        affinities: some(rng, &AFFINITIES),
        whitelists: some(rng, &WHITELISTS),
        ..Wishes::default()
    };
    if once_in(rng, 2) {
        wishes.tolerations = vec![taint::toleration("dedicated==db").unwrap()];
    }
    let labels = BTreeMap::from([("app".to_owned(), format!("v{}", rng.usize(..3)))]);
    for text in ["app==1", "app==~2"] {
        if once_in(rng, 4) {
            wishes.limits.push(AtMost::parse(text, &labels).unwrap());
        }
    }
    for text in ["gpu==1", "gpu==~2"] {
        if once_in(rng, 4) {
            wishes.devices.push(devices::Wanted::parse(text).unwrap());
        }
    }
    wishes
}

fn request(rng: &mut Rng, nodes: &[Arc<Node>]) -> Request {
    let mut request = Request {
        image: (*pick(rng, &["app:0", "app:1", "app:2", "other"])).to_owned(),
        wishes: wishes(rng),
        ..Request::default()
    };
    if once_in(rng, 2) {
        request.resources.memory_bytes = rng.i64(0..4);
        request.resources.nano_cpus = rng.i64(0..3);
    }
    if once_in(rng, 3) {
        request.ports.push(binding(rng));
    }
    if once_in(rng, 5) {
        request.host_ports.push(binding(rng).port);
    }
    if once_in(rng, 5) {
        request.runtime = Some("fast".to_owned());
    }
    if once_in(rng, 8) {
        request.required.push(Required {
            node: Arc::clone(&pick(rng, nodes).key),
            reason: "it is".to_owned(),
        });
    }
    if once_in(rng, 8) {
        let keys = nodes.iter().filter(|_| rng.bool());
        request.among.push(Among {
            nodes: keys.map(|n| Arc::clone(&n.key)).collect(),
            what: "network".to_owned(),
        });
    }
    request
}

/// Finds what the rules themselves put first.
fn naive(
    scheduler: &Scheduler,
    request: &Request,
    view: &ClusterView,
    first: &Bits,
) -> Option<usize> {
    let placement = scheduler.place(request, view).ok()?;
    let places = placement.candidates.iter().filter_map(|node| {
        let mut nodes = view.nodes().iter();
        nodes.position(|n| Arc::ptr_eq(n, node))
    });
    let mut places: Vec<usize> = places.collect();
    places.sort_by_key(|at| !first.has(*at));
    places.first().copied()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_500))]
    #[test]
    fn the_index_chooses_as_the_rules_do(seed: u64, count in 1usize..12) {
        let rng = &mut Rng::with_seed(seed);
        let manners = *pick(rng, &[Manners::Engine, Manners::Classic]);
        let strategy = pick(rng, &["spread", "binpack", "spread:running*2+locality", "locality"]);
        let some = ["constraint".to_owned(), "port".to_owned()];
        let filters = once_in(rng, 5).then_some(&some[..]);
        let scheduler = Scheduler::new(strategy, filters, manners).unwrap();
        let nodes = (0..count).map(|number| {
            let mut node = Node {
                key: format!("10.0.0.{number}:2375").into(),
                name: format!("n{number}"),
                health: Health::Healthy,
                capacity: Resources { nano_cpus: 9, memory_bytes: 1 + rng.i64(0..12) },
                ..Node::default()
            };
            (0..rng.usize(..12)).for_each(|_| change(rng, &mut node));
            Arc::new(node)
        });
        let mut view = ClusterView::new(nodes.collect());
        let mut picture = Picture::new(view.nodes());
        let mut index = Index::default();
        // Four requests on each cluster make 10,000.
        let mut asked: Vec<Request> = Vec::new();
        for _ in 0..4 {
            let again = asked.get(rng.usize(..4)).cloned();
            let request = again.unwrap_or_else(|| request(rng, view.nodes()));
            let mut first = Bits::none(count);
            (0..count).for_each(|at| first.set(at, rng.bool()));
            index.follow(&picture);
            prop_assert!(scheduler.knows_by_index(&request));
            let found = index.best(&scheduler, &request, &first);
            prop_assert_eq!(found, naive(&scheduler, &request, &view, &first), "{:?}", request);
            asked.push(request);
            for _ in 0..rng.usize(..4) {
                let at = rng.usize(..count);
                let mut node = Node::clone(&view.nodes()[at]);
                change(rng, &mut node);
                picture.put(at, Arc::new(node));
                view = picture.view();
            }
        }
    }
}

#[test]
fn nodes_that_come_and_go_are_noticed() {
    let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
    let node = |number: usize| {
        Arc::new(Node {
            key: format!("{number}").into(),
            name: format!("n{number}"),
            health: Health::Healthy,
            ..Node::default()
        })
    };
    let (mut index, request) = (Index::default(), Request::default());
    let mut best = |numbers: &[usize]| {
        let nodes: Vec<_> = numbers.iter().map(|n| node(*n)).collect();
        index.follow(&Picture::new(&nodes));
        let first = Bits::all(nodes.len());
        let at = index.best(&scheduler, &request, &first)?;
        Some(index.nodes()[at].name.clone())
    };
    assert_eq!(best(&[]), None);
    assert_eq!(best(&[3, 4]).as_deref(), Some("n3"));
    assert_eq!(best(&[4, 5]).as_deref(), Some("n4"));
    assert_eq!(best(&[5]).as_deref(), Some("n5"));
}
