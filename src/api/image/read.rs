//! Lists from memory; inspects, histories and pushes from one holder.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::list::{self, ListQuery};
use super::{details, missing, path_of};
use crate::api::afterwards;
use crate::api::call::{Answer, Call, chunked};
use crate::api::error::Error;
use crate::api::warning;
use crate::cluster;
use crate::cluster::supply::{Supply, Wanted};
use crate::cluster::{Cluster, Members, resolve, transfer};
use crate::engine::{Engine, Refresh};
use crate::model::Node;
use crate::model::image::{familiar, without_tag};

/// Lists images of all nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let query = ListQuery::parse(&call.query, call.version)?;
    // 20.10 tells no event of what BuildKit has built.
    call.api.cluster.after_tunnels().await;
    let members = call.members();
    let asked = match query.shared_size || query.manifests {
        true => Some(details::view(&members, &query).await),
        false => None,
    };
    let view = asked.as_ref().unwrap_or(&members.view);
    let rows = list::select(view, &query, jiff::Timestamp::now())?;
    let list = chunked(list::render(rows));
    let manners = call.api.cluster.manners();
    Ok(warning::of_away(list, &members, manners))
}

/// Forwards a call about one image to a holder of what the name means.
pub(in crate::api) async fn one(call: Call) -> Answer {
    // What a tunnel has just built is in no list yet.
    call.api.cluster.after_tunnels().await;
    let (engine, path) = holder(&call)?;
    call.forward(&engine, &path).await
}

/// Pushes from a holder.
pub(in crate::api) async fn push(call: Call) -> Answer {
    let members = call.members();
    let tag = call.query.text("tag");
    let reference = match tag {
        "" => call.id.clone(),
        tag => format!("{}:{tag}", call.id),
    };
    let whole = tag.is_empty() && without_tag(&call.id) == call.id;
    let engine = match resolve::image(&members, &reference) {
        _ if whole => together(&call.api.cluster.clone(), &members, &call.id.clone()).await?,
        Ok((_, engine, _)) => engine.clone(),
        // An engine says in its stream what it does not have; without a tag it looks for any.
        Err(error) if error.is_not_found() => any_holder(&call)?,
        Err(error) => return Err(error.into()),
    };
    let (path, cluster) = (call.path.clone(), call.api.cluster.clone());
    let answer = call.forward(&engine, &path).await?;
    // The engine knows the digest by now, and so must we.
    Ok(afterwards::refresh(
        answer,
        cluster,
        engine,
        Refresh::Images,
    ))
}

/// Brings all tags of a repository to the node that has the most of them.
async fn together(cluster: &Cluster, members: &Members, repository: &str) -> Result<Engine, Error> {
    let tags_of = |node: &Node| -> BTreeSet<String> {
        let tags = node.images.iter().flat_map(|image| &image.tags);
        tags.filter(|tag| is_tag_of(tag, repository))
            .cloned()
            .collect()
    };
    let all: BTreeSet<String> = members.healthy().flat_map(|(n, _)| tags_of(n)).collect();
    let most = members.healthy().max_by_key(|(n, _)| tags_of(n).len());
    let (node, engine) = most.ok_or(cluster::Error::NoHealthyNode)?;
    for tag in all {
        if let Supply::Copy(source) = Wanted::new(members, &tag).on(node) {
            transfer::copy(cluster, engine, &source, &Arc::default()).await?;
        }
    }
    Ok(engine.clone())
}

/// Finds the engine that answers for an image, and the path of the call there.
fn holder(call: &Call) -> Result<(Engine, String), Error> {
    let members = call.members();
    match resolve::image(&members, &call.id) {
        Ok((_, engine, own)) => Ok((engine.clone(), path_of(&call.path, &call.id, own))),
        Err(error) => Err(missing::looked_up(error, &call.id)),
    }
}

/// Finds an engine that has any image of the repository, else any engine.
fn any_holder(call: &Call) -> Result<Engine, Error> {
    let members = call.members();
    let healthy = || members.healthy();
    let found = healthy()
        .find(|(n, _)| has_tags(n, &call.id))
        .or_else(|| healthy().next());
    let engine = found.map(|(_, engine)| engine.clone());
    engine.ok_or(Error::Cluster(cluster::Error::NoHealthyNode))
}

/// Tells whether a node has any tag of a repository.
pub(super) fn has_tags(node: &Node, repository: &str) -> bool {
    let mut tags = node.images.iter().flat_map(|image| &image.tags);
    tags.any(|tag| is_tag_of(tag, repository))
}

/// Tells whether a tag is one of a repository.
pub(super) fn is_tag_of(tag: &str, repository: &str) -> bool {
    without_tag(familiar(tag)) == familiar(repository)
}
