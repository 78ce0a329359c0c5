//! Images on their way to a node: copied from another, engine to engine, or pulled from a registry.
//!
//! One transfer per image and node runs at a time, however many creates wait for it. Bytes are streamed: what the giver
//! saves goes into the taker's load, and the slower of the two sets the pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::flight::Flights;
use super::supply::Source;
use super::{Cluster, Error, stall};
use crate::engine::{self, Engine, Refresh};
use crate::model::image;
use crate::net::body::{self, Body};

/// Copies that run at once over all nodes, and pulls for creates.
const AT_ONCE: usize = 8;
/// How often a copy tells in the log how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// The longest line of an engine's progress that is read.
const LINE_LIMIT: usize = 4 << 20;
/// The header with a registry's credentials.
pub const AUTH: HeaderName = HeaderName::from_static("x-registry-auth");

/// What became of a transfer.
type Outcome = Result<(), Arc<str>>;

/// What makes two transfers the same one; those of one image under two names are two, since each brings its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// An image, by ID and name, on its way to the engine with this key.
    Copy {
        to: Arc<str>,
        id: String,
        name: String,
    },
    /// A pull; who comes with other credentials may be refused what these are given.
    Pull {
        to: Arc<str>,
        query: String,
        auth: Option<HeaderValue>,
    },
}

/// The transfers under way; clones share them.
#[derive(Clone, Debug)]
pub struct Transfers {
    running: Flights<Key, Outcome>,
    copies: Arc<Semaphore>,
    pulls: Arc<Semaphore>,
    heard: stall::Pulls,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            running: Flights::default(),
            copies: Arc::new(Semaphore::new(AT_ONCE)),
            pulls: Arc::new(Semaphore::new(AT_ONCE)),
            heard: stall::Pulls::default(),
        }
    }
}

impl Transfers {
    /// Listens to what an engine says of its pulls.
    pub fn heard(&self, engine: &Engine) -> stall::Heard {
        self.heard.of(engine.client().key())
    }

    /// Returns the outcome of the transfer with this key; starts `work` when none is under way.
    async fn join<F>(&self, key: Key, work: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let slots = match key {
            Key::Copy { .. } => Arc::clone(&self.copies),
            Key::Pull { .. } => Arc::clone(&self.pulls),
        };
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

/// Copies an image from the node that has it to `engine`, and returns once the view shows it there. `moved` counts the
/// bytes, unless the copy was under way already.
///
/// # Errors
/// [`Error::Image`]: either engine failed; nothing is left half-loaded, since engines register an image last.
pub async fn copy(
    cluster: &Cluster,
    engine: &Engine,
    source: &Source,
    moved: &Arc<AtomicU64>,
) -> Result<(), Error> {
    let key = Key::Copy {
        to: Arc::clone(engine.client().key()),
        id: source.image.id.clone(),
        name: source.name.clone(),
    };
    let (own, from, to) = (cluster.clone(), source.clone(), engine.clone());
    let moved = Arc::clone(moved);
    let work = move || async move { carry(&own, &from, &to, moved).await };
    let outcome = cluster.transfers().join(key, work).await;
    outcome.map_err(|reason| Error::Image {
        image: source.name.clone(),
        node: engine.node().name.clone(),
        how: format!("copied from {}", source.node),
        reason: reason.to_string(),
    })
}

/// Runs one copy from beginning to end.
async fn carry(
    cluster: &Cluster,
    source: &Source,
    to: &Engine,
    moved: Arc<AtomicU64>,
) -> Result<(), String> {
    let started = Instant::now();
    let (image, from, taker) = (&source.name, &source.node, to.node().name.clone());
    tracing::info!(image, from, to = taker, "copying an image");
    to.copying(image, source.moved_at).await;
    let result = tokio::select! {
        result = pipe(source, to, &moved) => result,
        reason = source.engine.lost() => Err(format!("{from} stopped answering: {reason}")),
        reason = to.lost() => Err(format!("{taker} stopped answering: {reason}")),
        reason = stall::copy(&moved) => Err(reason),
        () = tell_how_far(source, &taker, &moved) => Ok(()),
    };
    cluster.refresh(to, Refresh::Images).await;
    to.copied(image).await;
    let result = result.and_then(|()| match source.is_on(&to.node()) {
        true => Ok(()),
        false => Err(format!(
            "{taker} took it and does not have it as {}",
            source.image.id
        )),
    });
    let (bytes, took) = (moved.load(Ordering::Relaxed), started.elapsed());
    match &result {
        Ok(()) => tracing::info!(image, from, to = taker, bytes, ?took, "image copied"),
        Err(reason) => {
            tracing::warn!(image, from, to = taker, bytes, reason, "image not copied");
        }
    }
    result
}

/// Streams what one engine saves into what the other loads.
async fn pipe(source: &Source, to: &Engine, moved: &Arc<AtomicU64>) -> Result<(), String> {
    let path = format!("/images/{}/get", source.name);
    let saved = send(
        &source.engine,
        Method::GET,
        &path,
        HeaderMap::new(),
        body::empty(),
    )
    .await?;
    let counted = Arc::clone(moved);
    let archive = saved.into_data_stream().inspect_ok(move |chunk| {
        counted.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    });
    let mut headers = HeaderMap::new();
    let tar = HeaderValue::from_static("application/x-tar");
    headers.insert(header::CONTENT_TYPE, tar);
    let archive = body::stream(archive);
    let told = send(to, Method::POST, "/images/load?quiet=1", headers, archive).await?;
    read_progress(told, || {}).await
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

/// A pull as a create asks for it.
#[derive(Clone, Debug)]
pub struct Pull {
    /// What the user calls the image.
    pub reference: String,
    /// The platform that is asked for; empty for the engine's own.
    pub platform: String,
    /// The request's credentials for the registry.
    pub auth: Option<HeaderValue>,
}

/// Pulls an image on `engine`, and returns once the view shows it there.
///
/// # Errors
/// [`Error::Image`] with the engine's words.
pub async fn pull(cluster: &Cluster, engine: &Engine, pull: &Pull) -> Result<(), Error> {
    let key = Key::Pull {
        to: Arc::clone(engine.client().key()),
        query: pull.query(),
        auth: pull.auth.clone(),
    };
    let (all, to, own) = (cluster.clone(), engine.clone(), pull.clone());
    let work = move || async move {
        let heard = all.transfers().heard(&to);
        let path = format!("/images/create?{}", own.query());
        let headers = own.auth.map(|auth| (AUTH, auth));
        let headers = HeaderMap::from_iter(headers);
        let pull = async {
            let told = send(&to, Method::POST, &path, headers, body::empty()).await?;
            read_progress(told, || heard.count()).await
        };
        let result = tokio::select! {
            result = pull => result,
            reason = to.lost() => Err(format!("it stopped answering: {reason}")),
            limit = heard.nothing() => Err(nothing_said(limit)),
        };
        all.refresh(&to, Refresh::Images).await;
        result
    };
    let outcome = cluster.transfers().join(key, work).await;
    outcome.map_err(|reason| Error::Image {
        image: pull.reference.clone(),
        node: engine.node().name.clone(),
        how: "pulled".to_owned(),
        reason: reason.to_string(),
    })
}

/// Says that an engine was given up.
fn nothing_said(limit: Duration) -> String {
    let limit = humantime::format_duration(limit);
    format!("it said nothing of its pulls for {limit}")
}

impl Pull {
    /// Returns the query: repository, tag or digest, and platform.
    fn query(&self) -> String {
        let reference = self.reference.as_str();
        let (repository, tag) = match reference.split_once('@') {
            Some((name, digest)) => (image::without_tag(name), digest),
            None => {
                let repository = image::without_tag(reference);
                let tag = reference[repository.len()..].trim_start_matches(':');
                (repository, if tag.is_empty() { "latest" } else { tag })
            }
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("fromImage", repository);
        query.append_pair("tag", tag);
        if !self.platform.is_empty() {
            query.append_pair("platform", &self.platform);
        }
        query.finish()
    }
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

/// Reads an engine's lines of progress to their end and tells `heard` of each; the error among them is the outcome.
async fn read_progress(progress: Body, heard: impl Fn()) -> Result<(), String> {
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
        heard();
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
            let pull = |platform: &str| Pull {
                reference: reference.to_owned(),
                platform: platform.to_owned(),
                auth: None,
            };
            assert_eq!(pull("").query(), query);
            let other = format!("{query}&platform=linux%2Farm64");
            assert_eq!(pull("linux/arm64").query(), other);
        }
    }

    #[tokio::test]
    async fn the_error_among_the_lines_is_the_outcome() {
        let ok = "{\"stream\":\"Loaded image: a\"}\r\n{\"status\":\"x\"}";
        let lines = AtomicU64::new(0);
        let heard = || {
            lines.fetch_add(1, Ordering::Relaxed);
        };
        assert_eq!(read_progress(body::full(ok), heard).await, Ok(()));
        assert_eq!(lines.load(Ordering::Relaxed), 2);
        let bad =
            "{\"status\":\"x\"}\n{\"errorDetail\":{\"message\":\"full\"},\"error\":\"full\"}\n";
        let told = read_progress(body::full(bad), heard).await;
        assert_eq!(told, Err("full".to_owned()));
    }

    #[tokio::test]
    async fn who_comes_second_waits_for_the_first() {
        let transfers = Transfers::default();
        let runs = Arc::new(AtomicU64::new(0));
        let key = |name: &str| Key::Copy {
            to: "node:2375".into(),
            id: "sha256:1".to_owned(),
            name: name.to_owned(),
        };
        let named = |name: &str, fails: bool| {
            let runs = Arc::clone(&runs);
            transfers.join(key(name), move || async move {
                runs.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                if fails {
                    Err("broken".to_owned())
                } else {
                    Ok(())
                }
            })
        };
        let one = |fails: bool| named("app:1", fails);
        let (a, b, c) = tokio::join!(one(true), one(true), one(true));
        assert!(
            [a, b, c]
                .iter()
                .all(|r| r.as_ref().is_err_and(|e| &**e == "broken"))
        );
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert_eq!(one(false).await, Ok(()), "a failure is not remembered");
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        let (one, other) = tokio::join!(one(false), named("app:2", false));
        assert_eq!((one, other), (Ok(()), Ok(())));
        assert_eq!(
            runs.load(Ordering::Relaxed),
            4,
            "each name is brought by itself"
        );
    }
}
