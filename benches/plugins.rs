//! What a plug-in costs: whole decisions asked of each kind, with nodes as data and the answer checked.
//!
//! `cargo bench --bench plugins`; needs nothing installed.

#![allow(clippy::print_stdout, reason = "the lines are the program's result")]
#![allow(clippy::unwrap_used, reason = "a bench ends by panicking")]
#![allow(missing_docs, reason = "a program of its own")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flotilla::advisor::{Advisors, Question};
use flotilla::model::{Health, Node, Resources};
use flotilla::scheduler::Request;

/// How long one figure is measured.
const ROUND: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/strategies");
    for count in [10, 100, 1000] {
        let nodes: Vec<Arc<Node>> = (0..count).map(|i| Arc::new(node(i))).collect();
        let names = [
            format!("script:{folder}/cost-per-zone.rhai"),
            format!("script:{folder}/night-consolidation.rhai"),
            format!("wasm:{folder}/gpu-packing.wat"),
            server(&nodes),
        ];
        for name in &names {
            let advisors = Advisors::load([name.as_str()]).unwrap();
            let (started, mut asked, mut failed) = (Instant::now(), 0_u32, 0_usize);
            while started.elapsed() < ROUND {
                let now = jiff::Timestamp::UNIX_EPOCH;
                let question = Question::new(&Request::default(), &nodes, now);
                let advice = advisors.consult(&[name], question).await;
                failed += advice.failures().count();
                asked += 1;
            }
            let each = started.elapsed() / asked;
            let rate = f64::from(asked) / started.elapsed().as_secs_f64();
            let name = name.rsplit('/').next().unwrap_or_default();
            println!(
                "{count} nodes, {name}: {rate:.0} decisions a second, {each:.1?} each, {failed} failed"
            );
        }
    }
}

fn node(number: usize) -> Node {
    let zone = ["eu-west", "eu-north", "us-east"][number % 3];
    let mut node = Node {
        key: format!("10.0.0.{number}:2375").into(),
        name: format!("node{number}"),
        health: Health::Healthy,
        capacity: Resources {
            nano_cpus: 8 * Resources::NANO_PER_CPU,
            memory_bytes: 16 << 30,
        },
        ..Node::default()
    };
    node.labels.insert("zone".to_owned(), zone.to_owned());
    node
}

/// Starts a server that gives each node the same points; returns its address.
fn server(nodes: &[Arc<Node>]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/server", listener.local_addr().unwrap());
    let points = nodes.iter().map(|n| format!("\"{}\":50", n.key));
    let body = format!("{{{}}}", points.collect::<Vec<_>>().join(","));
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    reader.get_mut().write_all(answer.as_bytes()).unwrap();
                }
                line.clear();
            }
        }
    });
    url
}
