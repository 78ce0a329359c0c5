//! One on every node, on real engines: also where nodes come, hang and are drained, and Flotilla dies.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, encoded};
use crate::support::clients::needs;
use crate::support::flotilla::{Flotilla, PATIENT};
use crate::support::lab::{Engine, Lab, Release, Spec, eventually, output};

/// A service that is to be on every node.
const PROJECT: &str = r#"
services:
  agent:
    image: busybox
    stop_signal: KILL
    command: sleep 600
    network_mode: none
    environment: ["global:node==every", "limit:service==1"]
"#;
/// How long copies may take on a busy machine.
const SOON: Duration = Duration::from_secs(120);

/// Returns names and states of all containers that an engine itself knows.
fn held(engine: &Engine) -> BTreeMap<String, String> {
    let list = engine.ask("/containers/json?all=1").unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = list.as_array().unwrap().iter();
    let names = list.map(|c| {
        let name = text(&c["Names"][0]);
        (name.trim_start_matches('/').to_owned(), text(&c["State"]))
    });
    names.collect()
}

/// Asks for one on every node.
fn every(more: &[&str]) -> Value {
    let env = [&["global:node==every", "SECRET=x"], more].concat();
    json!({ "Env": env })
}

/// Creates one on every node, starts it, and returns the name of the node of the first.
fn run(caller: &Caller, name: &str, body: &Value) -> String {
    caller.create(name, body).expect(201);
    caller
        .post(&format!("/containers/{name}/start"))
        .expect(204);
    let inspected = caller.get(&format!("/containers/{name}/json")).expect(200);
    let node = inspected.json()["Node"]["Name"].clone();
    node.as_str().unwrap().to_owned()
}

/// Returns what an engine holds when one of each name is on every node, first on the one that is said.
fn whole(engine: &Engine, sets: &[(&str, &str)], state: &str) -> BTreeMap<String, String> {
    let node = engine.name();
    let own = sets.iter().map(|(name, first)| match *first == node {
        true => (*name).to_owned(),
        false => format!("{name}-{node}"),
    });
    own.map(|name| (name, state.to_owned())).collect()
}

/// Waits until these engines hold one of each name in this state, and nothing else.
fn until<'l>(engines: impl IntoIterator<Item = &'l Engine>, sets: &[(&str, &str)], state: &str) {
    for engine in engines {
        let wanted = whole(engine, sets, state);
        let same = eventually(SOON, || match held(engine) {
            held if held == wanted => Ok(()),
            held => Err(held),
        });
        same.unwrap_or_else(|held| panic!("{}: {held:?}, not {wanted:?}", engine.name()));
    }
}

fn availability(flotilla: &Flotilla, lab: &Lab, word: &str, node: &str) {
    let mut docker = flotilla.clients(lab).docker();
    output(docker.args(["node", "update", "--availability", word, node])).unwrap();
}

#[test]
fn each_node_gets_one_that_follows_the_first_also_a_node_that_joins_later() {
    let lab = Lab::start(&Spec::of(&[
        Release::V20,
        Release::V28,
        Release::V28,
        Release::V20,
    ]))
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("engines");
    let addresses: Vec<_> = lab.engines().iter().map(Engine::address).collect();
    fs::write(&list, addresses[..3].join("\n")).unwrap();
    let url = format!("file://{}", list.display());
    let flotilla = Flotilla::start(folder.path(), &PATIENT, &url);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let first = run(&caller, "web", &every(&["constraint:zone!=none"]));
    let sets = [("web", first.as_str())];
    until(&lab.engines()[..3], &sets, "running");
    fs::write(&list, addresses.join("\n")).unwrap();
    until(lab.engines(), &sets, "running");

    // A copy is asked for as the first was, and says of what it is one.
    let web = caller.get("/containers/web/json").expect(200).json();
    let copy = caller.get("/containers/web-node3/json").expect(200).json();
    let has = |inspected: &Value, what: &str| {
        let env = inspected["Config"]["Env"].as_array().unwrap();
        env.contains(&json!(what))
    };
    assert!(has(&copy, "SECRET=x") && !has(&copy, "global:node==every"));
    let label = |inspected: &Value, label: &str| inspected["Config"]["Labels"][label].clone();
    assert_eq!(label(&copy, "com.docker.swarm.copy-of"), web["Id"]);
    assert!(
        !label(&web, "com.docker.swarm.copies")
            .to_string()
            .contains("SECRET")
    );
    let why = caller
        .get("/flotilla/decisions/web-node3")
        .expect(200)
        .json();
    assert_eq!(why["Node"], "node3", "{why}");
    let because = json!(["this copy of web is for node3"]);
    assert_eq!(why["Request"]["Because"], because, "{why}");

    caller.post("/containers/web/stop?t=0").expect(204);
    until(lab.engines(), &sets, "exited");
    caller.post("/containers/web/start").expect(204);
    until(lab.engines(), &sets, "running");
    // What is done to a copy is its own, but for its removal.
    let lone = lab.engines().iter().find(|e| e.name() != first).unwrap();
    let lone_name = format!("web-{}", lone.name());
    caller
        .post(&format!("/containers/{lone_name}/pause"))
        .expect(204);
    assert_eq!(held(lone)[&lone_name], "paused");
    caller
        .delete(&format!("/containers/{lone_name}?force=1"))
        .expect(204);
    until(lab.engines(), &sets, "running");
    caller.delete("/containers/web?force=1").expect(204);
    until(lab.engines(), &[], "");
}

#[test]
fn no_node_gets_a_second_one_when_flotilla_dies_or_there_are_two() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let mut flotilla = Flotilla::patient(&lab);
    let first = run(&Caller::new(flotilla.addr()), "web", &every(&[]));
    // Perhaps before, amid or after its copies.
    flotilla.kill();
    let mut flotilla = Flotilla::patient(&lab);
    until(lab.engines(), &[("web", &first)], "running");
    flotilla.kill();
    let pair = [Flotilla::patient(&lab), Flotilla::patient(&lab)];
    // Gone behind their backs: both see it, and both would make it again.
    for engine in lab.engines().iter().filter(|e| e.name() != first) {
        let copy = format!("web-{}", engine.name());
        output(engine.docker().args(["rm", "-f", &copy])).unwrap();
    }
    until(lab.engines(), &[("web", &first)], "running");
    // By the time that another is on every node, nothing more has come of the one before.
    let caller = Caller::new(pair[1].addr());
    // It brings its network along.
    let net = json!({"Name": "globals", "Labels": {"com.docker.swarm.replicate": "true"}});
    caller.post_json("/networks/create", &net).expect(201);
    let mut body = every(&[]);
    body["HostConfig"] = json!({"NetworkMode": "globals"});
    let other = run(&caller, "other", &body);
    let both = [("web", first.as_str()), ("other", other.as_str())];
    until(lab.engines(), &both, "running");
    caller.delete("/containers/other?force=1").expect(204);
    until(lab.engines(), &[("web", &first)], "running");
}

#[test]
fn nodes_that_take_nothing_get_none_and_one_that_hangs_loses_its_own_later() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    availability(&flotilla, &lab, "drain", "node2");
    let first = run(&caller, "web", &every(&["constraint:zone!=b"]));
    assert_eq!(first, "node0");
    let other = run(&caller, "other", &every(&[]));
    let others = ["node0", "node1"].map(|node| lab.engine(node));
    until(
        [others[0]],
        &[("web", "node0"), ("other", &other)],
        "running",
    );
    until([others[1]], &[("other", &other)], "running");
    // By then node2 would have got one.
    assert_eq!(held(lab.engine("node2")), BTreeMap::new());
    availability(&flotilla, &lab, "active", "node2");
    let both = [("web", "node0"), ("other", other.as_str())];
    until([lab.engine("node2")], &both, "running");
    // What is there stays, as with everything else.
    availability(&flotilla, &lab, "pause", "node2");

    let hung = lab.engine("node2");
    hung.pause().unwrap();
    caller.delete("/containers/web?force=1").expect(204);
    until([others[0], others[1]], &[("other", &other)], "running");
    hung.resume().unwrap();
    until([hung], &[("other", &other)], "running");
    caller.delete("/containers/other?force=1").expect(204);
    until(lab.engines(), &[], "");
}

#[test]
fn what_cannot_be_on_every_node_is_refused() {
    let lab = Lab::shared().unwrap();
    let flotilla = Flotilla::before(lab);
    let caller = Caller::new(flotilla.addr());
    let bad = |wish: &str| {
        let body = json!({ "Env": [wish] });
        caller.create("", &body).expect(400).message()
    };
    assert_eq!(
        bad("global:node==all"),
        "global: invalid expression \"node==all\" at position 7: every is expected; constraints say which nodes"
    );
    let mut body = every(&[]);
    body["HostConfig"] = json!({"Binds": ["globals-data:/data"]});
    assert_eq!(
        caller.create("", &body).expect(409).message(),
        "global: volume globals-data is made on one node, so no other node could have a copy"
    );
}

#[test]
fn compose_sees_the_first_alone_and_takes_all_down() {
    needs!("plugins");
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::patient(&lab);
    let caller = Caller::new(flotilla.addr());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compose.yaml");
    fs::write(&file, PROJECT).unwrap();
    let compose = |args: &[&str]| {
        let mut compose = flotilla.clients(&lab).compose().unwrap();
        compose.args(["-p", "fleet", "-f"]).arg(&file).args(args);
        output(&mut compose).unwrap()
    };
    let name = "fleet-agent-1";
    let path = format!("/containers/{name}/json");
    let mut last = Value::Null;
    for args in [
        &["up", "-d"][..],
        &["up", "-d"],
        &["up", "-d", "--force-recreate"],
    ] {
        compose(args);
        let first = caller.get(&path).expect(200).json();
        let node = first["Node"]["Name"].as_str().unwrap().to_owned();
        until(lab.engines(), &[(name, &node)], "running");
        // Those of the one before are gone.
        let of = |engine: &Engine| {
            let filters = json!({"label": [format!("com.docker.swarm.copy-of={}", first["Id"].as_str().unwrap())]});
            let list = engine.ask(&format!("/containers/json?filters={}", encoded(&filters)));
            list.unwrap().as_array().unwrap().len()
        };
        let copies: usize = lab.engines().iter().map(of).sum();
        assert_eq!(copies, 2, "{args:?}");
        assert_eq!(compose(&["ps", "-q"]).lines().count(), 1);
        let same = last == first["Id"];
        assert_eq!(same, args == ["up", "-d"] && !last.is_null());
        last = first["Id"].clone();
    }
    compose(&["down"]);
    until(lab.engines(), &[], "");
}
