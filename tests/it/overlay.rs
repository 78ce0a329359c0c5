//! Engines in one swarm-mode cluster: networks that reach over hosts, and services that go to a manager.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, on};
use crate::support::clients::{needs, patiently};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Engine, Lab, Spec, eventually, output};

/// Runs `flotilla overlay ARGS`.
fn overlay(flotilla: &Flotilla, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flotilla"));
    command
        .arg("overlay")
        .args(args)
        .env("DOCKER_HOST", flotilla.docker_host());
    command.env_remove("DOCKER_TLS_VERIFY");
    output(&mut command).map_err(|e| e.to_string())
}

#[test]
fn overlay_networks_are_enabled_completed_and_disabled() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let off = "overlay networks are off: flotilla overlay enable";
    let on = "overlay networks are on: 3 of 3 engines, 3 of them managers";
    assert_eq!(overlay(&flotilla, &["status"]).unwrap(), off);
    assert_eq!(overlay(&flotilla, &["enable"]).unwrap(), on);
    assert_eq!(overlay(&flotilla, &["enable"]).unwrap(), on);
    let docker = |args: &[&str]| docker(&flotilla, &lab, args).unwrap();
    docker(&["network", "create", "-d", "overlay", "wide"]);
    let kept = overlay(&flotilla, &["disable"]).unwrap_err();
    assert!(kept.contains("still there: network wide"), "{kept}");
    docker(&["network", "rm", "wide"]);

    let leave = ["swarm", "leave", "--force"];
    output(lab.engine("node2").docker().args(leave)).unwrap();
    eventually(Duration::from_secs(60), || {
        match overlay(&flotilla, &["status"])? {
            told if told.contains("2 of 3 engines") && told.contains("not in it: node2") => Ok(()),
            told => Err(told),
        }
    })
    .unwrap();
    // It manages again, and who it was before has no vote any more.
    assert_eq!(overlay(&flotilla, &["enable"]).unwrap(), on);
    let known = lab.engine("node0").ask("/nodes").unwrap();
    assert_eq!(known.as_array().map(Vec::len), Some(3), "{known}");
    assert_eq!(overlay(&flotilla, &["disable"]).unwrap(), off);
    assert_eq!(states(&lab), ["inactive", "inactive", "inactive"]);
    assert_eq!(overlay(&flotilla, &["disable"]).unwrap(), off);
}

/// A lab whose engines are in one cluster, made through Flotilla.
fn joined() -> (Lab, Flotilla) {
    joined_of(&Spec::mixed())
}

/// A lab of these engines in one cluster; those beyond the third are workers.
pub(crate) fn joined_of(spec: &Spec) -> (Lab, Flotilla) {
    let lab = Lab::start(spec).unwrap();
    let flotilla = Flotilla::before(&lab);
    let said = docker(&flotilla, &lab, &["swarm", "init"]).unwrap();
    assert!(said.contains("Swarm initialized"), "{said}");
    (lab, flotilla)
}

pub(crate) fn docker(flotilla: &Flotilla, lab: &Lab, args: &[&str]) -> Result<String, String> {
    let mut docker = flotilla.clients(lab).docker();
    output(docker.args(args)).map_err(|e| e.to_string())
}

/// Returns what each engine itself says of its part in a cluster.
fn states(lab: &Lab) -> Vec<String> {
    let state = |engine: &Engine| {
        let info = engine.ask("/info").unwrap();
        info["Swarm"]["LocalNodeState"].as_str().unwrap().to_owned()
    };
    lab.engines().iter().map(state).collect()
}

#[test]
fn all_engines_join_one_cluster_and_leave_it() {
    let (lab, flotilla) = joined();
    let docker = |args: &[&str]| docker(&flotilla, &lab, args);
    assert_eq!(states(&lab), ["active", "active", "active"]);
    let told = docker(&["info", "--format", "{{.Swarm.Nodes}} {{.Swarm.Managers}}"]);
    assert_eq!(told.unwrap(), "3 3");
    let again = docker(&["swarm", "init"]).unwrap_err();
    assert!(again.contains("already part of a swarm"), "{again}");
    let refused = docker(&["swarm", "leave"]).unwrap_err();
    assert!(refused.contains("--force"), "{refused}");
    docker(&["swarm", "leave", "--force"]).unwrap();
    assert_eq!(states(&lab), ["inactive", "inactive", "inactive"]);
    let gone = docker(&["swarm", "leave"]).unwrap_err();
    assert!(gone.contains("This node is not part of a swarm"), "{gone}");
    let none = docker(&["service", "ls"]).unwrap_err();
    assert!(none.contains("This node is not a swarm manager"), "{none}");
    // The cluster of before is forgotten, so another can be made.
    docker(&["swarm", "init"]).unwrap();
    assert_eq!(states(&lab), ["active", "active", "active"]);
}

#[test]
fn containers_on_an_overlay_find_one_another_over_hosts() {
    let (lab, flotilla) = joined();
    let caller = Caller::new(flotilla.addr());
    let docker = |args: &[&str]| docker(&flotilla, &lab, args).unwrap();
    docker(&["network", "create", "-d", "overlay", "wide"]);
    let listed = docker(&[
        "network",
        "ls",
        "--format",
        "{{.Name}} {{.Driver}} {{.Scope}}",
    ]);
    assert_eq!(
        listed
            .lines()
            .filter(|l| *l == "wide overlay swarm")
            .count(),
        1,
        "{listed}"
    );
    for node in ["node0", "node1", "node2"] {
        let mut body = on(node);
        body["HostConfig"] = json!({"NetworkMode": "wide"});
        let name = format!("on-{node}");
        caller.create(&name, &body).expect(201);
        caller
            .post(&format!("/containers/{name}/start"))
            .expect(204);
    }
    for from in ["node0", "node1", "node2"] {
        for to in ["node0", "node1", "node2"] {
            let ping = patiently(&format!("ping -c1 -W5 on-{to}"));
            docker(&["exec", &format!("on-{from}"), "sh", "-c", &ping]);
        }
    }
    let inspect = caller.get("/networks/wide").expect(200).json();
    let mut names: Vec<&str> = inspect["Containers"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(|c| c["Name"].as_str())
        .filter(|name| name.starts_with("on-"))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["on-node0", "on-node1", "on-node2"]);

    let in_use = caller.delete("/networks/wide").expect(403).message();
    assert!(in_use.contains("has active endpoints"), "{in_use}");
    let pruned = docker(&["network", "prune", "-f"]);
    assert!(!pruned.contains("wide"), "{pruned}");
    docker(&["network", "disconnect", "wide", "on-node1"]);
    docker(&["network", "connect", "wide", "on-node1"]);
    let ping = patiently("ping -c1 -W5 on-node1");
    docker(&["exec", "on-node2", "sh", "-c", &ping]);
    docker(&["rm", "-f", "on-node0", "on-node1", "on-node2"]);
    docker(&["network", "rm", "wide"]);
    caller.get("/networks/wide").expect(404);
}

#[test]
fn a_cluster_that_is_made_anew_carries_traffic_as_the_first() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let docker = |args: &[&str]| docker(&flotilla, &lab, args).unwrap();
    // Engines that leave at once do not always free the port of their gossip: so more than once.
    for _ in 0..4 {
        overlay(&flotilla, &["enable"]).unwrap();
        docker(&["network", "create", "-d", "overlay", "wide"]);
        for node in ["node0", "node2"] {
            let constraint = format!("constraint:node=={node}");
            let run = ["run", "-d", "--stop-signal", "KILL", "--network", "wide"];
            let of = ["--name", node, "-e", &constraint];
            let sleep = ["busybox", "sleep", "600"];
            docker(&[&run[..], &of, &sleep].concat());
        }
        for (from, to) in [("node0", "node2"), ("node2", "node0")] {
            let ping = patiently(&format!("ping -c1 -W5 {to}"));
            docker(&["exec", from, "sh", "-c", &ping]);
        }
        docker(&["rm", "-f", "node0", "node2"]);
        docker(&["network", "rm", "wide"]);
        overlay(&flotilla, &["disable"]).unwrap();
        // Takes away what is left of the cluster on each engine.
        docker(&["network", "prune", "-f"]);
    }
}

const PROJECT: &str = "
services:
  web:
    image: busybox
    stop_signal: KILL
    command: sh -c 'mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www'
    scale: 3
  client: {image: busybox, stop_signal: KILL, command: sleep 600, depends_on: [web]}
";

#[test]
fn a_compose_projects_replicas_spread_and_are_reached_by_name() {
    needs!("plugins");
    let (lab, flotilla) = joined();
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("wide");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("compose.yaml"), PROJECT).unwrap();
    let compose = |args: &[&str]| {
        let mut compose = flotilla.clients(&lab).compose().unwrap();
        compose.arg("--project-directory").arg(&folder);
        output(compose.args(args)).unwrap()
    };
    compose(&["up", "-d"]);
    let caller = Caller::new(flotilla.addr());
    let node = |c: &Value| c["Labels"]["com.docker.swarm.node.name"].to_string();
    let is_web = |c: &&Value| c["Labels"]["com.docker.compose.service"] == "web";
    let containers = caller.containers();
    let mut nodes: Vec<String> = containers.iter().filter(is_web).map(node).collect();
    nodes.sort();
    nodes.dedup();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    let mut answered = std::collections::BTreeSet::new();
    for number in 1..=3 {
        let fetch = patiently(&format!("wget -qO- http://wide-web-{number}/"));
        answered.insert(compose(&["exec", "-T", "client", "sh", "-c", &fetch]));
    }
    assert_eq!(answered.len(), 3, "{answered:?}");
    let fetch = patiently("wget -qO- http://web/");
    compose(&["exec", "-T", "client", "sh", "-c", &fetch]);
    compose(&["down"]);
    assert!(caller.containers().is_empty());
    let networks = caller.get("/networks").body;
    assert!(!networks.contains("wide_default"), "{networks}");
}

/// Makes a check that a command comes to say something.
fn becomes<'a>(flotilla: &'a Flotilla, lab: &'a Lab) -> impl Fn(&[&str], &str) + 'a {
    |args, wanted| {
        eventually(Duration::from_secs(60), || {
            match docker(flotilla, lab, args)? {
                told if told == wanted => Ok(()),
                told => Err(told),
            }
        })
        .unwrap();
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one scene from its start to its end")]
fn services_secrets_and_stacks_go_to_a_manager() {
    let (lab, flotilla) = joined();
    let docker = |args: &[&str]| docker(&flotilla, &lab, args).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("secret"), "hush").unwrap();
    docker(&["secret", "create", "hidden", &path("secret")]);
    docker(&["config", "create", "shown", &path("secret")]);
    assert_eq!(docker(&["secret", "ls", "--format", "{{.Name}}"]), "hidden");
    assert_eq!(docker(&["config", "ls", "--format", "{{.Name}}"]), "shown");
    let args = [
        "service",
        "create",
        "-d",
        "--name",
        "sleepers",
        "--replicas",
        "3",
    ];
    let more = [
        "--secret",
        "hidden",
        "--stop-signal",
        "KILL",
        "--no-resolve-image",
        "busybox",
        "sleep",
        "600",
    ];
    docker(&[&args[..], &more[..]].concat());
    let becomes = becomes(&flotilla, &lab);
    let services = ["service", "ls", "--format", "{{.Name}} {{.Replicas}}"];
    becomes(&services, "sleepers 3/3");
    let mut nodes: Vec<_> = docker(&["service", "ps", "sleepers", "--format", "{{.Node}}"])
        .lines()
        .map(str::to_owned)
        .collect();
    nodes.sort();
    assert_eq!(nodes, ["node0", "node1", "node2"]);
    docker(&["node", "update", "--availability", "drain", "node1"]);
    // Swarm mode's scheduler hears of it too.
    let places = [
        "service",
        "ps",
        "sleepers",
        "--filter",
        "desired-state=running",
        "--format",
        "{{.Node}}",
    ];
    eventually(Duration::from_secs(60), || {
        match self::docker(&flotilla, &lab, &places)? {
            told if told.contains("node1") => Err(told),
            _ => Ok(()),
        }
    })
    .unwrap();
    let seen = lab.engine("node0").docker().args(["node", "ls"]).output();
    let seen = String::from_utf8(seen.unwrap().stdout).unwrap();
    assert!(seen.contains("Drain"), "{seen}");
    docker(&["node", "update", "--availability", "active", "node1"]);
    docker(&["service", "scale", "-d", "sleepers=1"]);
    becomes(&services, "sleepers 1/1");
    docker(&["service", "rm", "sleepers"]);
}

#[test]
fn a_stack_goes_to_a_manager() {
    let (lab, flotilla) = joined();
    let docker = |args: &[&str]| docker(&flotilla, &lab, args).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let becomes = becomes(&flotilla, &lab);
    let stack = "services: {one: {image: busybox, stop_signal: KILL, command: sleep 600}}\n";
    fs::write(path("stack.yaml"), format!("version: '3.8'\n{stack}")).unwrap();
    docker(&[
        "stack",
        "deploy",
        "--detach",
        "--resolve-image=never",
        "-c",
        &path("stack.yaml"),
        "pile",
    ]);
    becomes(
        &[
            "stack",
            "services",
            "pile",
            "--format",
            "{{.Name}} {{.Replicas}}",
        ],
        "pile_one 1/1",
    );
    docker(&["stack", "rm", "pile"]);
    // Ours, in swarm mode too.
    let nodes = docker(&["node", "ls", "--format", "{{.Hostname}}"]);
    assert_eq!(nodes.lines().count(), 3);
}

#[test]
fn containers_on_an_overlay_stay_in_its_cluster() {
    let (lab, flotilla) = joined();
    let caller = Caller::new(flotilla.addr());
    let docker = |args: &[&str]| docker(&flotilla, &lab, args).unwrap();
    docker(&["network", "create", "-d", "overlay", "wide"]);
    output(
        lab.engine("node2")
            .docker()
            .args(["swarm", "leave", "--force"]),
    )
    .unwrap();
    eventually(Duration::from_secs(60), || {
        match overlay(&flotilla, &["status"])? {
            told if told.contains("not in it: node2") => Ok(()),
            told => Err(told),
        }
    })
    .unwrap();
    let wide = json!({"HostConfig": {"NetworkMode": "wide"}});
    for _ in 0..6 {
        let id = caller.create("", &wide).expect(201).id();
        let found = caller.get(&format!("/containers/{id}/json")).json();
        assert_ne!(found["Node"]["Name"], "node2");
        caller.post(&format!("/containers/{id}/start")).expect(204);
    }
    let mut body = on("node2");
    body["HostConfig"] = json!({"NetworkMode": "wide"});
    let refused = caller.create("", &body).expect(409).message();
    let words = "1 is not in the swarm-mode cluster of network wide (node2)";
    assert!(refused.contains(words), "{refused}");
}
