//! The header by which clients choose the node of whatever they ask for.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::build_header::wishing;
use crate::builds::{holders, start};
use crate::support::clients::needs;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, output};

const NODES: [&str; 3] = ["node0", "node1", "node2"];

/// A docker CLI whose user wishes for nodes.
struct User<'l> {
    lab: &'l Lab,
    flotilla: &'l Flotilla,
    config: TempDir,
    old: bool,
}

impl<'l> User<'l> {
    fn new(lab: &'l Lab, flotilla: &'l Flotilla, wish: &str, old: bool) -> Self {
        let config = wishing(lab, wish);
        Self {
            lab,
            flotilla,
            config,
            old,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let clients = self.flotilla.clients(self.lab);
        let mut docker = match self.old {
            true => clients.docker_20(),
            false => clients.docker(),
        };
        docker.env("DOCKER_CONFIG", self.config.path()).args(args);
        docker
    }

    fn docker(&self, args: &[&str]) -> Result<String, String> {
        let said = output(&mut self.command(args));
        said.map(|s| s.trim().to_owned()).map_err(|e| e.to_string())
    }

    #[track_caller]
    fn refused(&self, args: &[&str], reason: &str) {
        let error = self.docker(args).unwrap_err();
        assert!(error.contains(reason), "{args:?}: {error}");
    }
}

/// Makes one object of each kind where the header says.
fn make(lab: &Lab, user: &User<'_>, node: &str) {
    let named = |kind: &str| format!("{kind}-{node}");
    let run = [
        "run",
        "-d",
        "--name",
        &named("web"),
        "--stop-signal",
        "KILL",
    ];
    user.docker(&[&run[..], &["busybox", "sleep", "600"]].concat())
        .unwrap();
    let engine = |args: &[&str]| output(lab.engine(node).docker().args(args));
    engine(&["inspect", &named("web")]).unwrap();
    user.docker(&["network", "create", &named("net")]).unwrap();
    engine(&["network", "inspect", &named("net")]).unwrap();
    user.docker(&["volume", "create", &named("vol")]).unwrap();
    engine(&["volume", "inspect", &named("vol")]).unwrap();
    user.docker(&["tag", "busybox", &named("tagged")]).unwrap();
    assert_eq!(holders(lab, &named("tagged")), [node]);
    let archive = lab.folder().join(named("archive"));
    fs::write(&archive, "").unwrap();
    let archive = archive.to_str().unwrap();
    user.docker(&["commit", &named("web"), &named("made")])
        .unwrap();
    user.docker(&["save", "-o", archive, &named("made")])
        .unwrap();
    user.docker(&["rmi", &named("made")]).unwrap();
    user.docker(&["load", "-i", archive]).unwrap();
    assert_eq!(holders(lab, &named("made")), [node]);
}

/// Tries what another node has.
fn refuse(user: &User<'_>, other: &str) {
    let named = |kind: &str| format!("{kind}-{other}");
    let web = &*named("web");
    user.refused(&["stop", web], "No such container");
    user.refused(&["exec", web, "true"], "No such container");
    user.refused(&["rm", web], "No such container");
    let no_network = match user.old {
        true => "No such network",
        false => "not found",
    };
    user.refused(&["network", "inspect", &named("net")], no_network);
    user.refused(&["network", "rm", &named("net")], no_network);
    user.refused(&["volume", "inspect", &named("vol")], "o such volume");
    let tagged = named("tagged");
    user.refused(&["image", "inspect", &tagged], "No such image");
    user.refused(&["rmi", &tagged], "No such image");
    // Names are of all nodes whatever one sees.
    let create = ["create", "--name", web, "busybox"];
    user.refused(&create, "is already in use by container");
    let create = ["network", "create", &named("net")];
    user.refused(&create, "already exists");
    let there = format!("it is to be on {other}, which is not what");
    user.refused(&["volume", "create", &named("vol")], &there);
    let qualified = format!("{other}/new");
    user.refused(&["network", "create", &qualified], &there);
    user.refused(&["volume", "create", &qualified], &there);
}

#[test]
fn a_client_sees_and_changes_the_nodes_that_it_wishes_for() {
    needs!("plugins");
    let (lab, flotilla) = start();
    let users = NODES.map(|node| {
        let old = node == "node2";
        User::new(&lab, &flotilla, &format!("node=={node}"), old)
    });
    for (user, node) in users.iter().zip(NODES) {
        make(&lab, user, node);
    }
    for (user, node) in users.iter().zip(NODES) {
        for other in NODES.into_iter().filter(|other| *other != node) {
            refuse(user, other);
        }
        let own = |list: &[&str], kind: &str| {
            let shown = user.docker(list).unwrap();
            let shown: Vec<_> = shown
                .lines()
                .filter(|line| NODES.iter().any(|node| line.ends_with(node)))
                .collect();
            assert_eq!(shown, [format!("{kind}-{node}")], "{list:?}");
        };
        own(&["ps", "-a", "--format", "{{.Names}}"], "web");
        own(&["network", "ls", "--format", "{{.Name}}"], "net");
        own(&["volume", "ls", "--format", "{{.Name}}"], "vol");
        let images = ["images", "--filter", "reference=tagged-*"];
        own(
            &[&images[..], &["--format", "{{.Repository}}"]].concat(),
            "tagged",
        );
        let events = ["events", "--since", "1h", "--until", "0s", "--filter"];
        let created = ["event=create", "--filter", "type=volume", "--format"];
        own(
            &[&events[..], &created[..], &["{{.Actor.ID}}"]].concat(),
            "vol",
        );
    }
    // A prune is of the node alone.
    for node in ["node0", "node1"] {
        lab.engine(node)
            .docker()
            .args(["kill", &format!("web-{node}")])
            .status()
            .unwrap();
    }
    users[0].docker(&["container", "prune", "-f"]).unwrap();
    users[0].refused(&["inspect", "web-node0"], "o such object");
    users[1].docker(&["inspect", "web-node1"]).unwrap();
}

#[test]
fn a_wish_that_no_node_meets_is_refused_with_their_names() {
    needs!("plugins");
    let (lab, flotilla) = start();
    for (wish, reason) in [
        (
            "node==moon",
            "X-Flotilla-Constraint: no node meets node==moon (nodes: node0, node1, node2)",
        ),
        (
            "zone",
            "X-Flotilla-Constraint: constraint: invalid expression \"zone\" at position 5",
        ),
    ] {
        let user = User::new(&lab, &flotilla, wish, false);
        for args in [
            &["ps"][..],
            &["images"],
            &["network", "ls"],
            &["network", "create", "net"],
            &["volume", "create", "vol"],
            &["rm", "web"],
            &["image", "prune", "-f"],
            &["tag", "busybox", "other"],
            &["events", "--until", "0s"],
        ] {
            user.refused(args, reason);
        }
        // Nobody's node is asked for.
        user.docker(&["version"]).unwrap();
        user.docker(&["info"]).unwrap();
        user.docker(&["node", "ls"]).unwrap();
    }
    let user = User::new(&lab, &flotilla, "node==moon", false);
    let reason = "no node can take this container (3 looked at): 3 fail constraint node==moon";
    user.refused(&["create", "busybox"], reason);
    // What is only preferred hides nothing.
    let user = User::new(&lab, &flotilla, "node==~node2", false);
    let made = user
        .docker(&["create", "--name", "web", "busybox"])
        .unwrap();
    output(lab.engine("node2").docker().args(["inspect", &made])).unwrap();
    user.docker(&[
        "create",
        "-e",
        "constraint:node==node1",
        "--name",
        "other",
        "busybox",
    ])
    .unwrap();
    user.docker(&["inspect", "other"]).unwrap();
}
