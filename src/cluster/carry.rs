//! One copy of an image from node to node, from its beginning to its end.
//!
//! Invariant: a copy that ends as another image than was asked for leaves no name behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::supply::Source;
use super::transfer::{Outcome, UNWANTED, read_progress, send};
use super::{Cluster, Members, resolve, stall};
use crate::engine::{self, Copying, Engine, Refresh};
use crate::model::image::without_tag;
use crate::model::{Image, Node};
use crate::net::body;

/// How often a copy tells in the log how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// How long an engine may take to give or take away a name.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs one copy from beginning to end, which comes early once `left` says that nobody waits for it.
pub(super) async fn image(
    cluster: &Cluster,
    source: &Source,
    to: &Engine,
    moved: &Arc<AtomicU64>,
    left: CancellationToken,
) -> Outcome {
    let started = Instant::now();
    let (image, from, taker) = (&source.name, &source.node, to.node().name.clone());
    tracing::info!(image, from, to = taker, "copying an image");
    let before = to.node();
    let copy = Copying::begin();
    to.copying(copy, image, source.moved_at).await;
    let result = tokio::select! {
        result = pipe(source, to, moved) => result,
        reason = source.engine.lost() => Err(format!("{from} stopped answering: {reason}")),
        reason = to.lost() => Err(format!("{taker} stopped answering: {reason}")),
        reason = stall::copy(moved) => Err(reason),
        () = left.cancelled() => Err(UNWANTED.to_owned()),
        () = tell_how_far(source, &taker, moved) => Ok(()),
    };
    cluster.refresh(to, Refresh::Images).await;
    let result = match result {
        Ok(()) if !source.is_on(&to.node()) => {
            take_back(cluster, source, to, copy, &before).await;
            let id = &source.image.id;
            Err(format!("{taker} took it and does not have it as {id}"))
        }
        result => result,
    };
    to.copied(copy, image).await;
    let (bytes, took) = (moved.load(Ordering::Relaxed), started.elapsed());
    match &result {
        Ok(()) => tracing::info!(image, from, to = taker, bytes, ?took, "image copied"),
        Err(reason) => {
            tracing::warn!(image, from, to = taker, bytes, reason, "image not copied");
        }
    }
    result.map_err(Arc::from)
}

/// Takes away what came in place of an image, and gives the name back to what had it `before`. What fails of that is
/// told in the log: the copy has failed already.
async fn take_back(cluster: &Cluster, source: &Source, to: &Engine, copy: Copying, before: &Node) {
    let node = to.node();
    let Some((wrong, had)) = came(&source.name, before, &node) else {
        return;
    };
    if let Some(had) = had {
        let moved_at = had.moved_at(&source.name);
        to.copying(copy, &source.name, moved_at).await;
    }
    let given = match had {
        Some(had) => give(to, &had.id, &source.name).await,
        None => drop_image(to, &source.name).await,
    };
    cluster.refresh(to, Refresh::Images).await;
    let known = before.images.iter().any(|image| image.id == wrong.id);
    // Whoever brought the same image meanwhile, under a name of their own, keeps it.
    let named = |image: &Image| !image.tags.is_empty() || !image.digests.is_empty();
    let kept = known || to.node().image(&wrong.id).is_none_or(named);
    let dropped = match given {
        Ok(()) if !kept => drop_image(to, &wrong.id).await,
        given => given,
    };
    if let Err(error) = dropped {
        tracing::warn!(image = source.name, wrong = wrong.id, %error, "a wrong image stays");
    }
    cluster.refresh(to, Refresh::Images).await;
}

/// Returns the image that a name came to, and the one that had it before and is still there.
fn came<'a>(name: &str, before: &Node, now: &'a Node) -> Option<(&'a Image, Option<&'a Image>)> {
    let bearer = |node: &'a Node| node.images.iter().find(|image| image.tag(name).is_some());
    let wrong = bearer(now)?;
    let mut old = before.images.iter();
    let old = old.find(|image| image.tag(name).is_some());
    if old.is_some_and(|old| old.id == wrong.id) {
        return None;
    }
    let mut images = now.images.iter();
    Some((
        wrong,
        images.find(|image| old.is_some_and(|old| old.id == image.id)),
    ))
}

/// Removes a name, or an image without one; that it is gone already is as well.
async fn drop_image(engine: &Engine, name: &str) -> Result<(), engine::Error> {
    let path = format!("/images/{name}");
    let done = engine
        .client()
        .call(Method::DELETE, &path, None, DEADLINE)
        .await;
    match done {
        Err(error) if error.status() == Some(http::StatusCode::NOT_FOUND) => Ok(()),
        done => done.map(drop),
    }
}

/// Gives an image a name.
async fn give(engine: &Engine, id: &str, name: &str) -> Result<(), engine::Error> {
    let repository = without_tag(name);
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("repo", repository)
        .append_pair("tag", name[repository.len()..].trim_start_matches(':'))
        .finish();
    let path = format!("/images/{id}/tag?{query}");
    let done = engine
        .client()
        .call(Method::POST, &path, None, DEADLINE)
        .await;
    done.map(drop)
}

/// Tells whether the name of a source still means its image.
pub(super) fn is_meant(members: &Members, source: &Source) -> bool {
    let found = resolve::image(members, &source.name);
    found.is_ok_and(|(node, _, image)| source.is_same(node, image))
}

/// Gives the image of a source, which has come to a node under another name, its name there.
///
/// # Errors
/// The engine's words, or that it does not have the image.
pub(super) async fn name(cluster: &Cluster, source: &Source, to: &Engine) -> Result<(), String> {
    let node = to.node();
    let own = node.images.iter().find(|own| source.is_same(&node, own));
    let own = own.ok_or_else(|| format!("{} does not have {}", node.name, source.image.id))?;
    let copy = Copying::begin();
    to.copying(copy, &source.name, source.moved_at).await;
    let given = give(to, &own.id, &source.name).await;
    cluster.refresh(to, Refresh::Images).await;
    to.copied(copy, &source.name).await;
    given.map_err(|error| error.to_string())
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
