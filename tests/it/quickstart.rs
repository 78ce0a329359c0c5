//! `examples/quickstart.sh`, the first command of the README, beside whatever else runs here.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use crate::support::lab::{eventually, output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.sh");

/// The script with a folder and a port of its own; dropping it takes down what runs.
struct Quickstart {
    folder: tempfile::TempDir,
    port: u16,
}

impl Quickstart {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: free.local_addr().unwrap().port(),
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn run(&self, args: &[&str]) -> Command {
        let mut script = Command::new(SCRIPT);
        script
            .args(args)
            .env("FLOTILLA_QUICKSTART_STATE", self.state())
            .env("FLOTILLA_QUICKSTART_PORT", self.port.to_string())
            .env("FLOTILLA_BIN", env!("CARGO_BIN_EXE_flotilla"))
            .stdin(Stdio::null());
        script
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let down = output(&mut self.run(&["--down"]));
        // A failure of the test itself is what is to be seen.
        assert!(thread::panicking() || down.is_ok(), "{down:?}");
    }
}

#[test]
fn the_quickstart_runs_containers_on_three_nodes_and_goes_away() {
    let quickstart = Quickstart::new();
    let told = output(&mut quickstart.run(&[])).unwrap();
    let placed = told.lines().filter_map(|l| l.split_once("  on node"));
    let (names, nodes): (Vec<_>, BTreeSet<_>) = placed.map(|(n, on)| (n, &on[..1])).unzip();
    assert_eq!(
        names,
        [6, 5, 4, 3, 2, 1].map(|n| format!("web-{n}")),
        "{told}"
    );
    assert_eq!(nodes, BTreeSet::from(["0", "1", "2"]), "{told}");
    let host = format!("tcp://127.0.0.1:{}", quickstart.port);
    assert!(
        told.contains(&format!("export DOCKER_HOST={host}\n")),
        "{told}"
    );

    let read = |name: &str| fs::read_to_string(quickstart.state().join(name)).unwrap();
    let process = PathBuf::from(format!("/proc/{}", read("flotilla.pid").trim()));
    let lab = PathBuf::from(format!("/tmp/flotilla-lab-{}", read("lab").trim()));
    assert!(process.exists() && lab.exists(), "{told}");
    output(&mut quickstart.run(&["--down"])).unwrap();
    let state = quickstart.state();
    let is_there = |path: &&Path| path.exists();
    eventually(Duration::from_secs(30), || {
        let left: Vec<_> = [&*process, &*lab, &*state]
            .into_iter()
            .filter(is_there)
            .collect();
        match left.is_empty() {
            true => Ok(()),
            false => Err(format!("{left:?}")),
        }
    })
    .unwrap();
}
