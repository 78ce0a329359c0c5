//! Transfers that stand still.
//!
//! State: what engines have said of their pulls is counted behind a private lock that no await crosses; only engines
//! with a pull under way are kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a copy may stand still: an engine writes a large layer to its disk without a word.
const COPY: Duration = Duration::from_secs(600);
/// How long an engine may say nothing of its pulls: it tells of each piece that comes, and looks a large layer through
/// without a word.
const PULL: Duration = Duration::from_secs(180);

/// What engines have said of their pulls, counted for each; clones share it.
///
/// A pull beyond the number of downloads that an engine makes at once waits without a word for others, so what is said
/// of any pull counts for all of the engine.
#[derive(Clone, Debug, Default)]
pub struct Pulls(Arc<Mutex<HashMap<Arc<str>, Arc<AtomicU64>>>>);

/// One pull's ear for what its engine says.
#[derive(Clone, Debug)]
pub struct Heard(Arc<AtomicU64>);

impl Pulls {
    /// Listens to the engine with this key.
    pub fn of(&self, engine: &Arc<str>) -> Heard {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|key, heard| key == engine || Arc::strong_count(heard) > 1);
        Heard(Arc::clone(all.entry(Arc::clone(engine)).or_default()))
    }
}

impl Heard {
    /// Counts something that the engine said.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns once the engine has said nothing for too long, with how long that is.
    ///
    /// # Cancel safety
    /// Nothing is lost; it starts anew.
    pub async fn nothing(&self) -> Duration {
        silence(&self.0, PULL).await;
        PULL
    }
}

/// Returns, with what to say of it, once nothing of a copy has moved for too long.
pub(super) async fn copy(moved: &AtomicU64) -> String {
    silence(moved, COPY).await;
    format!("nothing moved for {}", humantime::format_duration(COPY))
}

/// Returns once a count has not changed for `limit`.
async fn silence(count: &AtomicU64, limit: Duration) {
    loop {
        let before = count.load(Ordering::Relaxed);
        tokio::time::sleep(limit).await;
        if count.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_stands_still_is_given_up_and_what_moves_is_not() {
        let pulls = Pulls::default();
        let (one, other) = (pulls.of(&"a".into()), pulls.of(&"a".into()));
        let elsewhere = pulls.of(&"b".into());
        let moving = async {
            for _ in 0..10 {
                tokio::time::sleep(PULL / 2).await;
                other.count();
            }
        };
        let started = Instant::now();
        let elsewhere = async {
            elsewhere.nothing().await;
            started.elapsed()
        };
        let (said, stalled, ()) = tokio::join!(one.nothing(), elsewhere, moving);
        assert_eq!((said, stalled), (PULL, PULL));
        let took = started.elapsed();
        assert!(took >= PULL * 6 && took <= PULL * 7, "{took:?}");
    }

    #[test]
    fn only_engines_that_pull_are_kept() {
        let pulls = Pulls::default();
        let one = pulls.of(&"a".into());
        for key in ["b", "c", "d"] {
            pulls.of(&key.into());
        }
        one.count();
        let again = pulls.of(&"a".into());
        assert_eq!(again.0.load(Ordering::Relaxed), 1);
        assert_eq!(pulls.0.lock().unwrap().len(), 1);
    }
}
