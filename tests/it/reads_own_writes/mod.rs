//! After a call returns, the next list and inspect of anybody show what it did.

mod membership;
mod more;
mod plugins;
mod prunes;
mod swarm;
mod table;

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use crate::support::caller::{Caller, encoded, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec};

/// How often each call is made.
const ROUNDS: usize = 200;
const NODES: usize = 3;

/// Runs a job [`ROUNDS`] times: one thread for each node, so that refreshes of different causes meet.
fn rounds(job: impl Fn(&Caller, usize, &str) + Sync) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    thread::scope(|scope| {
        for node in 0..NODES {
            let (caller, job) = (&caller, &job);
            scope.spawn(move || {
                for round in (node..ROUNDS).step_by(NODES) {
                    job(caller, round, &format!("node{node}"));
                }
            });
        }
    });
}

/// Returns the list's entry of a container.
fn entry(caller: &Caller, id: &str) -> Value {
    let list = caller.containers();
    let found = list.into_iter().find(|c| c["Id"] == id);
    found.unwrap_or_default()
}

/// Makes a call that changes a container, and checks at once that list and inspect show the state.
fn change(caller: &Caller, id: &str, call: &str, state: &str) {
    caller.post(&format!("/containers/{id}/{call}")).expect(204);
    is_seen_as(caller, id, state, call);
}

/// Checks that list and inspect show a container's state.
fn is_seen_as(caller: &Caller, id: &str, state: &str, after: &str) {
    let listed = entry(caller, id);
    assert_eq!(listed["State"], state, "after {after}: {listed}");
    let inspect = caller.get(&format!("/containers/{id}/json")).expect(200);
    assert_eq!(inspect.json()["State"]["Status"], state, "after {after}");
}

/// A container for each node, which is changed again and again.
#[derive(Default)]
struct Kept(Mutex<HashMap<String, String>>);

impl Kept {
    /// Returns the node's container, made with this body the first time.
    fn container(&self, caller: &Caller, node: &str, body: &Value) -> String {
        let known = self.0.lock().unwrap().get(node).cloned();
        known.unwrap_or_else(|| {
            let id = caller.create("", body).expect(201).id();
            self.0.lock().unwrap().insert(node.to_owned(), id.clone());
            id
        })
    }
}

/// Tells whether a list filtered by state has a container.
fn is_listed_as(caller: &Caller, id: &str, state: &str) -> bool {
    let filter = encoded(&json!({"status": [state], "id": [id]}));
    let list = caller.get(&format!("/containers/json?filters={filter}"));
    list.expect(200).json() != json!([])
}

#[test]
fn lists_show_a_container_as_soon_as_it_is_made_and_no_longer_than_it_is() {
    rounds(|caller, round, node| {
        let name = format!("made{round}");
        let id = caller.create(&name, &on(node)).expect(201).id();
        assert_eq!(entry(caller, &id)["State"], "created");
        let by_name = caller.get(&format!("/containers/{name}/json")).expect(200);
        assert_eq!(by_name.id(), id);
        caller.delete(&format!("/containers/{id}")).expect(204);
        assert_eq!(entry(caller, &id), Value::Null);
        caller.get(&format!("/containers/{name}/json")).expect(404);
    });
}

#[test]
fn lists_show_starts_and_stops() {
    let kept = Kept::default();
    rounds(|caller, _, node| {
        let id = kept.container(caller, node, &on(node));
        change(caller, &id, "start", "running");
        change(caller, &id, "stop?t=0", "exited");
    });
}

#[test]
fn lists_show_pauses_restarts_and_kills() {
    // Without a network a container starts in half the time.
    let alone = |node: &str| {
        let mut body = on(node);
        body["HostConfig"] = json!({"NetworkMode": "none"});
        body
    };
    let kept = Kept::default();
    rounds(|caller, _, node| {
        let id = kept.container(caller, node, &alone(node));
        change(caller, &id, "start", "running");
        change(caller, &id, "pause", "paused");
        assert!(is_listed_as(caller, &id, "paused"));
        change(caller, &id, "unpause", "running");
        change(caller, &id, "restart?t=0", "running");
        caller.post(&format!("/containers/{id}/kill")).expect(204);
        // The engine itself answers once the signal is sent; `wait` tells when it is over.
        caller.post(&format!("/containers/{id}/wait")).expect(200);
        is_seen_as(caller, &id, "exited", "wait");
        assert!(is_listed_as(caller, &id, "exited") && !is_listed_as(caller, &id, "running"));
    });
}

#[test]
fn renamed_and_updated_containers_are_found_as_they_are_now() {
    rounds(|caller, round, node| {
        let id = caller
            .create(&format!("old{round}"), &on(node))
            .expect(201)
            .id();
        let (old, new) = (format!("old{round}"), format!("new{round}"));
        let rename = format!("/containers/{old}/rename?name={new}");
        caller.post(&rename).expect(204);
        assert_eq!(entry(caller, &id)["Names"][0], format!("/{new}"));
        caller.get(&format!("/containers/{old}/json")).expect(404);
        let found = caller.get(&format!("/containers/{new}/json")).expect(200);
        assert_eq!(found.id(), id);
        // The old name is free at once.
        caller.create(&old, &json!({})).expect(201);

        let update = json!({"CpuShares": 100 + round});
        caller
            .post_json(&format!("/containers/{new}/update"), &update)
            .expect(200);
        let now = caller.get(&format!("/containers/{new}/json")).expect(200);
        assert_eq!(now.json()["HostConfig"]["CpuShares"], 100 + round);
    });
}

#[test]
fn links_are_names_of_what_they_lead_to_and_no_longer_than_they_are() {
    rounds(|caller, round, node| {
        let [db, web, site] = ["db", "web", "site"].map(|name| format!("{name}{round}"));
        let id = caller.create(&db, &on(node)).expect(201).id();
        let aliases = || {
            let names = entry(caller, &id)["Names"].clone();
            let names = names.as_array().unwrap().iter();
            let names = names.map(|name| name.as_str().unwrap().to_owned());
            let own = [format!("/{db}"), format!("/{node}/{db}")];
            names.filter(|n| !own.contains(n)).collect::<Vec<_>>()
        };
        let mut body = on(node);
        body["HostConfig"] = json!({"Links": [format!("{db}:store")]});
        let linked = caller.create(&web, &body).expect(201).id();
        assert_eq!(aliases(), [format!("/{web}/store")]);
        let by_alias = caller.get(&format!("/containers/{web}/store/json"));
        assert_eq!(by_alias.expect(200).id(), id);
        let rename = format!("/containers/{web}/rename?name={site}");
        caller.post(&rename).expect(204);
        assert_eq!(aliases(), [format!("/{site}/store")]);
        caller.delete(&format!("/containers/{linked}")).expect(204);
        assert_eq!(aliases(), Vec::<String>::new());
        caller
            .get(&format!("/containers/{site}/store/json"))
            .expect(404);
        caller.delete(&format!("/containers/{id}")).expect(204);
    });
}

#[test]
fn image_lists_show_new_tags_and_not_removed_ones() {
    rounds(|caller, round, _| {
        let tag = format!("written{round}:1");
        let is_listed = || {
            let list = caller.get("/images/json").expect(200).json();
            let mut images = list.as_array().unwrap().iter();
            images.any(|i| i["RepoTags"].as_array().unwrap().contains(&json!(tag)))
        };
        caller
            .post(&format!("/images/busybox/tag?repo=written{round}&tag=1"))
            .expect(201);
        assert!(is_listed(), "{tag} is tagged");
        caller.get(&format!("/images/{tag}/json")).expect(200);
        caller.delete(&format!("/images/{tag}")).expect(200);
        assert!(!is_listed(), "{tag} is removed");
        caller.get(&format!("/images/{tag}/json")).expect(404);
    });
}

#[test]
fn network_lists_show_new_networks_and_not_removed_ones() {
    rounds(|caller, round, _| {
        let name = format!("net{round}");
        let is_listed = || {
            let list = caller.get("/networks").expect(200).json();
            list.as_array().unwrap().iter().any(|n| n["Name"] == name)
        };
        let body = json!({"Name": name, "Internal": true});
        let id = caller.post_json("/networks/create", &body).expect(201).id();
        assert!(is_listed(), "{name} is made");
        assert_eq!(
            caller.get(&format!("/networks/{name}")).expect(200).id(),
            id
        );
        caller.delete(&format!("/networks/{name}")).expect(204);
        assert!(!is_listed(), "{name} is removed");
        caller.get(&format!("/networks/{id}")).expect(404);
    });
}

#[test]
fn volume_lists_show_new_volumes_and_not_removed_ones() {
    rounds(|caller, round, _| {
        let name = format!("vol{round}");
        let is_listed = || {
            let list = caller.get("/volumes").expect(200).json();
            let volumes = list["Volumes"].as_array().cloned().unwrap_or_default();
            volumes.iter().any(|v| v["Name"] == name)
        };
        caller
            .post_json("/volumes/create", &json!({"Name": name}))
            .expect(201);
        assert!(is_listed(), "{name} is made");
        caller.get(&format!("/volumes/{name}")).expect(200);
        caller.delete(&format!("/volumes/{name}")).expect(204);
        assert!(!is_listed(), "{name} is removed");
        caller.get(&format!("/volumes/{name}")).expect(404);
    });
}

#[test]
fn volume_lists_show_what_came_with_a_container() {
    rounds(|caller, round, node| {
        let mut body = on(node);
        body["Volumes"] = json!({"/own": {}});
        body["HostConfig"] = json!({"Binds": [format!("named{round}:/named")]});
        let id = caller.create("", &body).expect(201).id();
        let inspect = caller.get(&format!("/containers/{id}/json")).expect(200);
        let mounts = inspect.json()["Mounts"].as_array().cloned().unwrap();
        assert_eq!(mounts.len(), 2, "{mounts:?}");
        let list = caller.get("/volumes").expect(200).json();
        let listed = list["Volumes"].as_array().cloned().unwrap_or_default();
        for mount in mounts {
            let name = &mount["Name"];
            assert!(listed.iter().any(|v| v["Name"] == *name), "{name}");
        }
    });
}
