//! What builds leave: printed IDs, exit codes, containers, and an image that is there at once.

use std::fs;
use std::process::Command;

use regex::Regex;
use serde_json::{Value, json};

use crate::builds::{context, holders, run, start, ways};
use crate::support::caller::{Caller, encoded};
use crate::support::clients::{Clients, needs};
use crate::support::flotilla::Flotilla;
use crate::support::http::call_with;
use crate::support::lab::{Lab, output};

/// How often buildx builds: it takes a second or so each time.
const BUILDX_ROUNDS: usize = 30;

#[test]
fn a_quiet_build_prints_the_image_and_nothing_else() {
    let (lab, flotilla) = start();
    let built = context("FROM busybox\nRUN echo said\nCOPY word /word\n", "quiet");
    let file = built.path().join("id");
    for (way, build) in ways(&lab, &flotilla) {
        let mut build = build();
        build.args(["-q", "-t", way, "--iidfile"]).arg(&file);
        let printed = output(build.arg(built.path())).unwrap();
        let node = &holders(&lab, way)[0];
        let id = output(
            lab.engine(node)
                .docker()
                .args(["images", "-q", "--no-trunc", way]),
        )
        .unwrap();
        assert_eq!(printed.trim(), id.trim(), "{way}");
        let written = fs::read_to_string(&file).unwrap();
        assert_eq!(written.trim(), id.trim(), "{way}");
    }
    for engine in lab.engines() {
        let left = output(engine.docker().args(["ps", "-aq"])).unwrap();
        assert_eq!(left, "", "a build left a container on {}", engine.name());
    }
}

/// Returns the archive of a context with this Dockerfile.
fn archive(dockerfile: &str) -> Vec<u8> {
    let built = context(dockerfile, "");
    let mut tar = Command::new("tar");
    let tar = tar.arg("-C").arg(built.path()).args(["-c", "."]).output();
    tar.unwrap().stdout
}

#[test]
fn a_build_that_says_nothing_of_its_containers_leaves_those_that_one_engine_leaves() {
    let (lab, flotilla) = start();
    let good = archive("FROM busybox\nRUN true\n");
    let bad = archive("FROM busybox\nRUN true\nRUN false\n");
    let hex = Regex::new("[0-9a-f]{12,64}").unwrap();
    for node in ["node0", "node1"] {
        let engine = lab.engine(node);
        let left = |addr: &str, query: &str, context: &[u8]| {
            let kind = ["Content-Type: application/x-tar"];
            let path = format!("/v1.41/build?nocache=1&{query}");
            let answer = call_with(addr, "POST", &path, &kind, context);
            let text = hex.replace_all(&answer.text(), "ID").into_owned();
            let left = output(engine.docker().args(["ps", "-aq"])).unwrap();
            for id in left.lines() {
                output(engine.docker().args(["rm", id])).unwrap();
            }
            (answer.status(), left.lines().count(), text)
        };
        // `rm` is the default of all that engines still speak, `forcerm` is none.
        for (query, context, expected) in [
            ("t=bare", &good, 0),
            ("t=bare&rm=0", &good, 1),
            ("t=bare", &bad, 1),
            ("t=bare&forcerm=1", &bad, 0),
        ] {
            let straight = left(&engine.address(), query, context);
            assert_eq!(straight.1, expected, "{node}: {query}: {}", straight.2);
            let there = encoded(&json!({"constraint:node": format!("={node}")}));
            let there = format!("{query}&buildargs={there}");
            assert_eq!(left(flotilla.addr(), &there, context), straight, "{query}");
        }
    }
}

#[test]
fn new_clients_end_failing_builds_as_on_one_engine() {
    let (lab, flotilla) = start();
    needs!("plugins");
    let clients = flotilla.clients(&lab);
    let straight = Clients::new(format!("tcp://{}", lab.engine("node1").address()), &lab);
    let built = context("FROM busybox\nRUN exit 7\n", "");
    let compose = "services: {web: {build: .}}";
    fs::write(built.path().join("compose.yaml"), compose).unwrap();
    let ways: [fn(&Clients<'_>) -> Command; 3] = [
        |clients| {
            let mut docker = clients.docker_28().unwrap();
            docker.env("DOCKER_BUILDKIT", "0").args(["build", "."]);
            docker
        },
        |clients| {
            let mut docker = clients.docker_28().unwrap();
            docker.args(["build", "."]);
            docker
        },
        |clients| {
            let mut compose = clients.compose().unwrap();
            compose.arg("build");
            compose
        },
    ];
    for way in ways {
        let ended = |clients: &Clients<'_>| {
            let ran = way(clients).current_dir(built.path()).output().unwrap();
            let text = String::from_utf8_lossy(&ran.stderr).into_owned();
            (
                ran.status.code(),
                text.contains("exit 7") || text.contains("code: 7"),
            )
        };
        let ours = ended(&clients);
        assert_eq!(ours, ended(&straight));
        assert!(ours.0 != Some(0) && ours.1, "{ours:?}");
    }
}

#[test]
fn what_buildx_has_built_is_seen_and_run_at_once() {
    let (lab, all) = start();
    needs!("plugins");
    built_is_seen(&lab, &all);
    // 20.10 tells no event of it.
    let old = Flotilla::start(lab.folder(), &[], &lab.engine("node0").address());
    old.wait_for_nodes(1);
    built_is_seen(&lab, &old);
}

fn contains(list: &Value, item: &Value) -> bool {
    list.as_array().is_some_and(|list| list.contains(item))
}

/// Builds again and again, and looks for what was built at once.
fn built_is_seen(lab: &Lab, flotilla: &Flotilla) {
    let buildx = |image: &str, word: &str| {
        let built = context("FROM busybox\nCOPY word /word\n", word);
        let mut buildx = flotilla.clients(lab).buildx().unwrap();
        run(buildx.args(["build", "-q", "-t", image]).arg(built.path()));
    };
    let caller = Caller::new(flotilla.addr());
    for number in 0..BUILDX_ROUNDS {
        // New names and one that moves.
        let (image, word) = match number % 2 {
            0 => (format!("soon-{number}"), number.to_string()),
            _ => ("soon".to_owned(), number.to_string()),
        };
        buildx(&image, &word);
        let list = caller.get("/images/json").expect(200).json();
        let mut list = list.as_array().unwrap().iter();
        let tag = json!(format!("{image}:latest"));
        let inspect = caller.get(&format!("/images/{image}/json")).expect(200);
        // Nodes may have older ones of the name, made in the same second.
        let is_new = |i: &Value| i["Id"] == inspect.id() && contains(&i["RepoTags"], &tag);
        assert!(list.any(is_new), "{image}: {word}");
        let id = caller.create("", &json!({"Image": image})).expect(201).id();
        let mut docker = flotilla.clients(lab).docker_20();
        let copied = output(docker.args(["cp", &format!("{id}:/word"), "-"])).unwrap();
        assert!(copied.contains(&format!("\0{word}\0")), "{image}: {word}");
    }
}

#[test]
fn a_build_that_names_a_network_is_where_the_network_is() {
    let (lab, flotilla) = start();
    let docker = |args: &[&str]| output(flotilla.clients(&lab).docker_20().args(args)).unwrap();
    for node in ["node0", "node1", "node2"] {
        let network = format!("net-{node}");
        docker(&["network", "create", &format!("{node}/{network}")]);
        let peer = format!("peer-{node}");
        let run = ["run", "-d", "--stop-signal", "KILL", "--network", &network];
        let sleep = ["--name", &peer, "busybox", "sleep", "600"];
        docker(&[&run[..], &sleep[..]].concat());
        let script = format!("FROM busybox\nRUN ping -c 1 {peer}\n");
        let built = context(&script, "");
        // By its name, with its node before it, and through a container that is on it.
        let container = format!("container:{peer}");
        let qualified = format!("{node}/{network}");
        for (number, mode) in [&network, &qualified, &container].into_iter().enumerate() {
            let image = format!("{network}-{number}");
            let mut build = flotilla.clients(&lab).docker_20();
            build
                .env("DOCKER_BUILDKIT", "0")
                .args(["build", "--no-cache"]);
            build.args(["--network", mode, "-t", &image]);
            output(build.arg(built.path())).unwrap();
            assert_eq!(holders(&lab, &image), [node], "{mode}");
        }
    }
}
