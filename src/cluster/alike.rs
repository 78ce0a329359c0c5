//! Which images of several nodes are one, although stores of two kinds give it two IDs.
//!
//! Invariant: pure, and linear in the number of images that are looked at: a tag may be on thousands of nodes.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Image, Node};

/// The kind of image store an engine has: under another one the same image has another ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// Returns the other kind.
    fn other(self) -> Self {
        match self {
            Self::Containerd => Self::GraphDriver,
            Self::GraphDriver => Self::Containerd,
        }
    }
}

/// Tells whether two nodes have the same image. Between image stores of two kinds, which give it two IDs, what is in it and
/// the time of the build tell.
pub fn are_same(one: (&Node, &Image), other: (&Node, &Image)) -> bool {
    one.1.id == other.1.id || Store::of(one.0) != Store::of(other.0) && one.1.is_alike(other.1)
}

/// What is known of those images that are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    /// How many nodes have it.
    count: usize,
    /// When a tag came to it last.
    moved: Option<Timestamp>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.moved = self.moved.max(other.moved);
    }
}

/// The images that bear a name, or an ID, on all nodes.
#[derive(Debug, Default)]
pub struct Bearers<'a> {
    by_id: HashMap<&'a str, Tally>,
    /// By what is the same in stores of all kinds: content and time of the build.
    by_build: HashMap<(Store, u64, i64), Tally>,
}

impl<'a> Bearers<'a> {
    /// Counts images; moves are those of the tag that `reference` means.
    pub fn of(images: impl Iterator<Item = (&'a Node, &'a Image)>, reference: &str) -> Self {
        let mut all = Self::default();
        for (node, image) in images {
            // A tag cannot have come to an image before that was made; of a pull no more is known after a restart.
            let made = Timestamp::from_second(image.made()).unwrap_or_default();
            let moved = image.moved_at(reference).map_or(made, |at| at.max(made));
            let one = Tally {
                count: 1,
                moved: Some(moved),
            };
            all.by_id.entry(&image.id).or_default().add(one);
            if let Some(content) = image.content {
                let build = (Store::of(node), content, image.made());
                all.by_build.entry(build).or_default().add(one);
            }
        }
        all
    }

    /// Tells whether a node's image is one of them; see [`are_same`].
    pub fn include(&self, node: &Node, image: &Image) -> bool {
        self.tally(Store::of(node), image).count > 0
    }

    /// Sums up those that are the same as an image of such a store. No ID stands in stores of two kinds, so none is
    /// counted twice.
    fn tally(&self, store: Store, image: &Image) -> Tally {
        let mut sum = self.by_id.get(&*image.id).copied().unwrap_or_default();
        let build = image.content.map(|c| (store.other(), c, image.made()));
        let foreign = build.and_then(|build| self.by_build.get(&build));
        sum.add(foreign.copied().unwrap_or_default());
        sum
    }
}

/// What an ID means on nodes that know it by another one, since only a store of another kind gives it to the image.
#[derive(Debug)]
pub struct Aliases<'a>(Option<Bearers<'a>>);

impl<'a> Aliases<'a> {
    /// Looks up what has such an ID on any node, also on one that does not answer; nothing where it is a name.
    pub fn of(nodes: &'a [Arc<Node>], reference: &str) -> Self {
        let hex = reference.strip_prefix("sha256:").unwrap_or(reference);
        if hex.is_empty() || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Self(None);
        }
        let all = || {
            let images = |node: &'a Arc<Node>| node.images.iter().map(move |i| (&**node, i));
            nodes.iter().flat_map(images)
        };
        let mut meant = all().filter(|(_, image)| image.has_id(reference));
        let Some(first) = meant.next() else {
            return Self(None);
        };
        if all().any(|(_, image)| image.has_name(reference)) {
            return Self(None);
        }
        let meant = std::iter::once(first).chain(meant);
        Self(Some(Bearers::of(meant, reference)))
    }

    /// Returns a node's image that is the same as one with the ID.
    pub fn on<'n>(&self, node: &'n Node) -> Option<&'n Image> {
        let bearers = self.0.as_ref()?;
        node.images.iter().find(|own| bearers.include(node, own))
    }
}

/// Chooses among the images of one name, given in the order of their nodes' names, and returns which it is: the one
/// that the tag came to last, as on one engine, where a tag moves. Of those that no move is known of, the youngest, then
/// that of most nodes, then that of the node with the lowest name: the answer does not change between calls. Where
/// stores of two kinds give one image two IDs, that of the node which it was made on is meant, as far as is known: it is
/// the same before and after a copy.
pub fn meant(images: &[(&Node, &Image)], reference: &str) -> Option<usize> {
    let (_, first) = images.first()?;
    if images.iter().all(|(_, image)| image.id == first.id) {
        // Of a copy its engine does not know when it was tagged.
        let made = images.iter().position(|(_, image)| !image.copied);
        return Some(made.unwrap_or(0));
    }
    let bearers = Bearers::of(images.iter().copied(), reference);
    let ranked = images.iter().enumerate().rev();
    let best = ranked.max_by_key(|(_, (node, image))| {
        let store = Store::of(node);
        let same = bearers.tally(store, image);
        (
            (same.moved, image.made(), same.count),
            (!image.copied, store),
        )
    });
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn graph() -> Node {
        Node::default()
    }

    fn containerd() -> Node {
        let mut node = Node::default();
        let mut facts = (*node.facts).clone();
        facts.info = json!({"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]});
        node.facts = facts.into();
        node
    }

    fn image(id: &str, content: u64, created_seconds: i64) -> Image {
        Image {
            id: id.to_owned(),
            tags: vec!["app:1".to_owned()],
            content: Some(content),
            created_seconds,
            ..Image::default()
        }
    }

    fn moved(mut image: Image, second: i64) -> Image {
        let at = Timestamp::from_second(second).unwrap();
        image.moved.insert("app:1".to_owned(), at);
        image
    }

    #[test]
    fn of_one_image_the_original_is_meant_and_not_its_copies() {
        let node = graph();
        let original = image("same", 1, 10);
        let copy = Image {
            copied: true,
            ..original.clone()
        };
        let on = |images: [&Image; 3]| meant(&images.map(|image| (&node, image)), "app:1");
        assert_eq!(on([&copy, &original, &original]), Some(1));
        assert_eq!(on([&copy, &copy, &copy]), Some(0), "it was made elsewhere");
    }

    #[test]
    fn the_image_that_the_tag_came_to_last_is_meant_and_then_that_of_most() {
        let (graph, containerd) = (graph(), containerd());
        let (old, new) = (image("old", 1, 10), image("new", 2, 20));
        let rolled_back = moved(image("old", 1, 10), 30);
        let alike = image("other-old", 1, 10);
        let of_two = image("two", 3, 20);
        let copied = |image: Image| Image {
            copied: true,
            ..image
        };
        let (copied_old, copied_other) = (copied(old.clone()), copied(alike.clone()));
        for (images, expected) in [
            (vec![], None),
            (vec![(&graph, &old), (&graph, &old)], Some(0)),
            (vec![(&graph, &old), (&graph, &new)], Some(1)),
            (vec![(&graph, &rolled_back), (&graph, &new)], Some(0)),
            (
                vec![(&graph, &new), (&graph, &of_two), (&graph, &of_two)],
                Some(1),
            ),
            (vec![(&graph, &new), (&graph, &of_two)], Some(0)),
            // A move on a node of the one kind counts for the same image on one of the other.
            (
                vec![
                    (&containerd, &alike),
                    (&graph, &new),
                    (&graph, &rolled_back),
                ],
                Some(2),
            ),
            (vec![(&graph, &copied_old), (&containerd, &alike)], Some(1)),
            (vec![(&graph, &old), (&containerd, &copied_other)], Some(0)),
        ] {
            assert_eq!(meant(&images, "app:1"), expected, "{images:?}");
        }
    }

    #[test]
    fn only_stores_of_two_kinds_give_one_image_two_ids() {
        let (graph, containerd) = (graph(), containerd());
        let (one, two) = (image("one", 1, 10), image("two", 1, 10));
        let other = image("three", 1, 11);
        for (a, b) in [
            ((&graph, &one), (&graph, &one)),
            ((&graph, &one), (&graph, &two)),
            ((&graph, &one), (&containerd, &two)),
            ((&containerd, &one), (&graph, &two)),
            ((&containerd, &one), (&graph, &other)),
        ] {
            let bearers = Bearers::of([a].into_iter(), "app:1");
            assert_eq!(bearers.include(b.0, b.1), are_same(a, b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn an_id_is_found_where_another_store_gave_another() {
        let graph = Node {
            images: vec![image("sha256:aaa1", 1, 10), image("sha256:aaa2", 2, 10)].into(),
            health: crate::model::Health::Unhealthy {
                since: Timestamp::UNIX_EPOCH,
                reason: "gone".to_owned(),
            },
            ..graph()
        };
        let containerd = Node {
            images: vec![image("sha256:bbb1", 1, 10), image("sha256:bbb3", 3, 10)].into(),
            ..containerd()
        };
        let nodes = [Arc::new(graph), Arc::new(containerd)];
        let ids = |reference: &str| {
            let aliases = Aliases::of(&nodes, reference);
            let on = |node: &Node| aliases.on(node).map(|image| image.id.clone());
            [on(&nodes[0]), on(&nodes[1])].map(Option::unwrap_or_default)
        };
        for (reference, expected) in [
            ("sha256:aaa1", ["sha256:aaa1", "sha256:bbb1"]),
            ("aaa1", ["sha256:aaa1", "sha256:bbb1"]),
            ("bbb1", ["sha256:aaa1", "sha256:bbb1"]),
            ("aaa2", ["sha256:aaa2", ""]),
            ("bbb3", ["", "sha256:bbb3"]),
            ("ccc", ["", ""]),
            ("app:1", ["", ""]),
            ("", ["", ""]),
        ] {
            assert_eq!(ids(reference), expected, "{reference}");
        }
    }

    #[test]
    fn a_name_that_means_another_image_on_each_of_many_nodes_is_found_at_once() {
        let nodes = [graph(), containerd()];
        let images: Vec<_> = (0..20_000)
            .map(|n| image(&format!("id-{n}"), n / 2, 10))
            .collect();
        let all = images.iter().enumerate();
        let all: Vec<_> = all.map(|(n, image)| (&nodes[n % 2], image)).collect();
        let started = Instant::now();
        assert!(meant(&all, "app:1").is_some());
        let took = started.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}
