//! Images on their way to a node: copied from another, engine to engine, or pulled from a registry.
//!
//! One transfer per image and node runs at a time, however many creates wait for it. Bytes are streamed: what the giver
//! saves goes into the taker's load, and the slower of the two sets the pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::flight::Flights;
use super::supply::Source;
use super::{Cluster, Error};
use crate::engine::{self, Engine, Refresh};
use crate::model::image;
use crate::net::body::{self, Body};

/// Copies that run at once over all nodes.
const COPIES: usize = 8;
/// How often a copy tells in the log how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// The longest line of an engine's progress that is read.
const LINE_LIMIT: usize = 4 << 20;

/// What became of a transfer.
type Outcome = Result<(), Arc<str>>;

/// The transfers under way, by the taker's key and what it is to get; clones share them.
#[derive(Clone, Debug)]
pub struct Transfers {
    running: Flights<(Arc<str>, String), Outcome>,
    slots: Arc<Semaphore>,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            running: Flights::default(),
            slots: Arc::new(Semaphore::new(COPIES)),
        }
    }
}

impl Transfers {
    /// Returns the outcome of the transfer with this key; starts `work` when none is under way.
    async fn join<F>(&self, key: (Arc<str>, String), work: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let slots = Arc::clone(&self.slots);
        let work = || {
            let work = work();
            async move {
                // The semaphore is never closed.
                let _slot = slots.acquire().await;
                work.await.map_err(Arc::from)
            }
        };
        let outcome = self.running.join(key, work).await;
        outcome.unwrap_or_else(|| Err("the transfer was broken off".into()))
    }
}

/// Copies an image from the node that has it to `engine`, and returns once the view shows it there.
///
/// # Errors
/// [`Error::Image`]: either engine failed; nothing is left half-loaded, since engines register an image last.
pub async fn copy(cluster: &Cluster, engine: &Engine, source: &Source) -> Result<(), Error> {
    let taker = engine.node().name.clone();
    let failed = |reason: &str| Error::Image {
        image: source.name.clone(),
        node: taker.clone(),
        how: format!("copied from {}", source.node),
        reason: reason.to_owned(),
    };
    let key = (Arc::clone(engine.client().key()), source.id.clone());
    let (own, from) = (cluster.clone(), source.clone());
    let to = engine.clone();
    let work = move || async move { carry(&own, &from, &to).await };
    let outcome = cluster.transfers().join(key, work).await;
    outcome.map_err(|reason| failed(&reason))
}

/// Runs one copy from beginning to end.
async fn carry(cluster: &Cluster, source: &Source, to: &Engine) -> Result<(), String> {
    let started = Instant::now();
    let taker = to.node().name.clone();
    tracing::info!(
        image = source.name,
        from = source.node,
        to = taker,
        "copying an image"
    );
    let moved = Arc::new(AtomicU64::new(0));
    to.copying(&source.name, source.moved_at).await;
    let result = tokio::select! {
        result = pipe(source, to, Arc::clone(&moved)) => result,
        reason = source.engine.lost() => Err(format!("{} stopped answering: {reason}", source.node)),
        reason = to.lost() => Err(format!("{taker} stopped answering: {reason}")),
        () = tell_how_far(source, &taker, &moved) => Ok(()),
    };
    cluster.refresh(to, Refresh::Images).await;
    to.copied(&source.name).await;
    let result = result.and_then(|()| match source.is_on(&to.node()) {
        true => Ok(()),
        false => Err(format!(
            "{taker} took it and does not have it as {}",
            source.id
        )),
    });
    let (bytes, took) = (moved.load(Ordering::Relaxed), started.elapsed());
    match &result {
        Ok(()) => tracing::info!(
            image = source.name,
            from = source.node,
            to = taker,
            bytes,
            ?took,
            "image copied"
        ),
        Err(reason) => tracing::warn!(
            image = source.name,
            from = source.node,
            to = taker,
            bytes,
            reason,
            "image not copied"
        ),
    }
    result
}

/// Streams what one engine saves into what the other loads.
async fn pipe(source: &Source, to: &Engine, moved: Arc<AtomicU64>) -> Result<(), String> {
    let path = format!("/images/{}/get", source.name);
    let saved = send(
        &source.engine,
        Method::GET,
        &path,
        HeaderMap::new(),
        body::empty(),
    )
    .await?;
    let archive = saved.into_data_stream().inspect_ok(move |chunk| {
        moved.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    });
    let mut headers = HeaderMap::new();
    let tar = header::HeaderValue::from_static("application/x-tar");
    headers.insert(header::CONTENT_TYPE, tar);
    let archive = body::stream(archive);
    let told = send(to, Method::POST, "/images/load?quiet=1", headers, archive).await?;
    read_progress(told).await
}

/// Tells in the log how far a copy is; never returns.
async fn tell_how_far(source: &Source, taker: &str, moved: &AtomicU64) {
    loop {
        tokio::time::sleep(TOLD_EVERY).await;
        let bytes = moved.load(Ordering::Relaxed);
        tracing::info!(
            image = source.name,
            from = source.node,
            to = taker,
            bytes,
            "still copying an image"
        );
    }
}

/// Pulls an image on `engine` with the credentials that `headers` hold, and returns once the view shows it there.
///
/// # Errors
/// [`Error::Image`] with the engine's words.
pub async fn pull(
    cluster: &Cluster,
    engine: &Engine,
    reference: &str,
    headers: &HeaderMap,
) -> Result<(), Error> {
    let node = engine.node().name.clone();
    let mut own = HeaderMap::new();
    if let Some(auth) = headers.get("x-registry-auth") {
        own.insert("x-registry-auth", auth.clone());
    }
    let key = (Arc::clone(engine.client().key()), reference.to_owned());
    let (all, to, wanted) = (cluster.clone(), engine.clone(), reference.to_owned());
    let work = move || async move {
        let path = format!("/images/create?{}", pull_query(&wanted));
        let pull = async {
            let told = send(&to, Method::POST, &path, own, body::empty()).await?;
            read_progress(told).await
        };
        let result = tokio::select! {
            result = pull => result,
            reason = to.lost() => Err(format!("it stopped answering: {reason}")),
        };
        all.refresh(&to, Refresh::Images).await;
        result
    };
    let outcome = cluster.transfers().join(key, work).await;
    outcome.map_err(|reason| Error::Image {
        image: reference.to_owned(),
        node,
        how: "pulled".to_owned(),
        reason: reason.to_string(),
    })
}

/// Returns the query of a pull: repository, and tag or digest.
fn pull_query(reference: &str) -> String {
    let (repository, tag) = match reference.split_once('@') {
        Some((name, digest)) => (image::without_tag(name), digest),
        None => {
            let repository = image::without_tag(reference);
            let tag = reference[repository.len()..].trim_start_matches(':');
            (repository, if tag.is_empty() { "latest" } else { tag })
        }
    };
    form_urlencoded::Serializer::new(String::new())
        .append_pair("fromImage", repository)
        .append_pair("tag", tag)
        .finish()
}

/// Sends a request and returns the body of an answer of success.
async fn send(
    engine: &Engine,
    method: Method,
    path: &str,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Body, String> {
    let api = engine.node().facts.api_max;
    let mut request = Request::new(request_body);
    *request.method_mut() = method;
    *request.uri_mut() = engine
        .client()
        .uri(&format!("/v1.{api}{path}"))
        .map_err(|e| e.to_string())?;
    *request.headers_mut() = headers;
    let answer = engine.client().send(request).await;
    let answer = answer.map_err(|e| e.to_string())?;
    let status = answer.status();
    let incoming = body::incoming(answer.into_body());
    if status == StatusCode::OK {
        return Ok(incoming);
    }
    let text = body::read(incoming, LINE_LIMIT).await;
    let text = text.map_err(|e| e.to_string())?;
    Err(engine::client::message(&text))
}

/// Reads an engine's lines of progress to their end; the error among them is the outcome.
async fn read_progress(progress: Body) -> Result<(), String> {
    #[derive(serde::Deserialize)]
    struct Line {
        error: Option<String>,
    }
    let chunks = progress.into_data_stream().map_err(std::io::Error::other);
    let mut lines = tokio_util::io::StreamReader::new(chunks);
    let mut lines = tokio_util::codec::FramedRead::new(
        &mut lines,
        tokio_util::codec::LinesCodec::new_with_max_length(LINE_LIMIT),
    );
    let mut failure = None;
    while let Some(line) = lines.next().await {
        let line = line.map_err(|e| format!("stream broken: {e}"))?;
        let told: Option<Line> = serde_json::from_str(&line).ok();
        failure = told.and_then(|t| t.error).or(failure);
    }
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_taken_apart_for_a_pull() {
        for (reference, query) in [
            ("busybox", "fromImage=busybox&tag=latest"),
            ("reg:5000/a/b:1", "fromImage=reg%3A5000%2Fa%2Fb&tag=1"),
            ("reg:5000/a/b", "fromImage=reg%3A5000%2Fa%2Fb&tag=latest"),
            ("a:1@sha256:12", "fromImage=a&tag=sha256%3A12"),
        ] {
            assert_eq!(pull_query(reference), query);
        }
    }

    #[tokio::test]
    async fn the_error_among_the_lines_is_the_outcome() {
        let ok = "{\"stream\":\"Loaded image: a\"}\r\n{\"status\":\"x\"}";
        assert_eq!(read_progress(body::full(ok)).await, Ok(()));
        let bad =
            "{\"status\":\"x\"}\n{\"errorDetail\":{\"message\":\"full\"},\"error\":\"full\"}\n";
        assert_eq!(read_progress(body::full(bad)).await, Err("full".to_owned()));
    }

    #[tokio::test]
    async fn who_comes_second_waits_for_the_first() {
        let transfers = Transfers::default();
        let runs = Arc::new(AtomicU64::new(0));
        let key = || (Arc::from("node:2375"), "sha256:1".to_owned());
        let one = |fails: bool| {
            let runs = Arc::clone(&runs);
            transfers.join(key(), move || async move {
                runs.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                if fails {
                    Err("broken".to_owned())
                } else {
                    Ok(())
                }
            })
        };
        let (a, b, c) = tokio::join!(one(true), one(true), one(true));
        assert!(
            [a, b, c]
                .iter()
                .all(|r| r.as_ref().is_err_and(|e| &**e == "broken"))
        );
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert_eq!(one(false).await, Ok(()), "a failure is not remembered");
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }
}
