//! The life of a create: choose, reserve, bind, and wait until it is visible.
//!
//! Exactly once: a create yields no container or one. A node that cannot have seen the request is passed over; after
//! that there is no second try, the outcome is looked up by the identity label instead.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request as HttpRequest, StatusCode, header};
use tokio_util::sync::CancellationToken;

use super::choose::Trace;
use super::endpoints::Split;
use super::queue::Wait;
use super::reservation::Reservation;
use super::spec::{Aliases, Spec};
use super::supply::Wanted;
use super::{Cluster, Error, bring, naming, settle};
use crate::engine::{self, Engine, Refresh};
use crate::model::raw::Object;
use crate::model::{Container, Node, SWARM_ID_LABEL};
use crate::net::body;
use crate::scheduler::explain;

/// How long an engine may take for a create before its outcome counts as unknown.
const CREATE_DEADLINE: Duration = Duration::from_secs(20);
/// How long a request waits to learn the outcome of a create whose answer was lost.
const SETTLE_DEADLINE: Duration = Duration::from_secs(5);
/// How long one look for an outcome may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(3);
/// Rounds of choosing when reservations are lost to others.
pub(super) const ROUNDS: usize = 32;
/// Rounds in which only the place that was chosen will do; after them any that admits the container.
pub(super) const BEST_ROUNDS: usize = 16;
/// The most bytes of an engine's answer to a create.
const ANSWER_LIMIT: usize = 4 << 20;

/// An engine's answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// Returns the ID of the container that was made.
    pub(super) fn container(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Created {
            #[serde(rename = "Id")]
            id: String,
        }
        let created = (self.status == StatusCode::CREATED).then_some(&self.body)?;
        Some(serde_json::from_slice::<Created>(created).ok()?.id)
    }

    /// Returns the words of an engine's refusal.
    pub(super) fn message(&self) -> String {
        engine::client::message(&self.body)
    }
}

/// A create as it goes to whichever engine is chosen.
#[derive(Debug)]
pub struct Create {
    /// What is asked and sent.
    pub spec: Spec,
    /// The query without the name, as the client sent it; empty or starting with `&`.
    pub query: String,
    /// Headers that go to the engine.
    pub headers: HeaderMap,
    /// How many other nodes are tried when an engine itself fails.
    pub retries: u32,
    /// The minor number of the API version that the client speaks.
    pub api: u16,
}

/// Creates a container on the best node and returns the engine's answer once the view shows the container.
///
/// While it waits for room, `gone` ends it; with none it does not wait.
///
/// # Cancel safety
/// Must run to its end: callers spawn it, so that a client that goes away leaves nothing half-done.
///
/// # Errors
/// The name is taken, no node admits it, or the chosen engine failed.
pub async fn create(
    cluster: Cluster,
    create: Create,
    gone: Option<CancellationToken>,
) -> Result<Answer, Error> {
    let mut trace = Trace::new(&cluster, &create.spec);
    let mut wait = Wait::new(&cluster, &create, gone);
    let request = Arc::clone(&create.spec.request);
    let ended = placed(&cluster, create, &mut trace, &mut wait).await;
    if !ended.as_ref().is_ok_and(|a| a.status.is_success()) {
        let reserved = cluster.reservations();
        reserved.give_up_pod(&cluster, &request);
    }
    let ended = trace.end(&cluster, ended);
    ended.map_err(|error| wait.told(error))
}

/// Tries one node after the other until one has the container.
async fn placed(
    cluster: &Cluster,
    create: Create,
    trace: &mut Trace,
    wait: &mut Wait,
) -> Result<Answer, Error> {
    let (mut last, mut retries) = (None, create.retries);
    let mut notes = create.spec.doubts.clone();
    notes.extend(unkept(&create).map(str::to_owned));
    for round in 0..ROUNDS {
        let best = round < BEST_ROUNDS;
        let (members, chosen) = wait.choose(cluster, &create, best, trace).await;
        let (node, needed, reservation) = match chosen {
            Ok(Some(chosen)) => (chosen.node, chosen.supply, chosen.reservation),
            // Lost to others on every node: look again at what is left.
            Ok(None) => continue,
            // Whoever could have taken it could not be reached.
            Err(error) => return Err(last.unwrap_or(error)),
        };
        let Some(engine) = members.engine(&node.key).cloned() else {
            continue;
        };
        let brought = bring::all(cluster, (&node, &engine), &create, needed).await;
        if let Err(bring::Failed { error, is_nowhere }) = brought {
            if is_nowhere && retries == 0 {
                return Err(error);
            }
            retries -= u32::from(is_nowhere);
            notes.push(error.to_string());
            last = Some(trace.pass_over(&node, error));
            continue;
        }
        match bind(cluster, &engine, &create).await {
            // The engine says that it did not create it: another may.
            Ok(answer) if answer.status.is_server_error() => {
                let lacks = engine::exhausted(&engine::client::message(&answer.body));
                match lacks {
                    // The machine's fault, not the request's: always worth another.
                    Some(lacks) => engine.created(Err(lacks.to_owned())),
                    None if retries > 0 => retries -= 1,
                    None => return finish(cluster, &engine, &create, reservation, answer).await,
                }
                let error = refused(cluster, &engine, &create, &answer).await;
                last = Some(trace.pass_over(&node, error));
            }
            Ok(answer) => {
                if node.trouble.is_some() && answer.status.is_success() {
                    engine.created(Ok(()));
                }
                notes.extend(unmet(cluster, &node, trace));
                let answer = with_warnings(answer, &notes);
                return finish(cluster, &engine, &create, reservation, answer).await;
            }
            Err(error) if error.is_unsent() => {
                engine.suspect();
                last = Some(trace.pass_over(&node, Error::Engine(error)));
            }
            Err(error) => {
                engine.suspect();
                return settled(cluster, &node, engine, reservation, create, error).await;
            }
        }
    }
    Err(last.unwrap_or_else(|| {
        Error::Conflict("too many creates at once for the same room; try again".to_owned())
    }))
}

/// Says, in the log too because classic's answers have no warnings, which wish is accepted and not fulfilled.
fn unkept(create: &Create) -> Option<&'static str> {
    let why = create.spec.request.wishes.unkept()?;
    let name = create.spec.request.name.as_deref();
    tracing::warn!(name, why, "a wish is not fulfilled");
    Some(why)
}

/// Says which soft wishes the node of a container does not meet, and which plug-ins failed; classic said nothing.
fn unmet(cluster: &Cluster, node: &Node, trace: &Trace) -> Vec<String> {
    let asked = trace.request().filter(|_| !cluster.manners().is_classic());
    let wishes = asked.map(|request| explain::wishes(request, node));
    let wishes = wishes.into_iter().flatten();
    let hint = trace
        .id
        .map_or_else(String::new, |id| format!(" (flotilla why {id})"));
    let told = wishes.filter(|w| !w.met).map(|wish| {
        let (wish, node) = (wish.text, &node.name);
        format!("soft wish {wish} is not met by {node}{hint}")
    });
    let failures = asked.iter().flat_map(|request| request.advice.failures());
    let failed = failures.map(|(plug_in, why)| {
        format!("plug-in {plug_in} {why}; spread decided in its place{hint}")
    });
    told.chain(failed).collect()
}

/// Adds what went wrong on the way, and wishes that are not met, to the `Warnings` of a create that worked in the end.
fn with_warnings(mut answer: Answer, notes: &[String]) -> Answer {
    if notes.is_empty() || !answer.status.is_success() {
        return answer;
    }
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let Ok(mut created) = Object::parse(text.trim()) else {
        return answer;
    };
    let mut all: Vec<String> = created.decode("Warnings").unwrap_or_default();
    all.extend_from_slice(notes);
    if let Ok(list) = serde_json::to_string(&all) {
        created.set("Warnings", list);
        answer.body = format!("{}\n", created.to_json()).into();
    }
    answer
}

/// Makes the error of an engine's answer, for the case that no other node can take the create: because the engine made
/// volumes before it failed, which no other may make then.
async fn refused(cluster: &Cluster, engine: &Engine, create: &Create, answer: &Answer) -> Error {
    if !create.spec.request.new_volumes.is_empty() {
        cluster.refresh(engine, Refresh::Volumes).await;
    }
    Error::Engine(engine::Error::Status {
        node: engine.client().key().to_string(),
        status: answer.status,
        message: engine::client::message(&answer.body),
    })
}

/// Sends the create and reads the answer.
async fn bind(
    cluster: &Cluster,
    engine: &Engine,
    create: &Create,
) -> Result<Answer, engine::Error> {
    let client = engine.client();
    let api = api_for(engine, create);
    let body = body_for(engine, create, &aliases(cluster, engine, create));
    let split = Split::of(&body, create.api, api);
    let body = split.map_or(body, |s| s.body);
    let name = create.spec.request.name.as_deref();
    let name = name.map_or_else(String::new, |name| {
        let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        format!("name={name}")
    });
    let query = &create.query;
    let mut request = HttpRequest::new(body::full(body));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = client.uri(&format!("/v1.{api}/containers/create?{name}{query}"))?;
    *request.headers_mut() = create.headers.clone();
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    let exchange = async {
        let answer = client.send(request).await?;
        let (head, answer) = answer.into_parts();
        let body = body::read(answer, ANSWER_LIMIT)
            .await
            .map_err(|e| client.broken(e.to_string()))?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    };
    let started = tokio::time::Instant::now();
    let exchange = async {
        tokio::select! {
            answered = exchange => Some(answered),
            () = hopeless(engine, &create.spec.identity) => None,
        }
    };
    let answered = tokio::time::timeout(CREATE_DEADLINE, exchange).await;
    answered.ok().flatten().unwrap_or_else(|| {
        Err(engine::Error::Timeout {
            node: client.key().to_string(),
            after: Duration::from_secs(started.elapsed().as_secs()),
        })
    })
}

/// Returns the IDs that images have on an engine, by what they are asked for by, where that is an ID which only another
/// kind of store knows.
fn aliases(cluster: &Cluster, engine: &Engine, create: &Create) -> Aliases {
    let (members, here) = (cluster.members(), engine.node());
    let request = &create.spec.request;
    let images = request.mounted_images.iter().chain([&request.image]);
    let own = images.filter_map(|image| {
        let own = Wanted::new(&members, image).alias(&here)?;
        Some((image.clone(), own.id.clone()))
    });
    own.collect()
}

/// Returns the API version, as minor number, at which an engine is sent a create.
fn api_for(engine: &Engine, create: &Create) -> u16 {
    let facts = &engine.node().facts;
    create.api.clamp(facts.api_min, facts.api_max)
}

/// Returns the body for an engine, with the IDs of images there where they are others than those asked for.
fn body_for(engine: &Engine, create: &Create, aliases: &Aliases) -> Bytes {
    let cpus = engine.node().facts.info["NCPU"].as_i64().unwrap_or(0);
    create.spec.body_for(cpus, aliases)
}

/// Does on the engine what is left of a create after its container is there.
///
/// # Errors
/// It cannot be done, and the container is removed again.
async fn complete(engine: &Engine, create: &Create, id: &str) -> Result<(), engine::Error> {
    let body = body_for(engine, create, &Aliases::new());
    match Split::of(&body, create.api, api_for(engine, create)) {
        Some(split) => split.complete(engine, id).await,
        None => Ok(()),
    }
}

/// Returns when an answer to a create is not worth waiting for: the engine is unhealthy, or its events have shown the
/// container and the answer must be lost.
async fn hopeless(engine: &Engine, identity: &str) {
    // Silence for longer than creates take is worth a probe.
    tokio::time::sleep(engine::SILENCE).await;
    engine.suspect();
    tokio::select! {
        _ = engine.lost() => {}
        _ = shown(engine, identity) => {}
    }
}

/// Makes what an engine created visible, then gives the reservation back.
async fn finish(
    cluster: &Cluster,
    engine: &Engine,
    create: &Create,
    mut reservation: Reservation,
    answer: Answer,
) -> Result<Answer, Error> {
    if let Some(id) = answer.container() {
        let completed = complete(engine, create, &id).await;
        if show(cluster, engine, &id).await {
            naming::settle(cluster, engine, &id, &mut reservation).await;
        } else {
            tokio::spawn(hold(cluster.clone(), engine.clone(), id, reservation));
        }
        // Not as it came: a 404 would make the docker CLI pull the image and try again.
        completed.map_err(|error| match error {
            engine::Error::Status { message, .. } => Error::Conflict(message),
            other => Error::Engine(other),
        })?;
    }
    Ok(answer)
}

/// Holds what a container has taken until lists show it, although its engine has gone silent since it made it.
async fn hold(cluster: Cluster, engine: Engine, id: String, mut reservation: Reservation) {
    let path = format!("/containers/{id}/json");
    let look = || async {
        match engine.client().get(&path, LOOK_DEADLINE).await {
            Ok(_) => Ok(Some(())),
            Err(engine::Error::Status { status, .. }) if status == StatusCode::NOT_FOUND => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    };
    settle::outcome(look).await;
    let show = || show(&cluster, &engine, &id);
    settle::shown(show, || cluster.is_member(&engine)).await;
    naming::settle(&cluster, &engine, &id, &mut reservation).await;
    drop(reservation);
}

/// Makes a new container visible, and the volumes that came with it: those it names, its own, its image's. Tells
/// whether lists show what became of it.
async fn show(cluster: &Cluster, engine: &Engine, id: &str) -> bool {
    let shown = cluster.refresh(engine, Refresh::Container(id.into())).await;
    let node = engine.node();
    let listed = |name: &str| node.volumes.iter().any(|v| v.name == name);
    let mounts = node.containers.by_id(id).map(|c| &c.mounts);
    let mut mounts = mounts.into_iter().flatten();
    if mounts.any(|m| m.kind == "volume" && !listed(&m.name)) {
        return cluster.refresh(engine, Refresh::Volumes).await && shown;
    }
    shown
}

/// Finds out what became of a create whose answer was lost; the name stays reserved until that is known.
async fn settled(
    cluster: &Cluster,
    node: &Node,
    engine: Engine,
    mut reservation: Reservation,
    create: Create,
    error: engine::Error,
) -> Result<Answer, Error> {
    let identity = create.spec.identity.clone();
    let unknown = Error::Unknown {
        node: node.name.clone(),
        what: match &create.spec.request.name {
            Some(name) => format!("\"{name}\""),
            None => "a container".to_owned(),
        },
        reason: error.to_string(),
        label: SWARM_ID_LABEL,
        id: identity.clone(),
    };
    tracing::warn!(node = %node.name, identity, %error, "outcome of a create is unknown");
    let (cluster, wanted) = (cluster.clone(), identity.clone());
    let looking = tokio::spawn(async move {
        let mut found = look_for(&engine, &wanted).await;
        if let Some(id) = &found
            && let Err(error) = complete(&engine, &create, id).await
        {
            tracing::warn!(container = id, %error, "a create cannot be completed");
            found = None;
        }
        if let Some(id) = &found {
            let show = || show(&cluster, &engine, id);
            settle::shown(show, || cluster.is_member(&engine)).await;
            naming::settle(&cluster, &engine, id, &mut reservation).await;
        }
        tracing::info!(node = %engine.client().key(), identity = wanted, ?found, "outcome of a create settled");
        drop(reservation);
        found
    });
    match tokio::time::timeout(SETTLE_DEADLINE, looking).await {
        Ok(Ok(Some(id))) => Ok(Answer {
            status: StatusCode::CREATED,
            headers: HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static("application/json"),
            )]),
            body: format!("{{\"Id\":\"{id}\",\"Warnings\":[]}}\n").into(),
        }),
        _ => Err(unknown),
    }
}

/// Looks on an engine for the container with this identity until it is there, or can no longer come.
async fn look_for(engine: &Engine, identity: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Listed {
        #[serde(rename = "Id")]
        id: String,
    }
    let filter = serde_json::json!({ "label": [format!("{SWARM_ID_LABEL}={identity}")] });
    let filter: String = form_urlencoded::byte_serialize(filter.to_string().as_bytes()).collect();
    let path = format!("/containers/json?all=1&filters={filter}");
    let look = || async {
        let list = engine.client().get(&path, LOOK_DEADLINE).await?;
        let list: Vec<Listed> = serde_json::from_slice(&list).unwrap_or_default();
        Ok(list.into_iter().next().map(|found| found.id))
    };
    tokio::select! {
        found = settle::outcome(look) => found,
        // It may be gone again before it is asked for.
        id = shown(engine, identity) => Some(id),
    }
}

/// Returns the ID of the container with this identity once the engine's node shows it.
async fn shown(engine: &Engine, identity: &str) -> String {
    let mut node = engine.subscribe();
    let made = |c: &&Arc<Container>| c.swarm_id() == Some(identity);
    let found = |n: &Arc<Node>| n.containers.iter().find(made).map(|c| c.id.to_string());
    let shown = node.wait_for(|n| found(n).is_some()).await;
    match shown.ok().and_then(|n| found(&n)) {
        Some(id) => id,
        None => std::future::pending().await,
    }
}
