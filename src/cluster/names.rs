//! The names of all containers, and which nodes have them: whether a name is free is known without asking each node.
//!
//! Invariant: as true as the membership that it last followed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Container, Containers, Node};

/// Node keys by the names of containers on them, link aliases among those.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, Vec<Arc<str>>>);

impl Names {
    /// Takes note of what has changed on a node.
    pub(super) fn follow(&mut self, node: &Node, before: &Containers) {
        for (before, now) in node.containers.changes(before) {
            let same = before.zip(now).is_some_and(|(a, b)| a.names == b.names);
            if !same {
                before.into_iter().for_each(|c| self.remove(c, &node.key));
                now.into_iter().for_each(|c| self.add(c, &node.key));
            }
        }
    }

    /// Returns the keys of the nodes that have containers of a name; one that has two is there twice.
    pub(super) fn nodes(&self, name: &str) -> &[Arc<str>] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn add(&mut self, container: &Container, key: &Arc<str>) {
        for name in &container.names {
            let nodes = self.0.entry(name.clone()).or_default();
            nodes.push(Arc::clone(key));
        }
    }

    fn remove(&mut self, container: &Container, key: &Arc<str>) {
        for name in &container.names {
            let Some(nodes) = self.0.get_mut(name) else {
                continue;
            };
            if let Some(at) = nodes.iter().position(|own| own == key) {
                nodes.swap_remove(at);
            }
            if nodes.is_empty() {
                self.0.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_and_go_with_their_containers() {
        let mut node = Node {
            key: "a:1".into(),
            ..Node::default()
        };
        let mut names = Names::default();
        let mut step = |change: &dyn Fn(&mut Containers)| {
            let before = node.containers.clone();
            change(&mut node.containers);
            names.follow(&node, &before);
            ["web", "db", "x/db"].map(|name| names.nodes(name).len())
        };
        let put = |id: &'static str, of: &'static [&'static str]| {
            move |all: &mut Containers| {
                all.insert(Arc::new(Container {
                    id: id.into(),
                    names: of.iter().map(|name| (*name).to_owned()).collect(),
                    ..Container::default()
                }));
            }
        };
        assert_eq!(step(&put("1", &["web"])), [1, 0, 0]);
        assert_eq!(step(&put("2", &["db", "x/db"])), [1, 1, 1]);
        assert_eq!(step(&put("3", &["web"])), [2, 1, 1]);
        assert_eq!(step(&put("1", &["db"])), [1, 2, 1]);
        let remove = |all: &mut Containers| drop(all.remove("2"));
        assert_eq!(step(&remove), [1, 1, 0]);
    }
}
