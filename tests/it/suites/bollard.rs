//! bollard's own tests, one program for each of their files.
//!
//! Those of BuildKit are not built: their files name a registry at the engine's own loopback address.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{MIXED, compare_before, lab};
use crate::support::lab::{Cache, Lab, output, skip};

/// Some files of the suite that run together.
struct Part {
    /// The files of `tests`, without their ends.
    files: &'static [&'static str],
    /// Tests, by name, that cannot tell anything in the lab, each with the reason.
    left_out: &'static [(&'static str, &'static str)],
    /// Tests, by name, of what is by nature of one host, each with the words of `docs/differences.md` that say so.
    by_nature: &'static [(&'static str, &'static str)],
    /// How many tests pass on one engine at least.
    least: usize,
}

/// What needs no swarm.
const PLAIN: Part = Part {
    files: &[
        "container_test",
        "distribution",
        "exec_test",
        "image_test",
        "network_test",
        "plugin_test",
        "race_test",
        "system_test",
        "version_test",
        "volume_test",
    ],
    left_out: &[
        ("integration_test_search_images", "asks Docker Hub"),
        ("test_version_unix", "asks an engine at a path of its own"),
        ("test_downversioning", "asks an engine at a path of its own"),
    ],
    by_nature: &[(
        "integration_test_connect_network",
        "Containers on a bridge network that is not replicated",
    )],
    least: 55,
};

/// What a swarm does.
const SWARM: Part = Part {
    files: &[
        "config_test",
        "node_test",
        "secret_test",
        "service_test",
        "task_test",
    ],
    left_out: &[],
    by_nature: &[
        (
            "integration_test_inspect_node",
            "`docker swarm init` makes one cluster of all nodes",
        ),
        (
            "integration_test_list_nodes",
            "`docker swarm init` makes one cluster of all nodes",
        ),
        (
            "integration_test_update_node",
            "`docker swarm init` makes one cluster of all nodes",
        ),
    ],
    least: 16,
};

/// Files that are left out, each with the reason.
const FILES_LEFT_OUT: &[(&str, &str)] = &[
    ("export_test", "has tests of a builder in a container alone"),
    ("podman_test", "is about another engine"),
    ("swarm_test", "makes a swarm at an address of its own"),
];

/// Runs a program of the folder with files of its own in `/tmp`, where the tests have fixed names for theirs; one that
/// waits for ever is ended.
const ALONE: &str = r#"mount -t tmpfs none /tmp && exec timeout --kill-after=5 240 "./$@""#;

#[test]
fn bollards_tests_pass_here_as_on_one_engine() {
    compare(&PLAIN, false);
}

#[test]
fn bollards_tests_of_swarm_mode_pass_here_as_on_one_engine() {
    compare(&SWARM, true);
}

#[test]
fn each_of_bollards_tests_runs_or_is_left_out_with_a_reason() {
    let page = flotilla::api::differences();
    for (test, words) in PLAIN.by_nature.iter().chain(SWARM.by_nature) {
        assert!(page.contains(words), "{test}: no {words:?} in the page");
    }
    let Some(folder) = installed() else {
        return;
    };
    let names = fs::read_dir(folder.join("bin")).unwrap().flatten();
    let mut there: Vec<String> = names
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    let known = PLAIN.files.iter().chain(SWARM.files).copied();
    let mut known: Vec<&str> = known.chain(FILES_LEFT_OUT.iter().map(|f| f.0)).collect();
    there.sort();
    known.sort_unstable();
    assert_eq!(there, known);
}

/// Returns where bollard's tests are, if they are.
fn installed() -> Option<PathBuf> {
    let folder = Cache::locate().bollard();
    if folder.is_none() {
        skip("bollard's tests are not installed here");
    }
    folder
}

/// Runs a part on one engine and before three, and panics when a test passes there and not here.
fn compare(part: &Part, swarm: bool) {
    let Some(folder) = installed() else {
        return;
    };
    let three = lab(&MIXED);
    compare_before(&three, part.by_nature, part.least, |lab, host, which| {
        if which.is_some() {
            clean(lab, host);
        } else {
            fill(lab);
            if swarm {
                let mut docker = lab.engines()[0].docker();
                output(docker.args(["-H", host, "swarm", "init"])).unwrap();
            }
        }
        run(&folder, part, lab, host, which)
    });
}

/// Fills the lab's registry with the images that the tests name.
fn fill(lab: &Lab) {
    let engine = &lab.engines()[0];
    let docker = |args: &[&str]| output(engine.docker().args(args)).unwrap();
    let registry = lab.registry().unwrap();
    let push = |image: &str| {
        docker(&["push", &format!("{registry}/{image}")]);
        docker(&["rmi", &format!("{registry}/{image}")]);
    };
    docker(&["tag", "busybox", &format!("{registry}/alpine")]);
    push("alpine:latest");
    // The programs of these images print what the tests look for.
    let hello = "printf \"#!/bin/sh\\necho; echo Hello from Docker!\\n\" >/hello; chmod +x /hello";
    let server = "mkdir -p /etc/config /www; printf \"\\nconfig uhttpd main\\n\" >/etc/config/uhttpd; \
        printf '#!/bin/sh\\nexec httpd \"$@\"\\n' >/usr/sbin/run_uhttpd; chmod +x /usr/sbin/run_uhttpd";
    for (image, making) in [
        ("hello-world:linux", hello),
        ("fussybeaver/uhttpd:latest", server),
    ] {
        docker(&["run", "--name", "made", "busybox", "sh", "-c", making]);
        docker(&["commit", "made", &format!("{registry}/{image}")]);
        docker(&["rm", "made"]);
        push(image);
    }
}

/// Removes what tests that failed have left, since they use the same names again.
fn clean(lab: &Lab, host: &str) {
    let docker = |args: &[&str]| {
        let mut docker = lab.engines()[0].docker();
        // Without a swarm there are no services to be listed.
        output(docker.args(["-H", host]).args(args)).unwrap_or_default()
    };
    for (list, remove) in [
        (&["ps", "-aq"][..], &["rm", "-f"][..]),
        (&["service", "ls", "-q"], &["service", "rm"]),
        (&["secret", "ls", "-q"], &["secret", "rm"]),
        (&["config", "ls", "-q"], &["config", "rm"]),
        (&["network", "ls", "-qf", "type=custom"], &["network", "rm"]),
        (&["volume", "ls", "-q"], &["volume", "rm"]),
    ] {
        let there = docker(list);
        for id in there.split_whitespace() {
            docker(&[remove, &[id]].concat());
        }
    }
}

/// Runs a part, or the named tests of it, against an endpoint and returns the names of the tests that passed.
fn run(
    folder: &Path,
    part: &Part,
    lab: &Lab,
    host: &str,
    which: Option<&BTreeSet<String>>,
) -> BTreeSet<String> {
    let mut passed = BTreeSet::new();
    for file in part.files {
        let mut tests = Command::new("unshare");
        tests
            .args(["-m", "sh", "-c", ALONE, "sh", file])
            .args(["--test-threads=1", "--exact"])
            .current_dir(folder.join("bin"))
            .env_remove("RUST_BACKTRACE")
            .env("REGISTRY_HTTP_ADDR", lab.registry().unwrap())
            .env("DOCKER_HOST", host);
        let prefix = format!("{file}::");
        let named: Vec<&str> = which
            .into_iter()
            .flatten()
            .filter_map(|test| test.strip_prefix(&prefix))
            .collect();
        if which.is_some() && named.is_empty() {
            continue;
        }
        tests.args(named);
        let skipped = part.left_out.iter().map(|(test, _)| test);
        // What fails by nature leaves things behind that others stumble over.
        let many = lab.engines().len() > 1;
        let by_nature = part.by_nature.iter().filter(|_| many);
        for test in skipped.chain(by_nature.map(|(test, _)| test)) {
            tests.args(["--skip", test]);
        }
        let said = tests.output().unwrap();
        let complaints = String::from_utf8_lossy(&said.stderr);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        println!("{host} {file}\n{said}{complaints}");
        let tests = said.lines().filter_map(|line| {
            let name = line.strip_prefix("test ")?.strip_suffix(" ... ok")?;
            Some(format!("{prefix}{name}"))
        });
        passed.extend(tests);
    }
    passed
}
