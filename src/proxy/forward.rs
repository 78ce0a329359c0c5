//! Sends a request on as it is, and its answer back as it comes.

use http::request::Parts;
use http::{Request, Response, header};
use hyper::body::Body as _;

use super::headers;
use crate::engine::{self, Engine};
use crate::net::body::Body;

/// Forwards a request to an engine under another target and returns as soon as the answer's head is there.
///
/// # Cancel safety
/// Dropping the future, or the answer's body, closes the connection to the engine, which cancels the call there.
///
/// # Errors
/// The engine could not be reached, or broke off or became unhealthy before its answer's head.
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
    if request_body.is_end_stream() && head.headers.contains_key(header::CONTENT_LENGTH) {
        // Of a body that was read here and is not sent on; an engine would wait for it.
        let none = header::HeaderValue::from_static("0");
        head.headers.insert(header::CONTENT_LENGTH, none);
    }
    let answer = send(engine, Request::from_parts(head, request_body)).await?;
    Ok(passed_on(answer))
}

/// Sends a request and waits for the answer's head as long as the engine answers anything at all: what is slow to answer
/// by its nature (a stop, a commit) takes its time, and an engine that hangs keeps nobody waiting for ever.
pub(super) async fn send(
    engine: &Engine,
    request: Request<Body>,
) -> Result<Response<Body>, engine::Error> {
    let outcome = match request.method().is_safe() {
        true => "",
        false => "; whether it was carried out is unknown",
    };
    tokio::select! {
        biased;
        answer = engine.client().send(request) => answer.inspect_err(|_| engine.suspect()),
        reason = engine.silent() => Err(engine::Error::Lost {
            node: engine.client().key().to_string(),
            reason,
            outcome,
        }),
    }
}

/// Turns an engine's answer into ours.
pub(super) fn passed_on(mut answer: Response<Body>) -> Response<Body> {
    headers::strip_hop_by_hop(answer.headers_mut());
    answer
}
