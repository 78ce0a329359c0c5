//! Builds in all their forms: the classic builder, `BuildKit` driven by the CLI, buildx, compose.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::caller::at_once;
use crate::support::clients::{Clients, lacks, needs};
use crate::support::flotilla::Flotilla;
use crate::support::http::Wire;
use crate::support::lab::{Engine, Lab, Spec, eventually, output, skip};
use crate::support::relay::Relay;

/// How long a build that was cancelled may take to end on its engine.
const SOON: Duration = Duration::from_secs(60);
/// So many clients that, wherever they go, none of three nodes is without one.
const CLIENTS: u8 = 40;

pub(crate) fn start() -> (Lab, Flotilla) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    (lab, flotilla)
}

/// Starts with Flotilla where the machines of the engines reach it too, as three clients with addresses of their own;
/// returns what they have for `DOCKER_HOST`.
pub(crate) fn start_beyond() -> (Lab, Flotilla, String) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let host = format!("tcp://172.31.{}.1:{port}", lab.number());
    let args = ["--host", &host, "--allow-unauthenticated-tcp"];
    let flotilla = Flotilla::with(&lab, &args);
    (lab, flotilla, host)
}

/// Makes a command one that runs on an engine's machine.
pub(crate) fn there(engine: &Engine, command: &Command) -> Command {
    let mut there = engine.on_machine(command.get_program());
    there.args(command.get_args());
    for (key, value) in command.get_envs() {
        there.env(key, value.unwrap_or_default());
    }
    there
}

/// A build context with this Dockerfile and a file `word` that holds `word`.
pub(crate) fn context(dockerfile: &str, word: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    fs::write(folder.path().join("word"), word).unwrap();
    folder
}

/// Returns the nodes whose engines have an image of this name.
pub(crate) fn holders(lab: &Lab, image: &str) -> Vec<String> {
    let has = |e: &&Engine| {
        !output(e.docker().args(["images", "-q", image]))
            .unwrap()
            .is_empty()
    };
    let holding = lab.engines().iter().filter(has);
    holding.map(|e| e.name().to_owned()).collect()
}

/// A way to build: a word for names, and what makes the command.
pub(crate) type Way<'a> = (&'static str, Box<dyn Fn() -> Command + 'a>);

/// The ways to build.
pub(crate) fn ways<'a>(lab: &'a Lab, flotilla: &'a Flotilla) -> Vec<Way<'a>> {
    let clients = move || flotilla.clients(lab);
    let with = |mut docker: Command, kit: &str| {
        docker.env("DOCKER_BUILDKIT", kit).arg("build");
        docker
    };
    let mut ways: Vec<Way<'a>> = vec![
        ("classic28", Box::new(move || with(clients().docker(), "0"))),
        (
            "classic20",
            Box::new(move || with(clients().docker_20(), "0")),
        ),
        ("kit20", Box::new(move || with(clients().docker_20(), "1"))),
        ("buildx", Box::new(move || with(clients().docker(), "1"))),
    ];
    if let Some(why) = lacks("plugins") {
        skip(&why);
        ways.pop();
    }
    ways
}

/// Runs a command and returns all that it wrote.
///
/// # Panics
/// When it does not end with 0.
pub(crate) fn run(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert!(out.status.success(), "{command:?}: {text}");
    text
}

#[test]
fn what_is_built_on_one_node_runs_on_all() {
    let (lab, flotilla) = start();
    for (way, build) in ways(&lab, &flotilla) {
        let built = context("FROM busybox\nCOPY word /word\n", way);
        run(build().args(["-t", way]).arg(built.path()));
        assert_eq!(holders(&lab, way).len(), 1, "{way}");
        for number in 0..3 {
            let mut docker = flotilla.clients(&lab).docker_20();
            let name = format!("{way}-{number}");
            let said = output(docker.args(["run", "--name", &name, way, "cat", "/word"])).unwrap();
            assert_eq!(said, way);
        }
        assert_eq!(holders(&lab, way), ["node0", "node1", "node2"], "{way}");
    }
}

#[test]
fn build_arguments_place_and_do_not_reach_the_build() {
    let (lab, flotilla) = start();
    for (way, build) in ways(&lab, &flotilla) {
        if way == "buildx" {
            // What it builds is inside its tunnel.
            continue;
        }
        for node in ["node0", "node1", "node2"] {
            let image = format!("{way}-{node}");
            let script = format!("FROM busybox\nARG A\nRUN echo $A > /{way}\n");
            let built = context(&script, way);
            let constraint = format!("constraint:node=={node}");
            let mut build = build();
            build.args(["-t", &image, "--build-arg", &constraint]);
            let said = run(build.args(["--build-arg", "A=b"]).arg(built.path()));
            assert!(!said.contains("constraint"), "{said}");
            assert_eq!(holders(&lab, &image), [node], "{way}");
        }
        let built = context("FROM busybox\n", way);
        for (wish, reason) in [
            (
                "constraint:node==nowhere",
                "3 fail constraint node==nowhere",
            ),
            ("constraint:node==/", "'/' is invalid"),
        ] {
            let mut build = build();
            let out = build.args(["--build-arg", wish]).arg(built.path());
            let out = out.output().unwrap();
            assert!(!out.status.success());
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(said.contains(reason), "{way}: {said}");
        }
    }
}

#[test]
fn a_failing_build_ends_as_on_one_engine() {
    let (lab, flotilla) = start();
    let clients = flotilla.clients(&lab);
    for script in ["FROM busybox\nRUN exit 7\n", "FROM busybox\nNONSENSE\n", ""] {
        let built = context(script, "");
        for kit in ["0", "1"] {
            let told = |mut docker: Command| {
                docker
                    .env("DOCKER_BUILDKIT", kit)
                    .env("DOCKER_API_VERSION", "1.41");
                let ran = docker.arg("build").arg(built.path()).output().unwrap();
                let text = String::from_utf8_lossy(&ran.stderr).into_owned();
                let last = text.lines().last().unwrap_or_default().to_owned();
                (ran.status.code(), last)
            };
            let ours = told(clients.docker_20());
            let on_engine = |node: &str| {
                let host = format!("tcp://{}", lab.engine(node).address());
                told(Clients::new(host, &lab).docker_20())
            };
            let theirs = [on_engine("node0"), on_engine("node1")];
            assert!(
                ours.0 != Some(0) && theirs.contains(&ours),
                "{ours:?} {theirs:?}"
            );
        }
    }
}

#[test]
fn a_context_on_standard_input_comes_to_the_build() {
    let (lab, flotilla) = start();
    let built = context("FROM busybox\nCOPY word /word\n", "piped");
    for (way, build) in ways(&lab, &flotilla) {
        let mut tar = Command::new("tar")
            .arg("-C")
            .arg(built.path())
            .args(["-c", "."])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let archive = tar.stdout.take().unwrap();
        let out = build()
            .args(["-t", way, "-"])
            .stdin(archive)
            .output()
            .unwrap();
        assert!(tar.wait().unwrap().success());
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{way}: {said}");
        let mut docker = flotilla.clients(&lab).docker_20();
        let said = output(docker.args(["run", "--rm", way, "cat", "/word"])).unwrap();
        assert_eq!(said, "piped");
    }
}

/// Begins a build of a context whose Dockerfile comes at once, and the rest, with [`end_build`], when it is to end.
fn begin_build(flotilla: &Flotilla, context: &Path, image: &str) -> (Wire, Vec<u8>) {
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(context)
        .args(["-c", "Dockerfile", "word"]);
    let archive = tar.output().unwrap().stdout;
    // The header and the text of the Dockerfile.
    let (dockerfile, rest) = archive.split_at(1024);
    let mut wire = Wire::connect(flotilla.addr());
    wire.send(format!(
        "POST /build?t={image} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/x-tar\r\n\
         Content-Length: {}\r\n\r\n",
        archive.len()
    ));
    wire.send(dockerfile);
    (wire, rest.to_vec())
}

/// Sends the rest of a context and reads the build to its end.
fn end_build((mut wire, rest): (Wire, Vec<u8>)) {
    wire.send(rest);
    let answer = wire.answer("POST");
    assert!(answer.text().contains("Successfully built"), "{answer:?}");
}

#[test]
fn builds_at_once_spread_and_the_next_one_finds_its_cache() {
    let (lab, flotilla) = start();
    let image = |number: usize| format!("at-once-{number}");
    let built = |number: usize| context(&format!("FROM busybox\nRUN echo {number} > /n\n"), "");
    // They come at once, and none ends before all have a place.
    let begun = at_once(3, |n| begin_build(&flotilla, built(n).path(), &image(n)));
    let placed = || match flotilla.log().matches("build placed").count() {
        3 => Ok(()),
        other => Err(other),
    };
    eventually(SOON, placed).unwrap();
    begun.into_iter().for_each(end_build);
    let of = |number: usize| holders(&lab, &image(number));
    let before: Vec<_> = (0..3).map(of).collect();
    let nodes: BTreeSet<_> = before.iter().flatten().collect();
    assert_eq!(nodes.len(), 3, "{before:?}");
    for (number, node) in before.iter().enumerate() {
        let mut docker = flotilla.clients(&lab).docker_20();
        docker
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "-t", &image(number)]);
        assert!(run(docker.arg(built(number).path())).contains("Using cache"));
        assert_eq!(&of(number), node);
    }
}

#[test]
fn an_image_is_the_base_of_its_builders_next_build() {
    let (lab, flotilla) = start();
    for (way, build) in ways(&lab, &flotilla) {
        let base = format!("base-{way}");
        let built = context("FROM busybox\nCOPY word /word\n", way);
        run(build().args(["-t", &base]).arg(built.path()));
        let built = context(&format!("FROM {base}\nRUN cat /word\n"), "");
        run(build().args(["-t", way]).arg(built.path()));
        assert_eq!(holders(&lab, &base), holders(&lab, way));
    }
}

#[test]
fn buildx_clients_at_once_stay_apart() {
    needs!("plugins");
    let (lab, flotilla, host) = start_beyond();
    let build = |number: usize, engine: &Engine| {
        let image = format!("apart-{number}");
        let built = context("FROM busybox\nRUN sleep 1\nCOPY word /word\n", &image);
        let buildx = Clients::new(host.clone(), &lab).buildx().unwrap();
        run(there(engine, &buildx)
            .args(["build", "-t", &image])
            .arg(built.path()));
    };
    thread::scope(|scope| {
        for number in 0..6 {
            let engine = &lab.engines()[number % 3];
            scope.spawn(move || build(number, engine));
        }
    });
    let image = |number: usize| format!("apart-{number}");
    let on: Vec<_> = (0..6).map(|n| holders(&lab, &image(n))).collect();
    // The two of one client are together.
    assert_eq!(on[..3], on[3..]);
    assert!(on.iter().all(|nodes| nodes.len() == 1), "{on:?}");
    for image in (0..6).map(image) {
        let mut docker = flotilla.clients(&lab).docker_20();
        let said = output(docker.args(["run", "--rm", &image, "cat", "/word"])).unwrap();
        assert_eq!(said, image);
    }
    clients_spread(&lab);
}

/// Fails unless the tunnels of many clients come to all nodes, and those of each to one, whichever Flotilla it asks.
fn clients_spread(lab: &Lab) {
    let relays: Vec<_> = lab.engines().iter().map(Engine::address).collect();
    let relays: Vec<_> = relays.iter().map(|addr| Relay::before(addr)).collect();
    let addresses: Vec<_> = relays.iter().map(Relay::addr).collect();
    let homes = || {
        let flotilla = Flotilla::start(lab.folder(), &[], &addresses.join(","));
        flotilla.wait_for_nodes(3);
        let tunnels = || relays.iter().map(|relay| relay.count("POST /grpc"));
        let home = |client: u8| {
            let before: Vec<_> = tunnels().collect();
            let mut wire = Wire::connect_from([127, 0, 1, client], flotilla.addr());
            let upgrade = ["Connection: Upgrade", "Upgrade: h2c"];
            wire.request("POST", "/v1.41/grpc", &upgrade, b"");
            assert_eq!(wire.head().status, 101);
            let more = tunnels().zip(before).position(|(now, before)| now > before);
            more.unwrap()
        };
        (1..=CLIENTS).map(home).collect::<Vec<_>>()
    };
    let first = homes();
    let nodes: BTreeSet<_> = first.iter().collect();
    assert_eq!(nodes.len(), 3, "{first:?}");
    assert_eq!(homes(), first);
}

/// Makes a command that the interrupt key ends, also where the tests run in a shell's background, which it passes over.
fn interruptible(command: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal=INT").arg(command.get_program());
    env.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => env.env(name, value),
            None => env.env_remove(name),
        };
    }
    env
}

/// Ends a child as the interrupt key does.
fn interrupt(child: &mut Child) {
    let pid = child.id().to_string();
    run(Command::new("kill").args(["-s", "INT", &pid]));
    let ended = eventually(SOON, || match child.try_wait().unwrap() {
        Some(_) => Ok(()),
        None => Err("it goes on"),
    });
    if ended.is_err() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ended.unwrap();
}

/// Tells whether a process with this command line runs on any of the machines.
fn runs(words: &str) -> bool {
    let found = Command::new("pgrep").args(["-f", "-x", words]).output();
    found.unwrap().status.success()
}

#[test]
fn a_build_that_is_interrupted_ends_on_its_engine() {
    let (lab, flotilla) = start();
    for (number, (way, build)) in ways(&lab, &flotilla).into_iter().enumerate() {
        let sleep = format!("sleep {}{number}", 71_000 + lab.number() as usize);
        let built = context(
            &format!("FROM busybox\nRUN [\"{}\"]\n", sleep.replace(' ', "\", \"")),
            "",
        );
        let mut child = interruptible(build().arg(built.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let running = |wanted: bool| {
            eventually(SOON, || match runs(&sleep) == wanted {
                true => Ok(()),
                false => Err(format!("{way}: {sleep} wanted: {wanted}")),
            })
        };
        running(true).unwrap();
        interrupt(&mut child);
        running(false).unwrap();
    }
}

/// Two services with images of their own, one of which depends on the other.
const PROJECT: &str = "
services:
  web: {build: web, stop_signal: KILL, command: sleep 600}
  job: {build: {context: job, args: {WORD: job}}, stop_signal: KILL, command: sleep 600}
";

/// Writes the project.
fn project(folder: &Path, word: &str) {
    fs::write(folder.join("compose.yaml"), PROJECT).unwrap();
    for service in ["web", "job"] {
        let of = folder.join(service);
        fs::create_dir_all(&of).unwrap();
        fs::write(of.join("word"), word).unwrap();
        let script = "FROM busybox\nARG WORD=none\nCOPY word /word\nRUN echo $WORD >> /word\n";
        fs::write(of.join("Dockerfile"), script).unwrap();
    }
}

#[test]
fn compose_builds_and_comes_up_with_what_it_built() {
    needs!("plugins");
    let (lab, flotilla) = start();
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("yard");
    fs::create_dir_all(&folder).unwrap();
    let compose = |args: &[&str]| {
        let mut compose = flotilla.clients(&lab).compose().unwrap();
        compose.arg("--project-directory").arg(&folder);
        output(compose.args(args)).unwrap()
    };
    for word in ["one\n", "two\n"] {
        project(&folder, word);
        match word {
            "one\n" => {
                compose(&["build"]);
                compose(&["up", "-d"]);
            }
            _ => {
                compose(&["up", "-d", "--build"]);
            }
        }
        let read = |service: &str| compose(&["exec", "-T", service, "cat", "/word"]);
        assert_eq!(read("web"), format!("{word}none"));
        assert_eq!(read("job"), format!("{word}job"));
    }
    compose(&["down", "--rmi", "local"]);
    assert_eq!(holders(&lab, "yard-web"), Vec::<String>::new());
}
