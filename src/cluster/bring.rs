//! Bringing the images and the replicated networks of a create to its node.

use std::sync::Arc;

use super::create::Create;
use super::supply::{Source, Supply, Wanted};
use super::{Cluster, Error, replicas, transfer};
use crate::engine::Engine;
use crate::model::Node;

/// Why something could not be brought.
#[derive(Debug)]
pub(super) struct Failed {
    /// What happened.
    pub(super) error: Error,
    /// Whether no node has the image: what the registry does not give to one node it gives to no other.
    pub(super) is_nowhere: bool,
}

/// Brings to the node what has to be: the container's own image, those that are mounted into it, and its networks.
pub(super) async fn all(
    cluster: &Cluster,
    (node, engine): (&Node, &Engine),
    create: &Create,
    needed: Supply,
) -> Result<(), Failed> {
    let request = &create.spec.request;
    one(cluster, engine, create, &request.image, needed).await?;
    for image in &request.mounted_images {
        let members = cluster.members();
        let needed = Wanted::new(&members, image).on(node);
        one(cluster, engine, create, image, needed).await?;
    }
    let copied = replicas::all(cluster, engine, create).await;
    copied.map_err(|error| Failed {
        error,
        is_nowhere: false,
    })
}

/// Brings an image to the node if it has to be.
async fn one(
    cluster: &Cluster,
    engine: &Engine,
    create: &Create,
    reference: &str,
    supply: Supply,
) -> Result<(), Failed> {
    let headers = &create.headers;
    let is_nowhere = matches!(supply, Supply::Nowhere);
    let moved = Arc::default();
    let pull = || async {
        let pull = transfer::Pull {
            reference: reference.to_owned(),
            platform: platform(&create.query),
            auth: headers.get(transfer::AUTH).cloned(),
        };
        transfer::pull(cluster, engine, &pull).await
    };
    let copy = |source: Box<Source>| {
        let moved = &moved;
        async move { transfer::copy(cluster, engine, &source, moved).await }
    };
    let brought = match supply {
        Supply::Here => Ok(()),
        // Who brings credentials means what the registry has.
        Supply::Copy(source) if headers.contains_key(transfer::AUTH) => {
            or_else(pull(), copy(source)).await
        }
        Supply::Copy(source) => or_else(copy(source), pull()).await,
        Supply::Pull => pull().await,
        // Classic's clients were never told to pull.
        Supply::Nowhere
            if cluster.manners().is_classic() || headers.contains_key(transfer::AUTH) =>
        {
            pull().await
        }
        // The engine says in its own words that it has none; clients then pull and come again.
        Supply::Nowhere => Ok(()),
    };
    brought.map_err(|error| Failed { error, is_nowhere })
}

/// Tries one way to bring an image and then the other; the error tells of both.
async fn or_else(
    one: impl Future<Output = Result<(), Error>>,
    other: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let Err(first) = one.await else {
        return Ok(());
    };
    other.await.map_err(|second| first.and(second))
}

/// Returns the platform that the rest of a query asks for.
fn platform(query: &str) -> String {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(key, _)| key == "platform");
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
