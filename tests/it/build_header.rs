//! The header by which clients choose the node of their builds, also of those that buildx sends through a tunnel.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use crate::builds::{context, holders, run, start, start_beyond, there};
use crate::support::clients::{Clients, needs};
use crate::support::http::Wire;
use crate::support::lab::Lab;

/// Makes a folder of settings with which clients send the header, with the lab's plugins.
pub(crate) fn wishing(lab: &Lab, wish: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"HttpHeaders": {"X-Flotilla-Constraint": wish}});
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let plugins = lab.docker_config().join("cli-plugins");
    symlink(plugins, folder.path().join("cli-plugins")).unwrap();
    folder
}

#[test]
fn clients_with_different_wishes_build_at_once_each_where_it_wishes() {
    needs!("plugins");
    let (lab, _flotilla, host) = start_beyond();
    let (lab, host) = (&lab, &host);
    let clients = || Clients::new(host.clone(), lab);
    thread::scope(|scope| {
        for (engine, node) in lab.engines().iter().zip(["node1", "node2", "node0"]) {
            scope.spawn(move || {
                let config = wishing(lab, &format!("node=={node}"));
                for (way, docker, kit) in [
                    ("classic28", clients().docker(), "0"),
                    ("classic20", clients().docker_20(), "0"),
                    ("kit20", clients().docker_20(), "1"),
                    ("buildx", clients().docker(), "1"),
                ] {
                    let image = format!("{way}-{node}");
                    let script = "FROM busybox\nCOPY word /word\nRUN sleep 1\n";
                    let built = context(script, &image);
                    let mut build = there(engine, &docker);
                    build.env("DOCKER_CONFIG", config.path());
                    build.env("DOCKER_BUILDKIT", kit);
                    run(build.args(["build", "-t", &image]).arg(built.path()));
                    assert_eq!(holders(lab, &image), [node], "{image}");
                }
            });
        }
    });
}

#[test]
fn a_client_may_wish_anew_for_each_build() {
    needs!("plugins");
    let (lab, flotilla) = start();
    let built = context("FROM busybox\nCOPY word /word\n", "word");
    let build = |wish: &str, image: &str| {
        let mut docker = flotilla.clients(&lab).docker();
        docker.env("DOCKER_CUSTOM_HEADERS", wish);
        docker.args(["build", "-t", image]).arg(built.path());
        docker
    };
    let mut docker = flotilla.clients(&lab).docker();
    run(docker.args(["build", "-t", "home"]).arg(built.path()));
    let at_home = holders(&lab, "home");
    for (number, (wish, node)) in [
        ("X-Flotilla-Constraint=zone==b", "node1"),
        // A line of CSV, as the CLI reads it.
        (
            "X-Other=1,\"X-Flotilla-Constraint=zone!=b, storage==ssd,node!=node0\"",
            "node2",
        ),
        ("X-Flotilla-Constraint=node==/^node[03]$/", "node0"),
        ("X-Flotilla-Constraint=zone==b", "node1"),
    ]
    .into_iter()
    .enumerate()
    {
        let image = format!("wished-{number}");
        run(&mut build(wish, &image));
        assert_eq!(holders(&lab, &image), [node], "{wish}");
    }
    // Who wishes nothing any more goes where it went before it did.
    let mut docker = flotilla.clients(&lab).docker();
    run(docker.args(["build", "-t", "home-again"]).arg(built.path()));
    assert_eq!(holders(&lab, "home-again"), at_home);
    for (wish, status, reason) in [
        (
            "zone==moon",
            409,
            "no node can take this container (3 looked at): 3 fail constraint zone==moon",
        ),
        (
            "zone",
            400,
            "X-Flotilla-Constraint: constraint: invalid expression \"zone\" at position 5",
        ),
    ] {
        let mut build = build(&format!("X-Flotilla-Constraint={wish}"), "none");
        let said = build.output().unwrap();
        assert!(!said.status.success(), "{said:?}");
        let header = format!("X-Flotilla-Constraint: {wish}");
        let session = "X-Docker-Expose-Session-Uuid: s";
        let tunnel = ["Connection: Upgrade", "Upgrade: h2c", session, &header];
        for path in ["/grpc", "/session", "/build?remote=none"] {
            let mut wire = Wire::connect(flotilla.addr());
            wire.request("POST", &format!("/v1.41{path}"), &tunnel, b"");
            let answer = wire.answer("POST");
            assert_eq!(answer.status(), status, "{path}: {}", answer.text());
            assert!(answer.message().starts_with(reason), "{}", answer.text());
        }
    }
}
