//! `docker inspect`, with and without a type.

use serde_json::Value;

use super::{BOTH, Cli, Stage};

#[test]
fn inspect_of_a_container_names_its_node_and_differs_in_nothing_else() {
    let stage = Stage::set("inspnode");
    for node in ["node0", "node1"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &[]);
        for cli in BOTH {
            let seen = |mut docker: std::process::Command| -> Value {
                let out = docker
                    .args(["container", "inspect", &name])
                    .output()
                    .unwrap();
                serde_json::from_slice(&out.stdout).unwrap()
            };
            let mut ours = seen(stage.docker(cli));
            let theirs = seen(stage.straight(cli, node));
            let entry = ours[0].as_object_mut().unwrap();
            let of = entry.remove("Node").unwrap();
            assert_eq!(of["Name"], node);
            assert_eq!(of["Addr"], stage.lab.engine(node).address());
            let labels = entry["Config"]["Labels"].as_object_mut().unwrap();
            assert_eq!(
                labels.remove("com.docker.swarm.node.name"),
                Some(node.into())
            );
            assert_eq!(ours, theirs);
        }
    }
}

#[test]
fn inspect_without_a_type_finds_each_kind() {
    let stage = Stage::set("inspkind");
    let (network, volume) = (stage.name("network"), stage.name("volume"));
    let container = stage.name("container");
    stage.sleeper("node2", &container, &[]);
    stage.ok(&["network", "create", &network]);
    stage.ok(&["volume", "create", &volume]);
    for (name, format, want) in [
        (container.as_str(), "{{.Name}}", format!("/{container}")),
        (
            "busybox",
            "{{index .RepoTags 0}}",
            "busybox:latest".to_owned(),
        ),
        (&network, "{{.Driver}}", "bridge".to_owned()),
        (&volume, "{{.Driver}}", "local".to_owned()),
    ] {
        assert_eq!(stage.ok(&["inspect", "-f", format, name]), want);
    }
    for cli in BOTH {
        let none = stage.same(cli, "node1", &["inspect", "nosuchthing"]);
        assert_eq!((none.code, none.out.as_str()), (Some(1), "[]\n"));
        for kind in ["container", "image", "network", "volume"] {
            let none = stage.same(cli, "node1", &["inspect", "--type", kind, "nosuchthing"]);
            assert_eq!(none.code, Some(1), "{kind}");
        }
    }
}

#[test]
fn names_with_a_node_and_prefixes_of_ids_are_understood() {
    let stage = Stage::set("inspname");
    let name = stage.name("c");
    let id = stage.sleeper("node1", &name, &[]);
    for reference in [&name, &format!("node1/{name}"), &id[..20].to_owned(), &id] {
        let seen = stage.ran(&["inspect", "-f", "{{.Id}}", reference]);
        assert_eq!(
            (seen.code, seen.out.trim()),
            (Some(0), id.as_str()),
            "{reference}"
        );
    }
    let elsewhere = format!("node2/{name}");
    let seen = stage.ran(&["container", "inspect", &elsewhere]);
    assert_eq!(seen.code, Some(1));
    let top = stage.same(Cli::V28, "node1", &["top", &id[..12], "-o", "pid,args"]);
    assert_eq!(top.code, Some(0));
}
