//! Flotilla as users start it: sockets, strategies, filters, environment variables, several doors.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::caller::{Caller, names_on};
use crate::support::clients::Clients;
use crate::support::flotilla::{Flotilla, PATIENT};
use crate::support::lab::{Lab, Release, Spec, eventually, output};

/// How long anything here may take to show.
const SOON: Duration = Duration::from_secs(60);

/// Returns how many containers each engine holds.
fn counts(lab: &Lab) -> Vec<usize> {
    lab.engines().iter().map(|e| names_on(e).len()).collect()
}

/// Starts with flags before the mixed lab.
fn started(args: &[&str]) -> (Lab, Flotilla, Caller) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::start(lab.folder(), args, &lab.addresses());
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    (lab, flotilla, caller)
}

/// Returns a row of `docker info`.
fn row(caller: &Caller, name: &str) -> String {
    let info = caller.get("/info").expect(200).json();
    let rows = info["SystemStatus"].as_array().unwrap().clone();
    let row = rows.into_iter().find(|r| r[0] == name);
    row.unwrap()[1].as_str().unwrap().to_owned()
}

#[test]
fn engines_on_this_machine_are_reached_by_their_sockets() {
    let lab = Lab::start(&Spec::of(&[Release::V20, Release::V28])).unwrap();
    let sockets = lab
        .engines()
        .iter()
        .map(|e| format!("unix://{}", e.socket().display()));
    let list = sockets.collect::<Vec<_>>().join(",");
    let flotilla = Flotilla::start(lab.folder(), &[], &format!("nodes://{list}"));
    flotilla.wait_for_nodes(2);
    let docker = |args: &[&str]| output(flotilla.clients(&lab).docker().args(args)).unwrap();
    for node in ["node0", "node1"] {
        let wish = format!("constraint:node=={node}");
        let run = ["run", "--rm", "-e", &wish, "busybox", "hostname", "-i"];
        assert!(!docker(&run).is_empty());
        let run = [
            "run",
            "-d",
            "--stop-signal",
            "KILL",
            "--name",
            node,
            "-e",
            &wish,
        ];
        docker(&[&run[..], &["busybox", "sleep", "600"]].concat());
        assert_eq!(docker(&["exec", node, "echo", "in"]), "in");
        assert_eq!(names_on(lab.engine(node)), [node]);
    }
    let shown = docker(&["info"]);
    for engine in lab.engines() {
        let socket = format!("unix://{}", engine.socket().display());
        assert!(shown.contains(&socket), "{shown}");
    }
}

#[test]
fn binpack_fills_one_node_first() {
    let (lab, flotilla, caller) = started(&[&["--strategy", "binpack"][..], &PATIENT].concat());
    assert_eq!(row(&caller, "Strategy"), "binpack");
    let small = json!({"HostConfig": {"Memory": 64 << 20}});
    for _ in 0..6 {
        caller.create("", &small).expect(201);
    }
    let mut counts = counts(&lab);
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 6], "{}", flotilla.system_status());
}

#[test]
fn random_uses_all_nodes() {
    let (lab, _flotilla, caller) = started(&["--strategy", "random"]);
    assert_eq!(row(&caller, "Strategy"), "random");
    for _ in 0..40 {
        caller.create("", &json!({})).expect(201);
    }
    let counts = counts(&lab);
    assert_eq!(counts.iter().sum::<usize>(), 40);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn only_the_filters_that_are_named_run_and_in_that_order() {
    let (lab, _flotilla, caller) = started(&["-f", "port", "-f", "health", "-f", "constraint"]);
    assert_eq!(row(&caller, "Filters"), "port, health, constraint");
    // Nobody looks at affinities.
    let wish = json!({"Env": ["affinity:container==nobody", "constraint:node==node2"]});
    caller.create("anywhere", &wish).expect(201);
    assert_eq!(names_on(lab.engine("node2")), ["anywhere"]);
    let port = json!({
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "18090"}]}},
        "Env": ["constraint:node==node1"],
    });
    caller.create("first", &port).expect(201);
    // node1 is refused by the port before its constraint is looked at.
    let refused = caller.create("second", &port).expect(409).message();
    assert!(
        refused.contains("2 fail constraint node==node1"),
        "{refused}"
    );
    assert!(refused.contains("18090"), "{refused}");
}

/// A `flotilla manage` with an environment of its own.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(lab: &Lab, args: &[&str], env: &[(&str, &str)]) -> Self {
        let log = lab.folder().join("as-started.log");
        let file = File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_flotilla"))
            .arg("manage")
            .args(args)
            .env_remove("RUST_LOG")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until `docker info` at this address shows so many healthy nodes.
    fn serves(&self, lab: &Lab, host: &str, nodes: usize) {
        eventually(SOON, || {
            let info = output(Clients::new(host, lab).docker().arg("info"));
            let info = info.map_err(|e| format!("{e}: {}", self.log()))?;
            match info.matches("Status: Healthy").count() {
                count if count == nodes => Ok(()),
                _ => Err(info),
            }
        })
        .unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_environment_says_what_flags_do_not() {
    let lab = Lab::start(&Spec::of(&[Release::V20, Release::V28])).unwrap();
    let all = format!("nodes://{}", lab.addresses());
    let socket = |name: &str| format!("unix://{}", lab.folder().join(name).display());
    let (ours, other) = (socket("env.sock"), socket("flag.sock"));
    let env = [
        ("SWARM_HOST", ours.as_str()),
        ("SWARM_DISCOVERY", &all),
        // Of no use without --replication, and no reason to fail, as in classic.
        ("SWARM_ADVERTISE", "no address"),
        ("DEBUG", "true"),
    ];
    let running = Running::start(&lab, &[], &env);
    running.serves(&lab, &ours, 2);
    assert!(running.log().contains("DEBUG"), "{}", running.log());
    drop(running);

    // Flags win; without DEBUG nothing is said of each request.
    let first = lab.engines()[0].address();
    let running = Running::start(&lab, &["--host", &other, &first], &env[..3]);
    running.serves(&lab, &other, 1);
    let log = running.log();
    assert!(!log.contains("DEBUG") && !log.contains("env.sock"), "{log}");
    drop(running);

    let mut running = Running::start(&lab, &["--replication"], &env);
    let ended = eventually(SOON, || running.child.try_wait().ok().flatten().ok_or(()));
    assert_eq!(ended.unwrap().code(), Some(1));
    let said = running.log();
    assert!(
        said.contains("--advertise should be of the form ip:port"),
        "{said}"
    );
}

#[test]
fn list_prints_the_engines_one_a_line() {
    let list = |discovery: &str| {
        let mut flotilla = Command::new(env!("CARGO_BIN_EXE_flotilla"));
        let ended = flotilla.args(["list", discovery]).output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
        String::from_utf8(ended.stdout).unwrap()
    };
    assert_eq!(
        list("nodes://10.0.0.[1:3]:2375"),
        "10.0.0.1:2375\n10.0.0.2:2375\n10.0.0.3:2375\n"
    );
    assert_eq!(list("nodes://b.example:2376,a:1"), "a:1\nb.example:2376\n");
    assert_eq!(
        list("h:1,unix:///run/docker.sock"),
        "h:1\nunix:///run/docker.sock\n"
    );
}

#[test]
fn two_tcp_doors_and_a_socket_lead_to_one_cluster() {
    let lab = Lab::start(&Spec::of(&[Release::V28])).unwrap();
    let socket = format!("unix://{}", lab.folder().join("door.sock").display());
    let args = ["--host", "tcp://127.0.0.2:0", "--host", &socket];
    let flotilla = Flotilla::start(lab.folder(), &args, &lab.addresses());
    flotilla.wait_for_nodes(1);
    let log = flotilla.log();
    let second = log.lines().find_map(|l| {
        let at = l.find("127.0.0.2:").filter(|_| l.contains("listening"))?;
        let ends = |c: char| !(c.is_ascii_digit() || ".:".contains(c));
        l[at..].split(ends).next()
    });
    let doors = [
        flotilla.docker_host(),
        format!("tcp://{}", second.unwrap()),
        socket,
    ];
    for (number, door) in doors.iter().enumerate() {
        let name = format!("by-door-{number}");
        let create = ["create", "--name", &name, "busybox"];
        output(Clients::new(door, &lab).docker().args(create)).unwrap();
    }
    let wanted: BTreeSet<String> = (0..3).map(|n| format!("by-door-{n}")).collect();
    for door in &doors {
        let list = ["ps", "-a", "--format", "{{.Names}}"];
        let list = output(Clients::new(door, &lab).docker().args(list)).unwrap();
        assert_eq!(
            list.lines().map(str::to_owned).collect::<BTreeSet<_>>(),
            wanted
        );
    }
}
