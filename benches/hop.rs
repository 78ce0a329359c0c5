//! What the hop costs: Flotilla against haproxy and against the engine itself, in alternation, on a real engine.
//!
//! `cargo bench --bench hop [ROUNDS]`; needs root, and `tests/lab/packages.sh` to have been run.

#![allow(clippy::print_stdout, reason = "the lines are the program's result")]
#![allow(clippy::unwrap_used, reason = "a bench ends by panicking")]
#![allow(missing_docs, reason = "a program of its own")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

use lab::{Lab, Release, Spec};
use support::{Process, flotilla, free_port, median, wait_for};

#[path = "../tests/support/lab/mod.rs"]
mod lab;
mod support;

/// Connections that ask at once.
const CONNECTIONS: usize = 32;
/// How long one round asks one door.
const ROUND: Duration = Duration::from_secs(3);
/// Bytes of one bulk transfer.
const BULK_MIB: usize = 512;

#[tokio::main]
async fn main() {
    let rounds = std::env::args()
        .filter_map(|a| a.parse().ok())
        .next()
        .unwrap_or(5);
    idle();
    let lab = Lab::start(&Spec::of(&[Release::V28])).unwrap();
    let engine = lab.engine("node0");
    let run = [
        "run",
        "-d",
        "--stop-signal",
        "KILL",
        "busybox",
        "sleep",
        "100000",
    ];
    let id = lab::output(engine.docker().args(run))
        .unwrap()
        .trim()
        .to_owned();
    let direct = engine.address();
    let (flotilla, through) = flotilla(&lab);
    let (haproxy, plain) = haproxy(&lab, &direct);
    inspects(
        rounds,
        &id,
        &[
            ("direct", &direct, None),
            ("haproxy", &plain, Some(&haproxy)),
            ("flotilla", &through, Some(&flotilla)),
        ],
    )
    .await;
    bulk(
        rounds,
        &lab,
        &id,
        &[("direct", &direct), ("flotilla", &through)],
    );
}

/// Prints the memory of a Flotilla that has three engines and nothing to do.
fn idle() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let (flotilla, _) = flotilla(&lab);
    std::thread::sleep(Duration::from_secs(5));
    println!(
        "idle with three engines: {:.1} MB resident",
        flotilla.memory_kb("VmRSS") as f64 / 1024.0
    );
}

/// Starts haproxy in HTTP mode before one engine.
fn haproxy(lab: &Lab, engine: &str) -> (Process, String) {
    let addr = free_port();
    let file: PathBuf = lab.folder().join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 2000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n  option http-keep-alive\n  http-reuse always\nfrontend f\n  bind {addr}\n  default_backend b\nbackend b\n  server e {engine}\n"
    );
    fs::write(&file, text).unwrap();
    let child = Command::new("/usr/sbin/haproxy")
        .arg("-db")
        .arg("-f")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&addr);
    (Process(child), addr)
}

/// Asks each door in turn for one container and prints the medians and what they are of haproxy's.
async fn inspects(rounds: usize, id: &str, doors: &[(&str, &str, Option<&Process>)]) {
    let mut rates = vec![Vec::new(); doors.len()];
    let mut costs = vec![Vec::new(); doors.len()];
    for _ in 0..rounds {
        for (door, (_, addr, process)) in doors.iter().enumerate() {
            let before = process.map(Process::cpu_seconds);
            let count = load(addr, id).await;
            rates[door].push(count as f64 / ROUND.as_secs_f64());
            if let Some((process, before)) = process.zip(before) {
                costs[door].push((process.cpu_seconds() - before) * 1e6 / count as f64);
            }
        }
    }
    let haproxy = median(&mut rates[1].clone());
    for (door, (name, ..)) in doors.iter().enumerate() {
        let rate = median(&mut rates[door]);
        let cost = if costs[door].is_empty() {
            String::new()
        } else {
            format!(", {:.0} us CPU each", median(&mut costs[door]))
        };
        println!(
            "inspect, {CONNECTIONS} connections, {name}: {rate:.0}/s{cost}, {:.2} of haproxy",
            rate / haproxy
        );
    }
}

/// Asks for one container over many connections for one round and returns how often it was answered.
async fn load(addr: &str, id: &str) -> u64 {
    let answered = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + ROUND;
    let asking: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (addr, id, answered) = (addr.to_owned(), id.to_owned(), Arc::clone(&answered));
            tokio::spawn(async move {
                let tcp = tokio::net::TcpStream::connect(&addr).await.unwrap();
                tcp.set_nodelay(true).unwrap();
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(tcp))
                        .await
                        .unwrap();
                tokio::spawn(connection);
                while Instant::now() < end {
                    let request = http::Request::get(format!("/v1.51/containers/{id}/json"))
                        .header("Host", "docker")
                        .body(Empty::<bytes::Bytes>::new())
                        .unwrap();
                    // Its task may not have seen yet that the answer before was taken whole.
                    sender.ready().await.unwrap();
                    let answer = sender.send_request(request).await.unwrap();
                    assert_eq!(answer.status(), 200);
                    answer.into_body().collect().await.unwrap();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for one in asking {
        one.await.unwrap();
    }
    answered.load(Ordering::Relaxed)
}

/// Moves bytes into the container through each door in turn and prints the medians and what they are of direct.
fn bulk(rounds: usize, lab: &Lab, id: &str, doors: &[(&str, &str)]) {
    let archive = lab.folder().join("bulk.tar");
    let data = lab.folder().join("bulk");
    fs::write(&data, vec![7; BULK_MIB << 20]).unwrap();
    lab::output(
        Command::new("tar")
            .arg("-cf")
            .arg(&archive)
            .arg("-C")
            .arg(lab.folder())
            .arg("bulk"),
    )
    .unwrap();
    let exec = |addr: &str| {
        let docker = lab.engine("node0").docker();
        let mut shell = Command::new("sh");
        let line = "test $(\"$0\" -H \"tcp://$1\" exec -i \"$2\" wc -c <\"$3\") = \"$4\"";
        shell.args(["-c", line]).arg(docker.get_program());
        shell.args([addr, id]).arg(&data);
        shell.arg((BULK_MIB << 20).to_string());
        shell
    };
    let put = |addr: &str| {
        let mut curl = Command::new("curl");
        let url = format!("http://{addr}/v1.51/containers/{id}/archive?path=/dev/shm");
        curl.args([
            "-sSf",
            "-X",
            "PUT",
            "-H",
            "Content-Type: application/x-tar",
            "-T",
        ])
        .arg(&archive)
        .arg(url);
        curl
    };
    compare("exec -i", rounds, doors, &exec);
    compare("PUT archive", rounds, doors, &put);
}

/// Runs one kind of transfer through each door in turn.
fn compare(kind: &str, rounds: usize, doors: &[(&str, &str)], command: &dyn Fn(&str) -> Command) {
    let mut rates = vec![Vec::new(); doors.len()];
    for _ in 0..rounds {
        for (door, (_, addr)) in doors.iter().enumerate() {
            let start = Instant::now();
            lab::output(&mut command(addr)).unwrap();
            rates[door].push(BULK_MIB as f64 / start.elapsed().as_secs_f64());
        }
    }
    let direct = median(&mut rates[0].clone());
    for (door, (name, _)) in doors.iter().enumerate() {
        let rate = median(&mut rates[door]);
        println!(
            "{kind}, {BULK_MIB} MiB, {name}: {rate:.0} MiB/s, {:.2} of direct",
            rate / direct
        );
    }
}
