//! Connections that become raw streams: attach, exec, BuildKit's tunnels, websockets.
//!
//! Two styles, one mechanism (wire rule W8): a client that asks for an upgrade gets the engine's 101; one that does not
//! gets `200` without a length, and its connection goes on as raw bytes all the same. Either way the connection is
//! taken over only after the engine itself has said 101. The 200 is no answer that HTTP knows, so hyper cannot write it:
//! it is left in the slot too, as text.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::forward::{passed_on, send};
use super::headers;
use crate::engine::{self, Engine};
use crate::net::body::{self, Body};
use crate::net::io::Io;

/// Bytes copied at once towards the engine.
const UP: usize = 16 << 10;
/// Bytes copied at once towards the client, where output comes in bulk.
const DOWN: usize = 64 << 10;

/// Where a handler leaves the engine's end for the connection that takes over.
#[derive(Clone, Debug, Default)]
pub struct Slot(Arc<Mutex<Left>>);

#[derive(Default)]
struct Left {
    engine: Option<OnUpgrade>,
    plain: Option<Vec<u8>>,
    kept: Option<Box<dyn Send>>,
    ends_with: Option<Engine>,
}

impl std::fmt::Debug for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Left")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl Slot {
    fn put(&self, engine: OnUpgrade) {
        self.lock().engine = Some(engine);
    }

    /// Keeps a value until the raw stream has ended and the connection is gone.
    pub fn keep(&self, value: Box<dyn Send>) {
        self.lock().kept = Some(value);
    }

    /// Has the raw stream end when this engine is lost; others wait, in case their engine comes back.
    pub fn end_with(&self, engine: &Engine) {
        self.lock().ends_with = Some(engine.clone());
    }

    /// Returns once the engine that the raw stream is to end with is lost.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn lost(&self) {
        let engine = self.lock().ends_with.clone();
        match engine {
            Some(engine) => drop(engine.lost().await),
            None => std::future::pending().await,
        }
    }

    /// Tells whether the connection is to become a raw stream.
    pub fn is_taken_over(&self) -> bool {
        self.lock().engine.is_some()
    }

    /// Leaves the head of an answer for the connection to write, when that is to become a raw stream without an upgrade.
    pub fn leave_plain(&self, answer: &Response<Body>) -> bool {
        let mut left = self.lock();
        let plain = left.engine.is_some() && answer.status() != StatusCode::SWITCHING_PROTOCOLS;
        left.plain = plain.then(|| written(answer));
        plain
    }

    /// Takes out the head that the connection is to write.
    pub fn take_plain(&self) -> Vec<u8> {
        self.lock().plain.take().unwrap_or_default()
    }

    /// Takes the engine's end out.
    pub fn take(&self) -> Option<OnUpgrade> {
        self.lock().engine.take()
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forwards a request that asks for a raw stream; the tunnel is left in `slot` if the engine agrees.
///
/// # Errors
/// The engine could not be reached. What it answers instead of 101 is passed on as it is.
pub async fn hijack(
    engine: &Engine,
    mut head: Parts,
    request_body: Body,
    target: &str,
    slot: &Slot,
) -> Result<Response<Body>, engine::Error> {
    let wanted = headers::upgrade_wanted(&head.headers);
    let protocol = wanted
        .clone()
        .unwrap_or_else(|| header::HeaderValue::from_static("tcp"));
    head.uri = engine.client().uri(target)?;
    head.version = Version::HTTP_11;
    headers::strip_hop_by_hop(&mut head.headers);
    head.headers.remove(header::HOST);
    let connection = header::HeaderValue::from_static("Upgrade");
    head.headers.insert(header::CONNECTION, connection);
    head.headers.insert(header::UPGRADE, protocol);
    let mut answer = send(engine, Request::from_parts(head, request_body)).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(passed_on(answer));
    }
    slot.put(hyper::upgrade::on(&mut answer));
    let (mut head, _) = answer.into_parts();
    if wanted.is_some() {
        return Ok(Response::from_parts(head, body::empty()));
    }
    head.status = StatusCode::OK;
    for name in [header::CONNECTION, header::UPGRADE] {
        head.headers.remove(name);
    }
    // Without an upgrade an engine calls every stream raw, whatever is in it.
    if head.headers.contains_key(header::CONTENT_TYPE) {
        let raw = header::HeaderValue::from_static("application/vnd.docker.raw-stream");
        head.headers.insert(header::CONTENT_TYPE, raw);
    }
    Ok(Response::from_parts(head, body::empty()))
}

/// Writes the head of an answer whose body ends with the connection.
fn written(answer: &Response<Body>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        let words = name.as_str().split('-').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        });
        text.extend_from_slice(words.collect::<Vec<_>>().join("-").as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// Copies bytes both ways until both sides have ended; an end of one direction is passed on and keeps the other open
/// (wire rule W9).
///
/// # Errors
/// Either connection broke.
pub async fn tunnel(mut client: Io, early: Bytes, engine: OnUpgrade) -> std::io::Result<()> {
    let upgraded = engine.await.map_err(std::io::Error::other)?;
    let parts = upgraded
        .downcast::<TokioIo<Io>>()
        .map_err(|_| std::io::Error::other("the engine's connection is of another kind"))?;
    let mut engine = parts.io.into_inner();
    client.write_all(&parts.read_buf).await?;
    engine.write_all(&early).await?;
    tokio::io::copy_bidirectional_with_sizes(&mut client, &mut engine, UP, DOWN)
        .await
        .map(|_| ())
}
