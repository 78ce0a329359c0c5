//! Finding out what became of a change whose answer was lost.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::{self, backoff::Backoff};

/// How long an engine that answers again may still be finishing what it once took.
const FINISHING: Duration = Duration::from_secs(20);
/// How long an unknown outcome is looked into at all.
const LIMIT: Duration = Duration::from_secs(3600);

/// Looks for what a change makes until it is there; `None` when it can no longer come.
///
/// # Cancel safety
/// Nothing is lost; whoever stops looking must not let go of what the change may have taken.
pub async fn outcome<T, F>(look: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<Option<T>, engine::Error>>,
{
    let started = Instant::now();
    let mut answering_since = None;
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    while started.elapsed() < LIMIT {
        match look().await {
            Ok(Some(found)) => return Some(found),
            Ok(None) => {
                let since = answering_since.get_or_insert_with(Instant::now);
                if since.elapsed() > FINISHING {
                    return None;
                }
            }
            Err(_) => answering_since = None,
        }
        tokio::time::sleep(backoff.wait()).await;
    }
    None
}

/// Shows an outcome until lists have it: what is let go of before would be free although it is taken. An engine that is
/// no member any more has no lists.
///
/// # Cancel safety
/// As [`outcome`].
pub async fn shown<F>(show: impl Fn() -> F, is_member: impl Fn() -> bool)
where
    F: Future<Output = bool>,
{
    let started = Instant::now();
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    while !show().await && is_member() && started.elapsed() < LIMIT {
        tokio::time::sleep(backoff.wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_is_silent_for_long_is_waited_for_and_then_has_its_time() {
        let (started, asked) = (Instant::now(), Cell::new(0));
        let silent = Duration::from_secs(300);
        let found = outcome(|| {
            asked.set(asked.get() + 1);
            let since = started.elapsed();
            async move {
                if since < silent {
                    return Err(engine::Error::Connect {
                        node: "a".to_owned(),
                        reason: "refused".to_owned(),
                    });
                }
                Ok((since > silent + FINISHING / 2).then_some("made"))
            }
        });
        assert_eq!(found.await, Some("made"));
        let never = outcome(|| async { Ok(None::<()>) });
        let started = Instant::now();
        assert_eq!(never.await, None);
        assert!(started.elapsed() > FINISHING && started.elapsed() < FINISHING * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_shown_until_lists_have_it_or_the_engine_has_left() {
        let (tries, stays) = (Cell::new(0), Cell::new(true));
        let show = |most: u32| {
            let tries = &tries;
            move || async move {
                tries.set(tries.get() + 1);
                tries.get() == most
            }
        };
        shown(show(4), || stays.get()).await;
        assert_eq!(tries.get(), 4);
        stays.set(false);
        shown(show(0), || stays.get()).await;
        assert_eq!(tries.get(), 5);
    }
}
