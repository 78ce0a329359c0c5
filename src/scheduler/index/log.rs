//! Which nodes have changed, in order: what is kept of them is brought up to date when it is next used, and not before.

use crate::scheduler::filter::Reads;

/// Changes that are kept before it costs no more to look at all nodes.
const LEAST: usize = 1_024;

/// What of one node has changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// Its place in the view.
    pub(super) at: usize,
    /// Whether more than its containers and what they take is other than before.
    pub(super) itself: bool,
    /// Whether its images are.
    pub(super) images: bool,
}

/// The last changes.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// How many there were before those that are kept.
    before: u64,
    changes: Vec<Change>,
}

impl Change {
    /// Tells whether it can change what is answered by one who looks at this.
    pub(super) fn concerns(self, reads: Reads) -> bool {
        match reads {
            Reads::Itself => self.itself,
            Reads::Images => self.images,
            Reads::All => true,
        }
    }
}

impl Log {
    /// Notes a change among so many nodes.
    pub(super) fn push(&mut self, change: Change, nodes: usize) {
        if self.changes.len() >= nodes.max(LEAST) {
            self.forget();
        }
        self.changes.push(change);
    }

    /// Forgets all changes: whatever is kept is to be made anew.
    pub(super) fn forget(&mut self) {
        self.before += self.changes.len() as u64 + 1;
        self.changes.clear();
    }

    /// Returns how far it goes by now.
    pub(super) fn end(&self) -> u64 {
        self.before + self.changes.len() as u64
    }

    /// Returns the changes since it went so far; `None` when they are not kept.
    pub(super) fn since(&self, seen: u64) -> Option<&[Change]> {
        let seen = seen.checked_sub(self.before)?;
        self.changes.get(usize::try_from(seen).ok()?..)
    }
}
