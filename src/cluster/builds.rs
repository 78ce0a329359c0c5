//! Which engine a build is on: what belongs to one build goes to one engine, whichever part of it comes first.
//!
//! A bounded cache: what it forgets is chosen anew. Invariant: the lock is private and never held across an await.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a place is kept after its last use.
const KEPT: Duration = Duration::from_secs(3600);
/// How long after a tunnel its node's images are read anew before one is looked for.
const BUILT: Duration = Duration::from_secs(5);
/// The most places that are kept.
const LIMIT: usize = 8192;

/// What belongs to one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A session of `BuildKit`, by the ID its client gave it.
    Session(String),
    /// A build, by the ID its client gave it.
    Build(String),
    /// All tunnels to `BuildKit` of one client.
    Client(String),
    /// The last build of one client: its next one may start from what that made.
    Last(String),
    /// What is to be called so: its cache is where it was built before.
    Tag(String),
}

/// Tells clients of one address apart by what they wish of the node of their builds.
pub fn who_wishes(client: &str, wish: &str) -> String {
    format!("{client}\n{wish}")
}

/// The places of all builds.
#[derive(Clone, Debug, Default)]
pub struct Builds(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    places: HashMap<Part, Place>,
    running: HashMap<Arc<str>, usize>,
    tunnels: HashMap<String, usize>,
    /// The tunnels to each node, until a while after the last of them has ended.
    tunnelled: HashMap<Arc<str>, Tunnels>,
    /// What clients wish of the node of their tunnels, which do not say it.
    wishes: HashMap<String, Wished>,
}

#[derive(Debug)]
struct Wished {
    text: String,
    at: Instant,
}

#[derive(Debug)]
struct Tunnels {
    open: usize,
    /// When the last one was opened or ended.
    used: Instant,
}

#[derive(Debug)]
struct Place {
    node: Arc<str>,
    used: Instant,
}

/// A build or tunnel under way; dropping it says that it has ended.
#[derive(Debug)]
pub struct UnderWay {
    builds: Builds,
    node: Arc<str>,
    /// Whose tunnel it is; none of a build.
    client: Option<String>,
}

/// All builds at one moment: nothing changes while it is looked at.
#[derive(Debug)]
pub struct Moment<'a>(&'a Known);

impl Moment<'_> {
    /// Returns how many builds are under way on a node.
    pub fn running(&self, node: &str) -> usize {
        self.0.running.get(node).copied().unwrap_or_default()
    }

    /// Returns the key of the node where a part has its place.
    pub fn place(&self, part: &Part) -> Option<&Arc<str>> {
        self.0.places.get(part).map(|place| &place.node)
    }
}

impl Builds {
    /// Places a build: `choose` says where, the build is counted there until the result is dropped, and its `parts` have
    /// their place there. All of it is one step, so that of builds at once each sees those before it.
    ///
    /// # Errors
    /// Those of `choose`; nothing has changed then.
    pub fn begin<E>(
        &self,
        parts: Vec<Part>,
        choose: impl FnOnce(&Moment<'_>) -> Result<Arc<str>, E>,
    ) -> Result<UnderWay, E> {
        let mut known = self.lock();
        let node = choose(&Moment(&known))?;
        for part in parts {
            known.put(part, &node);
        }
        *known.running.entry(Arc::clone(&node)).or_default() += 1;
        drop(known);
        self.0.changed.notify_waiters();
        Ok(UnderWay {
            builds: self.clone(),
            node,
            client: None,
        })
    }

    /// Gives all `parts` one place: that of the first which has one, else `node`. Returns the place.
    pub fn pin(&self, parts: &[Part], node: &Arc<str>) -> Arc<str> {
        let mut known = self.lock();
        let before = parts.iter().find_map(|p| known.places.get(p));
        let node = Arc::clone(before.map_or(node, |place| &place.node));
        for part in parts {
            known.put(part.clone(), &node);
        }
        drop(known);
        self.0.changed.notify_waiters();
        node
    }

    /// Gives a part a place, whatever it had.
    pub fn put(&self, part: Part, node: &Arc<str>) {
        self.lock().put(part, node);
        self.0.changed.notify_waiters();
    }

    /// Returns the key of the node where a part has its place.
    pub fn place(&self, part: &Part) -> Option<Arc<str>> {
        let mut known = self.lock();
        let place = known.places.get_mut(part)?;
        place.used = Instant::now();
        Some(Arc::clone(&place.node))
    }

    /// Notes what a client wishes of the node of its tunnels from now on; an empty text is nothing.
    pub fn wish(&self, client: &str, text: String) {
        let known = &mut *self.lock();
        let wishes = &mut known.wishes;
        if text.is_empty() {
            // Another program at the same address says nothing: the sessions of a tunnel that is open are yet to come.
            let is_open = |w: &Wished| known.tunnels.contains_key(&who_wishes(client, &w.text));
            if !wishes.get(client).is_some_and(is_open) {
                wishes.remove(client);
            }
            return;
        }
        if wishes.len() >= LIMIT && !wishes.contains_key(client) {
            let mut times: Vec<Instant> = wishes.values().map(|w| w.at).collect();
            let (_, middle, _) = times.select_nth_unstable(LIMIT / 2);
            let middle = *middle;
            wishes.retain(|_, wished| wished.at > middle);
        }
        let at = Instant::now();
        wishes.insert(client.to_owned(), Wished { text, at });
    }

    /// Returns what a client wishes of the node of its tunnels, as far as is known.
    pub fn wished(&self, client: &str) -> Option<String> {
        let known = self.lock();
        let wished = known.wishes.get(client);
        let wished = wished.filter(|wished| wished.at.elapsed() < KEPT);
        wished.map(|wished| wished.text.clone())
    }

    /// Waits until a part has a place, for `limit` at most.
    pub async fn expect(&self, part: &Part, limit: Duration) -> Option<Arc<str>> {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                tokio::pin!(changed);
                // Before the look, so that a place that comes in between is not missed.
                changed.as_mut().enable();
                if let Some(node) = self.place(part) {
                    return node;
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, wait).await.ok()
    }

    /// Counts a tunnel of a client to a node until the result is dropped.
    pub fn tunnel(&self, client: &str, node: &Arc<str>) -> UnderWay {
        let mut known = self.lock();
        *known.tunnels.entry(client.to_owned()).or_default() += 1;
        let used = Instant::now();
        let fresh = Tunnels { open: 0, used };
        let of_node = known.tunnelled.entry(Arc::clone(node)).or_insert(fresh);
        (of_node.open, of_node.used) = (of_node.open + 1, used);
        UnderWay {
            builds: self.clone(),
            node: Arc::clone(node),
            client: Some(client.to_owned()),
        }
    }

    /// Returns the nodes to which a tunnel is open, or was a moment ago: what was built there may be in no list yet.
    pub fn tunnelled(&self) -> Vec<Arc<str>> {
        let mut known = self.lock();
        let counts = |t: &Tunnels| t.open > 0 || t.used.elapsed() < BUILT;
        known.tunnelled.retain(|_, tunnels| counts(tunnels));
        known.tunnelled.keys().cloned().collect()
    }

    /// Tells whether a client has a tunnel open.
    pub fn has_tunnel(&self, client: &str) -> bool {
        self.lock().tunnels.contains_key(client)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        let known = self.0.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// Returns the key of its node.
    pub fn node(&self) -> &Arc<str> {
        &self.node
    }
}

impl Known {
    fn put(&mut self, part: Part, node: &Arc<str>) {
        if self.places.len() >= LIMIT && !self.places.contains_key(&part) {
            self.forget();
        }
        let place = Place {
            node: Arc::clone(node),
            used: Instant::now(),
        };
        self.places.insert(part, place);
    }

    /// Makes room: what was not used for long goes, or else the older half.
    fn forget(&mut self) {
        self.places.retain(|_, place| place.used.elapsed() < KEPT);
        if self.places.len() < LIMIT {
            return;
        }
        let mut times: Vec<Instant> = self.places.values().map(|p| p.used).collect();
        let (_, middle, _) = times.select_nth_unstable(LIMIT / 2);
        let middle = *middle;
        self.places.retain(|_, place| place.used > middle);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut known = self.builds.lock();
        let Some(client) = &self.client else {
            return count_down(&mut known.running, &self.node);
        };
        count_down(&mut known.tunnels, client);
        if let Some(tunnels) = known.tunnelled.get_mut(&self.node) {
            (tunnels.open, tunnels.used) = (tunnels.open - 1, Instant::now());
        }
    }
}

/// Counts one less; what there is none of has no entry.
fn count_down<K: Borrow<str> + Eq + Hash>(counts: &mut HashMap<K, usize>, of: &str) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}

#[cfg(test)]
#[path = "builds_tests.rs"]
mod tests;
