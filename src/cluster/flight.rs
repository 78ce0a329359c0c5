//! Work that many want at once and that is done once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What is under way, by what it is for; `None` is seen while it runs.
type Running<K, V> = HashMap<K, watch::Receiver<Option<V>>>;

/// Pieces of work under way; clones share them.
#[derive(Debug)]
pub struct Flights<K, V>(Arc<Mutex<Running<K, V>>>);

impl<K, V> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Returns the outcome of the work with this key, which is started when none is under way, and goes on when whoever
    /// started it is gone. `None` means that it was broken off.
    pub async fn join<F>(&self, key: K, work: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut outcome = {
            let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match running.get(&key) {
                // One whose teller is gone will never end.
                Some(outcome) if outcome.has_changed().is_ok() => outcome.clone(),
                _ => {
                    let (tell, outcome) = watch::channel(None);
                    running.insert(key.clone(), outcome.clone());
                    let (all, work) = (Arc::clone(&self.0), work());
                    tokio::spawn(async move {
                        let result = work.await;
                        let mut running = all.lock().unwrap_or_else(PoisonError::into_inner);
                        running.remove(&key);
                        tell.send_replace(Some(result));
                    });
                    outcome
                }
            }
        };
        let ended = outcome.wait_for(Option::is_some).await;
        ended.ok().and_then(|value| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_comes_while_it_runs_shares_the_outcome() {
        let flights = Flights::<&str, u32>::default();
        let (gate, runs) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
        let join = || {
            let (gate, runs) = (Arc::clone(&gate), Arc::clone(&runs));
            let work = move || async move {
                gate.acquire().await.unwrap().forget();
                runs.fetch_add(1, Ordering::Relaxed) + 1
            };
            let flights = flights.clone();
            tokio::spawn(async move { flights.join("key", work).await })
        };
        let (one, two) = (join(), join());
        tokio::task::yield_now().await;
        gate.add_permits(1);
        assert_eq!((one.await.unwrap(), two.await.unwrap()), (Some(1), Some(1)));
        gate.add_permits(1);
        assert_eq!(join().await.unwrap(), Some(2));
    }

    #[tokio::test]
    async fn work_that_breaks_off_leaves_no_one_waiting() {
        let flights = Flights::<&str, u32>::default();
        let broken = flights.join("key", || async { panic!("on purpose") }).await;
        assert_eq!(broken, None);
        assert_eq!(flights.join("key", || async { 2 }).await, Some(2));
    }
}
