//! Bridge networks that their owners want on every node that needs them: one network for clients, a copy on each engine.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::compose::nothing_is_left;
use crate::support::caller::{Answer, Caller, at_once, on};
use crate::support::clients::{needs, patiently};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

const NODES: [&str; 3] = ["node0", "node1", "node2"];
const REPLICATE: &str = "com.docker.swarm.replicate=true";

/// A lab with Flotilla before it.
struct Cluster {
    lab: Lab,
    flotilla: Flotilla,
}

impl Cluster {
    fn start(flags: &[&str]) -> Self {
        let lab = Lab::start(&Spec::mixed()).unwrap();
        let flotilla = Flotilla::with(&lab, flags);
        Self { lab, flotilla }
    }

    fn caller(&self) -> Caller {
        Caller::new(self.flotilla.addr())
    }

    fn try_docker(&self, args: &[&str]) -> Result<String, String> {
        let mut docker = self.flotilla.clients(&self.lab).docker();
        let said = output(docker.args(args));
        said.map(|s| s.trim().to_owned()).map_err(|e| e.to_string())
    }

    #[track_caller]
    fn docker(&self, args: &[&str]) -> String {
        self.try_docker(args).unwrap()
    }

    /// Starts a container on a node and on a network.
    fn run(&self, node: &str, network: &str, name: &str) {
        let wish = format!("constraint:node=={node}");
        let args = [
            "run",
            "-d",
            "--stop-signal",
            "KILL",
            "-e",
            &wish,
            "--name",
            name,
        ];
        self.docker(
            &[
                &args[..],
                &["--network", network, "busybox", "sleep", "600"],
            ]
            .concat(),
        );
    }

    /// Returns what an engine itself says of its networks of this name.
    fn own(&self, node: &str, name: &str) -> Vec<Value> {
        let all = self.lab.engine(node).ask("/networks").unwrap();
        let all = all.as_array().cloned().unwrap_or_default().into_iter();
        all.filter(|network| network["Name"] == name).collect()
    }

    /// Returns the nodes whose engines have a network of this name.
    fn holders(&self, name: &str) -> Vec<&'static str> {
        let nodes = NODES.into_iter();
        nodes
            .filter(|node| !self.own(node, name).is_empty())
            .collect()
    }

    /// Checks that lists, inspects and filters show one network with this ID and these users.
    #[track_caller]
    fn shows_one(&self, id: &str, users: &[&str]) {
        let list = ["network", "ls", "-q", "--no-trunc", "--filter"];
        for filter in [
            "name=^app$",
            &format!("id={id}"),
            "label=com.docker.swarm.replicate",
        ] {
            assert_eq!(
                self.docker(&[&list[..], &[filter]].concat()),
                id,
                "{filter}"
            );
        }
        let told = self.caller().get("/networks/app").expect(200).json();
        assert_eq!(told["Id"], id);
        assert_eq!(
            told["Labels"],
            json!({"com.docker.swarm.replicate": "true"})
        );
        let mut on_it: Vec<&str> = told["Containers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, end)| end["Name"].as_str().unwrap())
            .collect();
        on_it.sort_unstable();
        assert_eq!(on_it, users);
        let mut listed = Vec::new();
        for container in self.caller().containers() {
            if container["NetworkSettings"]["Networks"]["app"].is_object() {
                assert_eq!(
                    container["NetworkSettings"]["Networks"]["app"]["NetworkID"],
                    id
                );
                let name = container["Names"][0].as_str().unwrap();
                listed.push(name.trim_start_matches('/').to_owned());
            }
        }
        listed.sort_unstable();
        assert_eq!(listed, users);
        for user in users {
            let told = self
                .caller()
                .get(&format!("/containers/{user}/json"))
                .expect(200);
            let networks = &told.json()["NetworkSettings"]["Networks"];
            assert_eq!(networks["app"]["NetworkID"], id, "{user}");
        }
        for by in ["app", id, &id[..12]] {
            let filter = format!("network={by}");
            let found = self.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
            let mut found: Vec<_> = found.lines().collect();
            found.sort_unstable();
            assert_eq!(found, users, "{by}");
        }
    }
}

fn made(answer: Answer) -> String {
    answer.expect(201).id()
}

#[test]
fn a_replicated_network_is_one_for_clients_and_on_each_node_that_needs_it() {
    let mut cluster = Cluster::start(&[]);
    let make = [
        "network",
        "create",
        "--label",
        REPLICATE,
        "--subnet",
        "10.77.0.0/24",
    ];
    let id = cluster.docker(
        &[
            &make[..],
            &["--opt", "com.docker.network.driver.mtu=1400", "app"],
        ]
        .concat(),
    );
    assert_eq!(cluster.holders("app").len(), 1);
    cluster.run("node0", "app", "web0");
    cluster.run("node1", &id, "web1");
    cluster.run("node2", "app", "web2");
    cluster.run("node2", &id[..12], "near2");
    cluster.shows_one(&id, &["near2", "web0", "web1", "web2"]);
    let first = cluster.own("node0", "app")[0].clone();
    for node in NODES {
        let own = cluster.own(node, "app");
        assert_eq!(own.len(), 1, "{own:?}");
        for same in ["Driver", "Options", "Internal", "Attachable", "EnableIPv6"] {
            assert_eq!(own[0][same], first[same], "{node}: {same}");
        }
        assert_eq!(own[0]["IPAM"]["Config"][0]["Subnet"], "10.77.0.0/24");
    }
    // Names are found on a node, and nothing goes from one to another.
    let ping = patiently("ping -c1 -W1 near2");
    cluster.docker(&["exec", "web2", "sh", "-c", &ping]);
    cluster
        .try_docker(&["exec", "web0", "ping", "-c1", "-W1", "near2"])
        .unwrap_err();
    for name in ["app", &id] {
        let error = cluster.try_docker(&["network", "rm", name]).unwrap_err();
        assert!(error.contains("has active endpoints"), "{error}");
    }
    assert_eq!(cluster.holders("app"), NODES);
    // Flotilla keeps nothing of this to itself.
    let flotilla = Flotilla::before(&cluster.lab);
    drop(std::mem::replace(&mut cluster.flotilla, flotilla));
    cluster.shows_one(&id, &["near2", "web0", "web1", "web2"]);
    cluster.docker(&["network", "disconnect", &id, "near2"]);
    cluster.shows_one(&id, &["web0", "web1", "web2"]);
    prunes_what_no_node_uses(&cluster, &id);
}

/// Takes one container after the other off a network of all nodes, and prunes.
fn prunes_what_no_node_uses(cluster: &Cluster, id: &str) {
    cluster.docker(&["rm", "-f", "web0", "web1", "near2"]);
    let pruned = |args: &[&str]| cluster.docker(&[&["network", "prune", "-f"][..], args].concat());
    assert_eq!(pruned(&[]), "");
    assert_eq!(pruned(&["--filter", "label!=x"]), "");
    assert_eq!(cluster.holders("app"), NODES, "one of them uses it");
    cluster.shows_one(id, &["web2"]);
    cluster.docker(&["rm", "-f", "web2"]);
    let spared = ["--filter", "label!=com.docker.swarm.replicate"];
    assert_eq!(pruned(&spared), "");
    assert_eq!(pruned(&["--filter", "until=1h"]), "");
    assert_eq!(cluster.holders("app"), NODES);
    cluster.docker(&["network", "create", "plain"]);
    let from = ["--config-only", "--subnet", "10.79.0.0/24", "from"];
    cluster.docker(&[&["network", "create"][..], &from].concat());
    let gone = pruned(&["--filter", "label!=com.docker.swarm.replicate"]);
    assert!(gone.contains("plain") && !gone.contains("from"), "{gone}");
    cluster.docker(&["network", "rm", "from"]);
    cluster.docker(&["network", "create", "idle"]);
    let gone = pruned(&[]);
    assert!(gone.contains("app") && gone.contains("idle"), "{gone}");
    nothing_is_left(&cluster.lab);
}

#[test]
fn a_network_is_made_once_on_a_node_and_where_a_container_is_connected() {
    let cluster = Cluster::start(&[]);
    let caller = cluster.caller();
    let labels = json!({"com.docker.swarm.replicate": "true"});
    let body =
        json!({"Name": "app", "Labels": labels, "IPAM": {"Config": [{"Subnet": "10.78.0.0/24"}]}});
    let id = made(caller.post_json("/networks/create", &body));
    let [home] = cluster.holders("app")[..] else {
        panic!("it is on one node at first");
    };
    let away: Vec<_> = NODES.into_iter().filter(|node| *node != home).collect();
    let ids = at_once(8, |number| {
        let mut body = on(away[0]);
        body["HostConfig"] = json!({"NetworkMode": "app"});
        made(cluster.caller().create(&format!("racer{number}"), &body))
    });
    assert_eq!(cluster.own(away[0], "app").len(), 1);
    for racer in &ids {
        caller
            .post(&format!("/containers/{racer}/start"))
            .expect(204);
    }
    let names: Vec<_> = (0..8).map(|n| format!("racer{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    cluster.shows_one(&id, &names);
    for racer in &ids {
        caller
            .delete(&format!("/containers/{racer}?force=1"))
            .expect(204);
    }
    // Not there yet, and made for one that joins.
    caller.run_on(away[1], "joins");
    let by_id = json!({"Container": "joins"});
    caller
        .post_json(&format!("/networks/{id}/connect"), &by_id)
        .expect(200);
    cluster.shows_one(&id, &["joins"]);
    caller.delete("/networks/app").expect(403);
    caller
        .post_json("/networks/app/disconnect", &by_id)
        .expect(200);
    cluster.shows_one(&id, &[]);
    caller
        .delete(&format!("/networks/{}", &id[..12]))
        .expect(204);
    assert!(cluster.holders("app").is_empty());
    told_of_one(&cluster, &id, 9);
}

/// Checks that events tell of one network, which was made and removed once and joined so often.
fn told_of_one(cluster: &Cluster, id: &str, joined: usize) {
    let listed = |format: &str| {
        let events = [
            "events",
            "--since",
            "1h",
            "--until",
            "0s",
            "--filter",
            "type=network",
        ];
        cluster.docker(&[&events[..], &["--format", format]].concat())
    };
    let told = || {
        let told = listed("{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}");
        let told: Vec<_> = told.lines().filter(|line| line.ends_with(" app")).collect();
        let count = |action: &str| told.iter().filter(|line| line.starts_with(action)).count();
        let counts = (count("create "), count("destroy "), count("connect "));
        match counts == (1, 1, joined) && told.iter().all(|line| line.contains(id)) {
            true => Ok(()),
            false => Err(format!("{told:?}")),
        }
    };
    // An end in the past is by the clock of the client.
    eventually(Duration::from_secs(20), told).unwrap();
}

#[test]
fn what_cannot_be_replicated_is_refused_and_a_node_without_room_is_passed_over() {
    let cluster = Cluster::start(&["--replicate-networks"]);
    let caller = cluster.caller();
    let labels = json!({"com.docker.swarm.replicate": "true"});
    let other = json!({"Name": "wide", "Driver": "macvlan", "Labels": labels});
    let refused = caller.post_json("/networks/create", &other).expect(400);
    assert!(
        refused.message().contains("only a bridge network"),
        "{}",
        refused.message()
    );
    // By the flag alone, unless the owner says no.
    let no = json!({"Name": "alone", "Labels": {"com.docker.swarm.replicate": "false"}});
    caller.post_json("/networks/create", &no).expect(201);
    let taken = json!({"Name": "node1/taken", "IPAM": {"Config": [{"Subnet": "10.79.0.0/16"}]}});
    caller.post_json("/networks/create", &taken).expect(201);
    let body = json!({"Name": "node0/app", "IPAM": {"Config": [{"Subnet": "10.79.1.0/24"}]}});
    caller.post_json("/networks/create", &body).expect(201);
    let on_node = |node: &str, network: &str| {
        let mut body = on(node);
        body["HostConfig"] = json!({"NetworkMode": network});
        caller.create("", &body)
    };
    on_node("node2", "app").expect(201);
    assert_eq!(cluster.holders("app"), ["node0", "node2"]);
    let refused = on_node("node1", "app");
    assert!(
        refused.status >= 400 && refused.message().contains("overlaps"),
        "{refused:?}"
    );
    // Without a wish another node takes it.
    for _ in 0..4 {
        let mut body = json!({"HostConfig": {"NetworkMode": "app"}});
        body["Image"] = "busybox".into();
        caller.create("", &body).expect(201);
    }
    let home = cluster.holders("alone");
    let away = NODES.into_iter().find(|node| !home.contains(node)).unwrap();
    let refused = on_node(away, "alone").expect(409);
    assert!(
        refused.message().contains("network alone is on"),
        "{}",
        refused.message()
    );
}

#[test]
fn a_compose_project_scales_over_the_nodes_on_a_replicated_network() {
    needs!("plugins");
    let cluster = Cluster::start(&[]);
    let folder = cluster.lab.folder().join("wide");
    fs::create_dir_all(&folder).unwrap();
    let project = "
services:
  web:
    image: busybox
    stop_signal: KILL
    command: sleep 600
networks:
  default:
    labels: {com.docker.swarm.replicate: 'true'}
    ipam: {config: [{subnet: 10.80.0.0/24}]}
";
    fs::write(folder.join("compose.yaml"), project).unwrap();
    let compose = |args: &[&str]| {
        let mut command: Command = cluster.flotilla.clients(&cluster.lab).compose().unwrap();
        output(command.arg("--project-directory").arg(&folder).args(args)).unwrap()
    };
    compose(&["up", "-d", "--scale", "web=3"]);
    assert_eq!(cluster.holders("wide_default"), NODES);
    let ids = compose(&["ps", "-q"]);
    let mut nodes: Vec<_> = ids
        .lines()
        .map(|id| cluster.docker(&["inspect", "-f", "{{.Node.Name}}", id]))
        .collect();
    nodes.sort_unstable();
    assert_eq!(nodes, NODES);
    // Nothing has changed, so nothing is made again.
    compose(&["up", "-d", "--scale", "web=3"]);
    assert_eq!(compose(&["ps", "-q"]).lines().count(), 3);
    for id in ids.lines() {
        assert!(compose(&["ps", "-q"]).contains(id), "{id} was made again");
    }
    compose(&["down"]);
    nothing_is_left(&cluster.lab);
}
