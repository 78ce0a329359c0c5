//! When an engine answers and yet cannot create: its disk is full, say.
//!
//! Apart from health: such an engine lists, execs and stops as ever. Its node becomes the last choice for what is new
//! until something on it was removed, some time has passed, or a create there worked.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::backoff::Backoff;
use crate::model::node::Trouble;

/// How long the node is spared after the first failure, and at most.
const SPARED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

/// What engines say when the machine is at its end, whatever was asked (`strerror` texts of Linux).
const EXHAUSTED: &[&str] = &[
    "no space left on device",
    "disk quota exceeded",
    "read-only file system",
    "input/output error",
    "too many open files",
    "cannot allocate memory",
];

/// Returns what the machine lacks when an engine's error says that it, not the request, is at fault.
pub fn exhausted(message: &str) -> Option<&'static str> {
    let message = message.to_lowercase();
    EXHAUSTED
        .iter()
        .find(|text| message.contains(**text))
        .copied()
}

/// The breaker of one engine.
#[derive(Debug)]
pub(crate) struct Breaker {
    trouble: Option<Trouble>,
    /// While it lies ahead, the node is spared.
    until: Option<Instant>,
    backoff: Backoff,
}

impl Breaker {
    /// Starts closed.
    pub(crate) fn new() -> Self {
        Self {
            trouble: None,
            until: None,
            backoff: Backoff::new(SPARED.0, SPARED.1),
        }
    }

    /// Returns why the node is spared, if it is.
    pub(crate) fn trouble(&self) -> Option<&Trouble> {
        self.until.and(self.trouble.as_ref())
    }

    /// Takes a create that failed for lack of something.
    pub(crate) fn failed(&mut self, reason: String, now: Instant) {
        // Several that were under way count once.
        if self.until.is_none() {
            self.until = Some(now + self.backoff.wait());
        }
        let since = self
            .trouble
            .take()
            .map_or_else(Timestamp::now, |trouble| trouble.since);
        self.trouble = Some(Trouble { since, reason });
    }

    /// Takes a create that worked; tells whether that changed anything.
    pub(crate) fn worked(&mut self) -> bool {
        self.backoff.reset();
        self.until = None;
        self.trouble.take().is_some()
    }

    /// Lets creates try again when something was removed; tells whether that changed anything.
    pub(crate) fn freed(&mut self) -> bool {
        self.until.take().is_some()
    }

    /// Lets creates try again when the node was spared long enough; tells whether that changed anything.
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now) && self.freed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_spared_for_ever_longer_until_a_create_works() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new();
        let mut least = Duration::ZERO;
        for _ in 0..3 {
            breaker.failed("disk full".into(), now);
            breaker.failed("disk full".into(), now);
            assert_eq!(breaker.trouble().unwrap().reason, "disk full");
            assert!(!breaker.tick(now + least));
            now += SPARED.1;
            assert!(breaker.tick(now) && !breaker.tick(now));
            assert!(breaker.trouble().is_none());
            least = (least * 2).max(SPARED.0 / 2);
        }
        breaker.failed("disk full".into(), now);
        assert!(breaker.worked() && !breaker.worked());
        assert!(breaker.trouble().is_none());
        breaker.failed("disk full".into(), now);
        assert!(breaker.tick(now + SPARED.0), "it starts anew");
    }

    #[test]
    fn the_first_failure_is_remembered_while_tries_go_on() {
        let mut breaker = Breaker::new();
        breaker.failed("a".into(), Instant::now());
        let first = breaker.trouble().unwrap().since;
        assert!(breaker.freed() && !breaker.freed());
        breaker.failed("b".into(), Instant::now());
        let trouble = breaker.trouble().unwrap();
        assert_eq!((trouble.since, &*trouble.reason), (first, "b"));
    }

    #[test]
    fn only_the_machines_own_troubles_count() {
        let full = "failed to prepare: mkdir /var/lib/docker/x: No space left on device";
        assert_eq!(exhausted(full), Some("no space left on device"));
        assert_eq!(exhausted("invalid mount config"), None);
    }
}
