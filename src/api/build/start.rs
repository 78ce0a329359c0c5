//! `POST /build`: one build, placed by its arguments, its output passed on as it comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::afterwards;
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::api::system::any;
use crate::cluster::builds::Part;
use crate::cluster::supply::Wanted;
use crate::cluster::{Cluster, Members, references, transfer};
use crate::engine::{Engine, Refresh};
use crate::scheduler::{Request, wishes};

use super::{bases, place, rows};

/// What stands before a build's ID where its context is sent by a call of its own.
const UPLOAD: &str = "upload-request:";
/// How long a part of a build waits for the one that says where.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Builds on the node that placement chooses, or where the other parts of the build are.
pub(in crate::api) async fn build(mut call: Call) -> Answer {
    let members = call.members();
    let builds = call.api.cluster.builds().clone();
    if let Some(id) = call.query.text("buildid").strip_prefix(UPLOAD) {
        let known = builds.expect(&Part::Build(id.to_owned()), PATIENCE).await;
        let key = match known {
            Some(key) => key,
            None => place::of_client(&call, &members)?.key.clone(),
        };
        let path = call.path.clone();
        return call.forward(&place::engine(&members, &key)?, &path).await;
    }
    let (request, query) = read(&call, &members)?;
    let part = |name: &str, make: fn(String) -> Part| {
        let id = call.query.text(name);
        (!id.is_empty()).then(|| make(id.to_owned()))
    };
    let parts = [part("session", Part::Session), part("buildid", Part::Build)];
    let parts: Vec<Part> = parts.into_iter().flatten().collect();
    let candidates = place::candidates(&call, &members, &request)?;
    let bases = bases::of(&mut call).await;
    let bases: Vec<_> = bases.iter().map(|b| Wanted::new(&members, b)).collect();
    let under_way = place::begin(&call, &members, &candidates, &parts, &bases)?;
    let key = under_way.node();
    let engine = place::engine(&members, key)?;
    tracing::debug!(node = %key, "build placed");
    bring(&call.api.cluster, &engine, &bases).await;
    let (cluster, path) = (call.api.cluster.clone(), call.path.clone());
    // BuildKit's progress is no text that a node could be named in.
    let named = cluster.manners().is_classic() && call.query.text("version") != "2";
    let mut answer = call.forward_with(&engine, &path, &query).await?;
    if named && answer.status().is_success() {
        answer = rows::named(answer, &engine.node().name);
    }
    let kept = afterwards::refresh(answer, cluster, engine, Refresh::Images);
    Ok(afterwards::hold(kept, under_way))
}

/// Copies to the node what a build starts from and only other nodes have; what cannot be copied is left to the engine,
/// which says what it lacks.
async fn bring(cluster: &Cluster, engine: &Engine, bases: &[Wanted<'_>]) {
    for base in bases {
        let Some(source) = base.copy_to(&engine.node()) else {
            continue;
        };
        if let Err(error) = transfer::copy(cluster, engine, &source, &Arc::default()).await {
            tracing::warn!(%error, "a build lacks what it starts from");
        }
    }
}

/// Ends a build on its node; one that nobody knows is no build any more, as for an engine.
pub(in crate::api) async fn cancel(call: Call) -> Answer {
    let id = call.query.text("id").to_owned();
    if id.is_empty() && call.api.cluster.manners().is_classic() {
        return Err(Error::Bad("build ID not provided".to_owned()));
    }
    let Some(key) = call.api.cluster.builds().place(&Part::Build(id)) else {
        return any::forward(call).await;
    };
    let engine = place::engine(&call.members(), &key)?;
    let path = call.path.clone();
    call.forward(&engine, &path).await
}

/// Reads what a build asks of its node, and returns the query for an engine.
fn read(call: &Call, members: &Members) -> Result<(Request, String), Error> {
    let mut query = call.raw_query().to_owned();
    let mode = call.query.text("networkmode");
    let (mut request, plain) = references::of_build(members, call.api.cluster.manners(), mode)?;
    if plain != mode {
        query = with(&query, "networkmode", &plain);
    }
    request.resources.memory_bytes = call.query.int("memory").ok().flatten().unwrap_or_default();
    request.seed = fastrand::u64(..);
    let args = call.query.text("buildargs");
    // What is no object of texts is the engine's to refuse.
    let args = serde_json::from_str::<BTreeMap<String, Option<String>>>(args).unwrap_or_default();
    let (found, rest) = wishes::extract_build_args(&args).map_err(|e| Error::Bad(e.to_string()))?;
    request.wishes = found;
    let of_client = call.wish.read()?.constraints;
    request.wishes.constraints.extend(of_client);
    if rest.len() < args.len() {
        let rest = serde_json::to_string(&rest).map_err(|e| Error::Internal(e.to_string()))?;
        query = with(&query, "buildargs", &rest);
    }
    Ok((request, query))
}

/// Replaces the value of a key in a query; everything else stays as the client wrote it.
fn with(raw: &str, key: &str, value: &str) -> String {
    let parts = raw.split('&').map(|part| match part.split_once('=') {
        Some((name, _)) if name == key => {
            let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            format!("{key}={value}")
        }
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_value_of_a_query_changes() {
        assert_eq!(
            with(
                "t=a%3Ab&buildargs=%7B%22x%22%3A%221%22%7D&q",
                "buildargs",
                "{}"
            ),
            "t=a%3Ab&buildargs=%7B%7D&q"
        );
    }
}
