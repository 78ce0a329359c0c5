//! Tests of where builds are.

use std::sync::{Barrier, mpsc};
use std::thread;

use super::*;

#[test]
fn whichever_part_comes_first_chooses_for_all() {
    let builds = Builds::default();
    let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
    let (session, build) = (Part::Session("s".into()), Part::Build("b".into()));
    assert_eq!(builds.pin(std::slice::from_ref(&session), &a), a);
    assert_eq!(builds.pin(&[build.clone(), session], &b), a);
    assert_eq!(builds.place(&build), Some(a));
    assert_eq!(builds.place(&Part::Session("b".into())), None);
    builds.put(build.clone(), &b);
    assert_eq!(builds.place(&build), Some(b));
}

#[test]
fn a_wish_stays_while_a_tunnel_that_it_placed_is_open() {
    let builds = Builds::default();
    builds.wish("c", "zone==eu".to_owned());
    let tunnel = builds.tunnel(&who_wishes("c", "zone==eu"), &"a".into());
    builds.wish("c", String::new());
    assert_eq!(builds.wished("c").as_deref(), Some("zone==eu"));
    drop(tunnel);
    builds.wish("c", String::new());
    assert_eq!(builds.wished("c"), None);
}

/// Begins a build on the node with the fewest of these.
fn begin(builds: &Builds, nodes: &[&str]) -> UnderWay {
    let fewest = |moment: &Moment<'_>| {
        let node = nodes.iter().min_by_key(|node| moment.running(node));
        node.map(|node| Arc::from(*node)).ok_or(())
    };
    builds.begin(Vec::new(), fewest).unwrap()
}

fn running(builds: &Builds, node: &str) -> usize {
    Moment(&builds.lock()).running(node)
}

#[test]
fn what_is_under_way_counts_until_it_ends() {
    let builds = Builds::default();
    let (one, two) = (begin(&builds, &["a"]), begin(&builds, &["a"]));
    let tunnel = builds.tunnel("c", &"b".into());
    assert_eq!((running(&builds, "a"), running(&builds, "b")), (2, 0));
    drop(one);
    assert!(builds.has_tunnel("c") && running(&builds, "a") == 1);
    assert_eq!(builds.tunnelled(), ["b".into()]);
    drop((two, tunnel));
    assert!(!builds.has_tunnel("c") && running(&builds, "a") == 0);
    assert_eq!(
        builds.begin(Vec::new(), |_| Err("full")).unwrap_err(),
        "full"
    );
}

#[test]
fn no_build_chooses_before_another_that_chose_is_counted() {
    let builds = Builds::default();
    let (begun, begins) = mpsc::channel();
    let (chose, chosen) = mpsc::channel();
    let shared = &builds;
    thread::scope(|scope| {
        let other = scope.spawn(move || {
            begins.recv().unwrap();
            let choose = |moment: &Moment<'_>| {
                chose.send(()).unwrap();
                Ok::<_, ()>(Arc::from(["a", "b"][moment.running("a")]))
            };
            shared.begin(Vec::new(), choose).unwrap()
        });
        let choose = |moment: &Moment<'_>| {
            begun.send(()).unwrap();
            // Long enough for the other to choose if anything let it.
            let early = chosen.recv_timeout(Duration::from_millis(200));
            early.expect_err("both choose at once");
            Ok::<_, ()>(Arc::from(["a", "b"][moment.running("a")]))
        };
        let one = builds.begin(Vec::new(), choose).unwrap();
        let other = other.join().unwrap();
        assert_eq!((&*one.node, &*other.node), ("a", "b"));
    });
}

#[test]
fn builds_at_once_spread_over_the_nodes() {
    let (builds, nodes) = (Builds::default(), ["a", "b", "c", "d"]);
    let together = Barrier::new(64);
    let under_way: Vec<_> = thread::scope(|scope| {
        let start = || {
            together.wait();
            begin(&builds, &nodes)
        };
        let all: Vec<_> = (0..64).map(|_| scope.spawn(start)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(nodes.map(|node| running(&builds, node)), [16; 4]);
    drop(under_way);
    assert_eq!(nodes.map(|node| running(&builds, node)), [0; 4]);
}

#[test]
fn an_open_tunnel_keeps_no_other_nodes_images_under_suspicion() {
    let builds = Builds::default();
    let (one, two) = (
        builds.tunnel("c", &"a".into()),
        builds.tunnel("c", &"b".into()),
    );
    drop(one);
    let both = builds.tunnelled().len();
    assert_eq!(both, 2, "what ended a moment ago may have built something");
    let all = |known: &mut Known| {
        for tunnels in known.tunnelled.values_mut() {
            tunnels.used = tunnels.used.checked_sub(BUILT).unwrap();
        }
    };
    all(&mut builds.lock());
    assert_eq!(builds.tunnelled(), ["b".into()]);
    drop(two);
    assert_eq!(builds.tunnelled(), ["b".into()]);
    all(&mut builds.lock());
    assert!(builds.tunnelled().is_empty());
}

#[test]
fn places_are_bounded() {
    let builds = Builds::default();
    for number in 0..LIMIT + 10 {
        builds.put(Part::Build(number.to_string()), &"a".into());
    }
    assert!(builds.lock().places.len() <= LIMIT);
    let last = Part::Build((LIMIT + 9).to_string());
    assert!(builds.place(&last).is_some());
}

#[test]
fn a_wish_lasts_until_the_next_and_wishes_are_bounded() {
    let builds = Builds::default();
    builds.wish("c", "a==b".to_owned());
    assert_eq!(builds.wished("c").as_deref(), Some("a==b"));
    assert_eq!(builds.wished("d"), None);
    builds.wish("c", String::new());
    assert_eq!(builds.wished("c"), None);
    for number in 0..LIMIT + 10 {
        builds.wish(&number.to_string(), "a==b".to_owned());
    }
    assert!(builds.lock().wishes.len() <= LIMIT);
    let last = (LIMIT + 9).to_string();
    assert!(builds.wished(&last).is_some());
    let old = Instant::now().checked_sub(KEPT);
    if let Some(old) = old {
        builds.lock().wishes.get_mut(&last).unwrap().at = old;
        assert_eq!(builds.wished(&last), None);
    }
}

#[tokio::test]
async fn a_place_is_waited_for() {
    let builds = Builds::default();
    let part = Part::Build("b".into());
    assert_eq!(builds.expect(&part, Duration::from_millis(1)).await, None);
    let waiting = tokio::spawn({
        let (builds, part) = (builds.clone(), part.clone());
        async move { builds.expect(&part, Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    builds.put(part, &"a".into());
    assert_eq!(waiting.await.unwrap().as_deref(), Some("a"));
}
