//! Which image a create means, and where a node that lacks it gets it from.
//!
//! Invariant: pure. The bytes are moved by [`super::transfer`].

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::alike::{Bearers, Store, are_same};
use super::{Members, resolve};
use crate::engine::Engine;
use crate::model::image::is_digest;
use crate::model::{ClusterView, Image, Node};
use crate::scheduler::index::Bits;

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

impl Supply {
    /// Returns how it ranks: where an image may not come to is the last choice.
    pub fn order(&self) -> u8 {
        match self {
            Self::Here | Self::Copy(_) => 0,
            Self::Pull => 1,
            Self::Nowhere => 2,
        }
    }
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
    /// Tells whether a node's image is this one.
    pub fn is_same(&self, node: &Node, own: &Image) -> bool {
        let foreign = Store::of(node) != self.store;
        own.id == self.image.id || foreign && own.is_alike(&self.image)
    }

    /// Tells whether `node` has this image now, under whatever name.
    pub fn is_held_by(&self, node: &Node) -> bool {
        node.images.iter().any(|own| self.is_same(node, own))
    }

    /// Tells whether `node` has this image now under its name.
    pub fn is_on(&self, node: &Node) -> bool {
        let image = &self.image;
        let nameless = self.name == image.id;
        let mut own = node.images.iter();
        own.any(|own| {
            // What cannot be looked into is taken at its name.
            let unknown = !nameless && (own.content.is_none() || image.content.is_none());
            let foreign = Store::of(node) != self.store;
            (self.is_same(node, own) || foreign && unknown)
                && (nameless || own.tag(&self.name).is_some())
        })
    }
}

/// An image and where it is.
type Held<'a, E> = (&'a Arc<Node>, E, &'a Image);

/// What one create needs, looked up once for all nodes; without the engines behind them where nothing is moved.
#[derive(Debug)]
pub struct Wanted<'a, E = &'a Engine> {
    reference: &'a str,
    /// Who has the image under its name or an ID.
    bearers: Bearers<'a>,
    /// What is meant on nodes of each platform: what was built for another machine is of no use.
    meant: HashMap<(&'a str, &'a str), Held<'a, E>>,
    /// Whether some node knows it by a name.
    is_named: bool,
}

/// Where a node gets an image from, as far as a picture tells.
#[derive(Clone, Copy, Debug)]
pub enum Way<'a, E> {
    /// It has it.
    Here,
    /// Another node has it and can give it.
    Copy(Held<'a, E>),
    /// It has to come from a registry.
    Pull,
    /// No node has it.
    Nowhere,
}

/// Who has an image, in short: enough for most creates, which go where it is.
#[derive(Debug)]
pub struct Holders {
    /// The nodes, by their places, to which it comes without a registry.
    pub first: Bits,
    /// Its ID, if it is the same on every node that has it.
    only: Option<String>,
}

impl Holders {
    /// Looks up who has it.
    pub fn of(nodes: &[Arc<Node>], reference: &str) -> Self {
        let healthy = nodes.iter().filter(|node| node.health.is_healthy());
        let healthy: Vec<_> = healthy.map(|node| (node, ())).collect();
        let held = resolve::holders(nodes, &healthy, reference);
        let wanted = Wanted::of(&held, reference);
        let mut first = Bits::none(nodes.len());
        for (at, node) in nodes.iter().enumerate() {
            first.set(at, wanted.way(node).order() == 0);
        }
        let id = held.first().map(|(_, _, image)| &image.id);
        let only = id.filter(|id| held.iter().all(|(_, _, image)| image.id == **id));
        let only = only.cloned();
        Self { first, only }
    }

    /// Tells whether a node has what is meant; if not, [`Wanted`] tells more.
    pub fn is_here(&self, node: &Node, reference: &str) -> bool {
        let own = node.image(reference);
        own.is_some_and(|own| is_digest(reference) || self.only.as_ref() == Some(&own.id))
    }
}

impl<'a> Wanted<'a, ()> {
    /// Looks up who has the image in a picture.
    pub fn of_view(view: &'a ClusterView, reference: &'a str) -> Self {
        let nodes: Vec<_> = view.healthy().map(|node| (node, ())).collect();
        let held = resolve::holders(view.nodes(), &nodes, reference);
        Self::of(&held, reference)
    }
}

impl<'a> Wanted<'a> {
    /// Looks up who has the image.
    pub fn new(members: &'a Members, reference: &'a str) -> Self {
        Self::of(&resolve::image_holders(members, reference), reference)
    }

    /// Returns what `node` gets the image from where another node has to give it.
    pub fn copy_to(&self, node: &Node) -> Option<Box<Source>> {
        match self.on(node) {
            Supply::Copy(source) => Some(source),
            Supply::Here | Supply::Pull | Supply::Nowhere => None,
        }
    }

    /// Tells where `node` gets the image from.
    pub fn on(&self, node: &Node) -> Supply {
        let (giver, engine, image) = match self.way(node) {
            Way::Here => return Supply::Here,
            Way::Pull => return Supply::Pull,
            Way::Nowhere => return Supply::Nowhere,
            Way::Copy(held) => held,
        };
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

impl<'a, E: Copy> Wanted<'a, E> {
    /// Sorts who has the image.
    fn of(holders: &[Held<'a, E>], reference: &'a str) -> Self {
        let mut by_platform: HashMap<_, Vec<Held<'a, E>>> = HashMap::new();
        for held in holders {
            by_platform.entry(platform(held.0)).or_default().push(*held);
        }
        let meant = by_platform.into_iter();
        let meant = meant.filter_map(|(of, held)| Some((of, resolve::meant(&held, reference)?)));
        let images = holders.iter().map(|(node, _, image)| (&***node, *image));
        Self {
            reference,
            bearers: Bearers::of(images, reference),
            meant: meant.collect(),
            is_named: holders.iter().any(|(_, _, i)| i.has_name(reference)),
        }
    }

    /// Returns the image of a node that is meant by an ID which only a store of another kind gives it.
    pub fn alias<'n>(&self, node: &'n Node) -> Option<&'n Image> {
        let known = is_digest(self.reference) || node.image(self.reference).is_some();
        if known || self.is_named {
            return None;
        }
        let mut own = node.images.iter();
        own.find(|own| self.bearers.include(node, own))
    }

    /// Tells which way the image comes to `node`.
    pub fn way(&self, node: &Node) -> Way<'a, E> {
        let own = node.image(self.reference).or_else(|| self.alias(node));
        if is_digest(self.reference) {
            return match (own, self.meant.is_empty()) {
                (Some(_), _) => Way::Here,
                (None, true) => Way::Nowhere,
                (None, false) => Way::Pull,
            };
        }
        match (self.meant.get(&platform(node)).copied(), own) {
            (None, Some(_)) => Way::Here,
            (None, None) => Way::Nowhere,
            (Some((giver, _, image)), Some(own)) if are_same((node, own), (giver, image)) => {
                Way::Here
            }
            (Some(held), _) => Way::Copy(held),
        }
    }
}

impl<E> Way<'_, E> {
    /// Returns how it ranks, as [`Supply::order`].
    pub fn order(&self) -> u8 {
        match self {
            Self::Here | Self::Copy(_) => 0,
            Self::Pull => 1,
            Self::Nowhere => 2,
        }
    }
}

/// Returns what programs an engine runs: operating system and architecture.
fn platform(node: &Node) -> (&str, &str) {
    let text = |key: &str| node.facts.info[key].as_str().unwrap_or_default();
    (text("OSType"), text("Architecture"))
}
