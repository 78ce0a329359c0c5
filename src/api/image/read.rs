//! Lists from memory; inspects, histories, saves and pushes from one holder.

use super::list::{self, ListQuery};
use crate::api::call::{Answer, Call, chunked};
use crate::api::error::Error;
use crate::cluster;
use crate::cluster::error::Kind;
use crate::cluster::resolve;
use crate::engine::Engine;

/// Lists images of all nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let query = ListQuery::parse(&call.query, call.version)?;
    let rows = list::select(&call.members().view, &query, jiff::Timestamp::now())?;
    Ok(chunked(list::render(rows)))
}

/// Forwards a call about one image to a holder of what the name means.
pub(in crate::api) async fn one(call: Call) -> Answer {
    let engine = holder(&call)?;
    let path = call.path.clone();
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
    let engine = match resolve::image(&members, &reference) {
        Ok((_, engine, _)) => engine.clone(),
        // An engine says in its stream what it does not have; without a tag it looks for any.
        Err(cluster::Error::NotFound { .. }) => any_holder(&call)?,
        Err(error) => return Err(error.into()),
    };
    let path = call.path.clone();
    call.forward(&engine, &path).await
}

/// Saves several images from one node that has all of them.
pub(in crate::api) async fn save(call: Call) -> Answer {
    let members = call.members();
    let names: Vec<&str> = call.query.all("names").collect();
    let holds_all = |node: &crate::model::Node| names.iter().all(|n| node.image(n).is_some());
    let found = members.healthy().find(|(node, _)| holds_all(node));
    let engine = match found {
        Some((_, engine)) => engine.clone(),
        None => {
            let missing = names.iter().find(|n| resolve::image(&members, n).is_err());
            return Err(match missing {
                Some(name) => Error::Cluster(cluster::Error::NotFound {
                    kind: Kind::Image,
                    name: (*name).to_owned(),
                }),
                None => Error::Conflict(format!(
                    "no node has all of these images: {}; save them one by one",
                    names.join(", ")
                )),
            });
        }
    };
    call.forward(&engine, "/images/get").await
}

/// Finds the engine that answers for an image.
fn holder(call: &Call) -> Result<Engine, Error> {
    let members = call.members();
    let (_, engine, _) = resolve::image(&members, &call.id)?;
    Ok(engine.clone())
}

/// Finds an engine that has any image of the repository, else any engine.
fn any_holder(call: &Call) -> Result<Engine, Error> {
    let members = call.members();
    let wanted = crate::model::image::familiar(&call.id);
    let has = |node: &crate::model::Node| {
        let mut tags = node.images.iter().flat_map(|i| &i.tags);
        tags.any(|t| {
            let tag = crate::model::image::familiar(t);
            crate::model::image::without_tag(tag) == wanted
        })
    };
    let healthy = || members.healthy();
    let found = healthy().find(|(n, _)| has(n)).or_else(|| healthy().next());
    let engine = found.map(|(_, engine)| engine.clone());
    engine.ok_or(Error::Cluster(cluster::Error::NoHealthyNode))
}
