//! The load side: many connections that ask the same kind of question again and again, and how long each answer took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection that is used again.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    /// Opens one.
    pub(crate) async fn open(addr: &str) -> Self {
        let tcp = TcpStream::connect(addr).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Asks, and returns status and body.
    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: &str) -> (u16, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", "docker")
            .header("Content-Type", "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap();
        self.0.ready().await.unwrap();
        let answer = self.0.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            answer.into_body().collect().await.unwrap().to_bytes(),
        )
    }

    /// Asks for an answer of which only the length matters, without keeping it.
    pub(crate) async fn drain(&mut self, path: &str) -> (u16, u64) {
        let request = Request::get(path)
            .header("Host", "docker")
            .body(Full::default())
            .unwrap();
        self.0.ready().await.unwrap();
        let answer = self.0.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        let mut body = answer.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame
                .unwrap()
                .data_ref()
                .map_or(0, |data| data.len() as u64);
        }
        (status, bytes)
    }
}

/// What came of a workload.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Half of the answers took no longer, in milliseconds.
    pub(crate) p50: f64,
    /// Of a hundred answers 99 took no longer, in milliseconds.
    pub(crate) p99: f64,
    /// Answers in all.
    pub(crate) count: usize,
}

/// One kind of call: method, path and body for the call of a number, and the status that it must have.
pub(crate) type Call = fn(&Target, u64) -> (Method, String, String, u16);

/// What calls are made to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// IDs of containers that are there.
    pub(crate) ids: Arc<[String]>,
    /// What makes names of this run unlike those of others.
    pub(crate) run: u64,
}

/// Runs one workload: over so many connections for so long, call after call.
pub(crate) async fn run(
    addr: &str,
    connections: usize,
    time: Duration,
    target: &Target,
    call: Call,
) -> Outcome {
    let number = Arc::new(AtomicU64::new(0));
    let (began, end) = (Instant::now(), Instant::now() + time);
    let asking: Vec<_> = (0..connections)
        .map(|_| {
            let (addr, number, target) = (addr.to_owned(), Arc::clone(&number), target.clone());
            tokio::spawn(async move {
                let mut connection = Connection::open(&addr).await;
                let mut took = Vec::new();
                while Instant::now() < end {
                    let (method, path, body, expected) =
                        call(&target, number.fetch_add(1, Ordering::Relaxed));
                    let began = Instant::now();
                    let status = match method == Method::GET {
                        true => connection.drain(&path).await.0,
                        false => {
                            let (status, text) = connection.ask(method, &path, &body).await;
                            assert!(status == expected, "{path}: {status} {text:?}");
                            status
                        }
                    };
                    assert_eq!(status, expected, "{path}");
                    took.push(began.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for one in asking {
        took.extend(one.await.unwrap());
    }
    let elapsed = began.elapsed().as_secs_f64();
    took.sort();
    let at = |share: f64| {
        let index = (took.len() as f64 * share) as usize;
        took.get(index.min(took.len().saturating_sub(1)))
            .map_or(0.0, |d| d.as_secs_f64() * 1000.0)
    };
    Outcome {
        rate: took.len() as f64 / elapsed,
        p50: at(0.5),
        p99: at(0.99),
        count: took.len(),
    }
}
