//! Reasons are never wrong: each rule refuses one node alone and says so, and what is told of the others is what counts.

use std::collections::{BTreeMap, HashMap};

use super::advice::{Advice, Opinion};
use super::filter::limit::AtMost;
use super::filter::pod::{Layout, Rest};
use super::filter::spread::{Balance, Even};
use super::tests::{GIB, binding, node, put, view};
use super::*;
use crate::model::devices::Demand;
use crate::model::node::{Facts, Trouble};
use crate::model::orders::Availability;
use crate::model::{Container, Health, Image, Platform, Plugin, Resources, Stock, plugin};

/// The rules that are no filters: where something that the container uses decides.
const OTHERS: [&str; 3] = ["swarm", "home", "plug-in"];

/// A request that has something for every rule to look at.
fn request() -> Request {
    let mut request = Request {
        resources: Resources {
            nano_cpus: Resources::NANO_PER_CPU,
            memory_bytes: GIB,
        },
        ports: vec![binding(80, 80, "", "tcp")],
        together: vec![Together {
            option: "--volumes-from=data".into(),
            container: "data".into(),
        }],
        required: vec![Required {
            node: "good:2375".into(),
            reason: "network app is on good".into(),
        }],
        among: vec![Among {
            nodes: vec!["good:2375".into(), "bad:2375".into()],
            what: "network wide".into(),
        }],
        plugins: vec![Plugin {
            kind: plugin::Kind::Volume,
            name: "nfs".into(),
        }],
        platform: Platform::parse("linux/amd64"),
        runtime: Some("kata".into()),
        devices: vec![Demand::count("gpu", 2)],
        ..Request::default()
    };
    request.wishes.constraints = vec![Expr::parse("zone==eu").unwrap()];
    request.wishes.affinities = vec![Expr::parse("container==data").unwrap()];
    request.wishes.whitelists = vec![Expr::parse("node==good|bad").unwrap()];
    let labels = BTreeMap::from([("app".into(), "web".into())]);
    request.wishes.spreads = vec![even("zone==app")];
    request.wishes.limits = vec![AtMost::parse("app==1", &labels).unwrap()];
    request
}

/// A wish of a container with the label `app=web`.
fn even(wish: &str) -> Even {
    let labels = BTreeMap::from([("app".into(), "web".into())]);
    Even::parse(wish, &labels).unwrap()
}

/// What an engine says of itself, on such a machine, with a volume driver and a runtime.
fn facts(machine: &str, driver: &str, runtime: &str) -> Arc<Facts> {
    let info = serde_json::json!({
        "OSType": "linux",
        "Architecture": machine,
        "Plugins": {"Volume": ["local", driver]},
        "Runtimes": {"runc": {}, runtime: {}},
    });
    Arc::new(Facts {
        info,
        ..Facts::default()
    })
}

/// A node that every rule admits when it is the one that things are on.
fn admitted(name: &str) -> Node {
    let mut node = node(name, 4, 4);
    node.labels = BTreeMap::from([
        ("zone".into(), "eu".into()),
        ("containerslots".into(), "3".into()),
    ]);
    node.facts = facts("x86_64", "nfs", "kata");
    give(&mut node, "2");
    put(&mut node, "data", Resources::default());
    node
}

/// Gives a node this many GPUs.
fn give(node: &mut Node, gpus: &str) {
    let labels = BTreeMap::from([("device.gpu".into(), gpus.into())]);
    node.devices = Arc::new(Stock::of(&labels, &serde_json::Value::Null));
}

/// Makes a node that the rule `name` alone refuses, and says in which words.
fn refused_by(name: &str) -> (Request, Node, &'static str) {
    let (mut request, mut bad) = (request(), admitted("bad"));
    request.required[0].node = "bad:2375".into();
    let text = spoil_node(name, &mut bad)
        .or_else(|| spoil_request(name, &mut request))
        .unwrap_or_else(|| panic!("the rule {name} has no case: which node does it alone refuse?"));
    (request, bad, text)
}

/// Changes a node so that the rule refuses it.
fn spoil_node(rule: &str, bad: &mut Node) -> Option<&'static str> {
    Some(match rule {
        "availability" => {
            bad.orders.availability = Availability::Drain;
            "is drained (bad, by docker node update --availability)"
        }
        "taint" => {
            bad.labels.insert("taint.dedicated".into(), "db".into());
            "is tainted with dedicated=db (bad wants toleration:dedicated==db)"
        }
        "health" => {
            bad.health = Health::Unhealthy {
                since: "2026-11-24T12:03:11Z".parse().unwrap(),
                reason: "timed out".into(),
            };
            "does not answer (has not answered since 2026-11-24T12:03:11Z (timed out))"
        }
        "plugins" => {
            bad.facts = facts("x86_64", "other", "kata");
            "lacks the volume driver nfs (not on bad)"
        }
        "platform" => {
            bad.facts = facts("aarch64", "nfs", "kata");
            "is of another platform than linux/amd64 (is linux/arm64)"
        }
        "runtime" => {
            bad.facts = facts("x86_64", "nfs", "other");
            "lacks the runtime kata (not on bad)"
        }
        _ => return spoil_room(rule, bad),
    })
}

/// Changes what a node has left so that the rule refuses it.
fn spoil_room(rule: &str, bad: &mut Node) -> Option<&'static str> {
    Some(match rule {
        "port" => {
            bad.containers.insert(Arc::new(Container {
                id: "c1".into(),
                names: vec!["web".into()],
                ports: vec![binding(80, 80, "", "tcp")],
                ..Container::default()
            }));
            "has host port 80/tcp taken (by web on bad)"
        }
        "containerslots" => {
            put(bad, "two", Resources::default());
            put(bad, "three", Resources::default());
            "has no free container slot (3 of 3 taken on bad)"
        }
        "limit" => {
            bad.containers.insert(Arc::new(Container {
                id: "web".into(),
                labels: BTreeMap::from([("app".into(), "web".into())]),
                ..Container::default()
            }));
            "fails limit app==1 (bad has 1 of app=web)"
        }
        "constraint" => {
            bad.labels.insert("zone".into(), "us".into());
            "fails constraint zone==eu (bad has zone=us)"
        }
        "devices" => {
            give(bad, "1");
            "lacks gpu (asks 2, 1 of 1 free on bad)"
        }
        "resources" => {
            let (nano_cpus, memory_bytes) = (0, 4 * GIB - GIB / 2);
            let resources = Resources {
                nano_cpus,
                memory_bytes,
            };
            put(bad, "hog", resources);
            "lacks memory (asks 1 GiB, 512 MiB free on bad)"
        }
        _ => return None,
    })
}

/// Changes a request so that the rule refuses the node for it.
fn spoil_request(rule: &str, request: &mut Request) -> Option<&'static str> {
    Some(match rule {
        "dependency" => {
            request.together[0].container = "gone".into();
            "lacks the container of --volumes-from=data (not on bad)"
        }
        "affinity" => {
            request.wishes.affinities = vec![Expr::parse("container==cache").unwrap()];
            "fails affinity container==cache (not so on bad)"
        }
        "whitelist" => {
            request.wishes.whitelists = vec![Expr::parse("node==good").unwrap()];
            "fails whitelist node==good (is bad)"
        }
        "spread" => {
            request.wishes.spreads = vec![even("floor==app")];
            request.balances = vec![Balance::default()];
            "fails spread floor==app (bad has no label floor)"
        }
        "pod" => {
            request.pod = Some(Rest {
                name: "web".into(),
                layout: Layout::Apart,
                missing: 1,
                room: Resources::default(),
                nodes: vec!["bad:2375".into()],
            });
            "has one of pod web already (bad)"
        }
        "swarm" => {
            request.among[0].nodes.pop();
            "is not in the swarm-mode cluster of network wide (bad)"
        }
        "plug-in" => {
            let said = Opinion::Refused("too dear".into());
            let said = HashMap::from([("bad:2375".into(), said)]);
            let said = BTreeMap::from([("wasm:cost".into(), Ok(said))]);
            request.advice = Arc::new(Advice(said));
            "is refused by wasm:cost (bad: too dear)"
        }
        "home" => {
            request.required[0].node = "good:2375".into();
            request.together.clear();
            "is not where it has to be (network app is on good)"
        }
        _ => return None,
    })
}

#[test]
fn each_rule_refuses_a_node_alone_and_says_why() {
    let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
    for rule in scheduler.filter_names().into_iter().chain(OTHERS) {
        let (request, bad, text) = refused_by(rule);
        for filter in scheduler.filters.iter().filter(|f| f.name() != rule) {
            let alone = filter.check(&request, &bad);
            assert!(alone.is_ok(), "{rule} is not alone: {alone:?}");
        }
        let told = scheduler.explain(&request, &view(std::slice::from_ref(&bad)));
        let objection = told[0].said.as_ref().unwrap_err();
        assert_eq!(objection.filter, rule);
        assert_eq!(objection.refusal.to_string(), text);
        // What no node is admitted for says the same in the plural of one.
        let refused = scheduler.place(&request, &view(&[bad])).unwrap_err();
        let start = text.split(['(', ',']).next().unwrap();
        let counted = format!("(1 looked at): 1 {start}");
        assert!(refused.to_string().contains(&counted), "{refused}");
    }
}

#[test]
fn each_filter_and_each_kind_of_wish_has_a_row_for_users() {
    let page = include_str!("../../docs/placement.md");
    let rows = |heading: &str| -> Vec<&str> {
        let section = page.split("\n## ").find(|s| s.starts_with(heading));
        let lines = section.unwrap().lines();
        lines.filter(|line| line.starts_with('|')).collect()
    };
    let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
    let always: Vec<_> = filter::always().iter().map(|f| f.name()).collect();
    let names = scheduler.filter_names();
    let listed = names.iter().map(|name| {
        let mark = if always.contains(name) { " *" } else { "" };
        format!("| `{name}`{mark} |")
    });
    let listed: Vec<_> = listed.collect();
    let filters = rows("What refuses a node\n").into_iter();
    let shown = filters.filter_map(|row| {
        let start = listed.iter().find(|start| row.starts_with(start.as_str()));
        start.cloned()
    });
    assert_eq!(shown.collect::<Vec<_>>(), listed, "in the order asked");
    let rows = rows("What can be asked\n");
    for (word, label) in wishes::kinds() {
        let label = label.strip_prefix("com.docker.swarm.").unwrap();
        let (start, cell) = (format!("| `{word}:"), format!(" | `{label}` | "));
        let has = |row: &&&str| row.starts_with(&start) && row.contains(&cell);
        assert!(rows.iter().any(|r| has(&r)), "no row for {word}");
    }
}

#[test]
fn a_cluster_where_each_node_fails_by_another_rule_is_told_node_by_node() {
    let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
    // What the request says, and not the node, differs in the others.
    let of_nodes = [
        "availability",
        "health",
        "taint",
        "platform",
        "plugins",
        "runtime",
        "port",
        "containerslots",
        "limit",
        "constraint",
        "devices",
        "resources",
    ];
    let mut nodes = vec![admitted("good")];
    let mut request = request();
    request.required.clear();
    request.wishes.whitelists.clear();
    for rule in of_nodes {
        let mut bad = refused_by(rule).1;
        (bad.name, bad.key) = (rule.to_owned(), format!("{rule}:2375").into());
        request.among[0].nodes.push(Arc::clone(&bad.key));
        nodes.push(bad);
    }
    // Of no swarm-mode cluster.
    nodes.push(admitted("swarm"));
    for verdict in scheduler.explain(&request, &view(&nodes)) {
        let refusing = verdict.said.as_ref().map_err(|o| o.filter).err();
        let expected = (verdict.node.name != "good").then_some(verdict.node.name.as_str());
        assert_eq!(refusing, expected);
    }
}

#[test]
fn a_processor_short_is_told_in_processors() {
    let (mut request, bad, _) = refused_by("resources");
    request.resources = Resources {
        nano_cpus: 5 * Resources::NANO_PER_CPU,
        memory_bytes: 0,
    };
    let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
    let refusal = scheduler.admits(&request, &bad).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "lacks CPUs (asks 5, 4 free on bad)",
        "{refusal}"
    );
}

/// Says in what the node `a` comes after the node `b`.
fn behind(strategy: &str, request: &Request, a: Node, b: Node) -> (&'static str, String) {
    let scheduler = Scheduler::new(strategy, None, Manners::Engine).unwrap();
    let standing = |node| scheduler.verdict(request, &Arc::new(node)).said.unwrap();
    let (a, b) = (standing(a), standing(b));
    assert!(b.behind(&a, "a").is_none_or(|b| b.field == "order"));
    let behind = a.behind(&b, "b").unwrap();
    (behind.field, behind.text)
}
fn a() -> Node {
    node("a", 4, 4)
}
fn b() -> Node {
    node("b", 4, 4)
}
fn told(field: &'static str, text: &str) -> (&'static str, String) {
    (field, text.to_owned())
}

#[test]
fn why_one_node_comes_after_another_is_said_in_the_first_respect_that_counts() {
    let none = Request::default();
    assert_eq!(
        behind("spread", &none, a(), b()),
        told("order", "as good as b, which comes first by name")
    );
    let (mut slow, mut full) = (a(), a());
    slow.failures = 2;
    let since = "2026-11-24T12:03:11Z".parse().unwrap();
    let reason = "no space left on device".to_owned();
    full.trouble = Some(Trouble { since, reason });
    assert_eq!(
        behind("spread", &none, slow, b()),
        told("health", "a last choice, as it has missed 2 probes")
    );
    assert_eq!(
        behind("spread", &none, full, b()),
        told(
            "health",
            "a last choice, as it has failed creates since 2026-11-24T12:03:11Z (no space left on device)"
        )
    );
    let mut tainted = a();
    tainted.labels.insert("taint.slow".into(), "~disk".into());
    assert_eq!(
        behind("spread", &none, tainted.clone(), b()),
        told("taint", "is tainted with slow=~disk")
    );
    let mut tolerant = Request::default();
    tolerant.wishes.tolerations = vec![Expr::parse("slow==disk").unwrap()];
    let mut busy = b();
    put(&mut busy, "x", Resources::default());
    assert_eq!(
        behind("spread", &tolerant, busy, tainted),
        told(
            "score",
            "containers per CPU 0.5 (containers 2, CPUs 4); on b 0.25 (containers 1, CPUs 4)"
        )
    );
    let mut wishes = Request::default();
    let parsed = ["zone==~eu", "disk==~ssd"].map(|w| Expr::parse(w).unwrap());
    wishes.wishes.constraints = parsed.into();
    let mut eu = b();
    eu.labels.insert("zone".into(), "eu".into());
    assert_eq!(
        behind("spread", &wishes, a(), eu),
        told(
            "wishes",
            "meets 0 of 2 soft wishes, b 1; not constraint:zone==~eu, constraint:disk==~ssd"
        )
    );
}

#[test]
fn the_part_of_the_score_that_decides_is_said() {
    let none = Request::default();
    let mut busy = a();
    put(&mut busy, "x", Resources::default());
    assert_eq!(
        behind("spread", &none, busy.clone(), b()),
        told(
            "score",
            "containers per CPU 0.5 (containers 2, CPUs 4); on b 0.25 (containers 1, CPUs 4)"
        )
    );
    (busy.name, busy.key) = ("b".into(), "b:2375".into());
    assert_eq!(
        behind("binpack", &none, a(), busy),
        told(
            "score",
            "containers per CPU 0.25 (containers 1, CPUs 4); on b 0.5 (containers 2, CPUs 4)"
        )
    );
    let both = Request {
        resources: Resources {
            nano_cpus: Resources::NANO_PER_CPU,
            memory_bytes: GIB,
        },
        ..Request::default()
    };
    let mut half = a();
    put(&mut half, "x", both.resources);
    assert_eq!(
        behind("spread", &both, half, b()),
        told(
            "score",
            "load 100% (cpu 50%, memory 50%); on b 50% (cpu 25%, memory 25%)"
        )
    );
    let mut holder = b();
    holder.images = Arc::new(vec![Image {
        tags: vec!["app:latest".into()],
        ..Image::default()
    }]);
    let app = Request {
        image: "app".into(),
        ..Request::default()
    };
    assert_eq!(
        behind("spread", &app, a(), holder),
        told("image", "lacks the image, which b has")
    );
}
