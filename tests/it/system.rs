//! What clients ask of the system as a whole before three engines: its version, a search, its build caches.

use std::process::Command;

use serde_json::json;

use crate::builds::{context, run};
use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::hub;
use crate::support::lab::{Lab, Release, Spec, output};
use crate::support::relay::Relay;

#[test]
fn the_version_has_a_component_for_each_node() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let version = Caller::new(flotilla.addr())
        .get("/version")
        .expect(200)
        .json();
    let components = version["Components"].as_array().unwrap();
    assert_eq!(components[0]["Name"], "Engine");
    assert_eq!(components[0]["Version"], version["Version"]);
    assert_eq!(components.len(), 1 + lab.engines().len());
    for (engine, component) in lab.engines().iter().zip(&components[1..]) {
        assert_eq!(component["Name"], engine.name());
        assert_eq!(component["Version"], engine.version());
        let (told, details) = (engine.ask("/version").unwrap(), &component["Details"]);
        for key in [
            "ApiVersion",
            "MinAPIVersion",
            "GitCommit",
            "Arch",
            "Os",
            "KernelVersion",
        ] {
            assert_eq!(details[key], told[key], "{key} of {}", engine.name());
        }
        assert_eq!(details["Address"], engine.address());
        assert_eq!(details["Status"], "Healthy");
    }
    // Both releases of the CLI print each of them.
    let clients = flotilla.clients(&lab);
    for mut docker in [clients.docker(), clients.docker_20()] {
        let said = output(docker.arg("version")).unwrap();
        for engine in lab.engines() {
            let mut lines = said.lines().map(str::trim);
            let name = format!("{}:", engine.name());
            lines
                .find(|l| *l == name)
                .unwrap_or_else(|| panic!("no {name} in {said}"));
            let line = lines.next().unwrap_or_default();
            assert!(
                line.starts_with("Version:") && line.ends_with(engine.version()),
                "{said}"
            );
        }
    }
}

#[test]
fn a_search_finds_what_one_engine_finds() {
    let spec = Spec::mixed().args("--insecure-registry=172.31.0.0/16");
    let lab = Lab::start(&spec).unwrap();
    let flotilla = Flotilla::before(&lab);
    let term = format!("{}/anything", hub::index(&lab));
    let search = |mut docker: Command| {
        let format = "{{.Name}} {{.StarCount}} {{.Description}}";
        output(docker.args(["search", "--format", format, &term])).unwrap()
    };
    let clients = flotilla.clients(&lab);
    assert_eq!(search(clients.docker()), "lab/found 7 of the lab");
    assert_eq!(
        search(clients.docker_20()),
        search(lab.engine("node1").docker())
    );
    // The first engine that is asked cannot be: another one is.
    lab.engine("node0").kill().unwrap();
    assert_eq!(search(clients.docker_20()), "lab/found 7 of the lab");
}

#[test]
fn build_caches_are_pruned_on_all_nodes() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let clients = flotilla.clients(&lab);
    for engine in lab.engines() {
        let constraint = format!("constraint:node=={}", engine.name());
        let script = format!(
            "FROM busybox\nRUN head -c 1000000 /dev/zero > /{}\n",
            engine.name()
        );
        let built = context(&script, "");
        let mut build = clients.docker_20();
        build
            .env("DOCKER_BUILDKIT", "1")
            .args(["build", "--build-arg", &constraint]);
        run(build.arg(built.path()));
    }
    let caches = || -> Vec<usize> {
        let engines = lab.engines().iter();
        let caches = engines.map(|e| e.ask("/system/df").unwrap()["BuildCache"].clone());
        caches.map(|c| c.as_array().map_or(0, Vec::len)).collect()
    };
    let before = caches();
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    let pruned = Caller::new(flotilla.addr())
        .post("/build/prune?all=1")
        .expect(200)
        .json();
    let deleted = pruned["CachesDeleted"].as_array().map_or(0, Vec::len);
    assert_eq!(deleted, before.iter().sum::<usize>(), "{pruned}");
    let reclaimed = pruned["SpaceReclaimed"].as_u64();
    assert!(
        reclaimed.is_some_and(|bytes| bytes >= 3_000_000),
        "{pruned}"
    );
    assert_eq!(caches(), [0, 0, 0]);
    let again = output(clients.docker_20().args(["builder", "prune", "-af"])).unwrap();
    assert!(
        again.contains("Total reclaimed space: 0B") || again.contains("Total:\t0B"),
        "{again}"
    );
}

#[test]
fn a_registry_that_no_engine_reaches_is_asked_for_three_times() {
    let lab = Lab::start(&Spec::of(&[Release::V28; 4])).unwrap();
    let relays: Vec<_> = lab
        .engines()
        .iter()
        .map(|e| Relay::before(&e.address()))
        .collect();
    let all: Vec<_> = relays.iter().map(Relay::addr).collect();
    let flotilla = Flotilla::start(lab.folder(), &[], &all.join(","));
    flotilla.wait_for_nodes(4);
    let login = json!({"username": "a", "password": "b", "serveraddress": "127.0.0.1:1"});
    let said = Caller::new(flotilla.addr()).post_json("/auth", &login);
    let message = said.expect(500).message();
    assert!(message.contains("127.0.0.1:1"), "{message}");
    let asked: usize = relays.iter().map(|r| r.count("POST /auth")).sum();
    assert_eq!(asked, 3);
}
