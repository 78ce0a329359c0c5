//! Containers that are created without a name: engines choose one by chance, and two engines may choose the same.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, at_once, encoded, names_on, on, sleeper};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually};
use crate::support::relay::Relay;

/// How long what is done past Flotilla may take to be seen.
const SEEN: Duration = Duration::from_secs(30);
/// How often two creates are made at the same time.
const ROUNDS: usize = 6;

/// Returns the names in the list, those with the node before them left out.
fn names(caller: &Caller) -> Vec<String> {
    let all = caller.containers();
    let mut names: Vec<String> = all
        .iter()
        .map(|c| c["Names"][0].as_str().unwrap()[1..].to_owned())
        .collect();
    names.sort();
    names
}

/// Tells whether a name is the one that the engines choose here, with a digit behind it.
fn has_digit(name: &str) -> bool {
    let digit = name.strip_prefix("chance").unwrap_or_default();
    digit.len() == 1 && digit.bytes().all(|b| b.is_ascii_digit())
}

/// Checks that of two containers one has the name of the engines' choice, and the other that name with a digit.
fn check(caller: &Caller, lab: &Lab) {
    let shown = names(caller);
    assert!(
        shown.len() == 2 && shown[0] == "chance" && has_digit(&shown[1]),
        "{shown:?}"
    );
    let mut held: Vec<String> = lab.engines().iter().flat_map(names_on).collect();
    held.sort();
    assert_eq!(held, shown);
    for name in &shown {
        let path = format!("/containers/{name}/json");
        let told = caller.get(&path).expect(200).json();
        assert_eq!(told["Name"], format!("/{name}"));
    }
}

#[test]
fn engines_that_choose_one_name_leave_no_two_containers_with_it() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let relays = ["node0", "node1"].map(|n| Relay::before(&lab.engine(n).address()));
    let [a, b] = relays.each_ref().map(Relay::addr);
    let flotilla = Flotilla::start(lab.folder(), &[], &format!("{a},{b}"));
    flotilla.wait_for_nodes(2);
    let caller = Caller::new(flotilla.addr());
    for relay in &relays {
        // An engine that is given this name by its client has it as one that it chose.
        relay.replace("/containers/create?", "/containers/create?name=chance&");
    }
    let clear = || {
        for container in caller.containers() {
            let id = container["Id"].as_str().unwrap();
            caller.delete(&format!("/containers/{id}")).expect(204);
        }
    };
    for _ in 0..ROUNDS {
        let created = at_once(2, |n| caller.create("", &on(&format!("node{n}"))));
        created.into_iter().for_each(|answer| {
            answer.expect(201);
        });
        check(&caller, &lab);
        clear();
    }
    // One after the other: the newer is renamed, as its events tell.
    let older = caller.create("", &on("node1")).expect(201).id();
    let newer = caller.create("", &on("node0")).expect(201).id();
    check(&caller, &lab);
    let found = caller.get("/containers/chance/json").expect(200);
    assert_eq!(found.id(), older);
    let filters = encoded(&json!({"container": [newer]}));
    let until = jiff::Timestamp::now().as_second() + 1;
    let events = caller.get(&format!("/events?since=0&until={until}&filters={filters}"));
    let events = events.expect(200).body;
    let events: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let actions: Vec<_> = events.iter().map(|e| e["Action"].clone()).collect();
    assert_eq!(actions, ["create", "rename"], "{events:?}");
    let attributes = &events[1]["Actor"]["Attributes"];
    assert_eq!(attributes["oldName"], "/chance");
    assert!(has_digit(attributes["name"].as_str().unwrap()));
    clear();
    // It also gives way to what was made past Flotilla.
    let direct = Caller::new(lab.engine("node1").address());
    direct.create("chance", &json!({})).expect(201);
    eventually(SEEN, || match names(&caller) {
        seen if seen == ["chance"] => Ok(()),
        seen => Err(seen),
    })
    .unwrap();
    caller.create("", &on("node0")).expect(201);
    check(&caller, &lab);
}

#[test]
fn two_containers_that_have_one_name_already_are_each_within_reach() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    let first = caller.create("", &on("node0")).expect(201).id();
    let told = caller.get(&format!("/containers/{first}/json"));
    let name = told.expect(200).json()["Name"].as_str().unwrap()[1..].to_owned();
    let direct = Caller::new(lab.engine("node1").address());
    let path = format!("/containers/create?name={name}");
    let second = direct.post_json(&path, &sleeper(&json!({})));
    let second = second.expect(201).id();
    eventually(SEEN, || match names(&caller) {
        seen if seen == [name.as_str(), name.as_str()] => Ok(()),
        seen => Err(seen),
    })
    .unwrap();
    let ambiguous =
        format!("container {name} is ambiguous: it is on node0, node1; say which as node0/{name}");
    for (method, action) in [
        ("GET", "/json"),
        ("GET", "/logs?stdout=1"),
        ("POST", "/start"),
    ] {
        let path = format!("/containers/{name}{action}");
        let refused = caller.call(method, &path, None).expect(400);
        assert_eq!(refused.message(), ambiguous, "{path}");
    }
    for (node, id) in [("node0", &first), ("node1", &second)] {
        for reference in [id.clone(), id[..12].to_owned(), format!("{node}/{name}")] {
            let path = format!("/containers/{reference}/json");
            assert_eq!(caller.get(&path).expect(200).id(), *id, "{path}");
        }
    }
    // A third may not have it, and whichever is renamed leaves it to the other.
    caller.create(&name, &json!({})).expect(409);
    let rename = format!("/containers/node1/{name}/rename?name=other");
    caller.post(&rename).expect(204);
    let found = caller.get(&format!("/containers/{name}/json"));
    assert_eq!(found.expect(200).id(), first);
}
