//! Sends a request on as it is, and its answer back as it comes.

use http::request::Parts;
use http::{Request, Response, header};
use hyper::body::Incoming;

use super::headers;
use crate::engine::{self, Engine};
use crate::net::body::{self, Body};

/// Forwards a request to an engine under another target and returns as soon as the answer's head is there.
///
/// # Cancel safety
/// Dropping the future, or the answer's body, closes the connection to the engine, which cancels the call there.
///
/// # Errors
/// The engine could not be reached, or broke off before its answer's head.
pub async fn forward(
    engine: &Engine,
    mut head: Parts,
    request_body: Body,
    target: &str,
) -> Result<Response<Body>, engine::Error> {
    head.uri = engine.client().uri(target)?;
    head.version = http::Version::HTTP_11;
    headers::strip_hop_by_hop(&mut head.headers);
    head.headers.remove(header::HOST);
    head.headers.remove(header::EXPECT);
    let answer = engine
        .client()
        .send(Request::from_parts(head, request_body))
        .await
        .inspect_err(|_| engine.suspect())?;
    Ok(passed_on(answer))
}

/// Turns an engine's answer into ours.
pub(super) fn passed_on(answer: Response<Incoming>) -> Response<Body> {
    let (mut head, incoming) = answer.into_parts();
    headers::strip_hop_by_hop(&mut head.headers);
    Response::from_parts(head, body::incoming(incoming))
}
