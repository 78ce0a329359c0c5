//! Counts over the containers of a node, so that a choice need not walk them.
//!
//! Invariant: containers that have ended count for nothing, as their host ports do.

use std::collections::{BTreeMap, HashMap};

use super::devices::{self, Held};
use super::{COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL, Container};

/// What the containers of one node come to.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many there are with a label, by its name and its value.
    labels: HashMap<String, HashMap<String, usize>>,
    /// How many there are of a compose service, by project and service.
    services: HashMap<String, HashMap<String, usize>>,
    /// The devices that they hold, by kind.
    devices: BTreeMap<String, Held>,
}

impl Tally {
    /// Counts containers.
    pub(super) fn of<'a>(containers: impl Iterator<Item = &'a Container> + Clone) -> Self {
        let living = containers.filter(|c| !c.has_ended());
        let mut tally = Self {
            devices: devices::held(living.clone()),
            ..Self::default()
        };
        for container in living {
            for (label, value) in &container.labels {
                add(&mut tally.labels, label, value);
            }
            let labels = &container.labels;
            let project = labels.get(COMPOSE_PROJECT_LABEL);
            if let Some((project, service)) = project.zip(labels.get(COMPOSE_SERVICE_LABEL)) {
                add(&mut tally.services, project, service);
            }
        }
        tally
    }

    /// Returns how many containers have a label with this value.
    pub fn labelled(&self, label: &str, value: &str) -> usize {
        count(&self.labels, label, value)
    }

    /// Returns what is held of a kind of device.
    pub fn held(&self, kind: &str) -> Option<&Held> {
        self.devices.get(kind)
    }

    /// Returns how many containers are of a compose service.
    pub fn of_service(&self, project: &str, service: &str) -> usize {
        count(&self.services, project, service)
    }
}

fn add(counts: &mut HashMap<String, HashMap<String, usize>>, outer: &str, inner: &str) {
    if !counts.contains_key(outer) {
        counts.insert(outer.to_owned(), HashMap::new());
    }
    if let Some(counts) = counts.get_mut(outer) {
        match counts.get_mut(inner) {
            Some(count) => *count += 1,
            None => {
                counts.insert(inner.to_owned(), 1);
            }
        }
    }
}

fn count(counts: &HashMap<String, HashMap<String, usize>>, outer: &str, inner: &str) -> usize {
    let found = counts.get(outer).and_then(|counts| counts.get(inner));
    found.copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::node::Containers;
    use super::*;

    fn container(id: &str, labels: &[(&str, &str)], status: &str) -> Arc<Container> {
        let labels = labels.iter();
        let mut container = Container {
            id: id.into(),
            labels: BTreeMap::from_iter(labels.map(|(k, v)| ((*k).into(), (*v).into()))),
            ..Container::default()
        };
        container.state.status = status.to_owned();
        Arc::new(container)
    }

    #[test]
    fn what_has_ended_does_not_count_and_what_changes_counts_at_once() {
        let web = [
            (COMPOSE_PROJECT_LABEL, "shop"),
            (COMPOSE_SERVICE_LABEL, "web"),
            ("tier", "front"),
        ];
        let mut all = Containers::default();
        for (id, status) in [("a", "created"), ("b", "running"), ("c", "exited")] {
            all.insert(container(id, &web, status));
        }
        all.insert(container("d", &[("tier", "back")], "running"));
        let counts = |all: &Containers| {
            let tally = all.tally();
            (
                tally.labelled("tier", "front"),
                tally.of_service("shop", "web"),
            )
        };
        assert_eq!(counts(&all), (2, 2));
        assert_eq!(all.tally().of_service("shop", "db"), 0);
        assert_eq!(all.tally().labelled("none", ""), 0);
        let mut more = all.clone();
        more.insert(container("c", &web, "running"));
        more.insert(container("e", &[("tier", "front")], "paused"));
        assert_eq!(counts(&more), (4, 3));
        more.remove("a");
        assert_eq!(counts(&more), (3, 2));
        assert_eq!(counts(&all), (2, 2), "the first picture stays as it was");
    }
}
