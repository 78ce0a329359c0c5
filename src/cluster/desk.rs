//! What one decision works with: an index of all nodes, and who has which image. There are as many as decisions are made
//! at once, so that none waits for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::supply::Holders;
use crate::model::{Node, Picture};
use crate::scheduler::{Index, Request, Scheduler};

/// Desks that are kept; more decisions at once make their own.
const DESKS: usize = 16;
/// Images of which is kept who has them.
const IMAGES: usize = 256;

/// The desks that nobody sits at; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Desks(Arc<Mutex<Vec<Desk>>>);

/// What is known of the nodes as they were at the last decision here.
#[derive(Debug, Default)]
struct Desk {
    index: Index,
    /// By what an image is called, with the count of the index when that was looked up.
    holders: HashMap<String, (u64, Holders)>,
}

/// The node that a decision is for.
#[derive(Debug)]
pub(super) struct Best {
    /// The node.
    pub(super) node: Arc<Node>,
    /// Whether it has the image that is meant.
    pub(super) has_image: bool,
}

impl Desks {
    /// Finds the node that is tried first for a request which the scheduler knows by index; nothing when none admits it.
    pub(super) fn best(
        &self,
        scheduler: &Scheduler,
        request: &Request,
        picture: &Picture,
    ) -> Option<Best> {
        let desk = self.lock().pop();
        let mut desk = desk.unwrap_or_default();
        let best = desk.best(scheduler, request, picture);
        let mut desks = self.lock();
        if desks.len() < DESKS {
            desks.push(desk);
        }
        best
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Desk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn best(
        &mut self,
        scheduler: &Scheduler,
        request: &Request,
        picture: &Picture,
    ) -> Option<Best> {
        self.index.follow(picture);
        let (image, now) = (&request.image, self.index.images());
        let known = self.holders.get(image);
        if known.is_none_or(|(seen, _)| *seen != now) {
            if self.holders.len() >= IMAGES {
                self.holders.clear();
            }
            let holders = Holders::of(self.index.nodes(), image);
            self.holders.insert(image.clone(), (now, holders));
        }
        let (_, holders) = self.holders.get(image)?;
        let at = self.index.best(scheduler, request, &holders.first)?;
        let node = self.index.nodes().get(at)?;
        Some(Best {
            node: Arc::clone(node),
            has_image: holders.is_here(node, image),
        })
    }
}
