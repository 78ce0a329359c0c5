//! All nodes as creates see them: cheap to change in one place, to compare, and to keep beside others that are alike.

use std::sync::Arc;

use super::{ClusterView, Node};

/// Nodes that share one piece: small enough to be written anew for one node, large enough to be few.
const PIECE: usize = 64;

/// All nodes in the order of their view. Copies share what is alike.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    pieces: Vec<Arc<[Arc<Node>]>>,
    len: usize,
    objects: usize,
}

impl Picture {
    /// Makes a picture of nodes in the order of a view.
    pub fn new(nodes: &[Arc<Node>]) -> Self {
        Self {
            pieces: nodes.chunks(PIECE).map(Arc::from).collect(),
            len: nodes.len(),
            objects: nodes.iter().map(|node| node.weight()).sum(),
        }
    }

    /// Returns how many nodes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many pieces of nodes it holds, which others may share.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Returns how many objects it holds: nodes and what is on them.
    pub fn objects(&self) -> usize {
        self.objects
    }

    /// Returns the node at a place.
    pub fn node(&self, at: usize) -> Option<&Arc<Node>> {
        self.pieces.get(at / PIECE)?.get(at % PIECE)
    }

    /// Puts a node at a place, which must be there.
    pub fn put(&mut self, at: usize, node: Arc<Node>) {
        let Some(piece) = self.pieces.get_mut(at / PIECE) else {
            return;
        };
        if let Some(old) = Arc::make_mut(piece).get_mut(at % PIECE) {
            self.objects = self.objects + node.weight() - old.weight();
            *old = node;
        }
    }

    /// Walks all nodes.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// Walks the places where the nodes are others than before; all when there were more or fewer.
    pub fn changes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (usize, &'a Arc<Node>)> {
        let alike = self.len == before.len;
        let pieces = self.pieces.iter().enumerate();
        let pieces = pieces.map(move |(at, piece)| {
            let before = before.pieces.get(at).filter(|_| alike);
            (at, piece, before)
        });
        let changed = pieces
            .filter(|(_, piece, before)| before.is_none_or(|before| !Arc::ptr_eq(before, piece)));
        changed.flat_map(|(number, piece, before)| {
            let nodes = piece.iter().enumerate();
            let other = move |at: usize, node: &Arc<Node>| {
                let before = before.and_then(|before| before.get(at));
                before.is_none_or(|before| !Arc::ptr_eq(before, node))
            };
            let changed = nodes.filter(move |(at, node)| other(*at, node));
            changed.map(move |(at, node)| (number * PIECE + at, node))
        })
    }

    /// Returns the nodes as a view.
    pub fn view(&self) -> ClusterView {
        ClusterView::new(self.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found_and_counted() {
        let nodes: Vec<Arc<Node>> = std::iter::repeat_with(Arc::default).take(150).collect();
        let before = Picture::new(&nodes);
        let mut now = before.clone();
        assert_eq!((now.len(), now.pieces(), now.objects()), (150, 3, 150));
        for at in [0, 63, 64, 149, 150, 1_000] {
            now.put(at, Arc::default());
        }
        let changed: Vec<usize> = now.changes(&before).map(|(at, _)| at).collect();
        assert_eq!(changed, [0, 63, 64, 149]);
        assert!(Arc::ptr_eq(now.node(1).unwrap(), &nodes[1]));
        assert_eq!(before.changes(&before).count(), 0);
        assert_eq!(now.changes(&Picture::default()).count(), 150);
        let mut full = Node::default();
        full.containers.insert(Arc::default());
        now.put(7, Arc::new(full));
        assert_eq!(now.objects(), 151);
        assert!(now.node(150).is_none() && now.iter().count() == 150);
    }
}
