//! One request with everything a handler may ask for.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, header};
use hyper::body::Body as _;

use super::error::Error;
use super::query::Query;
use super::wish::{Scope, Wish};
use super::{Api, Peer};
use crate::cluster::Members;
use crate::engine::Engine;
use crate::model::go_json;
use crate::model::raw::Object;
use crate::net::body::{self, Body};
use crate::proxy::hijack::Slot;
use crate::proxy::{forward, hijack, target};

/// The most bytes of a JSON body that are read.
pub(super) const JSON_LIMIT: usize = 64 << 20;
/// The most bytes of an engine's JSON answer that are read to be changed.
const ANSWER_LIMIT: usize = 256 << 20;

/// What a handler returns.
pub(super) type Answer = Result<Response<Body>, Error>;

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    /// The API it came to.
    pub(super) api: Arc<Api>,
    /// Its head as it came.
    pub(super) head: Parts,
    /// Its body.
    pub(super) body: Body,
    /// Its path, decoded, without the version.
    pub(super) path: String,
    /// What stands for the variable of the route, decoded: an ID or a name.
    pub(super) id: String,
    /// Its query, decoded.
    pub(super) query: Query,
    /// What its client wishes of nodes.
    pub(super) wish: Wish,
    /// The nodes that it is for.
    pub(super) scope: Scope,
    /// The minor number of the API version it speaks.
    pub(super) version: u16,
    /// Who sent it.
    pub(super) peer: Arc<Peer>,
    /// Where a raw stream is left for the connection.
    pub(super) slot: Slot,
}

impl Call {
    /// Returns the membership to look at, of the nodes that the call is for.
    pub(super) fn members(&self) -> Arc<Members> {
        self.scope.members(&self.api.cluster)
    }

    /// Returns the query as it came.
    pub(super) fn raw_query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }

    /// Reads the body whole.
    pub(super) async fn read_body(&mut self) -> Result<bytes::Bytes, Error> {
        let taken = std::mem::replace(&mut self.body, body::empty());
        Ok(body::read(taken, JSON_LIMIT).await?)
    }

    /// Replaces the body by JSON, which is called so also when there was none before and nothing said what it is.
    pub(super) fn set_body(&mut self, text: String) {
        let headers = &mut self.head.headers;
        headers.remove(header::CONTENT_LENGTH);
        headers
            .entry(header::CONTENT_TYPE)
            .or_insert(header::HeaderValue::from_static("application/json"));
        self.body = body::full(text);
    }

    /// Sends the call to `engine` as it is, but for its path.
    pub(super) async fn forward(self, engine: &Engine, path: &str) -> Answer {
        let query = self.raw_query().to_owned();
        self.forward_with(engine, path, &query).await
    }

    /// Sends the call to `engine` with another path and query.
    pub(super) async fn forward_with(self, engine: &Engine, path: &str, query: &str) -> Answer {
        let target = target::versioned(engine, self.version, path, query);
        Ok(forward(engine, self.head, self.body, &target).await?)
    }

    /// Sends the call to `engine` and turns the connection into a raw stream if the engine agrees.
    pub(super) async fn hijack(self, engine: &Engine, path: &str) -> Answer {
        let target = target::versioned(engine, self.version, path, self.raw_query());
        let answer = hijack::hijack(engine, self.head, self.body, &target, &self.slot).await?;
        Ok(answer)
    }
}

/// Reads the object that a body's text begins with, of what Go calls `kind`, as engines do; nothing at all is one without
/// fields.
pub(super) fn object<'a>(text: &'a str, kind: &str) -> Result<Object<'a>, Error> {
    if text.trim_ascii().is_empty() {
        return Ok(Object::default());
    }
    let read = || {
        go_json::check(text)?;
        go_json::object(text, &format!("value of type {kind}"))
    };
    read().map_err(|e| Error::Bad(format!("invalid JSON: {e}")))
}

/// Reads the whole body as text; none at all is an empty object, as for engines where all fields may be left out.
pub(super) async fn text(call: &mut Call) -> Result<String, Error> {
    let text = call.read_body().await?;
    Ok(match String::from_utf8_lossy(&text).into_owned() {
        empty if empty.trim().is_empty() => "{}".to_owned(),
        text => text,
    })
}

/// Makes a JSON answer of our own.
pub(super) fn json(status: StatusCode, text: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut answer = Response::new(body::full(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    answer
}

/// Makes a JSON answer that is written chunk by chunk, as fast as the client reads.
pub(super) fn chunked(
    chunks: impl Iterator<Item = bytes::Bytes> + Send + 'static,
) -> Response<Body> {
    let mut answer = Response::new(body::stream(futures_util::stream::iter(chunks.map(Ok))));
    let json = header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

/// Makes an answer without a body.
pub(super) fn no_content(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(body::empty());
    *answer.status_mut() = status;
    answer
}

/// Takes the bytes of an answer to `HEAD` and leaves their number (wire rule W17).
pub(super) fn without_body(answer: &mut Response<Body>) {
    let length = answer
        .body()
        .size_hint()
        .exact()
        .filter(|length| *length > 0);
    *answer.body_mut() = body::empty();
    if let Some(length) = length {
        answer
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
    }
}

/// Makes an answer out of what an engine said, whole.
pub(super) fn whole(
    status: StatusCode,
    mut headers: HeaderMap,
    text: bytes::Bytes,
) -> Response<Body> {
    crate::proxy::headers::strip_hop_by_hop(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    let mut answer = Response::new(body::full(text));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// Reads an answer of `engine` whole and changes its text when the status is a success.
pub(super) async fn changed(
    engine: &Engine,
    answer: Response<Body>,
    change: impl FnOnce(&str) -> Option<String>,
) -> Answer {
    let (head, incoming) = answer.into_parts();
    let text = engine.read(incoming, ANSWER_LIMIT).await?;
    let new = std::str::from_utf8(&text)
        .ok()
        .filter(|_| head.status.is_success())
        .and_then(change);
    let text = new.map_or(text, Into::into);
    Ok(whole(head.status, head.headers, text))
}
