//! Pulls on many nodes.

use futures_util::stream::{self, StreamExt};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fan_in::{self, FanIn, Tell, Told};
use super::{copying, import, load};
use crate::api::afterwards;
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::api::home;
use crate::api::query::Query;
use crate::api::warning::{self, LeftOut};
use crate::cluster::stall::Heard;
use crate::cluster::supply::{Supply, Wanted};
use crate::cluster::{self, Cluster};
use crate::engine::{self, Engine, Refresh};
use crate::model::Manners;
use crate::model::image::without_tag;
use crate::net::body::{self, Body};
use crate::proxy::{forward, target};

/// Pulls that run at once.
const PULLS: usize = 8;
/// The longest line of progress that is read.
const LINE_LIMIT: usize = 4 << 20;
/// The most bytes of an engine's error that are read.
const ERROR_LIMIT: usize = 64 << 10;
/// The header with what an engine calls a plugin that it takes; the CLI goes on with that name.
const PLUGIN_NAME: HeaderName = HeaderName::from_static("docker-plugin-name");

/// Pulls an image, or imports one from the body.
pub(in crate::api) async fn create(call: Call) -> Answer {
    if call.query.text("fromImage").is_empty() {
        // Classic imported everywhere, under another ID on every node.
        return match call.api.cluster.manners() {
            Manners::Engine => import::import(call).await,
            Manners::Classic => load::load(call).await,
        };
    }
    let members = call.members();
    let mut targets: Vec<(String, Engine)> = members
        .healthy()
        .map(|(node, engine)| (node.name.clone(), engine.clone()))
        .collect();
    let mut left_out = warning::left_out(&members);
    if !call.api.images_everywhere() {
        let (node, engine) = home::choose(
            &call.api.cluster,
            &members,
            &std::collections::BTreeMap::new(),
        )?;
        targets = vec![(node.name.clone(), engine)];
        left_out.clear();
    }
    match targets.as_slice() {
        [] => Err(Error::Cluster(cluster::Error::NoHealthyNode)),
        [(_, engine)] if !call.api.cluster.manners().is_classic() => {
            let engine = engine.clone();
            let mut answer = on_one(call, &engine).await?;
            warning::of_left_out(&mut answer, &left_out);
            Ok(answer)
        }
        _ => on_many(call, targets, left_out).await,
    }
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
async fn on_many(call: Call, targets: Vec<(String, Engine)>, left_out: Vec<LeftOut>) -> Answer {
    let (tell, told) = fan_in::queue();
    let job = |(number, (_, engine)): (usize, &(String, Engine))| Job {
        heard: Some(call.api.cluster.transfers().heard(engine)),
        ..Job::new(&call, number, engine, &tell)
    };
    let jobs: Vec<Job> = targets.iter().enumerate().map(job).collect();
    drop(tell);
    let mut work = JoinSet::new();
    work.spawn(pull_all(
        call.api.cluster.clone(),
        jobs,
        wanted(&call.query),
    ));
    let names = targets.into_iter().map(|(name, _)| name).collect();
    let fan_in = FanIn::new("pull", names).headed(heading(&call, "Pulling"));
    first_then_stream(fan_in.without(left_out), told, work).await
}

/// Returns what classic put before the text of every row of its progress.
pub(super) fn heading(call: &Call, verb: &str) -> Option<String> {
    let (image, tag) = (call.query.text("fromImage"), call.query.text("tag"));
    let what = match (image, tag) {
        ("", _) => "Image".to_owned(),
        (image, "") => image.to_owned(),
        (image, digest) if digest.contains(':') => format!("{image}@{digest}"),
        (image, tag) => format!("{image}:{tag}"),
    };
    let classic = call.api.cluster.manners().is_classic();
    classic.then(|| format!("{verb} {what}..."))
}

/// Pulls on all, then copies to those nodes that the registry failed what another got from it.
async fn pull_all(cluster: Cluster, jobs: Vec<Job>, wanted: Option<String>) {
    let pulls = jobs.into_iter().map(|job| async {
        let result = job.work(body::empty(), &cluster).await;
        if result.is_ok() {
            job.end(Ok(())).await;
        }
        (job, result)
    });
    let pulled: Vec<_> = stream::iter(pulls).buffer_unordered(PULLS).collect().await;
    let wanted = wanted.filter(|_| pulled.iter().any(|(_, result)| result.is_ok()));
    let failed = pulled.into_iter();
    let failed = failed.filter_map(|(job, result)| Some((job, result.err()?)));
    let (cluster, wanted) = (&cluster, wanted.as_deref());
    let copies = failed.map(|(job, error)| async move {
        let result = match wanted {
            Some(wanted) => job.copy(cluster, wanted, error).await,
            None => Err(error),
        };
        job.end(result).await;
    });
    stream::iter(copies)
        .for_each_concurrent(PULLS, |copy| copy)
        .await;
}

/// Returns the one image that a pull is of; without a tag it is of all that the repository has.
fn wanted(query: &Query) -> Option<String> {
    let (image, tag) = (query.text("fromImage"), query.text("tag"));
    match tag {
        "" if without_tag(image).len() == image.len() => None,
        "" => Some(image.to_owned()),
        digest if digest.contains(':') => Some(format!("{image}@{digest}")),
        tag => Some(format!("{image}:{tag}")),
    }
}

/// One node's part of the work.
#[derive(Debug)]
pub(in crate::api) struct Job {
    pub(in crate::api) number: usize,
    pub(in crate::api) engine: Engine,
    pub(in crate::api) head: Parts,
    pub(in crate::api) target: String,
    pub(in crate::api) tell: Tell,
    /// What the engine says of its pulls; none for work that may take long without a word.
    pub(in crate::api) heard: Option<Heard>,
}

impl Job {
    /// Makes the part of one node of a call that goes to many as it came.
    pub(in crate::api) fn new(call: &Call, number: usize, engine: &Engine, tell: &Tell) -> Self {
        Self {
            number,
            engine: engine.clone(),
            head: call.head.clone(),
            target: target::versioned(engine, call.version, &call.path, call.raw_query()),
            tell: tell.clone(),
            heard: None,
        }
    }

    /// Does the work and tells of it; an error status is told with its message.
    pub(in crate::api) async fn run(self, request_body: Body, cluster: &Cluster) {
        let result = self.work(request_body, cluster).await;
        self.end(result).await;
    }

    /// Tells how the work ended.
    async fn end(&self, result: Result<(), engine::Error>) {
        // Nobody listens any more when the client is gone.
        let _ = self.tell.send((self.number, Told::Ended(result))).await;
    }

    /// Does the work, as long as the engine answers, and makes lists show it.
    async fn work(&self, request_body: Body, cluster: &Cluster) -> Result<(), engine::Error> {
        tokio::select! {
            result = self.exchange(request_body) => {
                cluster.refresh(&self.engine, Refresh::Images).await;
                result
            }
            reason = self.engine.lost() => Err(engine::Error::Lost {
                node: self.engine.client().key().to_string(),
                reason,
                outcome: "",
            }),
        }
    }

    /// Sends the call and passes each line of progress on.
    async fn exchange(&self, request_body: Body) -> Result<(), engine::Error> {
        let head = self.head.clone();
        let answer = forward(&self.engine, head, request_body, &self.target);
        let answer = self.said(answer).await??;
        let name = answer.headers().get(PLUGIN_NAME).cloned();
        let (status, mut incoming) = (answer.status(), answer.into_body());
        let client = self.engine.client();
        if !status.is_success() {
            let text = body::read(incoming, ERROR_LIMIT).await.unwrap_or_default();
            return Err(engine::Error::Status {
                node: client.key().to_string(),
                status,
                message: engine::client::message(&text),
            });
        }
        if let Some(name) = name {
            let _ = self.tell.send((self.number, Told::Named(name))).await;
        }
        let mut line = Vec::new();
        while let Some(frame) = self.said(incoming.frame()).await? {
            let frame = frame.map_err(|e| client.broken(e.to_string()))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            for byte in data {
                match byte {
                    b'\n' => self.tell_line(&mut line).await?,
                    byte => line.push(byte),
                }
            }
            if line.len() > LINE_LIMIT {
                return Err(client.answer("a line of progress of more than 4 MiB"));
            }
        }
        self.tell_line(&mut line).await
    }

    /// Waits for something that the engine says. Only its own silence counts, and not that nobody reads what it said.
    async fn said<T>(&self, what: impl Future<Output = T>) -> Result<T, engine::Error> {
        let Some(heard) = &self.heard else {
            return Ok(what.await);
        };
        tokio::select! {
            biased;
            said = what => {
                heard.count();
                Ok(said)
            }
            after = heard.nothing() => Err(engine::Error::Stalled {
                node: self.engine.client().key().to_string(),
                after,
            }),
        }
    }

    /// Tells a line; one that is an error is the outcome.
    async fn tell_line(&self, line: &mut Vec<u8>) -> Result<(), engine::Error> {
        #[derive(serde::Deserialize)]
        struct Line {
            error: Option<String>,
        }
        let text = line.trim_ascii().to_vec();
        line.clear();
        if let Ok(Line { error: Some(error) }) = serde_json::from_slice(&text) {
            return Err(engine::Error::Told {
                node: self.engine.client().key().to_string(),
                message: error,
            });
        }
        if !text.is_empty() {
            let _ = self.tell.send((self.number, Told::Line(text.into()))).await;
        }
        Ok(())
    }

    /// Copies the image here from a node that has it, with rows of progress; `error` is why it was not pulled.
    async fn copy(
        &self,
        cluster: &Cluster,
        wanted: &str,
        error: engine::Error,
    ) -> Result<(), engine::Error> {
        let (node, members) = (self.engine.node(), cluster.members());
        if !node.health.is_healthy() {
            return Err(error);
        }
        let source = match Wanted::new(&members, wanted).on(&node) {
            Supply::Copy(source) => source,
            // It had it all the time.
            Supply::Here => return Ok(()),
            Supply::Pull | Supply::Nowhere => return Err(error),
        };
        let row = |bytes| {
            let row = copying::row(&source.node, "", bytes);
            Some((self.number, Told::Line(row)))
        };
        let copied = copying::copy(cluster, &self.engine, &source, &self.tell, row).await;
        copied.map_err(|why| {
            tracing::warn!(node = node.name, %why, "image neither pulled nor copied");
            error
        })
    }
}

/// Answers with an error status when every node failed before it had anything to show, else with the stream.
pub(in crate::api) async fn first_then_stream(
    mut fan_in: FanIn,
    mut told: mpsc::Receiver<(usize, Told)>,
    work: JoinSet<()>,
) -> Answer {
    let mut early = fan_in.start();
    while !fan_in.is_headed()
        && let Some((from, message)) = told.recv().await
    {
        // What was told at the end of progress had a success for its status.
        let failed =
            matches!(&message, Told::Ended(Err(e)) if !matches!(e, engine::Error::Told { .. }));
        early.extend(fan_in.take(from, message));
        if !failed {
            break;
        }
        if fan_in.is_done()
            && let Some(refusal) = fan_in.refusal()
        {
            return Err(refusal);
        }
    }
    let (name, left_out) = (fan_in.name(), fan_in.left_out().to_vec());
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
    if let Some(name) = name {
        answer.headers_mut().insert(PLUGIN_NAME, name);
    }
    warning::of_left_out(&mut answer, &left_out);
    Ok(answer)
}
