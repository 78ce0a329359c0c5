//! Clients' own tests, docker-py's here: what passes on one engine passes through Flotilla before three.
//!
//! The lab's registry stands for Docker Hub, so that tests that pull run too.

mod bollard;
mod parts;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::thread;

use parts::{ALL, FILES_LEFT_OUT, Part};

use crate::support::flotilla::Flotilla;
use crate::support::hub;
use crate::support::lab::{Cache, Lab, Release, Spec, skip};

/// The engines before which most parts run.
const MIXED: [Release; 3] = [Release::V20, Release::V28, Release::V28];

#[test]
fn docker_pys_tests_of_calls_pass_here_as_on_one_engine() {
    compare(&parts::CALLS, &MIXED);
}

#[test]
fn docker_pys_tests_of_objects_pass_here_as_on_one_engine() {
    compare(&parts::OBJECTS, &MIXED);
}

#[test]
fn docker_pys_tests_of_images_pass_here_as_on_one_engine() {
    compare(&parts::IMAGES, &MIXED);
}

#[test]
fn docker_pys_tests_of_swarm_mode_pass_here_as_on_one_engine() {
    // No 28 can join a manager of 20.10 whose swarm is locked.
    compare(&parts::SWARM, &[Release::V28; 3]);
}

#[test]
fn each_of_docker_pys_tests_runs_or_is_left_out_with_a_reason() {
    let page = flotilla::api::differences();
    for (test, words) in ALL.iter().flat_map(|part| part.by_nature) {
        assert!(page.contains(words), "{test}: no {words:?} in the page");
    }
    let Some(cache) = installed() else {
        return;
    };
    let folder = cache.suite().unwrap().join("source/tests/integration");
    let names = fs::read_dir(&folder).unwrap().flatten();
    let names = names.map(|e| e.file_name().into_string().unwrap());
    let mut there: Vec<String> = names
        .filter_map(|n| Some(n.strip_suffix(".py")?.to_owned()))
        .filter(|n| n.ends_with("_test"))
        .collect();
    let known = ALL.iter().flat_map(|part| part.files.iter().copied());
    let mut known: Vec<&str> = known.chain(FILES_LEFT_OUT.iter().map(|f| f.0)).collect();
    there.sort();
    known.sort_unstable();
    assert_eq!(there, known);
    for (test, reason) in ALL.iter().flat_map(|part| part.left_out) {
        let (file, name) = (test.split("::").next(), test.split("::").last());
        let text = fs::read_to_string(folder.join(format!("{}.py", file.unwrap()))).unwrap();
        let line = format!("def {}(", name.unwrap());
        assert!(text.contains(&line), "{test}, which {reason}, is no test");
    }
}

/// Returns where docker-py's tests are, if they are.
fn installed() -> Option<Cache> {
    let cache = Cache::locate();
    if cache.suite().is_none() {
        skip("docker-py's tests are not installed here");
        return None;
    }
    Some(cache)
}

/// Runs a part on one engine and before three, and panics when a test passes there and not here.
fn compare(part: &Part, releases: &[Release; 3]) {
    let Some(cache) = installed() else {
        return;
    };
    let three = lab(releases);
    compare_before(
        &three,
        part.by_nature,
        part.least,
        |lab, host, which| match which {
            None => run(&cache, part, lab, host),
            Some(tests) => run_tests(&cache, tests, lab, host),
        },
    );
}

/// Starts engines with all that tests of clients want.
fn lab(releases: &[Release]) -> Lab {
    // Some tests want what engines have as experiments.
    let lab = Lab::start(&Spec::of(releases).hub().args("--experimental")).unwrap();
    hub::fill(&lab);
    lab
}

/// Runs tests on an engine of 28 and before three, and panics when one passes there and not here; `run` runs all, or
/// those named, against an endpoint and returns the names of those that passed.
fn compare_before(
    three: &Lab,
    by_nature: &[(&str, &str)],
    least: usize,
    run: impl Fn(&Lab, &str, Option<&BTreeSet<String>>) -> BTreeSet<String> + Sync,
) {
    let one = lab(&[Release::V28]);
    let flotilla = Flotilla::before(three);
    let host = format!("tcp://{}", one.engines()[0].address());
    let (straight, through) = thread::scope(|scope| {
        let straight = scope.spawn(|| run(&one, &host, None));
        let through = run(three, &flotilla.docker_host(), None);
        (straight.join().unwrap(), through)
    });
    let count = straight.len();
    assert!(count >= least, "{count} passed on one engine");
    let is = |test: &str, name: &str| test.ends_with(&format!("::{name}"));
    for (name, _) in by_nature {
        assert!(
            straight.iter().any(|test| is(test, name)),
            "{name} does not pass on one engine either"
        );
    }
    let explained = |test: &&String| by_nature.iter().any(|(name, _)| is(test, name));
    let lost = straight.difference(&through);
    let mut lost: BTreeSet<_> = lost.filter(|test| !explained(test)).cloned().collect();
    if !lost.is_empty() {
        // Two suites at once are more than a slow machine may have time for: what is broken fails alone too.
        let alone = run(three, &flotilla.docker_host(), Some(&lost));
        lost.retain(|test| !alone.contains(test));
    }
    assert!(lost.is_empty(), "pass on one engine alone: {lost:#?}");
}

/// Runs a part against an endpoint and returns the names of the tests that passed.
fn run(cache: &Cache, part: &Part, lab: &Lab, host: &str) -> BTreeSet<String> {
    let files = part.files.iter();
    let files = files.map(|f| format!("tests/integration/{f}.py"));
    let left_out = part.left_out.iter().flat_map(|(test, _)| {
        let (file, rest) = test.split_once("::").unwrap();
        let test = format!("tests/integration/{file}.py::{rest}");
        ["--deselect".to_owned(), test]
    });
    run_tests(cache, files.chain(left_out), lab, host)
}

/// Runs some tests against an endpoint and returns the names of those that passed.
fn run_tests(
    cache: &Cache,
    which: impl IntoIterator<Item = impl AsRef<OsStr>>,
    lab: &Lab,
    host: &str,
) -> BTreeSet<String> {
    let folder = cache.suite().unwrap();
    let mut pytest = Command::new(folder.join("bin/python"));
    pytest
        .args([
            "-B",
            "-m",
            "pytest",
            "-q",
            "-rpfEsxX",
            "-p",
            "no:cacheprovider",
        ])
        .args(["--timeout", "90", "--durations", "12"])
        .args(which)
        .current_dir(folder.join("source"))
        .env("DOCKER_TEST_API_VERSION", "1.41")
        .env("DOCKER_CONFIG", lab.docker_config())
        .env("DOCKER_HOST", host);
    let said = pytest.output().unwrap();
    let complaints = String::from_utf8_lossy(&said.stderr);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    println!("{host}\n{said}{complaints}");
    let passed = said.lines().filter_map(|l| l.strip_prefix("PASSED "));
    passed.map(str::to_owned).collect()
}
