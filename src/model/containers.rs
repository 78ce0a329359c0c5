//! A node's containers, found by ID, ID prefix, name and label.
//!
//! Most stand in a settled part that copies share; what came or went since stands beside it. So a copy with one more
//! costs no more where there are many, and neither do its counts.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound::{Included, Unbounded};
use std::sync::{Arc, OnceLock};

use super::devices::{self, Held};
use super::tally::Tally;
use super::{COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL, Container, Resources};

/// How much may stand beside the settled part before all is settled anew, beside an eighth of that.
const RECENT: usize = 16;

/// A node's containers.
#[derive(Clone, Debug, Default)]
pub struct Containers {
    settled: Arc<Settled>,
    /// What came, changed, or, as nothing, went since.
    recent: BTreeMap<Arc<str>, Option<Arc<Container>>>,
    /// Hashes of the names and labels that what is recent has or had: all else is as it was settled.
    touched: HashSet<u64>,
    len: usize,
    /// How many run or are about to, counted as they come and go.
    active: usize,
    /// What those were promised.
    promised: Resources,
}

/// Containers that copies share.
#[derive(Debug, Default)]
struct Settled {
    by_id: BTreeMap<Arc<str>, Arc<Container>>,
    by_name: HashMap<String, Arc<str>>,
    /// Made when first asked for.
    tally: OnceLock<Tally>,
}

/// A container before and after.
pub type Change<'a> = (Option<&'a Arc<Container>>, Option<&'a Arc<Container>>);

impl Containers {
    /// Adds a container or replaces the one with its ID.
    pub fn insert(&mut self, container: Arc<Container>) {
        let id = Arc::clone(&container.id);
        self.count(&container);
        self.touch(&container);
        self.recent.insert(id, Some(container));
        self.settle();
    }

    /// Removes a container.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Container>> {
        let old = self.forget(id)?;
        self.recent.insert(Arc::clone(&old.id), None);
        self.settle();
        Some(old)
    }

    /// Counts a container in place of the one with its ID.
    fn count(&mut self, container: &Container) {
        self.forget(&container.id);
        self.len += 1;
        if !container.has_ended() {
            self.active += 1;
            self.promised = self.promised + container.resources;
        }
    }

    /// Counts a container no more.
    fn forget(&mut self, id: &str) -> Option<Arc<Container>> {
        let old = Arc::clone(self.by_id(id)?);
        self.touch(&old);
        self.len -= 1;
        if !old.has_ended() {
            self.active -= 1;
            self.promised = self.promised - old.resources;
        }
        Some(old)
    }

    /// Notes what may no longer be as it was settled.
    fn touch(&mut self, container: &Container) {
        let names = container.names.iter().map(|name| hashed("", name));
        let labels = container.labels.iter();
        let labels = labels.map(|(label, value)| hashed(label, value));
        self.touched.extend(names.chain(labels));
    }

    /// Settles all when much stands beside what is settled.
    fn settle(&mut self) {
        if self.recent.len() <= RECENT + self.settled.by_id.len() / 8 {
            return;
        }
        self.settle_all();
    }

    /// Settles all.
    fn settle_all(&mut self) {
        self.touched.clear();
        let mut by_id = self.settled.by_id.clone();
        for (id, now) in std::mem::take(&mut self.recent) {
            match now {
                Some(container) => by_id.insert(id, container),
                None => by_id.remove(&id),
            };
        }
        let named = by_id.values().flat_map(|c| {
            let names = c.names.iter();
            names.map(|name| (name.clone(), Arc::clone(&c.id)))
        });
        self.settled = Arc::new(Settled {
            by_name: named.collect(),
            by_id,
            tally: OnceLock::new(),
        });
    }

    /// Returns the container with exactly this ID.
    pub fn by_id(&self, id: &str) -> Option<&Arc<Container>> {
        match self.recent.get(id) {
            Some(now) => now.as_ref(),
            None => self.settled.by_id.get(id),
        }
    }

    /// Returns the container with exactly this name, given without its slash.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Container>> {
        let is = |c: &&Arc<Container>| c.names.iter().any(|own| own == name);
        let touched = self.touched.contains(&hashed("", name));
        let mut recent = self.recent.values().flatten().filter(|_| touched);
        recent.find(is).or_else(|| {
            let id = self.settled.by_name.get(name)?;
            let stands = !self.recent.contains_key(id);
            stands.then(|| self.settled.by_id.get(id)).flatten()
        })
    }

    /// Walks the containers whose ID starts with `prefix`.
    pub fn with_prefix<'a, 'p>(
        &'a self,
        prefix: &'p str,
    ) -> impl Iterator<Item = &'a Arc<Container>> + use<'a, 'p> {
        let from = (Included(prefix), Unbounded);
        let settled = self.settled.by_id.range::<str, _>(from);
        let recent = self.recent.range::<str, _>(from);
        merged(settled, recent).take_while(move |c| c.id.starts_with(prefix))
    }

    /// Finds what a user's reference means on this node: full ID, then name, then unique ID prefix.
    pub fn find(&self, reference: &str) -> Option<&Arc<Container>> {
        let name = reference.strip_prefix('/').unwrap_or(reference);
        self.by_id(reference)
            .or_else(|| self.by_name(name))
            .or_else(|| {
                let mut hits = self.with_prefix(reference);
                let first = hits.next().filter(|_| !reference.is_empty())?;
                hits.next().is_none().then_some(first)
            })
    }

    /// Walks all containers in the order of their IDs.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Container>> {
        merged(self.settled.by_id.iter(), self.recent.iter())
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many run or are about to: those that have not ended.
    pub fn active(&self) -> usize {
        self.active
    }

    /// Returns what those were promised.
    pub fn promised(&self) -> Resources {
        self.promised
    }

    /// Returns how many that have not ended have a label with this value.
    pub fn labelled(&self, label: &str, value: &str) -> usize {
        let settled = self.tally().label(label, value).living;
        match self.touched.contains(&hashed(label, value)) {
            true => self.recount(settled, |c| has(c, label, value) && !c.has_ended()),
            false => settled,
        }
    }

    /// Returns how many that have not ended are of a compose service.
    pub fn of_service(&self, project: &str, service: &str) -> usize {
        let settled = self.tally().of_service(project, service);
        let is = |c: &Container| {
            has(c, COMPOSE_PROJECT_LABEL, project) && has(c, COMPOSE_SERVICE_LABEL, service)
        };
        self.recount(settled, |c| is(c) && !c.has_ended())
    }

    /// Tells whether any, ended or not, has a label with this value.
    pub fn has_label(&self, label: &str, value: &str) -> bool {
        let settled = self.tally().label(label, value).all;
        let mut recent = self.recent.values().flatten();
        match self.touched.contains(&hashed(label, value)) {
            // Not all of them can have gone since, or one has come.
            true if settled > self.recent.len() => true,
            true if recent.any(|c| has(c, label, value)) => true,
            true => self.recount(settled, |c| has(c, label, value)) > 0,
            false => settled > 0,
        }
    }

    /// Returns the values that any, ended or not, has of a label; an empty one where it is missing.
    pub fn values(&self, label: &str) -> BTreeSet<&str> {
        let known = self.tally().values(label);
        let (mut values, mut having) = (BTreeSet::new(), 0);
        for (value, count) in known {
            let left = self.recount(count.all, |c| has(c, label, value));
            having += left;
            values.extend((left > 0).then_some(value));
        }
        for container in self.recent.values().flatten() {
            let value = container.labels.get(label).map(String::as_str);
            let Some(value) = value else { continue };
            if self.tally().label(label, value).all == 0 {
                having += 1;
                values.insert(value);
            }
        }
        values.extend((having < self.len).then_some(""));
        values
    }

    /// Returns what those that have not ended hold of a kind of device.
    pub fn held(&self, kind: &str) -> Option<Cow<'_, Held>> {
        let of_kind = |c: &Container| c.devices.iter().any(|d| d.kind == kind);
        let touched = self.recent.iter().any(|(id, now)| {
            let before = self.settled.by_id.get(id);
            before.into_iter().chain(now).any(|c| of_kind(c))
        });
        if !touched {
            return self.tally().held(kind).map(Cow::Borrowed);
        }
        let living = self.iter().map(|c| &**c).filter(|c| !c.has_ended());
        devices::held(living).remove(kind).map(Cow::Owned)
    }

    /// Walks what came, changed or went since `before`; all where the two share nothing.
    pub fn changes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = Change<'a>> {
        let ids: BTreeSet<&str> = match Arc::ptr_eq(&self.settled, &before.settled) {
            true => {
                let both = self.recent.keys().chain(before.recent.keys());
                both.map(|id| &**id).collect()
            }
            false => self.iter().chain(before.iter()).map(|c| &*c.id).collect(),
        };
        let pairs = ids.into_iter();
        let pairs = pairs.map(|id| (before.by_id(id), self.by_id(id)));
        pairs.filter(|(before, now)| match (before, now) {
            (Some(before), Some(now)) => !Arc::ptr_eq(before, now),
            (before, now) => before.is_some() != now.is_some(),
        })
    }

    /// Returns the counts of the settled part, which are made once.
    fn tally(&self) -> &Tally {
        let all = || Tally::of(self.settled.by_id.values().map(|c| &**c));
        self.settled.tally.get_or_init(all)
    }

    /// Brings a count of the settled part up to date with what stands beside it.
    fn recount(&self, settled: usize, counts: impl Fn(&Container) -> bool) -> usize {
        let counted = |c: Option<&Arc<Container>>| usize::from(c.is_some_and(|c| counts(c)));
        let recent = self.recent.iter();
        recent.fold(settled, |count, (id, now)| {
            count + counted(now.as_ref()) - counted(self.settled.by_id.get(id))
        })
    }
}

impl FromIterator<Arc<Container>> for Containers {
    fn from_iter<I: IntoIterator<Item = Arc<Container>>>(all: I) -> Self {
        let mut made = Self::default();
        for container in all {
            made.count(&container);
            made.recent
                .insert(Arc::clone(&container.id), Some(container));
        }
        made.settle_all();
        made
    }
}

/// Hashes a label with its value, or, without a label, a name.
fn hashed(label: &str, value: &str) -> u64 {
    static STATE: OnceLock<RandomState> = OnceLock::new();
    let state = STATE.get_or_init(RandomState::new);
    state.hash_one((label, value))
}

/// Tells whether a container has a label with this value.
fn has(container: &Container, label: &str, value: &str) -> bool {
    container.labels.get(label).is_some_and(|own| own == value)
}

/// Walks what is settled and what is recent in one order; the recent hides the settled.
fn merged<'a>(
    settled: impl Iterator<Item = (&'a Arc<str>, &'a Arc<Container>)>,
    recent: impl Iterator<Item = (&'a Arc<str>, &'a Option<Arc<Container>>)>,
) -> impl Iterator<Item = &'a Arc<Container>> {
    let (mut settled, mut recent) = (settled.peekable(), recent.peekable());
    std::iter::from_fn(move || {
        loop {
            let order = match (settled.peek(), recent.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((one, _)), Some((other, _))) => one.cmp(other),
            };
            if order == Ordering::Less {
                return settled.next().map(|(_, container)| container);
            }
            if order == Ordering::Equal {
                settled.next();
            }
            if let Some((_, Some(container))) = recent.next() {
                return Some(container);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::devices::Demand;

    fn container(id: &str, name: &str) -> Arc<Container> {
        Arc::new(Container {
            id: id.into(),
            names: vec![name.into()],
            ..Container::default()
        })
    }

    #[test]
    fn containers_are_found_by_id_then_name_then_unique_prefix() {
        let mut all = Containers::default();
        all.insert(container("abc1", "web"));
        all.insert(container("abd2", "abc1x"));
        let found = |r: &str| all.find(r).map(|c| c.id.to_string());
        assert_eq!(found("abc1").as_deref(), Some("abc1"));
        assert_eq!(found("/web").as_deref(), Some("abc1"));
        assert_eq!(found("abd").as_deref(), Some("abd2"));
        assert_eq!(found("ab"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn those_that_have_not_ended_are_counted_as_they_come_and_go() {
        let make = |id: &str, status: &str, nano_cpus| {
            let mut made = Container::clone(&container(id, id));
            made.state.status = status.to_owned();
            made.resources.nano_cpus = nano_cpus;
            Arc::new(made)
        };
        let mut all = Containers::default();
        all.insert(make("a", "running", 1));
        all.insert(make("b", "created", 2));
        all.insert(make("c", "exited", 4));
        let counted = |all: &Containers| (all.active(), all.promised().nano_cpus);
        assert_eq!(counted(&all), (2, 3));
        all.insert(make("a", "exited", 1));
        all.insert(make("c", "running", 4));
        assert_eq!(counted(&all), (2, 6));
        all.remove("b");
        all.remove("nobody");
        assert_eq!(counted(&all), (1, 4));
    }

    #[test]
    fn a_renamed_container_leaves_its_old_name_free() {
        let mut all = Containers::default();
        all.insert(container("a", "old"));
        all.insert(container("a", "new"));
        assert!(all.find("old").is_none());
        assert_eq!(all.len(), 1);
        all.remove("a");
        assert!(all.is_empty() && all.by_name("new").is_none());
    }

    /// One of few containers: its number, its label, whether it has ended, whether it holds a device.
    fn one_of_few() -> impl Strategy<Value = Container> {
        (0..60u8, 0..4u8, any::<bool>(), any::<bool>()).prop_map(|(id, value, ended, holds)| {
            let mut labels = BTreeMap::new();
            if value > 0 {
                labels.insert("tier".to_owned(), value.to_string());
                labels.insert(COMPOSE_PROJECT_LABEL.to_owned(), "p".to_owned());
                labels.insert(COMPOSE_SERVICE_LABEL.to_owned(), value.to_string());
            }
            let mut container = Container {
                id: format!("{id:02}").into(),
                names: vec![format!("n{id}-{value}")],
                labels,
                devices: holds.then(|| Demand::count("gpu", 1)).into_iter().collect(),
                resources: Resources {
                    nano_cpus: id.into(),
                    memory_bytes: value.into(),
                },
                ..Container::default()
            };
            container.state.status = if ended { "exited" } else { "running" }.to_owned();
            container
        })
    }

    proptest! {
        #[test]
        fn what_is_shared_between_copies_answers_as_a_plain_map(
            steps in proptest::collection::vec((one_of_few(), 0..4u8), 0..200),
        ) {
            let (mut all, mut plain) = (Containers::default(), BTreeMap::new());
            let (mut copy, mut plain_copy) = (all.clone(), plain.clone());
            for (container, step) in steps {
                match step {
                    0 => {
                        let id = Arc::clone(&container.id);
                        prop_assert_eq!(all.remove(&id).is_some(), plain.remove(&id).is_some());
                    }
                    1 => (copy, plain_copy) = (all.clone(), plain.clone()),
                    _ => {
                        let container = Arc::new(container);
                        plain.insert(Arc::clone(&container.id), Arc::clone(&container));
                        all.insert(container);
                    }
                }
            }
            let living = || plain.values().filter(|c| !c.has_ended());
            prop_assert_eq!(all.len(), plain.len());
            prop_assert_eq!(all.active(), living().count());
            prop_assert_eq!(all.promised(), living().map(|c| c.resources).sum());
            prop_assert!(all.iter().zip(plain.values()).all(|(a, b)| Arc::ptr_eq(a, b)));
            prop_assert_eq!(all.iter().count(), plain.len());
            for prefix in ["0", "3", "59"] {
                let found = all.with_prefix(prefix).count();
                prop_assert_eq!(found, plain.keys().filter(|id| id.starts_with(prefix)).count());
            }
            for value in ["0", "1", "2", "3"] {
                prop_assert_eq!(all.has_label("tier", value), plain.values().any(|c| has(c, "tier", value)));
                let labelled = living().filter(|c| has(c, "tier", value)).count();
                prop_assert_eq!(all.labelled("tier", value), labelled);
                prop_assert_eq!(all.of_service("p", value), labelled);
            }
            let values = plain.values().map(|c| c.labels.get("tier").map_or("", String::as_str));
            prop_assert_eq!(all.values("tier"), values.collect());
            let held = devices::held(living().map(|c| &**c)).remove("gpu");
            prop_assert_eq!(all.held("gpu").map(Cow::into_owned), held);
            for (id, value) in (0..60).flat_map(|id| (0..4).map(move |value| (id, value))) {
                let name = format!("n{id}-{value}");
                let found = all.by_name(&name).map(|c| &c.id);
                prop_assert_eq!(found, plain.values().find(|c| c.name() == name).map(|c| &c.id));
            }
            let again: Containers = plain.values().cloned().collect();
            prop_assert!(again.iter().zip(all.iter()).all(|(a, b)| Arc::ptr_eq(a, b)));
            prop_assert_eq!((again.len(), again.active()), (all.len(), all.active()));
            let changed: BTreeSet<_> = all.changes(&copy).map(|(a, b)| {
                a.or(b).map(|c| Arc::clone(&c.id)).unwrap()
            }).collect();
            let ids = plain.keys().chain(plain_copy.keys());
            let differ = ids.filter(|id| {
                match (plain.get(*id), plain_copy.get(*id)) {
                    (Some(a), Some(b)) => !Arc::ptr_eq(a, b),
                    _ => true,
                }
            });
            prop_assert_eq!(changed, differ.cloned().collect());
        }
    }
}
