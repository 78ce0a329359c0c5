//! How Flotilla does before many engines: simulated ones, in a process of their own.
//!
//! `cargo bench --bench scale [ENGINES…]`; without numbers 1, 100 and 1,000 engines of 30 containers each.

#![recursion_limit = "512"]
#![allow(clippy::print_stdout, reason = "the lines are the program's result")]
#![allow(clippy::unwrap_used, reason = "a bench ends by panicking")]
#![allow(missing_docs, reason = "a program of its own")]

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;

use load::{Call, Connection, Outcome, Target};
use support::{Process, flotilla_before, free_port, wait_for};

#[path = "../tests/support/lab/mod.rs"]
mod lab;
mod load;
mod sim;
mod support;

/// Containers on each engine.
const CONTAINERS: usize = 30;
/// How long each workload runs.
const ROUND: Duration = Duration::from_secs(3);
/// How long nothing is asked, to see what idling costs.
const IDLE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, simulate, engines, containers, control] = &args[..]
        && simulate == "simulate"
    {
        let count = |text: &str| text.parse().unwrap();
        return sim::run(count(engines), count(containers), control).await;
    }
    let asked: Vec<usize> = args.iter().filter_map(|a| a.parse().ok()).collect();
    let sizes = if asked.is_empty() {
        vec![1, 100, 1000]
    } else {
        asked
    };
    for engines in sizes {
        before(engines).await;
    }
}

/// Runs everything before so many engines.
async fn before(engines: usize) {
    let (simulator, control) = simulator(engines);
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let (flotilla, addr) = flotilla(engines, folder.path());
    let mut connection = Connection::open(&addr).await;
    let ids = loop {
        let (_, list) = connection
            .ask(Method::GET, "/containers/json?all=1", "")
            .await;
        let list: Vec<serde_json::Value> = serde_json::from_slice(&list).unwrap();
        if list.len() == engines * CONTAINERS {
            let ids = list.iter().map(|c| c["Id"].as_str().unwrap().to_owned());
            break ids.collect::<Arc<[String]>>();
        }
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{} are known",
            list.len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    println!("{engines} engines, {} containers", ids.len());
    println!(
        "  ready: {:.2} s, {:.2} s CPU, {} requests to engines, {:.1} MiB resident",
        began.elapsed().as_secs_f64(),
        flotilla.cpu_seconds(),
        requests(&control).await,
        mib(&flotilla, "VmRSS"),
    );
    idle(&flotilla, &control).await;
    let mut target = Target { ids, run: 0 };
    for (name, connections, call) in WORKLOADS {
        target.run += 1;
        flotilla.forget_peak();
        let (before, memory) = (flotilla.cpu_seconds(), mib(&flotilla, "VmRSS"));
        let outcome = load::run(&addr, *connections, ROUND, &target, *call).await;
        let cpu = (flotilla.cpu_seconds() - before) * 1e6 / outcome.count as f64;
        let Outcome { rate, p50, p99, .. } = outcome;
        let peak = mib(&flotilla, "VmHWM") - memory;
        println!(
            "  {name}, {connections} connections: {rate:.0}/s, p50 {p50:.3} ms, p99 {p99:.3} ms, {cpu:.0} us CPU each, +{peak:.1} MiB at most"
        );
    }
    println!("  after all: {:.1} MiB resident", mib(&flotilla, "VmRSS"));
    drop(simulator);
}

/// The workloads: name, connections, call.
const WORKLOADS: &[(&str, usize, Call)] = &[
    ("ping", 16, |_, _| get("/_ping".into())),
    ("version", 4, |_, _| get("/version".into())),
    ("info", 4, |_, _| get("/info".into())),
    ("inspect", 1, inspect),
    ("inspect", 16, inspect),
    ("list", 1, |_, _| get("/containers/json?all=1".into())),
    ("list by label, no match", 1, |_, _| {
        filtered(r#"{"label":["no=match"]}"#)
    }),
    ("list by label, one of ten", 1, |_, _| {
        filtered(r#"{"label":["app=app3"]}"#)
    }),
    ("list by name", 1, |_, n| {
        filtered(&format!(r#"{{"name":["^/c0-{}$"]}}"#, n % 30))
    }),
    ("networks", 1, |_, _| get("/networks".into())),
    ("images", 1, |_, _| get("/images/json".into())),
    ("create", 1, create),
    ("create", 16, create),
    ("create", 64, create),
    ("create with constraints and affinities", 16, choosy),
];

fn inspect(target: &Target, number: u64) -> (Method, String, String, u16) {
    // Far apart, so that every engine is asked.
    let at = usize::try_from(number).unwrap().wrapping_mul(7919) % target.ids.len();
    get(format!("/containers/{}/json", target.ids[at]))
}

fn filtered(filters: &str) -> (Method, String, String, u16) {
    let filters: String = form_urlencoded::byte_serialize(filters.as_bytes()).collect();
    get(format!("/containers/json?all=1&filters={filters}"))
}

fn get(path: String) -> (Method, String, String, u16) {
    (Method::GET, path, String::new(), 200)
}

fn create(target: &Target, number: u64) -> (Method, String, String, u16) {
    let path = format!("/containers/create?name=n{}-{number}", target.run);
    (Method::POST, path, r#"{"Image":"busybox"}"#.to_owned(), 201)
}

fn choosy(target: &Target, number: u64) -> (Method, String, String, u16) {
    let path = format!("/containers/create?name=n{}-{number}", target.run);
    let env = r#"["constraint:storage==ssd","constraint:zone!=none","affinity:tier==front","affinity:image==busybox"]"#;
    let body = format!(r#"{{"Image":"busybox","Env":{env}}}"#);
    (Method::POST, path, body, 201)
}

/// Prints what it costs to have these engines and nothing to do.
async fn idle(flotilla: &Process, control: &str) {
    let (cpu, asked) = (flotilla.cpu_seconds(), requests(control).await);
    tokio::time::sleep(IDLE).await;
    let minutes = IDLE.as_secs_f64() / 60.0;
    println!(
        "  idle: {:.2} s CPU and {:.0} requests to engines a minute, {:.1} MiB resident",
        (flotilla.cpu_seconds() - cpu) / minutes,
        (requests(control).await - asked) as f64 / minutes,
        mib(flotilla, "VmRSS"),
    );
}

/// Returns how many requests the engines have had.
async fn requests(control: &str) -> u64 {
    let (_, count) = Connection::open(control)
        .await
        .ask(Method::GET, "/requests", "")
        .await;
    serde_json::from_slice(&count).unwrap()
}

fn mib(process: &Process, key: &str) -> f64 {
    process.memory_kb(key) as f64 / 1024.0
}

/// Starts this program as the engines.
fn simulator(engines: usize) -> (Process, String) {
    let control = free_port();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "simulate",
            &engines.to_string(),
            &CONTAINERS.to_string(),
            &control,
        ])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let simulator = Process(child);
    wait_for(&control);
    (simulator, control)
}

/// Starts Flotilla before them.
fn flotilla(engines: usize, folder: &std::path::Path) -> (Process, String) {
    let file = folder.join("engines");
    let all: String = (0..engines)
        .map(|index| sim::address(index) + "\n")
        .collect();
    fs::write(&file, all).unwrap();
    flotilla_before(&format!("file://{}", file.display()))
}
