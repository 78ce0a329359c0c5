//! Counts over containers, so that a choice need not walk them.
//!
//! Invariant: containers that have ended hold no devices and no host ports, and count for no group.

use std::collections::{BTreeMap, HashMap};

use super::devices::{self, Held};
use super::{COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL, Container};

/// What some containers come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How many there are with a label, by its name and its value.
    labels: HashMap<String, HashMap<String, Count>>,
    /// How many there are of a compose service that have not ended, by project and service.
    services: HashMap<String, HashMap<String, usize>>,
    /// The devices that they hold, by kind.
    devices: BTreeMap<String, Held>,
}

/// A number of containers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// All of them.
    pub(super) all: usize,
    /// Those that have not ended.
    pub(super) living: usize,
}

impl Tally {
    /// Counts containers.
    pub(super) fn of<'a>(containers: impl Iterator<Item = &'a Container> + Clone) -> Self {
        let living = containers.clone().filter(|c| !c.has_ended());
        let mut tally = Self {
            devices: devices::held(living),
            ..Self::default()
        };
        for container in containers {
            let labels = &container.labels;
            let lives = usize::from(!container.has_ended());
            for (label, value) in labels {
                let count = at(&mut tally.labels, label, value);
                count.all += 1;
                count.living += lives;
            }
            let project = labels.get(COMPOSE_PROJECT_LABEL);
            if let Some((project, service)) = project.zip(labels.get(COMPOSE_SERVICE_LABEL)) {
                *at(&mut tally.services, project, service) += lives;
            }
        }
        tally
    }

    /// Returns how many containers have a label with this value.
    pub(super) fn label(&self, label: &str, value: &str) -> Count {
        let found = self.labels.get(label).and_then(|values| values.get(value));
        found.copied().unwrap_or_default()
    }

    /// Walks the values of a label.
    pub(super) fn values(&self, label: &str) -> impl Iterator<Item = (&str, Count)> {
        let values = self.labels.get(label).into_iter().flatten();
        values.map(|(value, count)| (value.as_str(), *count))
    }

    /// Returns what is held of a kind of device.
    pub(super) fn held(&self, kind: &str) -> Option<&Held> {
        self.devices.get(kind)
    }

    /// Returns how many containers are of a compose service.
    pub(super) fn of_service(&self, project: &str, service: &str) -> usize {
        let found = self.services.get(project).and_then(|of| of.get(service));
        found.copied().unwrap_or(0)
    }
}

/// Finds a place in a map of maps, and makes it where it is not there.
fn at<'m, V: Default>(
    map: &'m mut HashMap<String, HashMap<String, V>>,
    outer: &str,
    inner: &str,
) -> &'m mut V {
    // Names are written anew only where they are new.
    if !map.contains_key(outer) {
        map.insert(outer.to_owned(), HashMap::new());
    }
    let inside = map.get_mut(outer).expect("it was put there just now");
    if !inside.contains_key(inner) {
        inside.insert(inner.to_owned(), V::default());
    }
    inside.get_mut(inner).expect("it was put there just now")
}
