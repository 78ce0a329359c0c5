//! A server that is asked over HTTP: the question is posted to it as JSON.

use std::sync::Arc;

use http::{Method, Request, StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

use super::question::Question;
use super::{Advisor, Asked, DEADLINE, Error, LIMIT, answer};
use crate::net::body::{self, Body};
use crate::scheduler::advice::Opinions;

/// The most questions at once.
const AT_ONCE: usize = 64;
/// Idle connections that are kept.
const IDLE: usize = 8;

/// A server.
#[derive(Debug)]
pub(super) struct Extender {
    uri: Uri,
    client: Client<HttpConnector, Body>,
    turns: Semaphore,
}

impl Extender {
    /// Reads its address.
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|e| format!("{e}"))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err("is no http://HOST:PORT/PATH".to_owned());
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(DEADLINE));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE)
            .build(connector);
        Ok(Self {
            uri,
            client,
            turns: Semaphore::new(AT_ONCE),
        })
    }

    async fn post(&self, question: &Question) -> Result<Opinions, Error> {
        let crashed = |e: &dyn std::fmt::Display| Error::Crashed(e.to_string());
        let _turn = self.turns.acquire().await.map_err(|e| crashed(&e))?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body::full(question.value.to_string()))
            .map_err(|e| crashed(&e))?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|e| Error::Crashed(root(&e)))?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(Error::Wrong(format!("has status {status}")));
        }
        let text = body::read(body::incoming(answer.into_body()), LIMIT).await;
        let text = text.map_err(|e| crashed(&e))?;
        let told = serde_json::from_slice(&text);
        let told = told.map_err(|e| Error::Wrong(format!("is no JSON: {e}")))?;
        answer::read(told, question)
    }
}

impl Advisor for Extender {
    fn ask(&self, question: Arc<Question>) -> Asked<'_> {
        Box::pin(async move { self.post(&question).await })
    }
}

/// Returns the innermost reason.
fn root(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}
