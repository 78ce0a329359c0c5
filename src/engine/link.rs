//! Connections for requests without a body: each is driven by the very task that asks.
//!
//! hyper's ready-made client gives every connection a task of its own, so that a small answer crosses from task to
//! task, and from core to core, three times. Most requests have no body and are answered with little: for them that is
//! half of what the hop costs. Here hyper still speaks HTTP, and the asking task polls the connection together with the
//! answer. A request with a body must go up while nobody reads its answer, so it needs the task, and is not for here.
//!
//! Invariant: a connection is in the pool only between two requests, and none is polled there; whether it still stands
//! is seen when it is taken out.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::client::IDLE_CONNECTIONS;
use crate::net::addr::Addr;
use crate::net::body::{Body, BodyError};
use crate::net::dial::Dialer;
use crate::net::io::Io;

/// How long a connection may be without use.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// There is no connection: the engine has not seen it.
    #[error(transparent)]
    Connect(#[from] crate::net::Error),
    /// The connection broke: the engine may have seen it.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// The connections to one engine that wait for a request; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(Arc<Mutex<Vec<(Instant, Link)>>>);

/// One connection.
#[derive(Debug)]
struct Link {
    sender: SendRequest<Body>,
    /// `None` once it has ended.
    connection: Option<Connection<TokioIo<Io>, Body>>,
}

impl Links {
    /// Sends a request without a body, over a new connection if none waits, and returns as soon as the answer's head is
    /// there.
    ///
    /// # Cancel safety
    /// Dropping the future, or the answer's body before its end, closes the connection.
    ///
    /// # Errors
    /// [`Failure::Connect`] when the engine did not see it, [`Failure::Broken`] when it may have.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
        (addr, dialer): (&Addr, &Dialer),
    ) -> Result<Response<Body>, Failure> {
        to_origin_form(&mut request);
        loop {
            let (mut link, used) = match self.take() {
                Some(link) => (link, true),
                None => (Link::open(addr, dialer).await?, false),
            };
            let mut failed = match link.ask(request).await {
                Ok(answer) => return Ok(answer.map(|body| Answered::over(body, link, self))),
                Err(failed) => failed,
            };
            // An engine may close a connection that waits at any time; what was not written was not seen.
            match failed.take_message() {
                Some(unsent) if used => request = unsent,
                _ => return Err(failed.into_error().into()),
            }
        }
    }

    /// Takes the connection that was used last, of those that still stand.
    fn take(&self) -> Option<Link> {
        loop {
            let (since, mut link) = self.lock().pop()?;
            if since.elapsed() < IDLE && link.waits() {
                return Some(link);
            }
        }
    }

    /// Keeps a connection for the next request, if it can take one.
    fn put(&self, mut link: Link) {
        if !link.waits() {
            return;
        }
        let mut all = self.lock();
        // Those that were used longest ago are in front.
        let old = all.iter().take_while(|(since, _)| since.elapsed() >= IDLE);
        let old = old.count();
        all.drain(..old);
        if all.len() < IDLE_CONNECTIONS {
            all.push((Instant::now(), link));
        }
    }

    /// Closes connections that wait for a request, but for so many that were used last.
    pub(super) fn keep(&self, count: usize) {
        let mut all = self.lock();
        let many = all.len().saturating_sub(count);
        all.drain(..many);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Link)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Connects.
    async fn open(addr: &Addr, dialer: &Dialer) -> Result<Self, Failure> {
        let io = TokioIo::new(dialer.connect(addr).await?);
        let mut http = http1::Builder::new();
        http.preserve_header_case(true);
        let (sender, connection) = http.handshake(io).await?;
        let connection = Some(connection);
        Ok(Self { sender, connection })
    }

    /// Sends a request and waits for the answer's head.
    async fn ask(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, hyper::client::conn::TrySendError<Request<Body>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| {
            drive(&mut self.connection, cx);
            // The connection brings the answer; yet tokio may make a task that did much come back for it.
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// Tells whether the connection stands and nothing is under way on it.
    fn waits(&mut self) -> bool {
        drive(
            &mut self.connection,
            &mut Context::from_waker(Waker::noop()),
        );
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// Lets a connection read and write what it can.
fn drive(connection: &mut Option<Connection<TokioIo<Io>, Body>>, cx: &mut Context<'_>) {
    if let Some(standing) = connection
        && Pin::new(standing).poll(cx).is_ready()
    {
        // How it ended is told to whoever waits for an answer on it.
        *connection = None;
    }
}

/// Makes the target what is written to a server that is no proxy, and names the host.
fn to_origin_form(request: &mut Request<Body>) {
    let host = request.uri().authority().map(http::uri::Authority::as_str);
    if let Some(host) = host.and_then(|host| HeaderValue::from_str(host).ok()) {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    if let Some(target) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(target);
    }
}

/// An answer's body, and the connection that it comes over; at its end the connection goes back.
#[derive(Debug)]
struct Answered {
    incoming: Incoming,
    link: Option<Link>,
    links: Links,
}

impl Answered {
    /// Makes the body of an answer whose head has come over a connection.
    fn over(incoming: Incoming, link: Link, links: &Links) -> Body {
        let mut answered = Self {
            incoming,
            link: Some(link),
            links: links.clone(),
        };
        answered.give_back_at_end();
        answered.boxed_unsync()
    }

    /// Gives the connection back if the body has come to its end.
    fn give_back_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(link) = self.link.take()
        {
            self.links.put(link);
        }
    }
}

impl hyper::body::Body for Answered {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        // The first poll says that more is wanted, which the connection reads for.
        let mut frame = Pin::new(&mut this.incoming).poll_frame(cx);
        if frame.is_pending()
            && let Some(link) = &mut this.link
        {
            drive(&mut link.connection, cx);
            frame = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        match &frame {
            Poll::Ready(None) => {
                if let Some(link) = this.link.take() {
                    this.links.put(link);
                }
            }
            Poll::Ready(Some(_)) => this.give_back_at_end(),
            Poll::Pending => {}
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
