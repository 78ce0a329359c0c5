//! Many clients at the same moment: nothing is given out twice, and the losers learn why.

use serde_json::json;

use crate::support::caller::{Answer, Caller, at_once, names_on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Engine, Lab, Spec};

/// Starts a mixed lab with Flotilla before it.
fn start() -> (Lab, Flotilla) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    (lab, flotilla)
}

/// Checks that so many answers have the first status and all others are 409; returns the messages of those.
fn split(answers: &[Answer], won: u16, winners: usize) -> Vec<String> {
    let count = answers.iter().filter(|a| a.status == won).count();
    assert_eq!(count, winners, "{answers:#?}");
    let lost = answers.iter().filter(|a| a.status != won);
    lost.map(|a| a.clone().expect(409).message()).collect()
}

/// Returns how many containers each engine itself knows.
fn counts(lab: &Lab) -> Vec<usize> {
    lab.engines().iter().map(|e| names_on(e).len()).collect()
}

#[test]
fn one_of_many_creates_gets_a_name() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    let answers = at_once(50, |_| caller.create("only", &json!({})));
    for message in split(&answers, 201, 1) {
        let start = "Conflict. The container name \"/only\" is already in use by ";
        let end = "You have to remove (or rename) that container to be able to reuse that name.";
        assert!(
            message.starts_with(start) && message.ends_with(end),
            "{message}"
        );
    }
    assert_eq!(counts(&lab).iter().sum::<usize>(), 1);
    let winner = answers.iter().find(|a| a.status == 201).unwrap().id();
    let found = caller.get("/containers/only/json").expect(200);
    assert_eq!(found.id(), winner);
}

#[test]
fn a_host_port_is_given_out_once_on_each_node() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    let port = json!({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "18080"}]}}});
    let answers = at_once(30, |number| caller.create(&format!("p{number}"), &port));
    for message in split(&answers, 201, 3) {
        assert!(
            message.starts_with("no node can take this container (3 looked at): "),
            "{message}"
        );
        assert!(message.contains("18080"), "{message}");
    }
    assert_eq!(counts(&lab), [1, 1, 1]);
    for answer in answers.iter().filter(|a| a.status == 201) {
        let start = format!("/containers/{}/start", answer.id());
        caller.post(&start).expect(204);
    }
}

#[test]
fn memory_is_promised_once() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    let total = lab.engine("node0").ask("/info").unwrap()["MemTotal"]
        .as_i64()
        .unwrap();
    let most = json!({"HostConfig": {"Memory": total / 10 * 6}});
    let answers = at_once(12, |number| caller.create(&format!("m{number}"), &most));
    for message in split(&answers, 201, 3) {
        assert!(
            message
                .starts_with("no node can take this container (3 looked at): 3 lack memory (asks "),
            "{message}"
        );
    }
    assert_eq!(counts(&lab), [1, 1, 1]);
    // What is given back can be given out again, once.
    let gone = answers.iter().find(|a| a.status == 201).unwrap().id();
    caller.delete(&format!("/containers/{gone}")).expect(204);
    let again = at_once(6, |number| caller.create(&format!("n{number}"), &most));
    split(&again, 201, 1);
}

#[test]
fn one_of_many_renames_gets_the_name() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    let ids: Vec<String> = (0..12)
        .map(|n| caller.create(&format!("r{n}"), &json!({})).expect(201).id())
        .collect();
    let answers = at_once(ids.len(), |number| {
        caller.post(&format!("/containers/{}/rename?name=only", ids[number]))
    });
    for message in split(&answers, 204, 1) {
        assert!(
            message.contains("name \"/only\" is already in use by"),
            "{message}"
        );
    }
    let mut names: Vec<String> = lab.engines().iter().flat_map(names_on).collect();
    assert_eq!(names.len(), 12, "{names:?}");
    names.retain(|n| n == "only");
    assert_eq!(names.len(), 1);
    // Each loser kept its name, and the winner's old one is free.
    let winner = answers.iter().position(|a| a.status == 204).unwrap();
    caller.create(&format!("r{winner}"), &json!({})).expect(201);
    let loser = (winner + 1) % ids.len();
    caller.create(&format!("r{loser}"), &json!({})).expect(409);
}

#[test]
fn a_create_and_a_rename_do_not_share_a_name() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    for round in 0..5 {
        let id = caller.create("", &json!({})).expect(201).id();
        let name = format!("both{round}");
        let answers = at_once(8, |number| match number {
            0 => caller.post(&format!("/containers/{id}/rename?name={name}")),
            _ => caller.create(&name, &json!({})),
        });
        let won = answers.iter().filter(|a| a.status < 300).count();
        assert_eq!(won, 1, "{answers:#?}");
        let named = lab.engines().iter().flat_map(names_on);
        assert_eq!(named.filter(|n| *n == name).count(), 1);
    }
}

#[test]
fn creates_at_once_spread_evenly() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::patient(&lab);
    let caller = Caller::new(flotilla.addr());
    for answer in at_once(30, |_| caller.create("", &json!({}))) {
        answer.expect(201);
    }
    assert_eq!(counts(&lab), [10, 10, 10], "{}", flotilla.system_status());
}

/// Returns the engines that have a volume, by name.
fn holders(lab: &Lab, volume: &str) -> Vec<String> {
    let has = |engine: &&Engine| {
        let list = engine.ask("/volumes").unwrap();
        let mut list = list["Volumes"].as_array().into_iter().flatten();
        list.any(|v| v["Name"] == volume)
    };
    let engines = lab.engines().iter().filter(has);
    engines.map(|e| e.name().to_owned()).collect()
}

#[test]
fn creates_that_name_one_new_volume_land_where_it_is_made() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    for round in 0..4 {
        let volume = format!("data{round}");
        let bind = json!({"HostConfig": {"Binds": [format!("{volume}:/d")]}});
        let mount = json!({"Type": "volume", "Source": volume, "Target": "/d"});
        let mount = json!({"HostConfig": {"Mounts": [mount]}});
        let answers = at_once(9, |number| match number % 3 {
            0 => caller.create("", &bind),
            1 => caller.create("", &mount),
            _ => caller.post_json("/volumes/create", &json!({"Name": volume})),
        });
        let mut nodes: Vec<String> = Vec::new();
        for answer in answers {
            let id = answer.expect(201).id();
            if !id.is_empty() {
                let found = caller.get(&format!("/containers/{id}/json")).expect(200);
                nodes.push(found.json()["Node"]["Name"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(nodes.len(), 6);
        nodes.dedup();
        assert_eq!(nodes, holders(&lab, &volume));
        // It has one home, so it is found by its name alone.
        caller.get(&format!("/volumes/{volume}")).expect(200);
        caller.create("", &bind).expect(201);
    }
}

#[test]
fn one_of_many_network_creates_gets_the_name() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    for round in 0..3 {
        let body = json!({"Name": format!("net{round}")});
        let answers = at_once(20, |_| caller.post_json("/networks/create", &body));
        for message in split(&answers, 201, 1) {
            let words = format!("network with name net{round} already exists");
            assert_eq!(message, words);
        }
        let made = lab.engines().iter().flat_map(|engine| {
            let list = engine.ask("/networks").unwrap();
            list.as_array().cloned().unwrap_or_default()
        });
        let name = &body["Name"];
        assert_eq!(made.filter(|n| n["Name"] == *name).count(), 1);
    }
}

#[test]
fn equal_volume_creates_at_once_are_all_answered_with_the_one_volume() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    let body = json!({"Name": "same", "Labels": {"a": "b"}});
    let answers = at_once(20, |_| caller.post_json("/volumes/create", &body));
    let first = answers[0].json();
    assert_eq!(first["Name"], "same");
    for answer in answers {
        let volume = answer.expect(201).json();
        assert_eq!(volume["Mountpoint"], first["Mountpoint"]);
        assert_eq!(volume["Labels"], first["Labels"]);
    }
    assert_eq!(holders(&lab, "same").len(), 1);
}
