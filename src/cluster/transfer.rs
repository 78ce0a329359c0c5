//! Images on their way to a node: copied from another, engine to engine, or pulled from a registry.
//!
//! One transfer per image and node runs at a time, however many wait for it, and ends when all of them have left. Bytes
//! are streamed: what the giver saves goes into the taker's load, and the slower of the two sets the pace.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::flight::Flights;
use super::supply::Source;
use super::{Cluster, Error, carry, stall};
use crate::engine::{self, Engine, Refresh};
use crate::model::image;
use crate::net::body::{self, Body};

/// Copies that run at once over all nodes, and pulls for creates.
const AT_ONCE: usize = 8;
/// How often a copy is waited for that brings an image under another name.
const TRIES: u32 = 16;
/// The longest line of an engine's progress that is read.
const LINE_LIMIT: usize = 4 << 20;
/// Why a transfer ends whose last client has left; creates wait in tasks of their own and stay.
pub(super) const UNWANTED: &str = "nobody waits for it any more";
/// The header with a registry's credentials.
pub const AUTH: HeaderName = HeaderName::from_static("x-registry-auth");

/// What became of a transfer.
pub(super) type Outcome = Result<(), Arc<str>>;

/// What makes two transfers the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// An image, by ID and name, that the engine with this key is to have.
    Named {
        to: Arc<str>,
        id: String,
        name: String,
    },
    /// The bytes of an image, by ID, on their way there under whatever name.
    Copy { to: Arc<str>, id: String },
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

    /// Returns the outcome of the transfer with this key; starts `work` when none is under way. It has to end soon once
    /// its token is cancelled: then nobody waits for it any more.
    async fn join<F>(&self, key: Key, work: impl FnOnce(CancellationToken) -> F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let slots = match key {
            // It waits for what has a slot of its own.
            Key::Named { .. } => None,
            Key::Copy { .. } => Some(Arc::clone(&self.copies)),
            Key::Pull { .. } => Some(Arc::clone(&self.pulls)),
        };
        let work = |left: CancellationToken| {
            let work = work(left.clone());
            async move {
                let slot = async {
                    match &slots {
                        // The semaphore is never closed.
                        Some(slots) => slots.acquire().await.ok(),
                        None => None,
                    }
                };
                let _slot = tokio::select! {
                    biased;
                    () = left.cancelled() => return Err(UNWANTED.into()),
                    slot = slot => slot,
                };
                work.await
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
    let key = Key::Named {
        to: Arc::clone(engine.client().key()),
        id: source.image.id.clone(),
        name: source.name.clone(),
    };
    let (own, from, to) = (cluster.clone(), source.clone(), engine.clone());
    let moved = Arc::clone(moved);
    let work = move |left| async move { bring(&own, &from, &to, &moved, left).await };
    let outcome = cluster.transfers().join(key, work).await;
    outcome.map_err(|reason| Error::Image {
        image: source.name.clone(),
        node: engine.node().name.clone(),
        how: format!("copied from {}", source.node),
        reason: reason.to_string(),
    })
}

/// Brings an image under one name. Who asks for another name of it meanwhile waits for the same bytes, and only the name
/// is added.
async fn bring(
    cluster: &Cluster,
    source: &Source,
    to: &Engine,
    moved: &Arc<AtomicU64>,
    left: CancellationToken,
) -> Outcome {
    tracing::debug!(image = source.name, to = %to.client().key(), "an image is to be copied");
    let key = Key::Copy {
        to: Arc::clone(to.client().key()),
        id: source.image.id.clone(),
    };
    for _ in 0..TRIES {
        let was_there = source.is_held_by(&to.node());
        let (own, from, taker) = (cluster.clone(), source.clone(), to.clone());
        let moved = Arc::clone(moved);
        let mut is_own = false;
        let work = |left| {
            is_own = true;
            async move { carry::image(&own, &from, &taker, &moved, left).await }
        };
        let outcome = tokio::select! {
            outcome = cluster.transfers().join(key.clone(), work) => outcome,
            () = left.cancelled() => return Err(UNWANTED.into()),
        };
        if outcome.is_err() && !is_own {
            // Why it failed may lie in the other name.
            continue;
        }
        outcome?;
        if source.is_on(&to.node()) {
            return Ok(());
        }
        // An engine keeps one time for all tags of an image: giving it one more would make the others seem new, of which
        // it has some if it was there before.
        if !was_there && carry::is_meant(&cluster.members(), source) {
            break;
        }
    }
    let named = carry::name(cluster, source, to).await;
    named.map_err(Arc::from)
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
    let work = move |left: CancellationToken| async move {
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
            () = left.cancelled() => Err(UNWANTED.to_owned()),
        };
        all.refresh(&to, Refresh::Images).await;
        result.map_err(Arc::from)
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
pub(super) async fn send(
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
    let incoming = answer.into_body();
    if status == StatusCode::OK {
        return Ok(incoming);
    }
    let text = body::read(incoming, LINE_LIMIT).await;
    let text = text.map_err(|e| e.to_string())?;
    Err(engine::client::message(&text))
}

/// Reads an engine's lines of progress to their end and tells `heard` of each; the error among them is the outcome.
pub(super) async fn read_progress(progress: Body, heard: impl Fn()) -> Result<(), String> {
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
    use std::sync::atomic::Ordering;

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
        let key = |id: &str| Key::Copy {
            to: "node:2375".into(),
            id: id.to_owned(),
        };
        let of = |id: &str, fails: bool| {
            let runs = Arc::clone(&runs);
            transfers.join(key(id), move |_| async move {
                runs.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                if fails { Err("broken".into()) } else { Ok(()) }
            })
        };
        let one = |fails: bool| of("sha256:1", fails);
        let (a, b, c) = tokio::join!(one(true), one(true), one(true));
        assert!(
            [a, b, c]
                .iter()
                .all(|r| r.as_ref().is_err_and(|e| &**e == "broken"))
        );
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert_eq!(one(false).await, Ok(()), "a failure is not remembered");
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        let (one, other) = tokio::join!(one(false), of("sha256:2", false));
        assert_eq!((one, other), (Ok(()), Ok(())));
        assert_eq!(runs.load(Ordering::Relaxed), 4, "each image has its own");
    }

    #[tokio::test]
    async fn names_that_wait_for_copies_take_no_slots() {
        let transfers = Transfers::default();
        let waits = |number: usize| {
            let (name, own) = (number.to_string(), transfers.clone());
            let to: Arc<str> = "node:2375".into();
            let id = name.clone();
            let copy = Key::Copy {
                to: Arc::clone(&to),
                id: id.clone(),
            };
            transfers.join(Key::Named { to, id, name }, move |_| async move {
                tokio::task::yield_now().await;
                own.join(copy, |_| async { Ok(()) }).await
            })
        };
        let all = futures_util::future::join_all((0..4 * AT_ONCE).map(waits));
        let all = tokio::time::timeout(Duration::from_secs(60), all).await;
        assert!(all.unwrap().iter().all(Result::is_ok));
    }
}
