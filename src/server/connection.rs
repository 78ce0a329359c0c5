//! One client's connection: requests one after the other, or a raw stream from some point on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, header};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::canonical::{Canonical, Gate};
use super::linger;
use super::loan::Loan;
use crate::api::{Api, Peer};
use crate::net::body::{self, Body};
use crate::net::io::Io;
use crate::net::listen::Connected;
use crate::proxy::hijack::{self, Slot};

/// How long a connection may be silent before a request; engines give five minutes too.
const IDLE: Duration = Duration::from_secs(300);
/// The largest head of a request, as engines take it.
const HEAD_LIMIT: usize = 1 << 20;

/// Ends hyper's part of a connection that becomes a raw stream without an upgrade; nobody sees it.
#[derive(Debug, thiserror::Error)]
#[error("the connection is a raw stream now")]
struct Plain;

/// What clients begin with that speak HTTP/2 and do not ask first.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Serves a connection to its end.
pub(super) async fn serve(connected: Connected, api: Arc<Api>, stop: CancellationToken) {
    let peer = Arc::new(Peer {
        addr: connected.peer().to_owned(),
        subject: connected.subject().map(str::to_owned),
    });
    let slot = Slot::default();
    let (io, gate) = Canonical::new(connected.into_io());
    let for_requests = slot.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (api, peer) = (Arc::clone(&api), Arc::clone(&peer));
        let (slot, gate) = (for_requests.clone(), gate.clone());
        Box::pin(async move {
            let answer = answer(&api, request, peer, slot.clone(), gate).await;
            match slot.leave_plain(&answer) {
                true => Err(Plain),
                false => Ok(answer),
            }
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .preserve_header_case(true)
        .title_case_headers(true)
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(io), service);
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            // Without the shutdown: a tunnel goes on with the same socket.
            ended = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let parts = connection.into_parts();
    let (io, rest) = parts.io.into_inner().into_inner();
    let plain = slot.take_plain();
    if let Err(error) = ended
        && plain.is_empty()
    {
        tracing::debug!(%error, "connection ended");
        let io = match parts.read_buf.starts_with(HTTP_2) {
            true => refuse_http_2(io).await,
            false => io,
        };
        return linger::end(io, &stop).await;
    }
    let Some(engine) = slot.take() else {
        return linger::end(io, &stop).await;
    };
    let early = joined(parts.read_buf, &rest);
    tokio::select! {
        ended = stream(io, &plain, early, engine) => if let Err(error) = ended {
            tracing::debug!(%error, "stream ended");
        },
        () = slot.lost() => tracing::debug!("stream ended with its engine"),
    }
}

/// Goes on with a connection as a raw stream, after the head that hyper could not write.
async fn stream(mut io: Io, plain: &[u8], early: Bytes, engine: OnUpgrade) -> io::Result<()> {
    io.write_all(plain).await?;
    hijack::tunnel(io, early, engine).await
}

/// Answers one request, and says when the next may begin.
async fn answer(
    api: &Arc<Api>,
    request: Request<Incoming>,
    peer: Arc<Peer>,
    slot: Slot,
    gate: Gate,
) -> Response<Body> {
    let (head, incoming) = request.into_parts();
    if incoming.is_end_stream() && !Api::may_hijack(&head) {
        // So that what a client sends ahead is taken too.
        gate.expect_request();
        return api.answer(head, body::empty(), peer, slot).await;
    }
    // Who waits to be asked for a body that is refused is not asked for it.
    let ask_for_more = !head.headers.contains_key(header::EXPECT);
    // A start may become a stream too; those who send ahead to it have asked for one.
    let is_stream =
        head.headers.contains_key(header::UPGRADE) || head.uri.path().ends_with("/attach");
    let loan = Loan::default();
    let request_body = loan.lend(incoming);
    let mut answer = api.answer(head, request_body, peer, slot.clone()).await;
    if slot.is_taken_over() {
        // Nothing is a request any more.
        return answer;
    }
    // What follows the head of a raw stream that is refused may be of the stream, and is no request either.
    let status = answer.status();
    let refused = is_stream && (status.is_client_error() || status.is_server_error());
    if refused || !loan.settle(gate, ask_for_more).await {
        let close = header::HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}

/// Answers a client that speaks HTTP/2 from the start as engines without it do: to them it is a path like any other.
async fn refuse_http_2(mut io: Io) -> Io {
    let now = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let answer = format!(
        "HTTP/1.1 301 Moved Permanently\r\nLocation: /%2A\r\nDate: {now}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    // The client may be gone already.
    let _ = io.write_all(answer.as_bytes()).await;
    io
}

/// Puts bytes that were read ahead in their order.
fn joined(first: Bytes, second: &BytesMut) -> Bytes {
    if second.is_empty() {
        return first;
    }
    let mut all = BytesMut::from(&first[..]);
    all.extend_from_slice(second);
    all.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_be_silent_for_as_long_as_before_an_engine() {
        assert!(IDLE >= Duration::from_secs(5 * 60));
    }
}
