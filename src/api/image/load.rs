//! Loads: one archive from the client, written to many nodes at once.
//!
//! Memory is bounded: a few chunks wait for each node, the slowest sets the pace, and one that fails, or takes nothing
//! for long, is dropped.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fan_in::{self, FanIn};
use super::pull::{Job, first_then_stream, heading, on_one};
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::api::{home, warning};
use crate::cluster;
use crate::engine::Engine;
use crate::net::body::{self, Body, BodyError};

/// Chunks that may wait for one node.
const CHUNKS: usize = 4;
/// How long a node that answers may take nothing while the others wait for it.
const STALLED: Duration = Duration::from_secs(60);

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
    let classic = call.api.cluster.manners().is_classic();
    let everywhere = call.api.images_everywhere();
    let left_out = match everywhere {
        true => warning::left_out(&members),
        false => Vec::new(),
    };
    if targets.len() == 1 && !classic || !everywhere {
        let (_, engine) = home::choose(
            &call.api.cluster,
            &members,
            &std::collections::BTreeMap::new(),
        )?;
        let mut answer = on_one(call, &engine).await?;
        warning::of_left_out(&mut answer, &left_out);
        return Ok(answer);
    }
    let (tell, told) = fan_in::queue();
    let mut work = JoinSet::new();
    let mut feeds = Vec::new();
    for (number, (_, engine)) in targets.iter().enumerate() {
        let (feed, archive, ended) = feed();
        feeds.push(feed);
        let job = Job::new(&call, number, engine, &tell);
        let cluster = call.api.cluster.clone();
        work.spawn(async move {
            let _ended = ended;
            job.run(archive, &cluster).await;
        });
    }
    drop(tell);
    let archive = std::mem::replace(&mut call.body, body::empty());
    work.spawn(feed_all(archive, feeds));
    let names = targets.into_iter().map(|(name, _)| name).collect();
    let (verb, heading) = match call.path.ends_with("/create") {
        true => ("import", heading(&call, "Importing")),
        false => ("load", heading(&call, "Loading")),
    };
    let fan_in = FanIn::new(verb, names).headed(heading);
    first_then_stream(fan_in.without(left_out), told, work).await
}

/// A part of the archive on its way; `None` is its end.
type Part = Result<Option<Bytes>, BodyError>;

/// The archive's way to one node.
#[derive(Debug)]
pub(in crate::api) struct Feed {
    parts: mpsc::Sender<Part>,
    ended: CancellationToken,
}

/// Makes the way to one node: where the archive goes in, the body of the request to its engine, and what is to be
/// dropped when that has ended. The connection to an engine that hangs keeps its body for longer.
pub(in crate::api) fn feed() -> (Feed, Body, DropGuard) {
    let (send, parts) = mpsc::channel(CHUNKS);
    let ended = CancellationToken::new();
    let body = body::stream(stream::unfold(Some(parts), |parts| async move {
        let mut parts = parts?;
        match parts.recv().await {
            Some(Ok(Some(chunk))) => Some((Ok(chunk), Some(parts))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            // The client is gone: an engine must not take what it has for all.
            None => Some((Err("the archive was broken off".into()), None)),
        }
    }));
    let guard = ended.clone().drop_guard();
    let feed = Feed { parts: send, ended };
    (feed, body, guard)
}

impl Feed {
    /// Sends a part, and tells whether the node takes more.
    async fn send(&self, part: Part) -> bool {
        tokio::select! {
            sent = tokio::time::timeout(STALLED, self.parts.send(part)) => match sent {
                Ok(sent) => sent.is_ok(),
                Err(_) => {
                    self.leave_out();
                    false
                }
            },
            () = self.ended.cancelled() => false,
        }
    }

    /// Breaks the archive off as soon as the node reads on, so that it does not take what it has for all.
    fn leave_out(&self) {
        let parts = self.parts.clone();
        let why = format!("it took nothing of the archive for {} s", STALLED.as_secs());
        tokio::spawn(async move {
            // It may have ended.
            let _ = parts.send(Err(why.into())).await;
        });
    }
}

/// Writes the archive into every feed; a node that stopped reading is left out from there on, and without any the rest
/// is not read.
pub(in crate::api) async fn feed_all(mut archive: Body, mut feeds: Vec<Feed>) {
    loop {
        let part = match archive
            .frame()
            .await
            .map(|f| f.map(hyper::body::Frame::into_data))
        {
            Some(Ok(Ok(data))) => Ok(Some(data)),
            Some(Ok(Err(_))) => continue,
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(None),
        };
        let mut taking = Vec::new();
        for feed in feeds {
            if feed.send(part.clone().map_err(BodyError::from)).await {
                taking.push(feed);
            }
        }
        if taking.is_empty() || !matches!(part, Ok(Some(_))) {
            return;
        }
        feeds = taking;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_archive_ends_for_a_node_only_where_it_ended() {
        let (feed, whole, _guard) = feed();
        let fed = tokio::spawn(feed_all(body::full("all of it"), vec![feed]));
        assert_eq!(body::read(whole, 64).await.unwrap(), "all of it");
        fed.await.unwrap();

        let (feed, cut, _guard) = super::feed();
        assert!(feed.send(Ok(Some("half".into()))).await);
        // As when its client goes away.
        drop(feed);
        assert!(body::read(cut, 64).await.is_err());
    }
}
