//! What is told of an engine whose stream was broken.

use std::sync::Arc;

use jiff::Timestamp;

use super::*;

/// An event of a container; `at` is its time.
fn event(action: &str, id: &str, at: i64) -> Event {
    Event {
        kind: "container".into(),
        action: action.into(),
        actor: id.into(),
        time_nano: at,
        attributes: BTreeMap::from([("image".to_owned(), "x".to_owned())]),
        ..Event::default()
    }
}

/// A container as a list shows it; 0 is "never".
fn container(id: &str, status: &str, started: i64, finished: i64) -> Container {
    let time =
        |nano: i64| (nano > 0).then(|| Timestamp::from_nanosecond(i128::from(nano)).unwrap());
    Container {
        id: id.into(),
        names: vec![format!("name-of-{id}")],
        image: "x".into(),
        state: RunState {
            status: status.into(),
            started_at: time(started),
            finished_at: time(finished),
            exit_code: 137,
            ..RunState::default()
        },
        ..Container::default()
    }
}

fn all(containers: &[Container]) -> Containers {
    let mut all = Containers::default();
    for container in containers {
        all.insert(Arc::new(container.clone()));
    }
    all
}

/// Writes what was told; a `*` marks what was made up.
fn words(told: &[Event]) -> Vec<String> {
    told.iter()
        .map(|e| {
            let made_up = e.attributes.contains_key(SYNTHETIC);
            format!("{}{} {}", if made_up { "*" } else { "" }, e.action, e.actor)
        })
        .collect()
}

/// A ledger whose stream was opened at 100 with these containers.
fn opened(containers: &[Container]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.begin(100, &all(containers));
    ledger
}

#[test]
fn what_is_repeated_is_told_once_also_when_it_is_older() {
    let mut ledger = opened(&[]);
    let mut told = Vec::new();
    ledger.tell(event("create", "a", 200), false, &mut told);
    // Stamped before, published after: it comes with the repetition of what was heard.
    for again in [event("create", "b", 150), event("create", "a", 200)] {
        ledger.tell(again, true, &mut told);
    }
    assert_eq!(words(&told), ["create a", "create b"]);
    assert!(ledger.since().unwrap() <= 150);
}

#[test]
fn an_engine_that_restarted_has_forgotten_how_its_containers_ended() {
    let runs = container("a", "running", 50, 0);
    let mut ledger = opened(std::slice::from_ref(&runs));
    let mut told = Vec::new();
    let (before, after) = (all(&[runs]), all(&[container("a", "exited", 50, 300)]));
    ledger.settle(&before, &after, 400, &after, &mut told);
    ledger.settle(&before, &after, 400, &after, &mut told);
    assert_eq!(words(&told), ["*die a"]);
    assert_eq!(told[0].time_nano, 300);
    assert_eq!(told[0].attributes["exitCode"], "137");
    assert_eq!(told[0].attributes["name"], "name-of-a");
    let json: serde_json::Value = serde_json::from_slice(&told[0].json).unwrap();
    assert_eq!(json["Actor"]["Attributes"][SYNTHETIC], "true");
    // What comes late all the same is not told twice; the next end is.
    ledger.tell(event("die", "a", 301), true, &mut told);
    ledger.tell(event("start", "a", 500), true, &mut told);
    ledger.tell(event("die", "a", 600), true, &mut told);
    assert_eq!(words(&told), ["*die a", "start a", "die a"]);
}

#[test]
fn a_whole_life_is_told_in_order() {
    let lived = container("old", "running", 50, 0);
    let mut ledger = opened(std::slice::from_ref(&lived));
    let mut told = Vec::new();
    let after = all(&[
        container("new", "exited", 200, 300),
        container("made", "created", 0, 0),
    ]);
    ledger.settle(&all(&[lived]), &after, 400, &after, &mut told);
    assert_eq!(
        words(&told),
        [
            "*create made",
            "*create new",
            "*start new",
            "*die new",
            "*die old",
            "*destroy old"
        ]
    );
    assert_eq!(told[4].attributes["name"], "name-of-old");
}

#[test]
fn a_restarted_container_ends_before_it_starts_again() {
    let runs = container("a", "running", 50, 0);
    let mut ledger = opened(std::slice::from_ref(&runs));
    let mut told = Vec::new();
    ledger.tell(event("start", "a", 301), true, &mut told);
    let after = all(&[container("a", "running", 300, 250)]);
    ledger.settle(&all(&[runs]), &after, 400, &after, &mut told);
    assert_eq!(words(&told), ["*die a", "start a"]);
}

#[test]
fn what_an_engine_told_of_late_needs_its_beginning() {
    let mut ledger = opened(&[]);
    let mut told = Vec::new();
    ledger.tell(event("die", "a", 200), true, &mut told);
    ledger.tell(event("destroy", "a", 210), true, &mut told);
    assert_eq!(
        words(&told),
        ["*create a", "*start a", "die a", "destroy a"]
    );
}

#[test]
fn lists_that_are_older_than_events_take_nothing_back() {
    let mut ledger = opened(&[]);
    let mut told = Vec::new();
    for (action, id, at) in [
        ("create", "a", 410),
        ("create", "b", 150),
        ("start", "b", 420),
        ("create", "c", 200),
        ("destroy", "c", 430),
    ] {
        ledger.tell(event(action, id, at), true, &mut told);
    }
    told.clear();
    // Listed at 400: a was not there yet, b not started, c still there.
    let listed = all(&[
        container("b", "created", 0, 0),
        container("c", "created", 0, 0),
    ]);
    let current = all(&[
        container("a", "created", 0, 0),
        container("b", "running", 419, 0),
    ]);
    ledger.settle(&all(&[]), &listed, 400, &current, &mut told);
    assert_eq!(words(&told), [""; 0]);
}

#[test]
fn nothing_is_made_up_while_the_stream_holds() {
    let mut ledger = opened(&[container("a", "running", 50, 0)]);
    let mut told = Vec::new();
    // As 20.10 does when a running container is removed.
    ledger.tell(event("destroy", "a", 200), false, &mut told);
    ledger.tell(event("die", "a", 210), false, &mut told);
    assert_eq!(words(&told), ["destroy a", "die a"]);
}
