//! docker-py's own tests: what passes on one engine passes through Flotilla before three.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;

use crate::support::flotilla::Flotilla;
use crate::support::lab::{Cache, Lab, Release, Spec, output, skip};

/// The parts that need no image of a registry that the lab cannot reach.
const FILES: &[&str] = &[
    "api_container_test",
    "api_exec_test",
    "api_network_test",
    "api_volume_test",
    "models_networks_test",
    "models_volumes_test",
];
/// Tests that need a driver which is not there.
const LEFT_OUT: &str = "not plugin and not volume_driver";
/// What is by nature of one host, with the reason.
const BY_NATURE: &[(&str, &str)] = &[
    (
        "test_create_container_with_volumes_from",
        "the two containers whose volumes it takes are on two nodes",
    ),
    (
        "test_create_with_links",
        "the two containers that it links are on two nodes",
    ),
];

/// Runs the tests against an endpoint and returns the names of all and of those that failed.
fn run(cache: &Cache, host: &str) -> (usize, BTreeSet<String>) {
    let folder = cache.suite().unwrap();
    let mut pytest = Command::new(folder.join("bin/python"));
    pytest
        .args(["-B", "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider"])
        .args(["--timeout", "60", "-k", LEFT_OUT, "--durations", "12"])
        .args(FILES.iter().map(|f| format!("tests/integration/{f}.py")))
        .current_dir(folder.join("source"))
        .env("DOCKER_TEST_API_VERSION", "1.41")
        .env("DOCKER_HOST", host);
    let said = pytest.output().unwrap();
    let complaints = String::from_utf8_lossy(&said.stderr);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    println!("{said}{complaints}");
    let name = |line: &str| {
        let rest = line
            .strip_prefix("FAILED ")
            .or_else(|| line.strip_prefix("ERROR "))?;
        Some(rest.split(' ').next()?.to_owned())
    };
    let summary = said.lines().last().unwrap_or_default();
    let passed = summary.split(", ").find_map(|part| {
        let number = part.trim().strip_suffix(" passed")?;
        number.rsplit(' ').next()?.parse().ok()
    });
    (passed.unwrap_or(0), said.lines().filter_map(name).collect())
}

/// Gives the image that the tests ask for, under its names.
fn tag(docker: impl Fn() -> Command) {
    for name in ["alpine:3.10", "alpine:latest"] {
        output(docker().args(["tag", "busybox", name])).unwrap();
    }
}

#[test]
fn what_docker_pys_own_tests_find_on_one_engine_they_find_here() {
    let cache = Cache::locate();
    if cache.suite().is_none() {
        skip("docker-py's tests are not installed here");
        return;
    }
    let one = Lab::start(&Spec::of(&[Release::V28])).unwrap();
    let three = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&three);
    let engine = &one.engines()[0];
    tag(|| engine.docker());
    tag(|| flotilla.clients(&three).docker_20());
    let host = format!("tcp://{}", engine.address());
    let (straight, through) = thread::scope(|scope| {
        let straight = scope.spawn(|| run(&cache, &host));
        let through = run(&cache, &flotilla.docker_host());
        (straight.join().unwrap(), through)
    });
    assert!(straight.0 > 100, "{straight:?}");
    let explained = |name: &&String| !BY_NATURE.iter().any(|(known, _)| name.contains(known));
    let new: Vec<_> = through
        .1
        .difference(&straight.1)
        .filter(explained)
        .collect();
    assert!(new.is_empty(), "fail through Flotilla alone: {new:#?}");
}
