//! What a create takes the place of: compose makes a service's new container before it stops and removes the old one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Members;
use crate::model::{COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL};

/// compose's label on a container that is to take another's place.
const REPLACE_LABEL: &str = "com.docker.compose.replace";
/// The labels that two containers share when one takes the other's place.
const PLACE_LABELS: [&str; 3] = [
    COMPOSE_PROJECT_LABEL,
    COMPOSE_SERVICE_LABEL,
    "com.docker.compose.container-number",
];

/// Returns the IDs of the containers whose place one with these labels takes: it gets their ports and their room.
pub(super) fn replaced(members: &Members, labels: &BTreeMap<String, String>) -> Vec<Arc<str>> {
    let all_there = PLACE_LABELS.iter().all(|label| labels.contains_key(*label));
    if !all_there || !labels.contains_key(REPLACE_LABEL) {
        return Vec::new();
    }
    let nodes = members.view.nodes().iter();
    let containers = nodes.flat_map(|node| node.containers.iter());
    let same = |other: &BTreeMap<String, String>| {
        PLACE_LABELS.iter().all(|l| other.get(*l) == labels.get(*l))
    };
    containers
        .filter(|c| same(&c.labels))
        .map(|c| Arc::clone(&c.id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusterView, Container, Node};

    #[test]
    fn only_what_is_marked_takes_the_place_of_its_twin() {
        let labels = |service: &str, number: &str| {
            let values = ["shop", service, number].map(str::to_owned);
            let keys = PLACE_LABELS.map(str::to_owned);
            BTreeMap::from_iter(keys.into_iter().zip(values))
        };
        let mut node = Node::default();
        for (id, service, number) in [("a", "web", "1"), ("b", "web", "2"), ("c", "db", "1")] {
            node.containers.insert(Arc::new(Container {
                id: id.into(),
                labels: labels(service, number),
                ..Container::default()
            }));
        }
        let members = Members {
            view: ClusterView::new(vec![Arc::new(node)]),
            ..Members::default()
        };
        let mut new = labels("web", "1");
        assert!(replaced(&members, &new).is_empty());
        new.insert(REPLACE_LABEL.to_owned(), "web-1".to_owned());
        assert_eq!(replaced(&members, &new), [Arc::from("a")]);
    }
}
