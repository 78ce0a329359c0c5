//! Which image a create means, and where a node that lacks it gets it from.
//!
//! Invariant: pure. The bytes are moved by [`super::transfer`].

use std::sync::Arc;

use jiff::Timestamp;

use super::{Members, resolve};
use crate::engine::Engine;
use crate::model::image::is_digest;
use crate::model::{Image, Node};

/// Where a node gets an image from.
#[derive(Clone, Debug)]
pub enum Supply {
    /// It has it.
    Here,
    /// Another node has it and can give it.
    Copy(Box<Source>),
    /// It has to come from a registry: the reference names content, which a copy would not be found by.
    Pull,
    /// No node has it.
    Nowhere,
}

/// An image on the node that gives it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The node's name.
    pub node: String,
    /// The engine behind it.
    pub engine: Engine,
    /// The image there.
    pub image: Image,
    /// What the archive is asked for by, so that it carries the name: the tag, or the ID for an image without.
    pub name: String,
    /// When the tag came to the image there.
    pub moved_at: Option<Timestamp>,
    /// The kind of its store: in another one the image has another ID.
    store: Store,
}

impl Source {
    /// Tells whether `node` has this image now.
    pub fn is_on(&self, node: &Node) -> bool {
        let image = &self.image;
        let nameless = self.name == image.id;
        let mut own = node.images.iter();
        own.any(|own| {
            let foreign = Store::of(node) != self.store;
            // What cannot be looked into is taken at its name.
            let unknown = !nameless && (own.content.is_none() || image.content.is_none());
            let same = own.id == image.id || foreign && (unknown || own.is_alike(image));
            same && (nameless || own.tag(&self.name).is_some())
        })
    }
}

/// The kind of image store an engine has: under another one the same image has another ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// The ID is the digest of the manifest.
    Containerd,
    /// The ID is the digest of the configuration.
    GraphDriver,
}

impl Store {
    /// Returns the kind of a node's store.
    pub fn of(node: &Node) -> Self {
        let status = node.facts.info["DriverStatus"].as_array();
        let mut pairs = status.into_iter().flatten();
        let snapshotter =
            pairs.any(|p| p[0] == "driver-type" && p[1] == "io.containerd.snapshotter.v1");
        match snapshotter {
            true => Self::Containerd,
            false => Self::GraphDriver,
        }
    }
}

/// An image and where it is.
type Held<'a> = (&'a Arc<Node>, &'a Engine, &'a Image);

/// What one create needs, looked up once for all nodes.
#[derive(Debug)]
pub struct Wanted<'a> {
    reference: &'a str,
    holders: Vec<Held<'a>>,
}

impl<'a> Wanted<'a> {
    /// Looks up who has the image.
    pub fn new(members: &'a Members, reference: &'a str) -> Self {
        Self {
            reference,
            holders: resolve::image_holders(members, reference),
        }
    }

    /// Returns the image of a node that is meant by an ID which only a store of another kind gives it.
    pub fn alias<'n>(&self, node: &'n Node) -> Option<&'n Image> {
        let named = |(_, _, image): &Held<'_>| image.has_name(self.reference);
        let known = is_digest(self.reference) || node.image(self.reference).is_some();
        if known || self.holders.iter().any(named) {
            return None;
        }
        let same = |own: &&Image| {
            let mut holders = self.holders.iter();
            holders.any(|(holder, _, image)| are_same((node, own), (holder, image)))
        };
        node.images.iter().find(same)
    }

    /// Tells where `node` gets the image from.
    pub fn on(&self, node: &Node) -> Supply {
        let own = node.image(self.reference).or_else(|| self.alias(node));
        if is_digest(self.reference) {
            return match (own, self.holders.is_empty()) {
                (Some(_), _) => Supply::Here,
                (None, true) => Supply::Nowhere,
                (None, false) => Supply::Pull,
            };
        }
        // What was built for another machine is of no use.
        let alike = self.holders.iter().copied();
        let alike: Vec<_> = alike
            .filter(|(n, _, _)| platform(n) == platform(node))
            .collect();
        let Some((giver, engine, image)) = resolve::meant(&alike, self.reference) else {
            return if own.is_some() {
                Supply::Here
            } else {
                Supply::Nowhere
            };
        };
        if own.is_some_and(|own| are_same((node, own), (giver, image))) {
            return Supply::Here;
        }
        let name = image.tag(self.reference).unwrap_or(&image.id).to_owned();
        Supply::Copy(Box::new(Source {
            node: giver.name.clone(),
            engine: engine.clone(),
            image: image.clone(),
            name,
            moved_at: image.moved_at(self.reference),
            store: Store::of(giver),
        }))
    }
}

/// Tells whether two nodes have the same image. Between image stores of two kinds, which give it two IDs, what is in it and
/// the time of the build tell.
pub fn are_same(one: (&Node, &Image), other: (&Node, &Image)) -> bool {
    one.1.id == other.1.id || Store::of(one.0) != Store::of(other.0) && one.1.is_alike(other.1)
}

/// Returns what programs an engine runs: operating system and architecture.
fn platform(node: &Node) -> (&str, &str) {
    let text = |key: &str| node.facts.info[key].as_str().unwrap_or_default();
    (text("OSType"), text("Architecture"))
}
