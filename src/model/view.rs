//! One consistent picture of all nodes.

use std::sync::Arc;

use super::Node;

/// All nodes as they were published at one moment, ordered by name and then by address.
#[derive(Clone, Debug, Default)]
pub struct ClusterView {
    nodes: Vec<Arc<Node>>,
}

impl ClusterView {
    /// Builds a view; the order of `nodes` does not matter.
    pub fn new(mut nodes: Vec<Arc<Node>>) -> Self {
        nodes.sort_by(|a, b| order(a, b));
        Self { nodes }
    }

    /// Takes in another picture of a node; tells whether it has one of it under this name, which is where it belongs.
    pub fn replace(&mut self, node: Arc<Node>) -> bool {
        let place = self.nodes.binary_search_by(|own| order(own, &node));
        match place {
            Ok(place) => self.nodes[place] = node,
            Err(_) => return false,
        }
        true
    }

    /// Returns all nodes, whatever their health.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Returns the nodes that answer.
    pub fn healthy(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().filter(|n| n.health.is_healthy())
    }

    /// Returns the node with this key (its address as discovery gave it).
    pub fn by_key(&self, key: &str) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|n| &*n.key == key)
    }

    /// Returns the node a user names: by name, engine ID, `ID|address` or address.
    pub fn named(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes
            .iter()
            .filter(|n| n.health.is_known())
            .find(|n| n.name == name || n.engine_id == name || &*n.key == name || n.id() == name)
    }
}

/// Orders nodes by name, and those of one name by address.
fn order(a: &Node, b: &Node) -> std::cmp::Ordering {
    natural(&a.name, &b.name).then_with(|| a.key.cmp(&b.key))
}

/// Orders names as people do: `node2` before `node10`.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a_rest, mut b_rest) = (a, b);
    loop {
        let (a_text, a_tail) = split_digits(a_rest);
        let (b_text, b_tail) = split_digits(b_rest);
        let order = a_text.cmp(b_text);
        if order.is_ne() || (a_tail.is_empty() && b_tail.is_empty()) {
            return order.then_with(|| a.cmp(b));
        }
        let (a_digits, a_next) = digits(a_tail);
        let (b_digits, b_next) = digits(b_tail);
        let order = (
            a_digits.trim_start_matches('0').len(),
            a_digits.trim_start_matches('0'),
        )
            .cmp(&(
                b_digits.trim_start_matches('0').len(),
                b_digits.trim_start_matches('0'),
            ));
        if order.is_ne() {
            return order;
        }
        (a_rest, b_rest) = (a_next, b_next);
    }
}

/// Splits before the first digit.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

/// Splits after the leading digits.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn another_picture_of_a_node_takes_its_place_and_one_of_another_name_does_not() {
        let node = |name: &str, key: &str, failures: u32| {
            Arc::new(Node {
                name: name.to_owned(),
                key: key.into(),
                failures,
                ..Node::default()
            })
        };
        let nodes = [("n10", "a"), ("n2", "b"), ("n2", "c")];
        let nodes = nodes.map(|(name, key)| node(name, key, 0));
        let mut view = ClusterView::new(nodes.into());
        assert!(view.replace(node("n2", "c", 7)));
        assert!(!view.replace(node("n3", "c", 8)), "it was renamed");
        assert!(!view.replace(node("n2", "d", 9)), "it is new");
        let shown = view.nodes().iter().map(|n| (&*n.key, n.failures));
        assert_eq!(shown.collect::<Vec<_>>(), [("b", 0), ("c", 7), ("a", 0)]);
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        assert_eq!(natural("node2", "node10"), Less);
        assert_eq!(natural("node10", "node2"), Greater);
        assert_eq!(natural("a", "b"), Less);
        assert_eq!(natural("n1-b", "n1-a"), Greater);
        assert_eq!(natural("n01", "n1"), Less);
        assert_eq!(natural("x", "x"), Equal);
        assert_eq!(natural("n", "n1"), Less);
    }
}
