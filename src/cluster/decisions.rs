//! The last decisions, the newest of them with the picture of the cluster that they were made on.
//!
//! Invariant: the lock is private and held for a push or a look; nothing is computed per node until somebody asks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::decision::{Decision, Id};
use crate::model::{ClusterView, Picture};

/// How many decisions are kept unless told otherwise.
pub const KEPT: usize = 256;
/// The most objects that pictures may hold: nodes with their containers, images, networks and volumes, each state of a
/// node once. One takes some kilobytes, and a node is published anew every few seconds: pictures of the same moment
/// share it, others do not.
const PICTURED: usize = 10_000;
/// The most pieces in all pictures together, of which each takes a few bytes, shared or not.
const PLACES: usize = 4_000_000;
/// The last decisions; clones share them.
#[derive(Clone, Debug)]
pub struct Decisions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    next: AtomicU32,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Oldest first.
    list: VecDeque<Arc<Decision>>,
    /// The pictures of the newest of them, oldest first.
    pictures: VecDeque<Shot>,
    /// How many objects are new in the pictures, but for the oldest.
    new: usize,
    /// How many pieces are in the pictures, each as often as it is there.
    places: usize,
}

/// A picture, and how many of its objects the one before it does not share.
#[derive(Debug)]
struct Shot {
    picture: Arc<Picture>,
    new: usize,
}

/// A decision and the picture it was made on, as long as that is kept.
#[derive(Clone, Debug)]
pub struct Found {
    /// The decision.
    pub decision: Arc<Decision>,
    /// All nodes with what was reserved on them.
    pub picture: Option<Arc<ClusterView>>,
}

impl Decisions {
    /// Keeps the last `limit` decisions; 0 keeps none.
    pub fn keeping(limit: usize) -> Self {
        Self(Arc::new(Shared {
            limit,
            // So that what was written down before a restart means nothing after it, rather than something else.
            next: AtomicU32::new(fastrand::u32(..)),
            kept: Mutex::default(),
        }))
    }

    /// Returns how many are kept at most.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Returns a number for the next decision; `None` when none are kept.
    pub(super) fn number(&self) -> Option<Id> {
        let next = || self.0.next.fetch_add(1, Ordering::Relaxed);
        (self.0.limit > 0).then(|| Id::of(next()))
    }

    /// Keeps a decision, and forgets what is too old.
    pub(super) fn push(&self, decision: Arc<Decision>, picture: Arc<Picture>) {
        let last = self.lock().pictures.back().map(|p| Arc::clone(&p.picture));
        // Looked at outside the lock: of two at once the second counts a few too many.
        let new = last.map_or(0, |last| changed(&last, &picture));
        let mut gone = (Vec::new(), Vec::new());
        let mut kept = self.lock();
        kept.list.push_back(decision);
        kept.add(Shot { picture, new });
        while kept.list.len() > self.0.limit {
            gone.0.extend(kept.list.pop_front());
        }
        while kept.has_too_many_pictures() {
            gone.1.extend(kept.forget());
        }
        drop(kept);
        // What nobody else holds is freed here, where no lock is held.
        drop(gone);
    }

    /// Returns all that are kept, newest first.
    pub fn list(&self) -> Vec<Arc<Decision>> {
        self.lock().list.iter().rev().cloned().collect()
    }

    /// Finds the newest decision that passes `test`.
    pub fn newest(&self, test: impl Fn(&Decision) -> bool) -> Option<Found> {
        let kept = self.lock();
        let (at, decision) = kept.list.iter().enumerate().rfind(|(_, d)| test(d))?;
        let decision = Arc::clone(decision);
        let first = kept.list.len() - kept.pictures.len();
        let picture = at.checked_sub(first).and_then(|at| kept.pictures.get(at));
        let picture = picture.map(|shot| Arc::clone(&shot.picture));
        drop(kept);
        Some(Found {
            decision,
            picture: picture.map(|p| Arc::new(p.view())),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Adds the newest picture.
    fn add(&mut self, shot: Shot) {
        self.places += shot.picture.pieces();
        if !self.pictures.is_empty() {
            self.new += shot.new;
        }
        self.pictures.push_back(shot);
    }

    /// Takes the oldest picture out.
    fn forget(&mut self) -> Option<Shot> {
        let old = self.pictures.pop_front()?;
        self.places -= old.picture.pieces();
        // Of the oldest that is left all count, shared or not.
        self.new -= self.pictures.front().map_or(0, |p| p.new);
        Some(old)
    }

    /// Tells whether the oldest picture has to go. The newest stays, however large it is.
    fn has_too_many_pictures(&self) -> bool {
        let Some(first) = self.pictures.front() else {
            return false;
        };
        let objects = first.picture.objects() + self.new;
        let too_large = objects > PICTURED || self.places > PLACES;
        self.pictures.len() > self.list.len() || too_large && self.pictures.len() > 1
    }
}

/// Counts the objects of a picture that are on nodes which the one before it does not share.
fn changed(before: &Picture, now: &Picture) -> usize {
    let changes = now.changes(before);
    changes.map(|(_, node)| node.weight()).sum()
}

impl Default for Decisions {
    fn default() -> Self {
        Self::keeping(KEPT)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::cluster::decision::Outcome;
    use crate::model::Manners;
    use crate::scheduler::{Request, Scheduler};

    fn decision(id: Id, container: &str) -> Arc<Decision> {
        Arc::new(Decision {
            id,
            at: Timestamp::UNIX_EPOCH,
            request: Arc::new(Request {
                name: Some(format!("name-{container}")),
                ..Request::default()
            }),
            scheduler: Arc::new(Scheduler::new("spread", None, Manners::Engine).unwrap()),
            node: None,
            passed_over: Vec::new(),
            steps: Vec::new(),
            more_steps: 0,
            waited: Duration::ZERO,
            outcome: Outcome::Placed {
                container: container.to_owned(),
            },
        })
    }

    /// A picture of nodes that no other has.
    fn picture(nodes: usize) -> Arc<Picture> {
        let nodes: Vec<_> = std::iter::repeat_with(Arc::default).take(nodes).collect();
        Arc::new(Picture::new(&nodes))
    }

    #[test]
    fn the_last_ones_are_kept_and_no_more() {
        let decisions = Decisions::keeping(3);
        for container in ["a", "b", "c", "d", "e"] {
            let id = decisions.number().unwrap();
            decisions.push(decision(id, container), picture(2));
        }
        let kept: Vec<_> = decisions.list();
        let kept: Vec<_> = kept.iter().filter_map(|d| d.container()).collect();
        assert_eq!(kept, ["e", "d", "c"]);
        assert!(decisions.newest(|d| d.is_about("b")).is_none());
        let found = decisions.newest(|d| d.is_about("name-d")).unwrap();
        assert!(found.picture.is_some());
        let kept = decisions.lock();
        assert_eq!((kept.places, kept.new), (3, 4));
        assert!(Decisions::keeping(0).number().is_none());
    }

    #[test]
    fn the_pictures_of_large_clusters_are_few_and_the_newest_stays() {
        let decisions = Decisions::keeping(100);
        for number in 0..50 {
            let id = decisions.number().unwrap();
            decisions.push(decision(id, &format!("{number:02}")), picture(1_000));
        }
        let pictured = |of: &str| decisions.newest(|d| d.is_about(of)).unwrap().picture;
        assert_eq!(decisions.list().len(), 50);
        assert_eq!(decisions.lock().pictures.len(), 10);
        assert!(pictured("49").is_some() && pictured("40").is_some());
        assert!(pictured("39").is_none() && pictured("00").is_none());
        let id = decisions.number().unwrap();
        decisions.push(decision(id, "huge"), picture(PICTURED + 1));
        assert!(pictured("huge").is_some() && pictured("49").is_none());
    }

    #[test]
    fn pictures_that_share_their_nodes_cost_what_differs() {
        let decisions = Decisions::keeping(100);
        let mut picture = Picture::clone(&picture(1_000));
        for number in 0..100 {
            picture.put(number, Arc::default());
            let id = decisions.number().unwrap();
            let now = Arc::new(picture.clone());
            decisions.push(decision(id, &format!("{number:02}")), now);
        }
        assert_eq!(decisions.lock().pictures.len(), 100);
        assert_eq!(decisions.lock().new, 99);
    }
}
