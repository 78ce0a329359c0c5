//! `docker node` from the stock CLI: the engines are the nodes, and what is said of them survives Flotilla.

use serde_json::{Value, json};

use crate::support::caller::{Caller, on};
use crate::support::clients::Clients;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, output};

/// Runs the docker CLI 28 through Flotilla.
fn docker(flotilla: &Flotilla, lab: &Lab, args: &[&str]) -> Result<String, String> {
    let mut docker = flotilla.clients(lab).docker();
    output(docker.args(args))
        .map(|s| s.trim().to_owned())
        .map_err(|e| e.to_string())
}

/// Returns how many of six containers each node gets, the containers removed again.
fn spread(caller: &Caller) -> Vec<usize> {
    let ids: Vec<_> = (0..6)
        .map(|_| caller.create("", &json!({})).expect(201).id())
        .collect();
    let node =
        |id: &String| caller.get(&format!("/containers/{id}/json")).json()["Node"]["Name"].clone();
    let nodes: Vec<Value> = ids.iter().map(node).collect();
    for id in &ids {
        caller.delete(&format!("/containers/{id}")).expect(204);
    }
    let count = |name: &str| nodes.iter().filter(|n| *n == name).count();
    ["node0", "node1", "node2"].map(count).to_vec()
}

#[test]
fn availability_and_labels_place_containers_and_survive_a_restart() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let mut flotilla = Flotilla::before(&lab);
    let ok = |flotilla: &Flotilla, args: &[&str]| docker(flotilla, &lab, args).unwrap();
    let update = |flotilla: &Flotilla, words: &str| {
        let mut args = vec!["node", "update"];
        args.extend(words.split(' '));
        ok(flotilla, &args)
    };
    assert_eq!(update(&flotilla, "--availability drain node1"), "node1");
    update(
        &flotilla,
        "--availability pause --label-add disk=nvme node2",
    );
    update(&flotilla, "--label-add zone=moon --label-add gone=1 node0");
    update(&flotilla, "--label-rm gone node0");
    assert_eq!(spread(&Caller::new(flotilla.addr())), [6, 0, 0]);

    flotilla.kill();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    assert_eq!(spread(&caller), [6, 0, 0]);
    let refused = caller.create("", &on("node1")).expect(409).message();
    assert!(
        refused.contains("1 is drained (node1, by docker node update"),
        "{refused}"
    );
    let inspect =
        |node: &str, format: &str| ok(&flotilla, &["node", "inspect", "-f", format, node]);
    assert_eq!(inspect("node1", "{{.Spec.Availability}}"), "drain");
    assert_eq!(inspect("node0", "{{.Spec.Labels}}"), "map[zone:moon]");
    let pretty = ok(&flotilla, &["node", "inspect", "--pretty", "node2"]);
    assert!(
        pretty.contains("Availability:") && pretty.contains("Pause"),
        "{pretty}"
    );
    // An operator's label counts in constraints, over the engine's own zone=a.
    let body = json!({"Env": ["constraint:zone==moon"]});
    caller.create("wished", &body).expect(201);
    let none = json!({"Env": ["constraint:zone==a"]});
    caller.create("", &none).expect(409);

    update(&flotilla, "--availability active node1");
    update(&flotilla, "--availability active node2");
    caller.delete("/containers/wished").expect(204);
    assert_eq!(spread(&caller), [2, 2, 2]);
}

#[test]
fn what_carries_the_orders_is_one_volume_that_nobody_is_shown() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    for availability in ["pause", "drain", "active"] {
        let update = ["node", "update", "--availability", availability, "node1"];
        docker(&flotilla, &lab, &update).unwrap();
    }
    let engine = lab.engine("node1");
    let kept = output(engine.docker().args(["volume", "ls", "-q"])).unwrap();
    assert_eq!(kept.trim(), "flotilla-node-3");
    assert_eq!(
        docker(&flotilla, &lab, &["volume", "ls", "-q"]).unwrap(),
        ""
    );
    docker(&flotilla, &lab, &["volume", "rm", "flotilla-node-3"]).unwrap_err();
}

#[test]
fn the_engines_are_listed_as_nodes() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    for cli in ["docker_28", "docker_20"] {
        let mut docker = match cli {
            "docker_28" => flotilla.clients(&lab).docker(),
            _ => flotilla.clients(&lab).docker_20(),
        };
        let format = "{{.Hostname}} {{.Status}} {{.Availability}} {{.EngineVersion}}";
        let list = output(docker.args(["node", "ls", "--format", format])).unwrap();
        let version = |name: &str| lab.engine(name).version().to_owned();
        let expected =
            ["node0", "node1", "node2"].map(|n| format!("{n} Ready Active {}", version(n)));
        assert_eq!(list.trim().lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_runs_on_a_node_is_listed_as_its_tasks() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    caller.run_on("node1", "web");
    caller.run_on("node0", "other");
    let exited = [
        "run",
        "--name",
        "ended",
        "-e",
        "constraint:node==node1",
        "busybox",
        "sh",
        "-c",
        "exit 3",
    ];
    docker(&flotilla, &lab, &exited).unwrap_err();
    let format = "{{.Name}} {{.Image}} {{.Node}} {{.DesiredState}} {{.CurrentState}} {{.Error}}";
    let listed = docker(
        &flotilla,
        &lab,
        &["node", "ps", "--format", format, "node1"],
    )
    .unwrap();
    let mut rows: Vec<_> = listed.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows.len(), 2, "{listed}");
    assert!(
        rows[0].starts_with("ended.1 busybox node1 Shutdown Failed "),
        "{listed}"
    );
    assert!(rows[0].contains("exit code 3"), "{listed}");
    assert!(
        rows[1].starts_with("web.1 busybox node1 Running Running "),
        "{listed}"
    );
}

#[test]
fn without_a_name_the_tasks_of_all_nodes_are_listed() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    for node in ["node0", "node1", "node2"] {
        caller.run_on(node, &format!("web-{node}"));
    }
    let clients = || flotilla.clients(&lab);
    for docker in [|c: Clients<'_>| c.docker(), |c: Clients<'_>| c.docker_20()] {
        let ok = |args: &[&str]| output(docker(clients()).args(args)).unwrap();
        let listed = ok(&[
            "node",
            "ps",
            "--format",
            "{{.Name}} {{.Node}} {{.DesiredState}}",
        ]);
        let mut rows: Vec<_> = listed.trim().lines().collect();
        rows.sort_unstable();
        let row = |node: &str| format!("web-{node}.1 {node} Running");
        assert_eq!(rows, ["node0", "node1", "node2"].map(row));
        let count = ok(&[
            "node",
            "inspect",
            "-f",
            "{{.Description.Resources.NanoCPUs}}",
            "self",
        ]);
        let nodes = caller.get("/nodes").expect(200).json();
        let of = |node: &Value| {
            node["Description"]["Resources"]["NanoCPUs"]
                .as_i64()
                .unwrap()
        };
        let sum: i64 = nodes.as_array().unwrap().iter().map(of).sum();
        assert_eq!(count.trim(), sum.to_string());
        let pause = ["node", "update", "--availability", "pause", "self"];
        let refused = output(docker(clients()).args(pause))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("name one of them"), "{refused}");
        assert!(ok(&["info"]).contains("Swarm: inactive"));
    }
    // Only the CLI is told so: others take a node for swarm mode.
    assert_eq!(caller.get("/info").json()["Swarm"]["NodeID"], "");
}

#[test]
fn bad_updates_of_a_node_are_refused_and_change_nothing() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    let node = |name: &str| caller.get(&format!("/nodes/{name}")).expect(200).json();
    let before = node("node1");
    let id = before["ID"].as_str().unwrap().to_owned();
    assert_eq!(id, lab.engine("node1").id());
    let update = |version: &str, body: &Value| {
        let path = format!("/nodes/{id}/update?version={version}");
        caller.post_json(&path, body)
    };
    update("0", &json!({"Availability": "away"})).expect(400);
    update("x", &json!({"Availability": "drain"})).expect(400);
    update("7", &json!({"Availability": "drain"})).expect(409);
    update("0", &json!({"Role": "manager"})).expect(400);
    update("0", &json!([])).expect(400);
    update("0", &json!({})).expect(400);
    caller
        .post_json("/nodes/nobody/update?version=0", &json!({}))
        .expect(404);
    caller.get("/nodes?filters={\"bogus\":[\"x\"]}").expect(400);
    caller.get("/nodes/nobody").expect(404);
    caller.delete(&format!("/nodes/{id}?force=1")).expect(409);
    let mut after = node("node1");
    after["UpdatedAt"] = before["UpdatedAt"].clone();
    assert_eq!(after, before);
    // Of many at once that saw the same version, one wins.
    let answers =
        crate::support::caller::at_once(8, |_| update("0", &json!({"Availability": "drain"})));
    assert_eq!(
        answers.iter().filter(|a| a.status == 200).count(),
        1,
        "{answers:?}"
    );
    assert_eq!(node("node1")["Version"]["Index"], 1);
}

#[test]
fn nodes_are_filtered_as_in_swarm_mode() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    caller.get("/nodes?filters={\"bogus\":[\"x\"]}").expect(400);
    let names = |filters: Value| {
        let path = format!(
            "/nodes?filters={}",
            crate::support::caller::encoded(&filters)
        );
        let list = caller.get(&path).expect(200).json();
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|n| n["Description"]["Hostname"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(json!({"name": ["node1"]})), ["node1"]);
    assert_eq!(names(json!({"label": ["storage=hdd"]})), ["node1"]);
    assert!(names(json!({"role": ["manager"]})).is_empty());
}

#[test]
fn what_is_said_of_a_node_survives_a_clean_up_of_its_engine() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let mut flotilla = Flotilla::before(&lab);
    let drain = ["node", "update", "--availability", "drain", "node1"];
    docker(&flotilla, &lab, &drain).unwrap();
    let engine = lab.engine("node1");
    let prune = ["volume", "prune", "--all", "--force"];
    let said = output(engine.docker().args(prune)).unwrap();
    assert!(said.contains("flotilla-node-1"), "{said}");
    crate::support::lab::eventually(std::time::Duration::from_secs(20), || {
        match output(engine.docker().args(["volume", "ls", "-q"])).unwrap() {
            kept if kept == "flotilla-node-1" => Ok(()),
            other => Err(other),
        }
    })
    .unwrap();
    let availability = ["node", "inspect", "-f", "{{.Spec.Availability}}", "node1"];
    assert_eq!(docker(&flotilla, &lab, &availability).unwrap(), "drain");
    flotilla.kill();
    let flotilla = Flotilla::before(&lab);
    assert_eq!(docker(&flotilla, &lab, &availability).unwrap(), "drain");
}
