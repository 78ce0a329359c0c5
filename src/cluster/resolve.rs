//! From what a user calls an object to the object on its node.

use std::sync::Arc;

use super::error::Kind;
use super::{Error, Members, absent, alike};
use crate::engine::Engine;
use crate::model::{Container, Image, Network, Node, Volume};

/// An object and where it is.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The node that has it.
    pub node: Arc<Node>,
    /// The engine behind the node.
    pub engine: Engine,
    /// The object.
    pub object: T,
}

/// Walks the containers that have exactly this name, on any node.
pub fn named<'a>(
    members: &'a Members,
    name: &'a str,
) -> impl Iterator<Item = (&'a Arc<Node>, &'a Arc<Container>)> {
    members
        .view
        .nodes()
        .iter()
        .filter_map(move |node| Some((node, node.containers.by_name(name)?)))
}

/// Finds a container as an engine would, over all nodes: full ID, identity label, name (`web`, `/web`, `node0/web`),
/// then unique ID prefix.
///
/// # Errors
/// Nothing, or more than one thing, is called so.
pub fn container(members: &Members, reference: &str) -> Result<Located<Arc<Container>>, Error> {
    let not_found = || absent::missing(members, Kind::Container, reference);
    let nodes = members.view.nodes();
    let by_id = nodes
        .iter()
        .find_map(|n| Some((n, n.containers.by_id(reference)?)));
    if let Some((node, container)) = by_id {
        return located(members, node, Arc::clone(container)).ok_or_else(not_found);
    }
    let name = reference.strip_prefix('/').unwrap_or(reference);
    let mut hits: Vec<_> = named(members, name).collect();
    if let Some((node, plain)) = qualified(members, name) {
        hits.extend(node.containers.by_name(plain).map(|c| (node, c)));
    }
    if hits.is_empty() {
        hits = with_prefix(nodes, reference);
        if hits.len() > 1 {
            let prefix = reference.to_owned();
            return Err(Error::AmbiguousPrefix { prefix });
        }
    }
    match hits.as_slice() {
        [] => Err(not_found()),
        [(node, container)] => located(members, node, Arc::clone(container)).ok_or_else(not_found),
        many => Err(Error::AmbiguousName {
            kind: Kind::Container,
            name: name.to_owned(),
            nodes: many.iter().map(|(n, _)| n.name.clone()).collect(),
        }),
    }
}

/// Finds containers whose ID or identity label starts with `prefix`; each once.
fn with_prefix<'a>(
    nodes: &'a [Arc<Node>],
    prefix: &str,
) -> Vec<(&'a Arc<Node>, &'a Arc<Container>)> {
    if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Vec::new();
    }
    let by_id: Vec<_> = nodes
        .iter()
        .flat_map(|n| n.containers.with_prefix(prefix).map(move |c| (n, c)))
        .collect();
    // The identity label is 64 digits that classic's users kept; short forms of it are 12.
    if !by_id.is_empty() || prefix.len() < 12 {
        return by_id;
    }
    nodes
        .iter()
        .flat_map(|n| n.containers.iter().map(move |c| (n, c)))
        .filter(|(_, c)| c.swarm_id().is_some_and(|id| id.starts_with(prefix)))
        .collect()
}

/// Splits `node0/name` when `node0` is a node.
pub fn qualified<'a>(members: &'a Members, text: &'a str) -> Option<(&'a Arc<Node>, &'a str)> {
    let (node, rest) = text.split_once('/')?;
    Some((members.view.named(node)?, rest)).filter(|_| !rest.is_empty())
}

/// Finds the healthy nodes that hold an image, by name or ID, in the order of their names.
pub fn image_holders<'a>(
    members: &'a Members,
    reference: &str,
) -> Vec<(&'a Arc<Node>, &'a Engine, &'a Image)> {
    let healthy: Vec<_> = members.healthy().collect();
    holders(members.view.nodes(), &healthy, reference)
}

/// Finds those of some nodes that hold an image, by name or, if none has one of that name, by ID; with whatever comes
/// along with a node. An ID that none of them has may be that of another store, which a node among `all` has.
pub fn holders<'a, E: Copy>(
    all: &'a [Arc<Node>],
    nodes: &[(&'a Arc<Node>, E)],
    reference: &str,
) -> Vec<(&'a Arc<Node>, E, &'a Image)> {
    let held = |find: &dyn Fn(&'a Node) -> Option<&'a Image>| -> Vec<_> {
        let nodes = nodes.iter();
        nodes.filter_map(|&(n, e)| Some((n, e, find(n)?))).collect()
    };
    let named = held(&|node| node.images.iter().find(|i| i.has_name(reference)));
    if !named.is_empty() {
        return named;
    }
    let known = held(&|node| node.images.iter().find(|i| i.has_id(reference)));
    if !known.is_empty() {
        return known;
    }
    let aliases = alike::Aliases::of(all, reference);
    held(&|node| aliases.on(node))
}

/// Finds the image that one reference means for everybody; see [`meant`].
///
/// # Errors
/// No node has it, or only nodes that do not answer.
pub fn image<'a>(
    members: &'a Members,
    reference: &str,
) -> Result<(&'a Arc<Node>, &'a Engine, &'a Image), Error> {
    if let Some(found) = meant(&image_holders(members, reference), reference) {
        return Ok(found);
    }
    let holds = |node: &Node| node.image(reference).is_some();
    Err(image_away(members, reference, holds))
}

/// Returns the error of an image that no healthy node has: whether one that does not answer does is told by `holds`.
pub fn image_away(members: &Members, reference: &str, holds: impl Fn(&Node) -> bool) -> Error {
    let object = format!("image \"{reference}\"");
    let nodes = members.view.nodes().iter();
    let mut holders = nodes.filter(|node| holds(node));
    holders
        .find_map(|node| absent::away(node, &object, ""))
        .unwrap_or_else(|| absent::missing(members, Kind::Image, reference))
}

/// Chooses among the images of one name; see [`alike::meant`].
pub fn meant<'a, E: Copy>(
    holders: &[(&'a Arc<Node>, E, &'a Image)],
    reference: &str,
) -> Option<(&'a Arc<Node>, E, &'a Image)> {
    let images = holders.iter().map(|(node, _, image)| (&***node, *image));
    let images: Vec<_> = images.collect();
    holders.get(alike::meant(&images, reference)?).copied()
}

/// Finds a network: full ID, name (`net`, `node0/net`), unique ID prefix. Predefined names mean those of the first
/// healthy node; a network that reaches over nodes is found on the first healthy node that has it.
///
/// # Errors
/// Nothing, or more than one thing, is called so.
pub fn network(members: &Members, reference: &str) -> Result<Located<Network>, Error> {
    let not_found = || absent::missing(members, Kind::Network, reference);
    let mut hits = networks(members, |n| n.id == reference || n.own_id() == reference);
    if hits.is_empty() {
        hits = networks(members, |n| n.name == reference);
        if let (true, Some((node, plain))) = (hits.is_empty(), qualified(members, reference)) {
            let own = node.networks.iter().filter(|n| n.name == plain);
            hits = own.map(|n| (node, n)).collect();
        }
    }
    if hits.is_empty() && !reference.is_empty() {
        hits = networks(members, |n| n.id.starts_with(reference));
        let first = hits.first().map(|(_, n)| n.id.clone());
        if hits.iter().any(|(_, n)| Some(&n.id) != first.as_ref()) {
            let prefix = reference.to_owned();
            return Err(Error::AmbiguousPrefix { prefix });
        }
    }
    // Nodes that answer first; the order of names among them.
    // A manager knows all of a network that reaches over nodes.
    hits.sort_by_key(|(node, network)| {
        let (lost, is_copy) = (!node.health.is_healthy(), network.copy.is_some());
        (lost, is_copy, !node.is_manager())
    });
    let Some((node, network)) = hits.first().copied() else {
        return Err(not_found());
    };
    let one = network.is_predefined() || hits.iter().all(|(_, n)| n.id == network.id);
    if !one {
        return Err(Error::AmbiguousName {
            kind: Kind::Network,
            name: reference.to_owned(),
            nodes: hits.iter().map(|(n, _)| n.name.clone()).collect(),
        });
    }
    located(members, node, network.clone()).ok_or_else(not_found)
}

/// Walks networks that pass `test`.
fn networks(members: &Members, test: impl Fn(&Network) -> bool) -> Vec<(&Arc<Node>, &Network)> {
    let nodes = members.view.nodes().iter();
    nodes
        .flat_map(|node| node.networks.iter().map(move |n| (node, n)))
        .filter(|(_, n)| test(n))
        .collect()
}

/// Finds a volume by name (`vol`, `node0/vol`); one of a shared driver is found on the first healthy node.
///
/// # Errors
/// Nothing is called so, or several nodes have a local one.
pub fn volume(members: &Members, reference: &str) -> Result<Located<Volume>, Error> {
    let not_found = || absent::missing(members, Kind::Volume, reference);
    let mut hits = volumes(members, reference);
    if let (true, Some((node, plain))) = (hits.is_empty(), qualified(members, reference)) {
        let own = node.volumes.iter().filter(|v| v.name == plain);
        hits = own.map(|v| (node, v)).collect();
    }
    hits.sort_by_key(|(node, _)| !node.health.is_healthy());
    match hits.as_slice() {
        [] => Err(not_found()),
        [(node, first), rest @ ..] if rest.iter().all(|(_, v)| first.is_also(v)) => {
            located(members, node, (*first).clone()).ok_or_else(not_found)
        }
        many => Err(Error::AmbiguousName {
            kind: Kind::Volume,
            name: reference.to_owned(),
            nodes: many.iter().map(|(n, _)| n.name.clone()).collect(),
        }),
    }
}

/// Walks the volumes with this name.
pub fn volumes<'a>(members: &'a Members, name: &str) -> Vec<(&'a Arc<Node>, &'a Volume)> {
    let nodes = members.view.nodes().iter();
    nodes
        .flat_map(|node| node.volumes.iter().map(move |v| (node, v)))
        .filter(|(_, v)| v.name == name)
        .collect()
}

/// Puts an object and the node with this key together; `None` when that has left the cluster.
pub fn on_node<T>(members: &Members, key: &str, object: T) -> Option<Located<T>> {
    located(members, members.view.by_key(key)?, object)
}

/// Puts an object and its engine together.
fn located<T>(members: &Members, node: &Arc<Node>, object: T) -> Option<Located<T>> {
    Some(Located {
        node: Arc::clone(node),
        engine: members.engine(&node.key)?.clone(),
        object,
    })
}

impl<T> Located<T> {
    /// Lets through only what is on a node that answers.
    ///
    /// # Errors
    /// The node does not answer; `object` and `state` go into the message.
    pub fn reachable(self, object: &str, state: &str) -> Result<Self, Error> {
        match absent::away(&self.node, object, state) {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

impl Located<Arc<Container>> {
    /// Lets through only a container whose node answers.
    ///
    /// # Errors
    /// The node does not answer.
    pub fn ready(self) -> Result<Self, Error> {
        let object = format!("container \"{}\"", self.object.name());
        let state = self.object.state.status.clone();
        self.reachable(&object, &state)
    }
}
