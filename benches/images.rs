//! Images over nodes, and the lists that clients ask for most: rates, memory and times, against the same by hand.
//!
//! `cargo bench --bench images [ROUNDS]`; needs root, 8 GB of disk, and `tests/lab/packages.sh` to have been run.

#![allow(clippy::print_stdout, reason = "the lines are the program's result")]
#![allow(clippy::unwrap_used, reason = "a bench ends by panicking")]
#![allow(missing_docs, reason = "a program of its own")]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use lab::{Lab, Release, Spec, output};
use support::{Process, flotilla, median};

#[path = "../tests/support/lab/mod.rs"]
mod lab;
mod support;

/// Bytes of the image that moves.
const IMAGE_MIB: u64 = 1024;
/// Containers that are listed.
const CONTAINERS: usize = 30;
/// How often one list is asked for in a round.
const LISTS: usize = 20;
/// The least share of a copy by hand that a copy is to reach.
const LEAST_SHARE: f64 = 0.9;
/// More memory than what a copy or a load may take.
const TOO_MUCH_MIB: f64 = 64.0;

fn main() -> ExitCode {
    let rounds = std::env::args()
        .filter_map(|a| a.parse().ok())
        .next()
        .unwrap_or(3);
    let lab = Lab::start(&Spec::of(&[Release::V28, Release::V28, Release::V28])).unwrap();
    let (process, addr) = flotilla(&lab);
    std::thread::sleep(Duration::from_secs(3));
    lists(&lab, &addr, rounds);
    make(&lab);
    let (share, copy) = copies(&lab, &process, &addr, rounds);
    let load = loads(&lab, &process, &addr);
    let slow = share < LEAST_SHARE;
    let much = copy.max(load) >= TOO_MUCH_MIB;
    if slow || much {
        println!("failed: {LEAST_SHARE} of by hand and less than {TOO_MUCH_MIB} MiB were wanted");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Makes a command of the docker CLI for an address.
fn docker(lab: &Lab, addr: &str, args: &[&str]) -> Command {
    let mut docker = Command::new(lab.engine("node0").docker().get_program());
    docker.args(["-H", &format!("tcp://{addr}")]).args(args);
    docker
}

fn run(lab: &Lab, addr: &str, args: &[&str]) -> String {
    output(&mut docker(lab, addr, args)).unwrap()
}

/// Makes the image on node0 alone, of bytes that nothing can make smaller.
fn make(lab: &Lab) {
    let node0 = lab.engine("node0").address();
    let bytes = lab.folder().join("bytes");
    let shell = |line: &str, path: &Path| {
        let mut shell = Command::new("sh");
        output(shell.args(["-c", line]).arg(path)).unwrap();
    };
    shell(
        &format!("head -c {IMAGE_MIB}M /dev/urandom >\"$0\""),
        &bytes,
    );
    let tar =
        format!("tar -C \"$(dirname \"$0\")\" -cf - bytes | {{}} -H tcp://{node0} import - big");
    let program = lab.engine("node0").docker();
    let program = program.get_program().to_string_lossy();
    shell(&tar.replace("{}", &program), &bytes);
}

/// Compares a copy that a create asks for with save and load by hand, in alternation; returns its share of that and how
/// many MiB more it took.
fn copies(lab: &Lab, process: &Process, addr: &str, rounds: usize) -> (f64, f64) {
    let (node0, node1) = (lab.engine("node0").address(), lab.engine("node1").address());
    let (mut by_hand, mut by_us, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let program = lab.engine("node0").docker();
        let program = program.get_program().to_string_lossy().into_owned();
        let line =
            format!("{program} -H tcp://{node0} save big | {program} -H tcp://{node1} load -q");
        let start = Instant::now();
        output(Command::new("sh").args(["-c", &line])).unwrap();
        by_hand.push(rate(start));
        run(lab, &node1, &["rmi", "big"]);
        std::thread::sleep(Duration::from_secs(1));

        let before = process.memory_kb("VmRSS");
        process.forget_peak();
        let create = ["create", "-e", "constraint:node==node1", "big", "x"];
        let start = Instant::now();
        let id = run(lab, addr, &create);
        by_us.push(rate(start));
        more.push(mib(process, before));
        run(lab, addr, &["rm", &id]);
        run(lab, &node1, &["rmi", "big"]);
        std::thread::sleep(Duration::from_secs(1));
    }
    let (hand, ours) = (median(&mut by_hand), median(&mut by_us));
    let (share, more) = (ours / hand, median(&mut more));
    println!("copy of {IMAGE_MIB} MiB, save | load by hand: {hand:.0} MiB/s");
    println!(
        "copy of {IMAGE_MIB} MiB, flotilla: {ours:.0} MiB/s, {share:.2} of by hand, {more:.1} MiB more memory"
    );
    (share, more)
}

/// Loads the image on all nodes through Flotilla; returns how many MiB more that took.
fn loads(lab: &Lab, process: &Process, addr: &str) -> f64 {
    let file = lab.folder().join("big.tar");
    let path = file.display().to_string();
    run(
        lab,
        &lab.engine("node0").address(),
        &["save", "-o", &path, "big"],
    );
    run(lab, &lab.engine("node0").address(), &["rmi", "big"]);
    std::thread::sleep(Duration::from_secs(1));
    let before = process.memory_kb("VmRSS");
    process.forget_peak();
    let start = Instant::now();
    run(lab, addr, &["load", "-q", "-i", &path]);
    let more = mib(process, before);
    println!(
        "load of {IMAGE_MIB} MiB to three nodes: {:.0} MiB/s, {more:.1} MiB more memory",
        rate(start)
    );
    for engine in lab.engines() {
        run(lab, &engine.address(), &["image", "inspect", "big"]);
    }
    more
}

/// Returns MiB a second since then.
#[allow(
    clippy::cast_precision_loss,
    reason = "a mebibyte of an image more or less"
)]
fn rate(start: Instant) -> f64 {
    IMAGE_MIB as f64 / start.elapsed().as_secs_f64()
}

/// Returns how much more memory a process has had than it had before.
#[allow(clippy::cast_precision_loss, reason = "kilobytes of a process")]
fn mib(process: &Process, before_kb: u64) -> f64 {
    process.memory_kb("VmHWM").saturating_sub(before_kb) as f64 / 1024.0
}

/// Compares what users type most: through Flotilla, which has three nodes, and of one of them.
fn lists(lab: &Lab, addr: &str, rounds: usize) {
    let node0 = lab.engine("node0").address();
    for number in 0..CONTAINERS {
        let name = format!("c{number}");
        run(lab, addr, &["create", "--name", &name, "busybox", "true"]);
    }
    let here = run(lab, &node0, &["ps", "-aq", "--no-trunc", "-n1"]);
    for args in [&["ps", "-a"][..], &["images"][..], &["inspect", &here][..]] {
        let (mut direct, mut through) = (Vec::new(), Vec::new());
        for _ in 0..rounds * LISTS {
            for (door, times) in [(&*node0, &mut direct), (addr, &mut through)] {
                let start = Instant::now();
                run(lab, door, args);
                times.push(start.elapsed().as_secs_f64() * 1000.0);
            }
        }
        let (direct, through) = (median(&mut direct), median(&mut through));
        println!(
            "docker {}: {direct:.1} ms direct (one node), {through:.1} ms through Flotilla (three), {:.2} of direct",
            args[0],
            through / direct
        );
    }
}
