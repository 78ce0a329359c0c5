//! Flotilla dies at any moment and starts again: the engines hold the truth, and it knows all of it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, names_on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually};

const CREATES: usize = 200;
const THREADS: usize = 8;
/// How long what engines took before the crash may take to be done and shown.
const SETTLED: Duration = Duration::from_secs(60);

/// Returns the name that the create of this number wants; every fourth wants one that others want too.
fn name(number: usize) -> String {
    match number % 4 {
        0 => format!("shared{}", number / 16),
        _ => format!("own{number}"),
    }
}

/// Returns ID and name of everything that the engines themselves hold.
fn held(lab: &Lab) -> BTreeMap<String, String> {
    let lists = lab
        .engines()
        .iter()
        .map(|e| e.ask("/containers/json?all=1").unwrap());
    lists
        .flat_map(|list| ids(list.as_array().unwrap()))
        .collect()
}

/// Returns ID and name of a list's entries.
fn ids(list: &[Value]) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.iter()
        .map(|c| (text(&c["Id"]), text(&c["Names"][0])))
        .collect()
}

/// Creates from many threads until Flotilla is gone; kills it once the engines hold a third. Returns the answers.
fn create_and_crash(lab: &Lab, flotilla: &mut Flotilla) -> BTreeMap<String, String> {
    let confirmed = Mutex::new(BTreeMap::new());
    let caller = Caller::new(flotilla.addr());
    thread::scope(|scope| {
        let (confirmed, caller) = (&confirmed, &caller);
        for first in 0..THREADS {
            scope.spawn(move || {
                for number in (first..CREATES).step_by(THREADS) {
                    let answer = caller.create(&name(number), &json!({}));
                    match answer.status {
                        201 => {
                            let name = format!("/{}", name(number));
                            let before = confirmed.lock().unwrap().insert(answer.id(), name);
                            assert_eq!(before, None, "one container for two creates");
                        }
                        409 | 0 => {}
                        _ => panic!("{answer:?}"),
                    }
                }
            });
        }
        let enough = eventually(SETTLED, || {
            let count: usize = lab.engines().iter().map(|e| names_on(e).len()).sum();
            if count >= CREATES / 3 {
                Ok(())
            } else {
                Err(count)
            }
        });
        flotilla.kill();
        enough.unwrap();
    });
    confirmed.into_inner().unwrap()
}

#[test]
fn a_crash_amid_creates_loses_and_doubles_nothing() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let mut flotilla = Flotilla::before(&lab);
    let identity = |of: &Flotilla| Caller::new(of.addr()).get("/info").json()["ID"].clone();
    let before = identity(&flotilla);
    let confirmed = create_and_crash(&lab, &mut flotilla);
    assert!(confirmed.len() >= CREATES / 4, "{}", confirmed.len());

    let flotilla = Flotilla::before(&lab);
    assert_eq!(identity(&flotilla), before, "the cluster is the same");
    let caller = Caller::new(flotilla.addr());
    // An engine may still be at work on what it took before the crash.
    eventually(SETTLED, || {
        let (shown, held) = (ids(&caller.containers()), held(&lab));
        if shown == held {
            Ok(())
        } else {
            Err((shown, held))
        }
    })
    .unwrap();
    let held = held(&lab);
    for (id, name) in &confirmed {
        assert_eq!(held.get(id), Some(name), "a confirmed container is lost");
    }
    let mut names: Vec<_> = held.values().collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a name is doubled");
    // The creates that were under way are the only ones that nobody confirmed.
    assert!(count <= confirmed.len() + THREADS, "{count}");
    assert!(count < CREATES, "the crash came too late");
    // Every name that is held is taken again after the restart.
    for name in held.values().take(10) {
        caller
            .create(name.trim_start_matches('/'), &json!({}))
            .expect(409);
    }
    caller.create("after", &json!({})).expect(201);
}
