//! Requests to one engine over its own pool of connections.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::Error;
use super::error::root;
use super::link::{self, Links};
use crate::net::addr::Addr;
use crate::net::body::{self, Body};
use crate::net::dial::Dialer;
use crate::net::io::Io;

/// The most bytes of a control-plane answer that are read.
const ANSWER_LIMIT: usize = 256 << 20;
/// Idle connections kept per engine, of each kind.
pub(super) const IDLE_CONNECTIONS: usize = 32;
/// Of them, how many an engine keeps that was only read.
const RESTING: usize = 2;

/// The way to one engine. Clones share the pool.
#[derive(Clone)]
pub struct Client {
    addr: Arc<Addr>,
    key: Arc<str>,
    authority: Arc<str>,
    dialer: Arc<Dialer>,
    /// For requests without a body.
    links: Links,
    /// For requests with a body, and those that become raw streams.
    pool: legacy::Client<Connector, Body>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.key).finish()
    }
}

impl Client {
    /// Makes a client; connects when first used.
    pub fn new(addr: Addr, dialer: Dialer) -> Self {
        let addr = Arc::new(addr);
        let authority = match &*addr {
            Addr::Tcp { .. } => addr.to_string(),
            Addr::Unix(_) => "docker".to_owned(),
        };
        let dialer = Arc::new(dialer);
        let connector = Connector {
            addr: Arc::clone(&addr),
            dialer: Arc::clone(&dialer),
        };
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(link::IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_preserve_header_case(true)
            .build(connector);
        Self {
            key: addr.to_string().into(),
            authority: authority.into(),
            addr,
            dialer,
            links: Links::default(),
            pool,
        }
    }

    /// Returns the engine's address as discovery gave it.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Returns the engine's address.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// Closes most of the connections that wait for a request: after many calls at once few follow.
    pub(super) fn rest(&self) {
        self.links.keep(RESTING);
    }

    /// Returns the URI of `path_and_query` (which starts with `/`) on this engine.
    ///
    /// # Errors
    /// The text holds characters that no request target may hold, or is longer than 64 KiB.
    pub fn uri(&self, path_and_query: &str) -> Result<Uri, Error> {
        Uri::builder()
            .scheme("http")
            .authority(&*self.authority)
            .path_and_query(path_and_query)
            .build()
            .map_err(|e| self.answer(e.to_string()))
    }

    /// Sends a request whose URI was made by [`Client::uri`] and returns as soon as the answer's head is there.
    ///
    /// There is no deadline: silence is legitimate for `wait` and the like, and the client can go away.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection, which the engine takes as a cancel.
    ///
    /// # Errors
    /// [`Error::Connect`] when the engine did not see it, [`Error::Broken`] when it may have.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        if request.body().is_end_stream() && !request.headers().contains_key(header::UPGRADE) {
            // In a box, as requests are large and are held here for long.
            let answer = Box::pin(self.links.send(request, (&self.addr, &self.dialer)));
            return answer.await.map_err(|failure| {
                let (node, reason) = (self.key.to_string(), root(&failure));
                match failure {
                    link::Failure::Connect(_) => Error::Connect { node, reason },
                    link::Failure::Broken(_) => Error::Broken { node, reason },
                }
            });
        }
        let answer = self.send_by_task(request).await?;
        Ok(answer.map(body::incoming))
    }

    /// Sends a request over a connection that a task of its own drives.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(super) async fn send_by_task(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Error> {
        self.pool.request(request).await.map_err(|e| {
            let (node, reason) = (self.key.to_string(), root(&e));
            match e.is_connect() {
                true => Error::Connect { node, reason },
                false => Error::Broken { node, reason },
            }
        })
    }

    /// Makes a control-plane call: the whole answer within `deadline`, or an error.
    ///
    /// # Errors
    /// As [`Client::send`]; [`Error::Timeout`]; [`Error::Status`] for any status of 400 and above.
    pub async fn call(
        &self,
        method: Method,
        path_and_query: &str,
        json: Option<Bytes>,
        deadline: Duration,
    ) -> Result<(StatusCode, Bytes), Error> {
        let mut request = Request::new(match &json {
            Some(bytes) => body::full(bytes.clone()),
            None => body::empty(),
        });
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(path_and_query)?;
        if json.is_some() {
            request.headers_mut().insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static("application/json"),
            );
        }
        let whole = async {
            let answer = self.send(request).await?;
            let status = answer.status();
            let bytes = body::read(answer.into_body(), ANSWER_LIMIT)
                .await
                .map_err(|e| self.broken(root(&e)))?;
            Ok((status, bytes))
        };
        let (status, bytes) =
            tokio::time::timeout(deadline, whole)
                .await
                .map_err(|_| Error::Timeout {
                    node: self.key.to_string(),
                    after: deadline,
                })??;
        if status.as_u16() >= 400 {
            return Err(Error::Status {
                node: self.key.to_string(),
                status,
                message: message(&bytes),
            });
        }
        Ok((status, bytes))
    }

    /// Gets a JSON answer within `deadline`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get(&self, path_and_query: &str, deadline: Duration) -> Result<Bytes, Error> {
        self.call(Method::GET, path_and_query, None, deadline)
            .await
            .map(|(_, bytes)| bytes)
    }

    /// Makes the error for an answer that breaks the API's promise.
    pub fn answer(&self, what: impl Into<String>) -> Error {
        Error::Answer {
            node: self.key.to_string(),
            what: what.into(),
        }
    }

    /// Makes the error for a connection that broke.
    pub fn broken(&self, reason: impl Into<String>) -> Error {
        Error::Broken {
            node: self.key.to_string(),
            reason: reason.into(),
        }
    }
}

/// Returns the `message` of an engine's error body, or the body itself.
pub fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        message: String,
    }
    serde_json::from_slice::<Said>(body).map_or_else(
        |_| String::from_utf8_lossy(body).trim().to_owned(),
        |said| said.message,
    )
}

/// Opens connections for the pool; the URI it is asked for always means the one engine.
#[derive(Clone)]
struct Connector {
    addr: Arc<Addr>,
    dialer: Arc<Dialer>,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Io>;
    type Error = crate::net::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (addr, dialer) = (Arc::clone(&self.addr), Arc::clone(&self.dialer));
        Box::pin(async move { dialer.connect(&addr).await.map(TokioIo::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_message_is_taken_out_of_its_json() {
        assert_eq!(
            message(br#"{"message":"page not found"}"#),
            "page not found"
        );
        assert_eq!(message(b"plain text\n"), "plain text");
    }
}
