//! What is kept for the containers of a pod that are still to come, and for how long.

use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::cluster::choose::{Trace, choose};
use crate::cluster::create::Create;
use crate::cluster::reservation::Reservation;
use crate::cluster::spec::Spec;
use crate::cluster::{Decisions, Members, Queue};
use crate::engine::Feed;
use crate::model::{ClusterView, Health, Manners};
use crate::scheduler::Scheduler;

/// Makes a cluster of nodes with so many bytes of memory: `a`, `b`, …
fn cluster(memory: &[i64]) -> Cluster {
    let nodes = memory.iter().zip('a'..).map(|(memory_bytes, name)| {
        Arc::new(Node {
            key: format!("{name}:2375").into(),
            name: name.to_string(),
            health: Health::Healthy,
            capacity: Resources {
                nano_cpus: 4 * Resources::NANO_PER_CPU,
                memory_bytes: *memory_bytes,
            },
            ..Node::default()
        })
    });
    let members = Members {
        view: ClusterView::new(nodes.collect()),
        ..Members::default()
    };
    let (_, members) = watch::channel(Arc::new(members));
    let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
    Cluster::new(members, scheduler, Feed::new(1), Decisions::default())
        .with_queue(Queue::new(Duration::ZERO, CancellationToken::new()))
}

/// Places a container that asks for so much memory, and returns its node.
fn place(cluster: &Cluster, memory: i64, env: &[&str]) -> Result<(String, Reservation), String> {
    let body = json!({"Image": "busybox", "Env": env, "HostConfig": {"Memory": memory}});
    let members = cluster.members();
    let body = body.to_string();
    let create = Create {
        spec: Spec::read(body.as_bytes(), None, &members, Manners::Engine).unwrap(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        retries: 0,
        api: 41,
    };
    let mut trace = Trace::new(cluster, &create.spec);
    let chosen = choose(cluster, &create, false, &mut trace);
    let chosen = chosen.map_err(|error| error.to_string())?.unwrap();
    Ok((chosen.node.name.clone(), chosen.reservation))
}

#[tokio::test(start_paused = true)]
async fn room_is_kept_for_those_to_come_until_it_is_too_late() {
    let cluster = cluster(&[500, 1000]);
    let pod = ["pod:web==3,memory=900"];
    let (node, first) = place(&cluster, 100, &pod).unwrap();
    assert_eq!(node, "b");
    let (node, _other) = place(&cluster, 200, &[]).unwrap();
    assert_eq!(node, "a", "the rest of b is kept");
    let refused = place(&cluster, 400, &[]).unwrap_err();
    assert!(refused.contains("100 B free on b") || refused.contains("300 B free on a"));
    let (node, second) = place(&cluster, 700, &pod).unwrap();
    assert_eq!(node, "b");
    tokio::time::sleep(KEPT / 2).await;
    let (node, third) = place(&cluster, 100, &pod).unwrap();
    assert_eq!(node, "b");
    let whole = place(&cluster, 1, &pod).unwrap_err();
    assert_eq!(
        whole,
        "pod web is whole: it was declared with 3 containers, and there are 3"
    );
    drop((first, second, third));
    // One that is alone still keeps the rest, and not for ever.
    let (_, first) = place(&cluster, 100, &pod).unwrap();
    assert!(place(&cluster, 500, &[]).is_err());
    let mut released = cluster.reservations().released();
    released.mark_unchanged();
    tokio::time::sleep(KEPT + Duration::from_secs(1)).await;
    assert!(released.has_changed().unwrap(), "who waits is told");
    let (node, _late) = place(&cluster, 500, &[]).unwrap();
    assert_eq!(node, "b");
    let refused = place(&cluster, 100, &pod).unwrap_err();
    let why = "2 lack memory for pod web (asks 800 B, best: 400 B free on b)";
    assert!(refused.contains(why), "{refused}");
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_for_a_pod_of_which_none_is_there_is_given_back() {
    let cluster = cluster(&[1000]);
    let pod = ["pod:web==2,memory=900"];
    let (_, first) = place(&cluster, 100, &pod).unwrap();
    let body = json!({"Image": "x", "Env": pod}).to_string();
    let members = cluster.members();
    let spec = Spec::read(body.as_bytes(), None, &members, Manners::Engine).unwrap();
    let all = cluster.reservations();
    all.give_up_pod(&cluster, &spec.request);
    assert!(place(&cluster, 500, &[]).is_err(), "the first is there");
    drop(first);
    assert!(place(&cluster, 500, &[]).is_err());
    all.give_up_pod(&cluster, &spec.request);
    assert!(place(&cluster, 500, &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn apart_each_has_a_node_of_its_own_or_none_has_any() {
    let cluster = cluster(&[1000, 1000, 1000]);
    let refused = place(&cluster, 100, &["pod:web==4,apart"]).unwrap_err();
    let why = "3 are one of too few nodes for pod web (asks 4 for those to come, 3 could take one; a could)";
    assert!(refused.contains(why), "{refused}");
    let pod = ["pod:web==3,apart"];
    let mut made = vec![place(&cluster, 600, &pod).unwrap()];
    // Room for the others is kept where they will be.
    assert!(place(&cluster, 500, &[]).is_err());
    made.extend((0..2).map(|_| place(&cluster, 600, &pod).unwrap()));
    let mut nodes: Vec<_> = made.iter().map(|(node, _)| node.as_str()).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_lost_to_others_of_its_pod_looks_again() {
    let cluster = cluster(&[1000, 1000]);
    let body = json!({"Image": "x", "Env": ["pod:web==2"]}).to_string();
    let members = cluster.members();
    let all = cluster.reservations();
    let read = || Spec::read(body.as_bytes(), None, &members, Manners::Engine).unwrap();
    let (one, two) = (read(), read());
    let both = [&one, &two].map(|s| all.with_pod(Arc::clone(&s.request)).unwrap());
    let nodes = members.view.nodes();
    let reserve = |at: usize, spec: &Spec| {
        let stand_in = Arc::clone(&spec.stand_in);
        all.reserve(&cluster, &both[at], &nodes[at], stand_in, None)
    };
    let _first = reserve(0, &one).unwrap();
    let lost = reserve(1, &two).unwrap_err().to_string();
    assert!(
        lost.starts_with("was chosen before others of its pod"),
        "{lost}"
    );
    let again = all.with_pod(Arc::clone(&two.request)).unwrap();
    assert_eq!(again.required[0].node, nodes[0].key);
    assert_eq!(again.required[0].reason, "pod web is on a");
}
