//! Tagging and removing: on every node that has the image.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use super::{missing, path_of};
use crate::api::call::{Answer, Call, json, no_content, whole};
use crate::api::error::Error;
use crate::api::warning::warn;
use crate::api::wish::Scope;
use crate::api::{Api, at_once};
use crate::cluster;
use crate::cluster::{alike, resolve};
use crate::engine::{self, Engine, Refresh};
use crate::model::raw::quote;
use crate::model::{Image, Node};
use crate::net::body;
use crate::proxy::{forward, target};

/// The most bytes of one engine's answer.
const ANSWER_LIMIT: usize = 16 << 20;

/// What is sent to every holder; the call's body stays out of it.
struct Asked {
    api: Arc<Api>,
    /// The nodes that are meant.
    scope: Scope,
    head: Parts,
    path: String,
    id: String,
    version: u16,
    /// The tag that the image is given; none when it is removed.
    tag: Option<String>,
}

impl From<Call> for Asked {
    fn from(call: Call) -> Self {
        let tag = match (call.query.text("repo"), call.query.text("tag")) {
            ("", _) => None,
            (repository, "") => Some(repository.to_owned()),
            (repository, tag) => Some(format!("{repository}:{tag}")),
        };
        Self {
            tag,
            api: call.api,
            scope: call.scope,
            head: call.head,
            path: call.path,
            id: call.id,
            version: call.version,
        }
    }
}

/// One engine's part of the work.
struct Done {
    node: String,
    result: Result<(StatusCode, HeaderMap, Bytes), engine::Error>,
}

/// Tags an image on all holders.
pub(in crate::api) async fn tag(call: Call) -> Answer {
    let call = Asked::from(call);
    let found = find(&call, Which::Same);
    let Found { holders, away } = found.map_err(|error| missing::tagged(error, &call.id))?;
    let done = on(&call, holders).await;
    if let Some(faults) = faults(&done).filter(|_| call.api.cluster.manners().is_classic()) {
        return Err(Error::Fault(faults));
    }
    if let Some(answer) = failure(&done) {
        return answer;
    }
    let mut answer = no_content(StatusCode::CREATED);
    warn(&mut answer, &away);
    Ok(answer)
}

/// Removes an image from all holders; what each says is said once.
pub(in crate::api) async fn remove(call: Call) -> Answer {
    let call = Asked::from(call);
    let found = find(&call, Which::Named);
    let Found { holders, away } = found.map_err(|error| missing::looked_up(error, &call.id))?;
    // First where containers have it: when an engine refuses, the others must not have lost it.
    let (users, others) = holders.into_iter().partition(|holder| holder.in_use);
    let mut done = on(&call, users).await;
    let classic = call.api.cluster.manners().is_classic();
    if classic || failure(&done).is_none() {
        done.extend(on(&call, others).await);
    }
    if let Some(faults) = faults(&done).filter(|_| classic) {
        return Err(Error::Fault(faults));
    }
    if let Some(answer) = failure(&done) {
        return answer;
    }
    let mut said: Vec<String> = Vec::new();
    for one in &done {
        let Ok((_, _, text)) = &one.result else {
            continue;
        };
        let lines: Vec<&RawValue> = serde_json::from_slice(text).unwrap_or_default();
        for line in lines {
            // Classic put together what all nodes said.
            if classic || !said.iter().any(|s| s == line.get()) {
                said.push(line.get().to_owned());
            }
        }
    }
    let mut answer = json(StatusCode::OK, format!("[{}]\n", said.join(",")));
    warn(&mut answer, &away);
    Ok(answer)
}

/// The nodes that have the image.
struct Found {
    holders: Vec<Holder>,
    /// What to say of those that do not answer, so that nothing is done there.
    away: Vec<String>,
}

/// A node that has the image.
struct Holder {
    node: String,
    engine: Engine,
    /// The path of the call there.
    path: String,
    /// Whether a container there was made of it.
    in_use: bool,
}

/// Whose images are meant where nodes have different ones under one name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// All that bear the name.
    Named,
    /// Those that are the image which the name means.
    Same,
}

/// Finds the nodes that have what the call names.
fn find(call: &Asked, which: Which) -> Result<Found, cluster::Error> {
    let members = call.scope.members(&call.api.cluster);
    // An ID prefix may mean another image elsewhere; all holders of the one it means are meant.
    let (giver, _, image) = resolve::image(&members, &call.id)?;
    let meant = (&**giver, image);
    let holder = |(node, engine): (&Arc<Node>, &Engine)| {
        let own = own_image(call, which, meant, node)?;
        Some(Holder {
            node: node.name.clone(),
            engine: engine.clone(),
            path: path_of(&call.path, &call.id, own),
            in_use: node.containers.iter().any(|c| c.image_id == own.id),
        })
    };
    let lost = members.view.nodes().iter();
    let lost = lost.filter(|node| !node.health.is_healthy());
    let away = lost.filter(|node| own_image(call, which, meant, node).is_some());
    let away = away.map(|node| format!("{} does not answer and keeps {}", node.name, call.id));
    Ok(Found {
        away: away.collect(),
        holders: members.healthy().filter_map(holder).collect(),
    })
}

/// Returns the image of a node that the call is about where it means the image of another.
fn own_image<'n>(
    call: &Asked,
    which: Which,
    meant: (&Node, &Image),
    node: &'n Node,
) -> Option<&'n Image> {
    let by_name = meant.1.has_name(&call.id);
    let mut images = node.images.iter();
    images.find(|own| {
        let same = || alike::are_same((node, own), meant);
        match (by_name, which) {
            (true, Which::Named) => own.has_name(&call.id),
            (true, Which::Same) => own.has_name(&call.id) && same(),
            (false, Which::Named | Which::Same) => same(),
        }
    })
}

/// Sends the call to these holders and waits until lists show what they did.
async fn on(call: &Asked, holders: Vec<Holder>) -> Vec<Done> {
    let work = holders.into_iter().map(|holder| async move {
        let result = one(call, &holder).await;
        let cluster = &call.api.cluster;
        let done = matches!(&result, Ok((status, _, _)) if status.is_success());
        if let Some(tag) = call.tag.as_ref().filter(|_| done) {
            // The event may come later than the list.
            holder.engine.tagged(tag).await;
        }
        cluster.refresh(&holder.engine, Refresh::Images).await;
        Done {
            node: holder.node,
            result,
        }
    });
    at_once::all(work).await
}

/// Sends the call to one engine and reads its answer.
async fn one(
    call: &Asked,
    holder: &Holder,
) -> Result<(StatusCode, HeaderMap, Bytes), engine::Error> {
    let (engine, query) = (&holder.engine, call.head.uri.query().unwrap_or_default());
    let target = target::versioned(engine, call.version, &holder.path, query);
    let answer = forward(engine, call.head.clone(), body::empty(), &target).await?;
    let (head, incoming) = answer.into_parts();
    let text = engine.read(incoming, ANSWER_LIMIT).await?;
    Ok((head.status, head.headers, text))
}

/// Says of each node that failed why, as classic did.
fn faults(done: &[Done]) -> Option<String> {
    let why = |done: &Done| match &done.result {
        Err(error) => Some(error.to_string()),
        Ok((status, _, text)) if !status.is_success() => Some(engine::client::message(text)),
        Ok(_) => None,
    };
    let failed = done
        .iter()
        .filter_map(|one| Some(format!("{}: {}", one.node, why(one)?)));
    Some(failed.collect::<Vec<_>>().join("\n")).filter(|faults| !faults.is_empty())
}

/// Makes the answer when any holder failed: its own when it is alone or none succeeded, else one that names the nodes.
fn failure(done: &[Done]) -> Option<Answer> {
    let succeeded = |d: &&Done| matches!(&d.result, Ok((status, _, _)) if status.is_success());
    let first = done.iter().find(|d| !succeeded(d))?;
    let others: Vec<&str> = done
        .iter()
        .filter(succeeded)
        .map(|d| d.node.as_str())
        .collect();
    let so_far = match others.as_slice() {
        [] => String::new(),
        others => format!(" (done on {})", others.join(", ")),
    };
    let (status, headers, text) = match &first.result {
        Ok((status, headers, text)) => (*status, headers.clone(), text.clone()),
        Err(error) => {
            return Some(Err(Error::Engines {
                message: format!("{}: {error}{so_far}", first.node),
                first: error.clone(),
            }));
        }
    };
    if others.is_empty() {
        return Some(Ok(whole(status, headers, text)));
    }
    let message = engine::client::message(&text);
    let message = quote(&format!("{}: {message}{so_far}", first.node));
    let text = format!("{{\"message\":{message}}}\n");
    Some(Ok(json(status, text)))
}
