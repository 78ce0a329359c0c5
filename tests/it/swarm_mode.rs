//! Engines in swarm mode: `docker node` and what goes to managers work as on a manager.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, encoded};
use crate::support::clients::needs;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

/// How long swarm mode may take to agree on something, on a busy machine.
const AGREED: Duration = Duration::from_secs(60);

/// Engines with Flotilla before them, and the docker CLI.
struct Cluster {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
}

impl Cluster {
    fn start() -> Self {
        let lab = Lab::start(&Spec::mixed()).unwrap();
        let flotilla = Flotilla::before(&lab);
        let caller = Caller::new(flotilla.addr());
        Self {
            lab,
            flotilla,
            caller,
        }
    }

    /// Starts with all engines in one cluster.
    fn joined() -> Self {
        let cluster = Self::start();
        cluster.ok(&["swarm", "init"]);
        cluster
    }

    fn docker(&self, args: &[&str]) -> Result<String, String> {
        let mut docker = self.flotilla.clients(&self.lab).docker();
        output(docker.args(args)).map_err(|e| e.to_string())
    }

    fn ok(&self, args: &[&str]) -> String {
        self.docker(args).unwrap()
    }

    /// Runs a command until it says what is wanted.
    fn becomes(&self, args: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        eventually(AGREED, || match self.docker(args) {
            Ok(told) if wanted(&told) => Ok(told),
            told => Err(told),
        })
        .unwrap()
    }

    /// Returns what one engine itself says of its nodes.
    fn nodes_of(&self, engine: &str) -> Vec<Value> {
        let nodes = self.lab.engine(engine).ask("/nodes").unwrap();
        nodes.as_array().cloned().unwrap_or_default()
    }
}

#[test]
fn roles_are_shown_as_soon_as_they_are_given() {
    let cluster = Cluster::joined();
    let list = || {
        let format = "{{.Hostname}} {{.ManagerStatus}}";
        let list = cluster.ok(&["node", "ls", "--format", format]);
        let mut status: Vec<String> = list
            .lines()
            .map(|l| l.split(' ').nth(1).unwrap_or_default().to_owned())
            .collect();
        status.sort();
        status
    };
    assert_eq!(list(), ["Leader", "Reachable", "Reachable"]);
    let role = || cluster.ok(&["node", "inspect", "-f", "{{.Spec.Role}}", "node2"]);
    for round in ["1", "2"] {
        cluster.ok(&["node", "demote", "node2"]);
        assert_eq!(role(), "worker");
        assert_eq!(list(), ["", "Leader", "Reachable"]);
        // What the CLI sends back with the next change is what it was shown.
        cluster.ok(&[
            "node",
            "update",
            "--label-add",
            &format!("a={round}"),
            "node2",
        ]);
        assert_eq!(role(), "worker");
        cluster.ok(&["node", "promote", "node2"]);
        assert_eq!(role(), "manager");
        cluster.ok(&[
            "node",
            "update",
            "--label-add",
            &format!("b={round}"),
            "node2",
        ]);
        assert_eq!(role(), "manager");
        let info = cluster.lab.engine("node2").ask("/info").unwrap();
        assert_eq!(info["Swarm"]["ControlAvailable"], true);
        assert_eq!(list(), ["Leader", "Reachable", "Reachable"]);
    }
    let filtered = ["node", "ls", "--filter", "role=manager", "-q"];
    assert_eq!(cluster.ok(&filtered).lines().count(), 3);
}

#[test]
fn what_a_former_manager_refuses_another_one_does() {
    let cluster = Cluster::joined();
    // So that another one leads, and no election is in the way.
    cluster.ok(&["node", "demote", "node0"]);
    cluster.ok(&["node", "promote", "node0"]);
    let (node0, node1) = (cluster.lab.engine("node0"), cluster.lab.engine("node1"));
    // It may not take part in votes yet.
    let demote = || output(node1.docker().args(["node", "demote", "node0"]));
    eventually(AGREED, demote).unwrap();
    let direct = Caller::new(node0.address());
    let shown = || {
        let info = cluster.caller.get("/info").expect(200).json();
        info["Swarm"]["NodeID"] != node0.ask("/info").unwrap()["Swarm"]["NodeID"]
    };
    let (mut refused, mut asked) = (0, 0);
    while !shown() {
        // Asked first: what it refuses now it refuses afterwards.
        refused += usize::from(direct.get("/services").status == 503);
        let spec = serde_json::json!({
            "Name": format!("s{asked}"),
            "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}},
            "Mode": {"Replicated": {"Replicas": 0}},
        });
        for answer in [
            cluster.caller.post_json("/services/create", &spec),
            cluster.caller.get("/services"),
            cluster.caller.get("/tasks"),
            cluster.caller.get("/nodes/nothing"),
        ] {
            assert!(!answer.body.contains("not a swarm manager"), "{answer:?}");
        }
        asked += 1;
    }
    println!("node0 refused {refused} of {asked} times before lists knew");
}

#[test]
fn info_shows_what_the_cluster_was_told_last() {
    let cluster = Cluster::joined();
    let limit = "{{.Swarm.Cluster.Spec.Orchestration.TaskHistoryRetentionLimit}}";
    for round in 11..21 {
        let round = round.to_string();
        cluster.ok(&["swarm", "update", "--task-history-limit", &round]);
        assert_eq!(cluster.ok(&["info", "--format", limit]), round);
    }
}

#[test]
fn an_entry_that_only_swarm_mode_has_is_listed_and_removed() {
    let cluster = Cluster::joined();
    cluster.ok(&["node", "demote", "node2"]);
    let leave = ["swarm", "leave"];
    output(cluster.lab.engine("node2").docker().args(leave)).unwrap();
    let dead = [
        "node",
        "ls",
        "--format",
        "{{.ID}} {{.Hostname}} {{.Status}}",
    ];
    let list = cluster.becomes(&dead, |list| {
        list.lines().count() == 4 && list.contains("node2 Down")
    });
    let line = list.lines().find(|l| l.ends_with("node2 Down")).unwrap();
    let id = line.split(' ').next().unwrap();
    let name = ["node", "inspect", "-f", "{{.Description.Hostname}}", id];
    assert_eq!(cluster.ok(&name), "node2");
    cluster.ok(&["node", "update", "--label-add", "gone=1", id]);
    cluster.ok(&["node", "rm", id]);
    assert_eq!(cluster.ok(&dead).lines().count(), 3);
    assert_eq!(cluster.nodes_of("node0").len(), 2);
    // Ours is there as long as discovery lists it.
    cluster.docker(&["node", "rm", "node2"]).unwrap_err();
}

#[test]
fn an_update_that_swarm_mode_cannot_hear_of_changes_nothing() {
    let cluster = Cluster::joined();
    cluster.ok(&["node", "demote", "node1", "node2"]);
    cluster.lab.engine("node0").pause().unwrap();
    eventually(AGREED, || {
        let info = cluster.caller.get("/info").body;
        if info.contains("\"Unhealthy\"") {
            Ok(())
        } else {
            Err(info)
        }
    })
    .unwrap();
    let drain = ["node", "update", "--availability", "drain", "node1"];
    let refused = cluster.docker(&drain).unwrap_err();
    assert!(
        refused.contains("node node1 is in a swarm-mode cluster of which no manager answers"),
        "{refused}"
    );
    let availability = ["node", "inspect", "-f", "{{.Spec.Availability}}", "node1"];
    assert_eq!(cluster.ok(&availability), "active");
    cluster.lab.engine("node0").resume().unwrap();
    cluster.becomes(&["node", "ls"], |list| !list.contains("Down"));
    cluster.becomes(&drain, |told| told == "node1");
    assert_eq!(cluster.ok(&availability), "drain");
}

#[test]
fn of_two_clusters_each_node_is_updated_in_its_own() {
    let cluster = Cluster::start();
    for name in ["node0", "node1"] {
        let engine = cluster.lab.engine(name);
        let init = ["swarm", "init", "--advertise-addr", engine.ip()];
        output(engine.docker().args(init)).unwrap();
    }
    eventually(AGREED, || {
        // Answered as on one cluster until both engines' change is seen.
        match cluster.docker(&["service", "ls"]) {
            Err(said) if said.contains("different swarm-mode clusters") => Ok(()),
            Ok(said) | Err(said) => Err(said),
        }
    })
    .unwrap();
    for name in ["node0", "node1"] {
        cluster.ok(&["node", "update", "--availability", "drain", name]);
        let told = &cluster.nodes_of(name)[0]["Spec"]["Availability"];
        assert_eq!(told, "drain", "{name}");
    }
}

#[test]
fn services_follow_labels_and_are_updated_and_undone() {
    let cluster = Cluster::joined();
    cluster.ok(&["node", "update", "--label-add", "disk=nvme", "node1"]);
    let create = "service create -d --name web --replicas 2 --constraint node.labels.disk==nvme \
        --stop-signal KILL --no-resolve-image --env A=1 busybox sh -c";
    let mut create: Vec<&str> = create.split_whitespace().collect();
    create.push("echo said-$A; sleep 600");
    cluster.ok(&create);
    let replicas = ["service", "ls", "--format", "{{.Replicas}}"];
    cluster.becomes(&replicas, |told| told == "2/2");
    let running = "service ps web --filter desired-state=running --format {{.Node}}";
    let running: Vec<&str> = running.split(' ').collect();
    assert_eq!(cluster.ok(&running), "node1\nnode1");
    let logs = ["service", "logs", "--raw", "web"];
    cluster.becomes(&logs, |told| told.matches("said-1").count() == 2);
    let env = "{{.Spec.TaskTemplate.ContainerSpec.Env}}";
    let env = ["service", "inspect", "-f", env, "web"];
    assert_eq!(cluster.ok(&env), "[A=1]");
    cluster.ok(&["service", "update", "-d", "--env-add", "A=2", "web"]);
    assert_eq!(cluster.ok(&env), "[A=2]");
    cluster.becomes(&logs, |told| told.contains("said-2"));
    cluster.ok(&["service", "rollback", "-d", "web"]);
    assert_eq!(cluster.ok(&env), "[A=1]");
    cluster.becomes(&replicas, |told| told == "2/2");

    // A node's tasks are those of services, and what else runs there.
    cluster.caller.run_on("node1", "plain");
    let tasks = |node: &[&str]| {
        let mut args = vec!["node", "ps", "--format", "{{.Name}} {{.DesiredState}}"];
        args.extend(["--filter", "desired-state=running"]);
        args.extend(node);
        let list = cluster.ok(&args);
        let mut names: Vec<String> = list
            .lines()
            .filter_map(|l| l.strip_suffix(" Running").map(str::to_owned))
            .collect();
        names.sort();
        names
    };
    eventually(AGREED, || match tasks(&["node1"]) {
        found if found == ["plain.1", "web.1", "web.2"] => Ok(()),
        found => Err(found),
    })
    .unwrap();
    // By itself it means the node that `docker info` tells of.
    cluster.caller.run_on("node0", "here");
    assert_eq!(tasks(&[]), ["here.1"]);
}

const STACK: &str = "
version: '3.8'
services:
  one:
    image: busybox
    stop_signal: KILL
    command: sh -c 'cat /run/secrets/word /word; echo; sleep 600'
    secrets: [word]
    configs: [word]
secrets: {word: {file: ./word}}
configs: {word: {file: ./word}}
";

#[test]
fn what_three_managers_tell_is_told_once() {
    let cluster = Cluster::joined();
    let filters = encoded(&json!({"type": ["config", "secret"]}));
    let began = jiff::Timestamp::now().as_second();
    let live = cluster.caller.open(&format!("/events?filters={filters}"));
    let make = |kind: &str, name: &str| {
        let body = json!({"Name": name, "Data": "eA==", "Labels": {}});
        let path = format!("/{kind}/create");
        cluster.caller.post_json(&path, &body).expect(201);
    };
    for number in 0..5 {
        let name = format!("c{number}");
        make("configs", &name);
        let path = format!("/configs/{name}");
        cluster.caller.delete(&path).expect(204);
    }
    make("secrets", "last");
    let count = |lines: &mut dyn Iterator<Item = String>| {
        let mut told = BTreeMap::new();
        for line in lines {
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["Type"] == "secret" {
                break;
            }
            let name = &event["Actor"]["Attributes"]["name"];
            *told
                .entry(format!("{} {name}", event["Action"]))
                .or_insert(0) += 1;
        }
        told
    };
    let lines = live.lines().map_while(Result::ok);
    let told = count(&mut lines.filter(|line| line.starts_with('{')));
    assert_eq!(
        told.values().copied().collect::<Vec<_>>(),
        [1; 10],
        "{told:?}"
    );
    let until = jiff::Timestamp::now().as_second() + 1;
    let path = format!("/events?since={began}&until={until}&filters={filters}");
    let past = cluster.caller.get(&path).expect(200).body;
    let again = count(&mut past.lines().map(str::to_owned));
    assert_eq!(again, told);
    // Who wishes for one node sees them too, whichever manager told them first.
    for node in ["node0", "node1", "node2"] {
        let head = format!("GET {path} HTTP/1.0\r\nX-Flotilla-Constraint: node=={node}\r\n\r\n");
        let mut narrowed = TcpStream::connect(cluster.flotilla.addr()).unwrap();
        narrowed.write_all(head.as_bytes()).unwrap();
        let lines = BufReader::new(narrowed).lines().map_while(Result::ok);
        let seen = count(&mut lines.filter(|line| line.starts_with('{')));
        assert_eq!(seen, told, "{node}");
    }
}

#[test]
fn a_stack_brings_its_secrets_and_configs() {
    needs!("cli-28");
    let cluster = Cluster::joined();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("word"), "hush").unwrap();
    fs::write(path("stack.yaml"), STACK).unwrap();
    let deploy = "stack deploy --detach --resolve-image=never -c";
    let mut deploy: Vec<&str> = deploy.split(' ').collect();
    let file = path("stack.yaml");
    deploy.extend([file.as_str(), "pile"]);
    cluster.ok(&deploy);
    let logs = ["service", "logs", "--raw", "pile_one"];
    cluster.becomes(&logs, |told| told == "hushhush");
    for kind in ["secret", "config"] {
        let list = cluster.ok(&[kind, "ls", "--format", "{{.Name}}"]);
        assert_eq!(list, "pile_word");
    }
    cluster.ok(&["stack", "rm", "pile"]);
    for kind in ["secret", "config"] {
        assert_eq!(cluster.ok(&[kind, "ls", "-q"]), "");
    }
}

#[test]
fn managers_may_listen_on_another_port() {
    let cluster = Cluster::start();
    cluster.ok(&["swarm", "init", "--listen-addr", "0.0.0.0:2400"]);
    assert_eq!(cluster.nodes_of("node0").len(), 3);
    let format = "{{.ManagerStatus.Addr}}";
    let addr = cluster.ok(&["node", "inspect", "-f", format, "node1"]);
    assert!(addr.ends_with(":2400"), "{addr}");
}

#[test]
fn one_engine_that_cannot_join_keeps_no_other_from_it() {
    let cluster = Cluster::start();
    let first = cluster.lab.engine("node0");
    let init = ["swarm", "init", "--advertise-addr", first.ip()];
    output(first.docker().args(init)).unwrap();
    let token = ["swarm", "join-token", "-q", "manager"];
    let token = output(first.docker().args(token)).unwrap();
    // Someone else has the port there.
    let mut other = cluster.lab.engine("node1").on_machine("/bin/busybox");
    let mut other = other
        .args(["nc", "-l", "-p", "2377", "-e", "/bin/cat"])
        .spawn()
        .unwrap();
    let addr = format!("{}:2377", first.ip());
    eventually(AGREED, || match cluster.docker(&["node", "ls"]) {
        Ok(list) if list.contains("Leader") => Ok(()),
        told => Err(told),
    })
    .unwrap();
    let refused = cluster.docker(&["swarm", "join", "--token", &token, &addr]);
    let refused = refused.unwrap_err();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(refused.contains("these failed: node1: "), "{refused}");
    let info = cluster.lab.engine("node2").ask("/info").unwrap();
    assert_eq!(info["Swarm"]["LocalNodeState"], "active", "{info}");
}

/// Returns once the keys of an engine are encrypted on its disk, so that it is locked when it starts again.
fn until_sealed(cluster: &Cluster, name: &str) {
    let key = "data/swarm/certificates/swarm-node.key";
    let key = cluster.lab.engine(name).folder().join(key);
    eventually(AGREED, || match fs::read_to_string(&key) {
        Ok(text) if text.contains("ENCRYPTED") => Ok(()),
        other => Err(other),
    })
    .unwrap();
}

/// Unlocks through Flotilla with a key, as typed.
fn unlock(cluster: &Cluster, key: &str) -> Result<String, String> {
    let file = cluster.lab.folder().join("unlock-key");
    fs::write(&file, key).unwrap();
    let mut docker = cluster.flotilla.clients(&cluster.lab).docker();
    docker.stdin(fs::File::open(file).unwrap());
    let told = docker.args(["swarm", "unlock"]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match told.status.success() {
        true => Ok(text(&told.stdout)),
        false => Err(text(&told.stderr)),
    }
}

#[test]
fn managers_that_are_locked_are_unlocked() {
    let cluster = Cluster::joined();
    let is = |engine: &str, wanted: &str| {
        let state = || match &cluster.lab.engine(engine).ask("/info").unwrap()["Swarm"] {
            swarm if swarm["LocalNodeState"] == wanted => Ok(()),
            swarm => Err(swarm.to_string()),
        };
        eventually(AGREED, state).unwrap();
    };
    let told = cluster.ok(&["swarm", "update", "--autolock=true"]);
    let key = cluster.ok(&["swarm", "unlock-key", "-q"]).trim().to_owned();
    assert!(key.starts_with("SWMKEY-") && told.contains(&key), "{told}");
    let refused = unlock(&cluster, &key).unwrap_err();
    assert!(refused.contains("swarm is not locked"), "{refused}");
    let names = ["node0", "node1", "node2"];
    for name in names {
        until_sealed(&cluster, name);
    }
    let state = ["info", "--format", "{{.Swarm.LocalNodeState}}"];
    // One of three, while the others go on.
    cluster.lab.engine("node1").restart().unwrap();
    is("node1", "locked");
    cluster.becomes(&state, |told| told == "locked");
    unlock(&cluster, &key).unwrap();
    is("node1", "active");
    cluster.becomes(&state, |told| told == "active");
    cluster.becomes(&["node", "ls"], |list| !list.contains("Down"));
    // All of them: a wrong key opens none, and until then nothing is managed.
    for name in names {
        cluster.lab.engine(name).restart().unwrap();
    }
    names.iter().for_each(|name| is(name, "locked"));
    cluster.flotilla.wait_for_nodes(3);
    eventually(AGREED, || match cluster.docker(&["service", "ls"]) {
        Err(said) if said.contains("Swarm is encrypted and needs to be unlocked") => Ok(()),
        told => Err(told),
    })
    .unwrap();
    let wrong = format!("SWMKEY-1-{}", "A".repeat(43));
    let refused = unlock(&cluster, &wrong).unwrap_err();
    assert!(refused.contains("invalid key provided"), "{refused}");
    unlock(&cluster, &key).unwrap();
    names.iter().for_each(|name| is(name, "active"));
    cluster.becomes(&["service", "ls", "-q"], str::is_empty);
    cluster.ok(&["swarm", "update", "--autolock=false"]);
}
