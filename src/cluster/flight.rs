//! Work that many want at once and that is done once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What is under way, by what it is for; those who wait keep it there.
type Running<K, V> = HashMap<K, Weak<Flight<V>>>;

/// Pieces of work under way; clones share them.
#[derive(Debug)]
pub struct Flights<K, V>(Arc<Mutex<Running<K, V>>>);

/// One piece of work, as all who wait for it hold it.
#[derive(Debug)]
struct Flight<V> {
    /// `None` is seen while it runs.
    outcome: watch::Receiver<Option<V>>,
    /// Tells the work when the last who waited is gone.
    _left: DropGuard,
}

impl<V> Flight<V> {
    /// Tells whether it will have an outcome and has none yet; one whose teller is gone will never end.
    fn is_under_way(&self) -> bool {
        self.outcome.has_changed().is_ok() && self.outcome.borrow().is_none()
    }
}

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
    /// started it is gone. Its token is cancelled once nobody waits any more: what it does then is its own affair.
    /// `None` means that it was broken off.
    ///
    /// # Cancel safety
    /// Dropping the future is how one stops waiting.
    pub async fn join<F>(&self, key: K, work: impl FnOnce(CancellationToken) -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let flight = self.board(key, work);
        let mut outcome = flight.outcome.clone();
        let ended = outcome.wait_for(Option::is_some).await;
        ended.ok().and_then(|value| value.clone())
    }

    /// Lets nobody else wait for the work with this key: who comes later starts it anew.
    pub fn close(&self, key: &K) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(key);
    }

    /// Returns the work with this key that is under way, or starts it.
    fn board<F>(&self, key: K, work: impl FnOnce(CancellationToken) -> F) -> Arc<Flight<V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = running.get(&key).and_then(Weak::upgrade);
        if let Some(flight) = known.filter(|flight| flight.is_under_way()) {
            return flight;
        }
        // Of what nobody waits for nothing is kept.
        running.retain(|_, flight| flight.strong_count() > 0);
        let (tell, outcome) = watch::channel(None);
        let left = CancellationToken::new();
        let work = work(left.clone());
        tokio::spawn(async move {
            tell.send_replace(Some(work.await));
        });
        let flight = Arc::new(Flight {
            outcome,
            _left: left.drop_guard(),
        });
        running.insert(key, Arc::downgrade(&flight));
        flight
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
            let work = move |_| async move {
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
        let broken = flights
            .join("key", |_| async { panic!("on purpose") })
            .await;
        assert_eq!(broken, None);
        assert_eq!(flights.join("key", |_| async { 2 }).await, Some(2));
    }

    #[tokio::test]
    async fn work_is_told_when_the_last_who_waited_is_gone() {
        let flights = Flights::<&str, ()>::default();
        let (tell, mut told) = watch::channel(None);
        let work = |left: CancellationToken| async move {
            tell.send_replace(Some(left.clone()));
            left.cancelled().await;
        };
        let (starter, flying) = (flights.clone(), flights.clone());
        let starter = tokio::spawn(async move { starter.join("key", work).await });
        let left = told.wait_for(Option::is_some).await.unwrap().clone();
        let left = left.unwrap();
        let unused = |_| async { panic!("started twice") };
        let other = tokio::spawn(async move { flying.join("key", unused).await });
        while flights.0.lock().unwrap()["key"].strong_count() < 2 {
            tokio::task::yield_now().await;
        }
        starter.abort();
        starter.await.unwrap_err();
        assert!(!left.is_cancelled(), "someone waits");
        other.abort();
        other.await.unwrap_err();
        assert!(left.is_cancelled());
        assert_eq!(flights.join("key", |_| async {}).await, Some(()));
    }

    #[tokio::test]
    async fn what_is_closed_is_started_anew_by_who_comes_later() {
        let flights = Flights::<&str, u32>::default();
        let first = flights.board("key", |_| std::future::pending());
        flights.close(&"key");
        assert_eq!(flights.join("key", |_| async { 2 }).await, Some(2));
        assert!(first.is_under_way());
    }
}
