//! An endpoint for one docker command: what it reads comes from the running Flotilla, and what it would create is
//! explained in place of being created.
//!
//! Invariant: nothing that could change anything is passed on.

use std::convert::Infallible;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::task::JoinSet;

use super::Error;
use super::explain::DEADLINE;
use super::remote::ask;
use crate::engine::Client;
use crate::net::addr::Addr;
use crate::net::body::{self, Body};
use crate::net::listen::{Connected, Listener};
use crate::proxy::headers;

/// The most bytes of a create's body.
const LIMIT: usize = 64 << 20;
/// How long a head may take.
const HEAD: Duration = Duration::from_secs(30);
/// What the command is told in place of the ID of a container.
const EXPLAINED: &str = "explained, not created";

/// The endpoint, on a socket that nobody else can reach.
#[derive(Debug)]
pub(super) struct Rehearsal {
    listener: Listener,
    shared: Arc<Shared>,
    // After the listener, whose socket is in it.
    folder: Folder,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    told: Mutex<Vec<Result<Value, Error>>>,
}

/// A folder that goes when this is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Rehearsal {
    /// Opens it before a running Flotilla.
    pub(super) async fn open(client: Client) -> Result<Self, Error> {
        let name = format!("flotilla-{:016x}", fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        // Made anew, for its owner alone: whoever reaches the socket asks with the owner's certificate.
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let folder = Folder(folder);
        let addr = Addr::Unix(folder.0.join("docker.sock"));
        let listener = Listener::bind(&addr, None).await?;
        let told = Mutex::default();
        let shared = Arc::new(Shared { client, told });
        Ok(Self {
            listener,
            shared,
            folder,
        })
    }

    /// Returns the value for the docker CLI's `--host`.
    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.folder.0.join("docker.sock").display())
    }

    /// Serves until it is dropped.
    pub(super) async fn serve(&self) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            let accepted = self.listener.accept().await;
            // On a local socket there is none to fail.
            if let Ok(connected) = accepted.handshake().await {
                connections.spawn(connection(connected, Arc::clone(&self.shared)));
            }
            while connections.try_join_next().is_some() {}
        }
    }

    /// Returns the decisions on what was to be created.
    pub(super) fn decisions(&self) -> Result<Vec<Value>, Error> {
        let told = &mut *self.shared.lock();
        std::mem::take(told).into_iter().collect()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Result<Value, Error>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request.
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        match (request.method(), without_version(path)) {
            (&Method::GET | &Method::HEAD, _) => self.pass_on(request).await,
            (&Method::POST, "/containers/create") => self.explain(request).await,
            // `--pull always` asks for it first; a node would pull when the container comes.
            (&Method::POST, "/images/create") => said(StatusCode::OK, String::new()),
            (method, path) => {
                let message =
                    format!("flotilla explain changes nothing, and so not {method} {path}");
                // The CLI writes all before it reads, and would see no more than a broken connection.
                let _ = body::read(body::incoming(request.into_body()), LIMIT).await;
                refused(StatusCode::FORBIDDEN, &message)
            }
        }
    }

    /// Asks the running Flotilla where the container would go.
    async fn explain(&self, request: Request<Incoming>) -> Response<Body> {
        let uri = request.uri();
        let version = uri.path().strip_suffix("/containers/create");
        let path = format!(
            "{}/flotilla/explain?{}",
            version.unwrap_or_default(),
            uri.query().unwrap_or_default()
        );
        let told = match body::read(body::incoming(request.into_body()), LIMIT).await {
            Ok(body) => ask(&self.client, Method::POST, &path, Some(body), DEADLINE).await,
            Err(error) => Err(Error::Named(error.to_string())),
        };
        self.lock().push(told);
        refused(StatusCode::CONFLICT, EXPLAINED)
    }

    /// Passes a request on that only reads.
    async fn pass_on(&self, request: Request<Incoming>) -> Response<Body> {
        let (mut head, _) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |p| p.as_str());
        let uri = match self.client.uri(target) {
            Ok(uri) => uri,
            Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        headers::strip_hop_by_hop(&mut head.headers);
        head.headers.remove(header::HOST);
        head.headers.remove(header::CONTENT_LENGTH);
        head.uri = uri;
        let sent = self.client.send(Request::from_parts(head, body::empty()));
        match tokio::time::timeout(DEADLINE, sent).await {
            Ok(Ok(answer)) => {
                let (mut head, body) = answer.into_parts();
                headers::strip_hop_by_hop(&mut head.headers);
                Response::from_parts(head, body)
            }
            Ok(Err(error)) => refused(StatusCode::BAD_GATEWAY, &error.to_string()),
            Err(_) => refused(StatusCode::GATEWAY_TIMEOUT, "flotilla did not answer"),
        }
    }
}

/// Serves one connection to its end.
async fn connection(connected: Connected, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(connected.into_io()), service);
    // The command may have ended in the middle.
    let _ = served.await;
}

/// Returns a path without the API version in front.
fn without_version(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v") else {
        return path;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let is_version = rest[..end].bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match is_version && end > 0 {
        true => &rest[end..],
        false => path,
    }
}

/// Makes an error as engines do.
fn refused(status: StatusCode, message: &str) -> Response<Body> {
    said(
        status,
        serde_json::json!({ "message": message }).to_string(),
    )
}

/// Makes an answer of JSON.
fn said(status: StatusCode, text: String) -> Response<Body> {
    let mut answer = Response::new(body::full(text));
    *answer.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_taken_off_and_names_are_not() {
        for (path, bare) in [
            ("/v1.51/containers/create", "/containers/create"),
            ("/containers/create", "/containers/create"),
            ("/volumes/create", "/volumes/create"),
            ("/v1.51", ""),
            ("/v/x", "/v/x"),
        ] {
            assert_eq!(without_version(path), bare);
        }
    }
}
