//! Saves: from one node that has all that is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::missing;
use super::read::{has_tags, is_tag_of};
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster::alike::are_same;
use crate::cluster::{self, Members, resolve};
use crate::engine::Engine;
use crate::model::{Image, Manners, Node};

/// Saves several images.
pub(in crate::api) async fn several(call: Call) -> Answer {
    let names: Vec<&str> = call.query.all("names").collect();
    let (engine, ids) = saver(&call, &names).map_err(|error| {
        match call.api.cluster.manners() {
            Manners::Engine => error,
            // It had one sentence for whatever was missing.
            Manners::Classic => Error::NotFound(format!(
                "Unable to find a healthy engine containing all images: [{}]",
                names.join(" ")
            )),
        }
    })?;
    let mut query = call.raw_query().to_owned();
    if !ids.is_empty() {
        let plain = |name: &str| ids.get(name).map_or(name, String::as_str).to_owned();
        let pairs = form_urlencoded::parse(call.raw_query().as_bytes());
        let pairs = pairs.map(|(key, value)| match &*key {
            "names" => (key, plain(&value)),
            _ => (key, value.into_owned()),
        });
        query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
    }
    call.forward_with(&engine, "/images/get", &query).await
}

/// Saves one image, or all tags of a repository.
pub(in crate::api) async fn one(call: Call) -> Answer {
    let (engine, ids) = saver(&call, &[&call.id])?;
    let path = match ids.get(&call.id) {
        Some(id) => format!("/images/{id}/get"),
        None => call.path.clone(),
    };
    call.forward(&engine, &path).await
}

/// A name, and the image that it means for everybody with where that is; none where it is a repository without the tag
/// that a name without one means.
type Wanted<'a> = (&'a str, Option<(&'a Arc<Node>, &'a Engine, &'a Image)>);

/// Finds an engine that has everything that is to be saved, each as what its name means for everybody: a tag may have
/// moved on another node. Returns with it the IDs there of what is asked for by an ID that only another store knows.
fn saver(call: &Call, names: &[&str]) -> Result<(Engine, BTreeMap<String, String>), Error> {
    let members = call.members();
    let wanted = wanted(&members, names)?;
    let (mut told, mut best) = (Vec::new(), None);
    for (node, engine) in members.healthy() {
        let own: Vec<_> = wanted.iter().map(|one| (one, own(node, one))).collect();
        let lacks = own.iter().filter(|(_, own)| own.is_none());
        let lacks: Vec<&str> = lacks.map(|((name, _), _)| *name).collect();
        if lacks.is_empty() {
            // Of stores of two kinds that which the names mean.
            let exact = own.iter().filter(|(one, own)| is_exact(one, *own)).count();
            if best.as_ref().is_none_or(|(most, _, _)| exact > *most) {
                best = Some((exact, engine, own));
            }
        } else if lacks.len() < names.len() {
            // Others have nothing to do with them.
            told.push((&*node.name, lacks));
        }
    }
    let Some((_, engine, own)) = best else {
        return match told.is_empty() {
            true => Err(cluster::Error::NoHealthyNode.into()),
            false => Err(Error::NotFound(missing::together(&told))),
        };
    };
    let foreign = own.into_iter().filter_map(|((name, found), own)| {
        let foreign = own.filter(|own| found.is_some() && !own.matches(name))?;
        Some(((*name).to_owned(), foreign.id.clone()))
    });
    Ok((engine.clone(), foreign.collect()))
}

/// Looks up what the names mean.
///
/// # Errors
/// No node has what one of them means.
fn wanted<'a>(members: &'a Members, names: &[&'a str]) -> Result<Vec<Wanted<'a>>, Error> {
    let look_up = |name: &&'a str| {
        let found = resolve::image(members, name).ok();
        let holds = |node: &Node| node.image(name).is_some() || has_tags(node, name);
        if found.is_none() && !members.healthy().any(|(node, _)| holds(node)) {
            let error = resolve::image_away(members, name, holds);
            return Err(missing::saved(error, name));
        }
        Ok((*name, found))
    };
    names.iter().map(look_up).collect()
}

/// Returns the image of a node that is what is wanted.
fn own<'n>(node: &'n Node, (name, found): &Wanted<'_>) -> Option<&'n Image> {
    node.images.iter().find(|own| match found {
        Some((giver, _, image)) => {
            let named = !image.has_name(name) || own.has_name(name);
            named && are_same((node, own), (giver, image))
        }
        None => own.tags.iter().any(|tag| is_tag_of(tag, name)),
    })
}

/// Tells whether an image has the very ID of what is wanted.
fn is_exact((_, found): &Wanted<'_>, own: Option<&Image>) -> bool {
    match (found, own) {
        (Some((_, _, image)), Some(own)) => image.id == own.id,
        _ => true,
    }
}
