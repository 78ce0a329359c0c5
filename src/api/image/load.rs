//! Loads: one archive from the client, written to many nodes at once.
//!
//! Memory is bounded: a few chunks wait for each node, the slowest sets the pace, and one that fails is dropped.

use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fan_in::{self, FanIn};
use super::pull::{Job, first_then_stream, on_one};
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::api::home;
use crate::cluster;
use crate::engine::Engine;
use crate::net::body::{self, Body, BodyError};
use crate::proxy::target;

/// Chunks that may wait for one node.
const CHUNKS: usize = 4;

/// Loads images on all nodes, or on one by `--image-spread`.
pub(in crate::api) async fn load(mut call: Call) -> Answer {
    let members = call.members();
    let targets: Vec<(String, Engine)> = members
        .healthy()
        .map(|(node, engine)| (node.name.clone(), engine.clone()))
        .collect();
    if targets.is_empty() {
        return Err(Error::Cluster(cluster::Error::NoHealthyNode));
    }
    if targets.len() == 1 || !call.api.images_everywhere() {
        let (_, engine) = home::choose(
            &call.api.cluster,
            &members,
            &std::collections::BTreeMap::new(),
        )?;
        return on_one(call, &engine).await;
    }
    let (tell, told) = fan_in::queue();
    let mut work = JoinSet::new();
    let mut feeds = Vec::new();
    for (number, (_, engine)) in targets.iter().enumerate() {
        let (feed, chunks) = mpsc::channel(CHUNKS);
        feeds.push(Some(feed));
        let job = Job {
            number,
            engine: engine.clone(),
            head: call.head.clone(),
            target: target::versioned(engine, call.version, &call.path, call.raw_query()),
            tell: tell.clone(),
        };
        let cluster = call.api.cluster.clone();
        work.spawn(async move { job.run(from_queue(chunks), &cluster).await });
    }
    drop(tell);
    let archive = std::mem::replace(&mut call.body, body::empty());
    work.spawn(feed_all(archive, feeds));
    let names = targets.into_iter().map(|(name, _)| name).collect();
    first_then_stream(FanIn::new("load", names), told, work).await
}

/// Makes a request body out of a queue.
pub(in crate::api) fn from_queue(chunks: mpsc::Receiver<Result<Bytes, BodyError>>) -> Body {
    body::stream(stream::unfold(chunks, |mut chunks| async move {
        let chunk = chunks.recv().await?;
        Some((chunk, chunks))
    }))
}

/// Writes the archive into every queue; a node that stopped reading is left out from there on.
pub(in crate::api) async fn feed_all(
    mut archive: Body,
    mut feeds: Vec<Option<mpsc::Sender<Result<Bytes, BodyError>>>>,
) {
    while let Some(frame) = archive.frame().await {
        let chunk = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(_)) => continue,
            Err(error) => Err(error.to_string()),
        };
        for feed in &mut feeds {
            let Some(open) = feed else { continue };
            let part = chunk.clone().map_err(BodyError::from);
            if open.send(part).await.is_err() {
                *feed = None;
            }
        }
        if chunk.is_err() {
            return;
        }
    }
}
