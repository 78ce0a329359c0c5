//! Images, volumes and networks: on all nodes, or named with theirs.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::Classic;
use crate::support::clients::needs;
use crate::support::lab::{Spec, output};

const ALL: [&str; 3] = ["node0", "node1", "node2"];

#[test]
fn a_volume_is_made_on_all_nodes_listed_by_node_and_removed_from_all() {
    let classic = Classic::start(&Spec::mixed());
    let exists = |name: &str| classic.nodes_where(&["volume", "inspect", name]);
    assert_eq!(
        classic.docker(&["volume", "create", "data"]).unwrap(),
        "data"
    );
    assert_eq!(exists("data"), ALL);
    let list = || {
        let list = classic.docker(&["volume", "ls", "-q"]).unwrap();
        list.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list(), ALL.map(|node| format!("{node}/data")));
    // Once more is as good as once, and a plain name is found.
    classic.docker(&["volume", "create", "data"]).unwrap();
    classic.docker(&["volume", "inspect", "data"]).unwrap();
    // Containers with it go anywhere.
    for node in ALL {
        let wish = format!("constraint:node=={node}");
        let run = ["run", "--rm", "-v", "data:/data", "-e", &wish, "busybox"];
        classic
            .docker(&[&run[..], &["touch", "/data/x"]].concat())
            .unwrap();
    }
    classic.docker(&["volume", "rm", "node1/data"]).unwrap();
    assert_eq!(exists("data"), ["node0", "node2"]);
    classic.docker(&["volume", "rm", "data"]).unwrap();
    assert_eq!(exists("data"), [""; 0]);
    // Wishes and a node before the name say where; without a name all get the same.
    let wish = "com.docker.swarm.whitelists=[\"node==node0|node2\"]";
    classic
        .docker(&["volume", "create", "--label", wish, "some"])
        .unwrap();
    assert_eq!(exists("some"), ["node0", "node2"]);
    classic.docker(&["volume", "create", "node1/one"]).unwrap();
    assert_eq!(exists("one"), ["node1"]);
    let name = classic.docker(&["volume", "create"]).unwrap();
    assert_eq!((name.len(), exists(&name)), (64, ALL.to_vec()));
    // What fails on one node fails, and says where.
    classic
        .on("node2", &["create", "-v", "some:/data", "busybox"])
        .unwrap();
    let error = classic.docker(&["volume", "rm", "some"]).unwrap_err();
    assert!(
        error.contains("node2: ") && !error.contains("node0"),
        "{error}"
    );
    classic.check(&[("DELETE", "/volumes/data", "", 404, "No such volume data\n")]);
    let volumes = classic.lab.engine("node1").folder().join("data/volumes");
    std::fs::write(volumes.join("blocked"), "no folder").unwrap();
    let blocked = json!({"Name": "blocked"});
    let refused = classic.caller.post_json("/volumes/create", &blocked);
    let refused = refused.expect(500).body;
    assert!(
        refused.starts_with("node1: ") && refused.lines().count() == 1,
        "{refused}"
    );
}

#[test]
fn a_network_without_a_driver_is_an_overlay_and_local_ones_bear_their_node() {
    let classic = Classic::start(&Spec::mixed());
    let create = |body: &Value| classic.caller.post_json("/networks/create", body);
    // These engines are in no swarm-mode cluster, and classic had no other idea.
    let refused = create(&json!({"Name": "app"})).expect(500).body;
    assert!(
        refused.starts_with("Error response from daemon: "),
        "{refused}"
    );
    assert!(refused.contains("not a swarm manager"), "{refused}");
    create(&json!({"Name": "app", "Driver": "bridge"})).expect(201);
    let home = classic.nodes_where(&["network", "inspect", "app"]);
    assert_eq!(home.len(), 1);
    let list = classic
        .docker(&["network", "ls", "--format", "{{.Name}}"])
        .unwrap();
    let mut names: Vec<&str> = list.lines().collect();
    names.sort_unstable();
    let app = format!("{}/app", home[0]);
    let mut expected: Vec<String> = ALL
        .iter()
        .flat_map(|node| ["bridge", "host", "none"].map(|name| format!("{node}/{name}")))
        .chain([app.clone()])
        .collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    classic.docker(&["network", "inspect", &app]).unwrap();
    classic.docker(&["network", "inspect", "app"]).unwrap();
    classic
        .docker(&["network", "inspect", "node2/bridge"])
        .unwrap();
    classic.check(&[(
        "GET",
        "/networks/bridge",
        "",
        404,
        "No such network: bridge\n",
    )]);
    let run = ["run", "--rm", "--network", &app, "busybox", "true"];
    classic.docker(&run).unwrap();
    classic.docker(&["network", "rm", &app]).unwrap();
}

/// Posts to a path with arguments for curl and returns the stream.
fn post(classic: &Classic, path: &str, data: &[&str]) -> String {
    let url = format!("http://{}{path}", classic.flotilla.addr());
    let mut curl = Command::new("curl");
    output(
        curl.args([
            "-sSN",
            "-X",
            "POST",
            "-H",
            "Content-Type: application/x-tar",
        ])
        .args(data)
        .arg(url),
    )
    .unwrap()
}

#[test]
fn pulls_reach_all_nodes_with_rows_of_classic() {
    let classic = Classic::start(&Spec::mixed().registry());
    let image = format!("{}/pulled:1", classic.lab.registry().unwrap());
    let exists = |name: &str| classic.nodes_where(&["image", "inspect", name]);
    classic.docker(&["tag", "busybox", &image]).unwrap();
    classic.docker(&["push", &image]).unwrap();
    // What each node says of a removal is told.
    let removed = classic.docker(&["rmi", &image]).unwrap();
    let untagged = format!("Untagged: {image}");
    assert_eq!(removed.matches(&untagged).count(), 3, "{removed}");
    let (repository, tag) = image.rsplit_once(':').unwrap();
    let told = post(
        &classic,
        &format!("/images/create?fromImage={repository}&tag={tag}"),
        &[],
    );
    for node in ALL {
        let status = format!("\"status\":\"Pulling {image}...\"");
        let row = |line: &&str| line.contains(&format!("\"id\":\"{node}\""));
        let rows: Vec<&str> = told.lines().filter(row).collect();
        assert!(rows[0].contains(&status), "{told}");
        assert!(
            rows[1].contains(&format!("Pulling {image}... : ")),
            "{told}"
        );
        assert!(rows[rows.len() - 1].contains(&status), "{told}");
    }
    assert_eq!(exists(&image), ALL);
    classic.docker(&["pull", &image]).unwrap();
    let missing = post(
        &classic,
        &format!("/images/create?fromImage={repository}&tag=none"),
        &[],
    );
    let last = missing.trim_end().lines().last().unwrap();
    assert!(
        last.starts_with("{\"errorDetail\":{\"code\":1,"),
        "{missing}"
    );
    // It is that of one node, in its engine's words.
    let told: Value = serde_json::from_str(last).unwrap();
    let engine = |node: &str| {
        let error = classic.on(node, &["pull", &format!("{repository}:none")]);
        error.unwrap_err()
    };
    let words = told["error"].as_str().unwrap();
    assert!(
        ALL.iter().any(|node| engine(node).contains(words)),
        "{told}"
    );
    assert!(!ALL.iter().any(|node| words.contains(node)), "{told}");
}

#[test]
fn loads_and_imports_reach_all_nodes_and_removals_name_who_refuses() {
    let classic = Classic::start(&Spec::mixed());
    let exists = |name: &str| classic.nodes_where(&["image", "inspect", name]);
    let file = classic.lab.folder().join("image.tar");
    let file = file.to_str().unwrap();
    classic
        .on("node1", &["tag", "busybox", "loaded:1"])
        .unwrap();
    classic
        .on("node1", &["save", "-o", file, "loaded:1"])
        .unwrap();
    let told = post(
        &classic,
        "/images/load",
        &["--data-binary", &format!("@{file}")],
    );
    assert!(
        told.contains("Loading Image... : Loaded image: loaded:1"),
        "{told}"
    );
    assert_eq!(exists("loaded:1"), ALL);
    let container = classic.on("node1", &["create", "busybox"]).unwrap();
    classic
        .on("node1", &["export", "-o", file, &container])
        .unwrap();
    classic.docker(&["import", file, "imported:1"]).unwrap();
    assert_eq!(exists("imported:1"), ALL);
    let id = ["image", "inspect", "-f", "{{.Id}}", "imported:1"];
    let ids = ALL.map(|node| classic.on(node, &id).unwrap());
    assert_eq!(BTreeSet::from(ids).len(), 3, "each engine gives its own");
    // One node that refuses makes it a failure, which names it.
    let run = ["run", "-d", "imported:1", "sleep", "600"];
    let user = classic.on("node2", &run).unwrap();
    let error = classic.docker(&["rmi", "imported:1"]).unwrap_err();
    assert!(error.contains("node2: "), "{error}");
    classic.on("node2", &["rm", "-f", &user]).unwrap();
}

#[test]
fn the_classic_builder_names_its_node_in_each_line() {
    let classic = Classic::start(&Spec::mixed());
    let folder = tempfile::tempdir().unwrap();
    let build = |dockerfile: &str| {
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        let mut docker = classic.flotilla.clients(&classic.lab).docker_20();
        docker
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "-t", "built"]);
        docker.args(["--build-arg", "constraint:node==node2"]);
        output(docker.arg(folder.path()))
    };
    let told = build("FROM busybox\nRUN true\n").unwrap();
    assert!(told.contains("node2: Step 1/2 : FROM busybox"), "{told}");
    assert!(told.contains("node2: Successfully built "), "{told}");
    assert_eq!(
        classic.nodes_where(&["image", "inspect", "built"]),
        ["node2"]
    );
    let error = build("FROM busybox\nRUN false\n").unwrap_err().to_string();
    assert!(error.contains("Failed to build image: "), "{error}");
}

#[test]
fn a_compose_project_with_a_bridge_lives_and_leaves_no_volume_behind() {
    needs!("plugins");
    let classic = Classic::start(&Spec::mixed());
    let folder = classic.lab.folder().join("shop");
    std::fs::create_dir_all(&folder).unwrap();
    let project = "
services:
  db: {image: busybox, stop_signal: KILL, command: sleep 600, volumes: ['data:/data'], networks: [back]}
  web: {image: busybox, stop_signal: KILL, command: sleep 600, networks: [back, front]}
volumes: {data: {}}
networks: {back: {driver: bridge}, front: {driver: bridge}}
";
    std::fs::write(folder.join("compose.yaml"), project).unwrap();
    let compose = |args: &[&str]| {
        let mut compose = classic.flotilla.clients(&classic.lab).compose().unwrap();
        output(compose.arg("--project-directory").arg(&folder).args(args)).unwrap()
    };
    compose(&["up", "-d"]);
    let volume = ["volume", "inspect", "shop_data"];
    assert_eq!(classic.nodes_where(&volume), ALL);
    let found = compose(&["exec", "-T", "web", "ping", "-c", "1", "db"]);
    assert!(found.contains("1 packets received"), "{found}");
    // Once more changes nothing.
    let ids = compose(&["ps", "-q"]);
    compose(&["up", "-d"]);
    assert_eq!(compose(&["ps", "-q"]), ids);
    compose(&["down", "-v"]);
    assert_eq!(classic.nodes_where(&volume), [""; 0]);
    assert!(classic.caller.containers().is_empty());
}
