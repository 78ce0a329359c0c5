//! What a decision costs: choosing and reserving, as every create does it, in clusters that are made up.
//!
//! `cargo bench --bench placement [ROUNDS]`; needs nothing installed, and fails when a target is missed.

#![allow(clippy::print_stdout, reason = "the lines are the program's result")]
#![allow(clippy::unwrap_used, reason = "a bench ends by panicking")]
#![allow(missing_docs, reason = "a program of its own")]

use std::collections::{HashMap, VecDeque};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flotilla::cluster::create::Create;
use flotilla::cluster::reservation::Reservation;
use flotilla::cluster::spec::Spec;
use flotilla::cluster::{Cluster, Decisions, Members, choose};
use flotilla::engine::{self, Feed};
use flotilla::model::{
    ClusterView, Container, Containers, Health, Image, Manners, Node, Resources,
};
use flotilla::scheduler::Scheduler;
use tokio::sync::watch;

/// How long one figure is measured in one round, beside what is not counted.
const ROUND: Duration = Duration::from_millis(400);
/// Creates that one thread has under way before engines show what they made.
const UNDER_WAY: usize = 128;
/// Containers that a node has beside those that it begins with.
const GIVEN: usize = 4;
/// Least decisions a second on one core, at 1,000 nodes of 30 containers.
const LEAST: [(Wishes, f64); 2] = [(Wishes::None, 50_000.0), (Wishes::Mixed, 20_000.0)];
/// How much the time of a decision may grow, as a power of the number of nodes; 1 is linear.
const MOST_GROWTH: f64 = 0.8;
/// How much longer a decision may take when nodes hold ten times as many containers.
const MOST_FOR_CONTAINERS: f64 = 1.3;
/// The most memory of one container, in bytes.
const MOST_BYTES: f64 = 1_500.0;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wishes {
    None,
    /// Three constraints and two affinities.
    Five,
    /// Half of each, some with a name, with memory and processors.
    Mixed,
}

impl Wishes {
    fn body(self, number: usize) -> String {
        let plain = r#"{"Image":"app:1"}"#.to_owned();
        let (zone, tier) = (number % 4, number % 10);
        let env = format!(
            r#"["constraint:zone==z{zone}","constraint:storage==ssd","constraint:node!=n7","affinity:tier==t{tier}","affinity:image==~app:1"]"#
        );
        let five = |more: &str| format!(r#"{{"Image":"app:1","Env":{env}{more}}}"#);
        let memory = (1 + number % 3) << 20;
        match (self, number % 4) {
            (Self::None, _) | (Self::Mixed, 0) => plain,
            (Self::Five, _) | (Self::Mixed, 1) => five(""),
            (Self::Mixed, 2) => format!(
                r#"{{"Image":"app:1","HostConfig":{{"Memory":{memory},"NanoCpus":1000000}}}}"#
            ),
            (Self::Mixed, _) => five(&format!(r#","HostConfig":{{"Memory":{memory}}}"#)),
        }
    }

    fn name(self, number: usize) -> Option<String> {
        (self == Self::Mixed && number.is_multiple_of(2)).then(|| format!("made-{number}"))
    }
}

/// A cluster that is made up.
struct MadeUp {
    publish: watch::Sender<Arc<Members>>,
    cluster: Cluster,
    nodes: HashMap<Arc<str>, Arc<Node>>,
    /// What each node was given lately.
    given: HashMap<Arc<str>, VecDeque<Arc<str>>>,
    next: usize,
}

impl MadeUp {
    fn new(nodes: usize, containers: usize) -> Self {
        let nodes = (0..nodes).map(|number| Arc::new(node(number, containers)));
        let nodes: HashMap<_, _> = nodes.map(|n| (Arc::clone(&n.key), n)).collect();
        let view = ClusterView::new(nodes.values().cloned().collect());
        let members = Members {
            view,
            settled: true,
            ..Members::default()
        };
        let (publish, members) = watch::channel(Arc::new(members));
        let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
        let cluster = Cluster::new(members, scheduler, Feed::new(1), Decisions::default());
        Self {
            publish,
            cluster,
            nodes,
            given: HashMap::new(),
            next: 0,
        }
    }

    /// Makes creates, each of its own.
    fn creates(&mut self, wishes: Wishes) -> Vec<Create> {
        let members = self.cluster.members();
        let creates = (0..UNDER_WAY).map(|_| {
            self.next += 1;
            let (body, name) = (wishes.body(self.next), wishes.name(self.next));
            let body = body.as_bytes();
            let spec = Spec::read(body, name.as_deref(), &members, Manners::Engine);
            Create {
                spec: spec.unwrap(),
                query: String::new(),
                headers: http::HeaderMap::new(),
                retries: 0,
                api: 51,
            }
        });
        creates.collect()
    }

    /// Returns the view in which engines show what they made; what a node was given before goes from there in time.
    fn absorbed(&mut self, made: &[(Arc<Node>, Arc<Container>)]) -> Members {
        for (node, container) in made {
            let key = &node.key;
            let node = Arc::make_mut(self.nodes.get_mut(key).unwrap());
            node.used = node.used + container.resources;
            node.containers.insert(Arc::clone(container));
            node.revision += 1;
            let given = self.given.entry(Arc::clone(key)).or_default();
            given.push_back(Arc::clone(&container.id));
            if given.len() > GIVEN {
                let gone = given.pop_front().unwrap();
                let gone = node.containers.remove(&gone).unwrap();
                node.used = node.used - gone.resources;
            }
        }
        Members {
            view: ClusterView::new(self.nodes.values().cloned().collect()),
            settled: true,
            ..Members::default()
        }
    }

    /// Measures seconds for a decision, of so many threads at once.
    fn measure(&mut self, wishes: Wishes, threads: usize) -> f64 {
        let (mut spent, mut decisions) = (Duration::ZERO, 0);
        while spent < ROUND {
            let batches: Vec<_> = (0..threads).map(|_| self.creates(wishes)).collect();
            let begin = Instant::now();
            let cluster = &self.cluster;
            let held: Vec<_> = std::thread::scope(|scope| {
                let deciding = batches
                    .iter()
                    .map(|batch| scope.spawn(|| decide(cluster, batch)));
                let deciding: Vec<_> = deciding.collect();
                let held = deciding.into_iter().flat_map(|one| one.join().unwrap());
                held.collect()
            });
            spent += begin.elapsed();
            decisions += held.len();
            let creates = batches.iter().flatten();
            let made = held.iter().zip(creates);
            let made = made
                .map(|((node, _), create)| (Arc::clone(node), Arc::clone(&create.spec.stand_in)));
            let made: Vec<_> = made.collect();
            let members = self.absorbed(&made);
            let begin = Instant::now();
            self.publish.send_replace(Arc::new(members));
            drop(held);
            spent += begin.elapsed();
        }
        spent.as_secs_f64() / decisions as f64
    }
}

/// Decides a batch of creates.
fn decide(cluster: &Cluster, batch: &[Create]) -> Vec<(Arc<Node>, Reservation)> {
    let held = batch.iter().map(|create| {
        choose::hold(cluster, create)
            .map_err(|e| e.to_string())
            .unwrap()
    });
    held.collect()
}

/// Makes up a node of 16 processors and 64 GiB.
fn node(number: usize, containers: usize) -> Node {
    let label = |key: &str, value: String| (key.to_owned(), value);
    let storage = if number.is_multiple_of(2) {
        "ssd"
    } else {
        "disk"
    };
    let mut node = Node {
        key: format!("10.{}.{}.1:2375", number / 250, number % 250).into(),
        engine_id: format!("ID{number}"),
        name: format!("n{number}"),
        health: Health::Healthy,
        labels: [
            label("zone", format!("z{}", number / 2 % 4)),
            label("storage", storage.to_owned()),
            label("rack", format!("r{}", number / 40)),
            label("ostype", "linux".to_owned()),
            label("architecture", "x86_64".to_owned()),
        ]
        .into(),
        capacity: Resources {
            nano_cpus: 16 * Resources::NANO_PER_CPU,
            memory_bytes: 64 << 30,
        },
        images: Arc::new((0..10).map(image).collect()),
        ..Node::default()
    };
    let uneven = containers + number % 5;
    let all = (0..uneven).map(|at| {
        Arc::new(Container {
            id: format!("{:0<64}", format!("{number:04x}{at:04x}")).into(),
            names: vec![format!("c{number}-{at}")],
            image: "app:1".to_owned(),
            labels: [
                label("tier", format!("t{}", at % 10)),
                label("app", format!("a{}", at % 30)),
            ]
            .into(),
            ..Container::default()
        })
    });
    node.containers = all.collect();
    node
}

fn image(number: usize) -> Image {
    Image {
        id: format!("sha256:{number:0>64}"),
        tags: vec![format!("app:{number}")],
        ..Image::default()
    }
}

/// Seconds for a decision, by nodes, containers on each, wishes and threads.
type Found = HashMap<(usize, usize, Wishes, usize), f64>;

/// What is asked for in turn.
const ALL: [Wishes; 3] = [Wishes::None, Wishes::Five, Wishes::Mixed];

fn main() -> ExitCode {
    let rounds = std::env::args().filter_map(|a| a.parse().ok()).next();
    // First, while no memory that was given back is used again.
    let bytes = record_bytes();
    println!("a container's record: {bytes:.0} bytes");
    let found = measured(rounds.unwrap_or(3));
    let seconds = |nodes, containers, wishes| found[&(nodes, containers, wishes, 1)];
    let mut missed = Vec::new();
    for wishes in ALL {
        let growth = (seconds(10_000, 30, wishes) / seconds(1_000, 30, wishes)).log10();
        println!("wishes {wishes:?}: time grows with the nodes to the power of {growth:.2}");
        if growth > MOST_GROWTH {
            missed.push(format!("growth {growth:.2} with wishes {wishes:?}"));
        }
        let ratio = seconds(1_000, 300, wishes) / seconds(1_000, 30, wishes);
        println!("wishes {wishes:?}: {ratio:.2} of the time with ten times the containers");
        if ratio > MOST_FOR_CONTAINERS {
            missed.push(format!("{ratio:.2} for containers with wishes {wishes:?}"));
        }
    }
    for (wishes, least) in LEAST {
        let rate = 1.0 / seconds(1_000, 30, wishes);
        if rate < least {
            missed.push(format!(
                "{rate:.0}/s of {least:.0}/s with wishes {wishes:?}"
            ));
        }
    }
    if bytes > MOST_BYTES {
        missed.push(format!("{bytes:.0} bytes for a container"));
    }
    for what in &missed {
        println!("missed: {what}");
    }
    ExitCode::from(u8::from(!missed.is_empty()))
}

/// Measures all, and prints each figure: the median over the rounds.
fn measured(rounds: usize) -> Found {
    let mut found = Found::new();
    for (nodes, containers) in [
        (100, 30),
        (1_000, 30),
        (5_000, 30),
        (10_000, 30),
        (1_000, 300),
    ] {
        let mut cluster = MadeUp::new(nodes, containers);
        for (wishes, threads) in ALL.into_iter().flat_map(|w| [(w, 1), (w, 2)]) {
            // The first is not counted: what is kept from one decision to the next is made there.
            cluster.measure(wishes, threads);
            let each = (0..rounds).map(|_| cluster.measure(wishes, threads));
            let mut each: Vec<_> = each.collect();
            each.sort_by(f64::total_cmp);
            let seconds = each[each.len() / 2];
            let (rate, micros) = (1.0 / seconds, seconds * 1e6);
            println!(
                "{nodes} nodes x {containers}, wishes {wishes:?}, {threads} at once: {rate:.0}/s, {micros:.1} us"
            );
            found.insert((nodes, containers, wishes, threads), seconds);
        }
    }
    found
}

/// Returns the memory of one container as an engine's list and inspect tell it, by that of 30,000.
fn record_bytes() -> f64 {
    const COUNT: usize = 30_000;
    let before = resident_bytes();
    let records = (0..COUNT).map(|number| {
        let (entry, inspect) = told(number);
        Arc::new(engine::record(entry, inspect.into()).unwrap())
    });
    let all: Containers = records.collect();
    let after = resident_bytes();
    assert_eq!(all.len(), COUNT);
    (after - before) / COUNT as f64
}

/// Writes what an engine says of a container: as 28.5 does of one that `docker run -d -p` made.
fn told(number: usize) -> (String, String) {
    let id = format!("{number:0>64x}");
    let network = "3f2a9c".repeat(10);
    let port = 1_024 + number % 60_000;
    let entry = format!(
        r#"{{"Id":"{id}","Names":["/calm_hopper{number}"],"Image":"busybox:1.36","ImageID":"sha256:{id}","Command":"sleep 100000","Created":1764200000,"Ports":[{{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":{port},"Type":"tcp"}}],"Labels":{{"com.docker.swarm.id":"{id}","tier":"front"}},"State":"running","Status":"Up 2 hours","HostConfig":{{"NetworkMode":"bridge"}},"NetworkSettings":{{"Networks":{{"bridge":{{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"02:42:ac:11:00:02","DriverOpts":null,"GwPriority":0,"NetworkID":"{network}","EndpointID":"{id}","Gateway":"172.17.0.1","IPAddress":"172.17.0.2","IPPrefixLen":16,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}}}}}},"Mounts":[]}}"#
    );
    let inspect = format!(
        r#"{{"Id":"{id}","Created":"2026-11-27T00:00:00.123456789Z","State":{{"Status":"running","ExitCode":0,"StartedAt":"2026-11-27T00:00:01.2Z","FinishedAt":"0001-01-01T00:00:00Z"}},"HostConfig":{{"NetworkMode":"bridge","PortBindings":{{"80/tcp":[{{"HostIp":"","HostPort":"{port}"}}]}},"Memory":1048576,"NanoCpus":0}},"Config":{{"ExposedPorts":{{"80/tcp":{{}}}}}}}}"#
    );
    (entry, inspect)
}

/// Returns the resident memory of this process.
fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    let kb: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb * 1024.0
}
