//! Tags that copies are bringing to a node, with when they came to the image where it is from.
//!
//! Invariant: what one copy says stands until that copy ends, whatever other copies of the tag do meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// Tells one copy from another that brings the same tag to the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copying(u64);

impl Copying {
    /// Makes one that no other copy has.
    pub fn begin() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// What copies that are under way say of the tags that they bring.
#[derive(Debug, Default)]
pub(crate) struct Copies(HashMap<String, Vec<(Copying, Option<Timestamp>)>>);

impl Copies {
    /// Notes when the tag that a copy brings came to its image; `None` for long ago.
    pub(crate) fn insert(&mut self, copy: Copying, tag: String, moved_at: Option<Timestamp>) {
        let told = self.0.entry(tag).or_default();
        told.retain(|(other, _)| *other != copy);
        told.push((copy, moved_at));
    }

    /// Forgets what a copy said of a tag.
    pub(crate) fn remove(&mut self, copy: Copying, tag: &str) {
        if let Some(told) = self.0.get_mut(tag) {
            told.retain(|(other, _)| *other != copy);
            if told.is_empty() {
                self.0.remove(tag);
            }
        }
    }

    /// Returns what was said last of a tag that a copy brings.
    pub(super) fn get(&self, tag: &str) -> Option<Option<Timestamp>> {
        let (_, moved_at) = self.0.get(tag)?.last()?;
        Some(*moved_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_ends_late_leaves_what_its_successor_said() {
        let noon: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let (cancelled, successor) = (Copying::begin(), Copying::begin());
        let mut copies = Copies::default();
        copies.insert(cancelled, "app:1".to_owned(), None);
        copies.insert(successor, "app:1".to_owned(), Some(noon));
        copies.remove(cancelled, "app:1");
        assert_eq!(copies.get("app:1"), Some(Some(noon)));
        copies.insert(successor, "app:1".to_owned(), None);
        assert_eq!(copies.get("app:1"), Some(None), "it may say otherwise");
        copies.remove(successor, "app:1");
        assert_eq!(copies.get("app:1"), None);
        assert!(copies.0.is_empty());
    }
}
