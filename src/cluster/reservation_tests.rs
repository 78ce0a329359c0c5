//! Names and places when several want them.

use tokio::sync::watch;

use super::*;
use crate::cluster::Decisions;
use crate::engine::Feed;
use crate::model::{ClusterView, Health, Manners, SWARM_ID_LABEL};
use crate::scheduler::Scheduler;
use crate::scheduler::filter::spread::Even;

fn cluster() -> Cluster {
    cluster_of(&[])
}

/// Makes a cluster of the nodes `a` and `b`, with containers of one name: their nodes and IDs, which are their
/// identities too.
fn cluster_of(called_calm: &[(&str, &str)]) -> Cluster {
    let node = |name: &str| {
        let mut containers = crate::model::Containers::default();
        for (_, id) in called_calm.iter().filter(|(node, _)| *node == name) {
            let names = vec!["calm".to_owned()];
            let container = (*container(id)).clone();
            containers.insert(Arc::new(Container { names, ..container }));
        }
        Arc::new(Node {
            key: format!("{name}:2375").into(),
            name: name.to_owned(),
            health: Health::Healthy,
            labels: [("zone".to_owned(), name.to_owned())].into(),
            containers,
            ..Node::default()
        })
    };
    let members = Members {
        view: ClusterView::new(vec![node("a"), node("b")]),
        ..Members::default()
    };
    let (_, members) = watch::channel(Arc::new(members));
    let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
    Cluster::new(members, scheduler, Feed::new(1), Decisions::default())
}

/// Reserves a place for a create that is under way, as its container's identity says.
fn reserve(cluster: &Cluster, node: usize, identity: &str, name: Option<&str>) -> Reservation {
    let request = Request {
        name: name.map(str::to_owned),
        ..Request::default()
    };
    let members = cluster.members();
    let node = &members.view.nodes()[node];
    let all = cluster.reservations();
    let reserved = all.reserve(cluster, &request, node, container(identity), None);
    reserved.unwrap()
}

fn container(identity: &str) -> Arc<Container> {
    Arc::new(Container {
        id: identity.into(),
        labels: [(SWARM_ID_LABEL.to_owned(), identity.to_owned())].into(),
        ..Container::default()
    })
}

#[test]
fn of_two_that_choose_one_node_at_once_the_second_looks_again() {
    let cluster = cluster();
    let request = Request::default();
    let view = &cluster.members().view;
    let node = &view.nodes()[0];
    let rank = Some(cluster.scheduler().rank(&request, node));
    let reserve = |identity, rank| {
        let all = cluster.reservations();
        all.reserve(&cluster, &request, node, container(identity), rank)
    };
    let first = reserve("one", rank).unwrap();
    assert!(matches!(reserve("two", rank), Err(Lost::Rank)));
    // Who takes any place gets it, and so does who chose it as it is now.
    let second = reserve("two", None).unwrap();
    let ahead = cluster.reservations().ahead(node, &request);
    let now = cluster.scheduler().rank(&request, &ahead);
    let third = reserve("three", Some(now)).unwrap();
    drop((first, second, third));
    assert!(reserve("four", rank).is_ok());
}

#[test]
fn of_two_that_balance_a_group_at_once_the_second_looks_again() {
    let cluster = cluster();
    let members = cluster.members();
    let labels = [("app".to_owned(), "web".to_owned())].into();
    let mut request = Request::default();
    request.wishes.spreads = vec![Even::parse("zone==app", &labels).unwrap()];
    let nodes = members.view.nodes();
    let request = cluster.scheduler().balanced(&request, nodes).into_owned();
    let reserve = |node: usize, identity| {
        let mut replica = (*container(identity)).clone();
        replica.labels.extend(labels.clone());
        let all = cluster.reservations();
        all.reserve(&cluster, &request, &nodes[node], Arc::new(replica), None)
    };
    let first = reserve(0, "one").unwrap();
    assert!(matches!(reserve(0, "two"), Err(Lost::Node)));
    let second = reserve(1, "two").unwrap();
    let third = reserve(0, "three").unwrap();
    assert!(matches!(reserve(0, "four"), Err(Lost::Node)));
    drop((first, second, third));
}

#[test]
fn of_two_that_got_one_name_by_chance_the_first_that_looks_keeps_it() {
    let cluster = cluster_of(&[("a", "1"), ("b", "2")]);
    let mut first = reserve(&cluster, 0, "1", None);
    let mut second = reserve(&cluster, 1, "2", None);
    assert!(first.claim(&cluster, "1", "calm"));
    assert!(!second.claim(&cluster, "2", "calm"));
    // What is given instead is held as any name.
    assert!(second.claim(&cluster, "2", "calm3"));
    assert!(
        cluster
            .reservations()
            .check_name(&cluster, "calm3")
            .is_err()
    );
    // The first is done, and lists show it.
    drop(first);
    assert!(!second.claim(&cluster, "2", "calm"));
    assert!(second.claim(&cluster, "2", "calm4"));
    cluster
        .reservations()
        .check_name(&cluster, "calm3")
        .unwrap();
    drop(second);
    cluster
        .reservations()
        .check_name(&cluster, "calm4")
        .unwrap();
}

#[test]
fn a_name_by_chance_gives_way_to_whoever_has_it_or_is_about_to() {
    // Made past us, on the other node.
    let both = cluster_of(&[("a", "1"), ("b", "2")]);
    let mut by_chance = reserve(&both, 0, "1", None);
    assert!(!by_chance.claim(&both, "1", "calm"));
    // Alone it has it, also once it is known under it.
    let alone = cluster_of(&[("a", "1")]);
    let mut by_chance = reserve(&alone, 0, "1", None);
    assert!(by_chance.claim(&alone, "1", "calm") && by_chance.is_named());
    // A create and a rename under way.
    let none = cluster_of(&[]);
    let create = reserve(&none, 1, "2", Some("calm"));
    let mut by_chance = reserve(&none, 0, "1", None);
    assert!(!by_chance.claim(&none, "1", "calm"));
    drop(create);
    let rename = none.reservations().reserve_name(&none, "calm").unwrap();
    assert!(!by_chance.claim(&none, "1", "calm"));
    drop(rename);
    assert!(by_chance.claim(&none, "1", "calm"));
}
