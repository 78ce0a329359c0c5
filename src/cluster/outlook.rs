//! The nodes as they will be when everything that is promised is visible.
//!
//! Invariant: written under the lock of the reservations alone. What is published of it is never changed again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Members;
use super::names::Names;
use crate::model::{Container, Containers, Node, Picture};

/// A membership, and its nodes with what is reserved on them.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The membership.
    pub members: Arc<Members>,
    /// Its nodes, in the order of its view.
    pub picture: Arc<Picture>,
}

/// The same, with what is kept to bring it up to date.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    seen: Seen,
    places: HashMap<Arc<str>, usize>,
    /// Nodes on which something was given back.
    stale: BTreeSet<usize>,
    names: Names,
}

impl Outlook {
    /// Returns what is known by now.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Brings all up to date with a membership, whose nodes are `ahead` what they will be.
    pub(super) fn follow(
        &mut self,
        members: Arc<Members>,
        ahead: impl Fn(&Arc<Node>) -> Arc<Node>,
    ) {
        let known = Arc::ptr_eq(&self.seen.members, &members);
        if known && self.stale.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut self.seen.members, members);
        let (old, new) = (before.view.nodes(), self.seen.members.view.nodes());
        let pairs = || old.iter().zip(new);
        if old.len() != new.len() || pairs().any(|(old, new)| old.key != new.key) {
            let places = new.iter().enumerate();
            self.places = places.map(|(at, n)| (Arc::clone(&n.key), at)).collect();
            self.names.clear();
            let nothing = Containers::default();
            new.iter().for_each(|n| self.names.follow(n, &nothing));
            let nodes: Vec<_> = new.iter().map(ahead).collect();
            self.seen.picture = Arc::new(Picture::new(&nodes));
            self.stale.clear();
            return;
        }
        let mut stale = std::mem::take(&mut self.stale);
        for (at, (old, new)) in pairs().enumerate() {
            if !Arc::ptr_eq(old, new) {
                self.names.follow(new, &old.containers);
                stale.insert(at);
            }
        }
        if !stale.is_empty() {
            let picture = Arc::make_mut(&mut self.seen.picture);
            stale
                .into_iter()
                .for_each(|at| picture.put(at, ahead(&new[at])));
        }
    }

    /// Returns a node as it is in its engine's last publication.
    pub(super) fn visible(&self, key: &str) -> Option<&Arc<Node>> {
        self.seen.members.view.nodes().get(*self.places.get(key)?)
    }

    /// Returns a node as it will be.
    pub(super) fn node(&self, key: &str) -> Option<&Arc<Node>> {
        self.seen.picture.node(*self.places.get(key)?)
    }

    /// Notes that one more container is reserved on a node.
    pub(super) fn add(&mut self, key: &str, container: &Arc<Container>) {
        let Some(at) = self.places.get(key).copied() else {
            return;
        };
        let picture = Arc::make_mut(&mut self.seen.picture);
        if let Some(node) = picture.node(at) {
            let node = node.with_reserved(std::slice::from_ref(container));
            picture.put(at, Arc::new(node));
        }
    }

    /// Notes that something was given back on a node.
    pub(super) fn gave_back(&mut self, key: &str) {
        self.stale.extend(self.places.get(key));
    }

    /// Walks the containers of a name, in the order of their nodes.
    pub(super) fn named(&self, name: &str) -> Vec<(&Arc<Node>, &Arc<Container>)> {
        let places = self.names.nodes(name).iter();
        let places: BTreeSet<usize> = places.filter_map(|k| self.places.get(k)).copied().collect();
        let nodes = places.into_iter();
        let nodes = nodes.filter_map(|at| self.seen.members.view.nodes().get(at));
        let found = nodes.filter_map(|node| Some((node, node.containers.by_name(name)?)));
        found.collect()
    }
}
