//! Pulls on many nodes, and imports onto one.

use std::sync::Arc;

use futures_util::stream;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::fan_in::{self, FanIn, Tell, Told};
use crate::api::afterwards;
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::api::home;
use crate::cluster::{self, Cluster};
use crate::engine::{self, Engine, Refresh};
use crate::net::body::{self, Body};
use crate::proxy::{forward, target};

/// Pulls that run at once.
const PULLS: usize = 8;
/// The longest line of progress that is read.
const LINE_LIMIT: usize = 4 << 20;
/// The most bytes of an engine's error that are read.
const ERROR_LIMIT: usize = 64 << 10;

/// Pulls an image, or imports one from the body.
pub(in crate::api) async fn create(call: Call) -> Answer {
    if call.query.text("fromImage").is_empty() {
        return import(call).await;
    }
    let members = call.members();
    let mut targets: Vec<(String, Engine)> = members
        .healthy()
        .map(|(node, engine)| (node.name.clone(), engine.clone()))
        .collect();
    if !call.api.images_everywhere() {
        let (node, engine) = home::choose(
            &call.api.cluster,
            &members,
            &std::collections::BTreeMap::new(),
        )?;
        targets = vec![(node.name.clone(), engine)];
    }
    match targets.as_slice() {
        [] => Err(Error::Cluster(cluster::Error::NoHealthyNode)),
        [(_, engine)] => {
            let engine = engine.clone();
            on_one(call, &engine).await
        }
        _ => on_many(call, targets).await,
    }
}

/// Imports onto one node: every engine would give the same bytes another ID.
async fn import(call: Call) -> Answer {
    let members = call.members();
    let (_, engine) = home::choose(
        &call.api.cluster,
        &members,
        &std::collections::BTreeMap::new(),
    )?;
    on_one(call, &engine).await
}

/// Passes one engine's stream on; before its end, lists show the image.
pub(super) async fn on_one(call: Call, engine: &Engine) -> Answer {
    let (cluster, path) = (call.api.cluster.clone(), call.path.clone());
    let answer = call.forward(engine, &path).await?;
    let engine = engine.clone();
    Ok(afterwards::refresh(
        answer,
        cluster,
        engine,
        Refresh::Images,
    ))
}

/// Pulls on all targets and tells of all.
async fn on_many(call: Call, targets: Vec<(String, Engine)>) -> Answer {
    let (tell, told) = fan_in::queue();
    let slots = Arc::new(Semaphore::new(PULLS));
    let mut work = JoinSet::new();
    for (number, (_, engine)) in targets.iter().enumerate() {
        let target = target::versioned(engine, call.version, &call.path, call.raw_query());
        let job = Job {
            number,
            engine: engine.clone(),
            head: call.head.clone(),
            target,
            tell: tell.clone(),
        };
        let (cluster, slots) = (call.api.cluster.clone(), Arc::clone(&slots));
        work.spawn(async move {
            // The semaphore is never closed.
            let _slot = slots.acquire().await;
            job.run(body::empty(), &cluster).await;
        });
    }
    drop(tell);
    let names = targets.into_iter().map(|(name, _)| name).collect();
    first_then_stream(FanIn::new("pull", names), told, work).await
}

/// One node's part of the work.
#[derive(Debug)]
pub(in crate::api) struct Job {
    pub(in crate::api) number: usize,
    pub(in crate::api) engine: Engine,
    pub(in crate::api) head: Parts,
    pub(in crate::api) target: String,
    pub(in crate::api) tell: Tell,
}

impl Job {
    /// Does the work and tells of it; an error status is told with its message.
    pub(in crate::api) async fn run(self, request_body: Body, cluster: &Cluster) {
        let result = self.work(request_body).await;
        cluster.refresh(&self.engine, Refresh::Images).await;
        // Nobody listens any more when the client is gone.
        let _ = self.tell.send((self.number, Told::Ended(result))).await;
    }

    async fn work(&self, request_body: Body) -> Result<(), String> {
        let sent = forward(&self.engine, self.head.clone(), request_body, &self.target).await;
        let answer = sent.map_err(|e| e.to_string())?;
        let status = answer.status();
        let mut incoming = answer.into_body();
        if !status.is_success() {
            let text = body::read(incoming, ERROR_LIMIT).await.unwrap_or_default();
            return Err(engine::client::message(&text));
        }
        let mut line = Vec::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|e| format!("stream broken: {e}"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            for byte in data {
                match byte {
                    b'\n' => self.tell_line(&mut line).await,
                    byte => line.push(byte),
                }
            }
            if line.len() > LINE_LIMIT {
                return Err("a line of progress of more than 4 MiB".to_owned());
            }
        }
        self.tell_line(&mut line).await;
        Ok(())
    }

    async fn tell_line(&self, line: &mut Vec<u8>) {
        let text = line.trim_ascii().to_vec();
        line.clear();
        if !text.is_empty() {
            let _ = self.tell.send((self.number, Told::Line(text.into()))).await;
        }
    }
}

/// Answers with an error status when every node failed before it had anything to show, else with the stream.
pub(in crate::api) async fn first_then_stream(
    mut fan_in: FanIn,
    mut told: mpsc::Receiver<(usize, Told)>,
    work: JoinSet<()>,
) -> Answer {
    let mut early = Vec::new();
    let mut errors = Vec::new();
    while let Some((from, message)) = told.recv().await {
        let failed = match &message {
            Told::Ended(Err(text)) => Some(text.clone()),
            Told::Ended(Ok(())) | Told::Line(_) => None,
        };
        early.extend(fan_in.take(from, message));
        match failed {
            Some(text) => errors.push(text),
            None => break,
        }
        if fan_in.is_done() {
            errors.dedup();
            return Err(Error::NotFound(errors.join("; ")));
        }
    }
    let state = (fan_in, told, work, early.into_iter(), false);
    let lines = stream::unfold(
        state,
        |(mut fan_in, mut told, work, mut ready, mut ended)| async move {
            loop {
                if let Some(line) = ready.next() {
                    return Some((Ok(line), (fan_in, told, work, ready, ended)));
                }
                if ended {
                    return None;
                }
                match told.recv().await.filter(|_| !fan_in.is_done()) {
                    Some((from, message)) => {
                        let line: Vec<_> = fan_in.take(from, message).into_iter().collect();
                        ready = line.into_iter();
                    }
                    None => {
                        ended = true;
                        ready = fan_in.end().into_iter();
                    }
                }
            }
        },
    );
    let mut answer = Response::new(body::stream(lines));
    *answer.status_mut() = StatusCode::OK;
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(answer)
}
