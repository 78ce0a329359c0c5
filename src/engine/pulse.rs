//! From answers and silence to a node's state.
//!
//! Invariant: pure. One bad probe changes no state, and one good one does not take a change back (hysteresis): a state
//! that flaps would move every new container back and forth.

use std::time::Duration;

use jiff::Timestamp;

use super::Error;
use crate::model::Health;

/// Answers in a row that make a node slow, or healthy again.
const IN_A_ROW: u32 = 3;

/// The state of one engine as its probes tell it.
#[derive(Debug)]
pub(crate) struct Pulse {
    health: Health,
    failures: u32,
    late: u32,
    quick: u32,
    /// Failures in a row that make it unhealthy.
    most_failures: u32,
    /// Answers that took longer are late; those that took less than half of it are quick.
    slow_after: Duration,
}

impl Pulse {
    /// Starts with an engine that has not answered yet.
    pub(crate) fn new(most_failures: u32, slow_after: Duration) -> Self {
        Self {
            health: Health::New,
            failures: 0,
            late: 0,
            quick: 0,
            most_failures,
            slow_after,
        }
    }

    /// Returns the state.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Returns how many tries in a row have failed.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes a probe that was answered after `took`; tells whether the engine was given up and has to be read anew.
    pub(crate) fn answered(&mut self, took: Duration) -> bool {
        self.failures = 0;
        self.late = if took > self.slow_after {
            self.late + 1
        } else {
            0
        };
        self.quick = if took <= self.slow_after / 2 {
            self.quick + 1
        } else {
            0
        };
        match &mut self.health {
            Health::Healthy if self.late >= IN_A_ROW => {
                let since = Timestamp::now();
                self.health = Health::Slow { since, took };
            }
            Health::Slow { .. } if self.quick >= IN_A_ROW => self.health = Health::Healthy,
            Health::Slow { took: last, .. } if self.late > 0 => *last = took,
            Health::New | Health::Pending(_) | Health::Unhealthy { .. } => return true,
            Health::Healthy | Health::Slow { .. } => {}
        }
        false
    }

    /// Takes a try that failed; tells whether that made the engine unhealthy.
    pub(crate) fn failed(&mut self, error: &Error) -> bool {
        self.failures += 1;
        self.quick = 0;
        let reason = error.to_string();
        match &mut self.health {
            Health::New | Health::Pending(_) => self.health = Health::Pending(reason),
            Health::Healthy | Health::Slow { .. } if self.failures >= self.most_failures => {
                let since = Timestamp::now();
                self.health = Health::Unhealthy { since, reason };
                return true;
            }
            // Told by the count already: it becomes the last choice for what is new.
            Health::Healthy | Health::Slow { .. } => {}
            Health::Unhealthy { reason: last, .. } => *last = reason,
        }
        false
    }

    /// Takes the engine in after everything on it was read; tells whether it was not in before.
    pub(crate) fn taken_in(&mut self) -> bool {
        let back = !self.health.is_healthy();
        if back {
            self.health = Health::Healthy;
        }
        back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_millis(1500);
    const QUICK: Duration = Duration::from_millis(20);
    const BETWEEN: Duration = Duration::from_millis(800);

    fn healthy() -> Pulse {
        let mut pulse = Pulse::new(3, Duration::from_secs(1));
        assert!(pulse.answered(QUICK), "a new engine has to be read");
        assert!(pulse.taken_in());
        pulse
    }

    fn silence() -> Error {
        Error::Timeout {
            node: "n:2375".into(),
            after: Duration::from_secs(2),
        }
    }

    #[test]
    fn only_failures_in_a_row_make_an_engine_unhealthy() {
        let mut pulse = healthy();
        assert!(!pulse.failed(&silence()) && !pulse.failed(&silence()));
        assert_eq!(pulse.failures(), 2);
        assert!(!pulse.answered(QUICK));
        assert_eq!(pulse.failures(), 0);
        assert!(!pulse.failed(&silence()) && !pulse.failed(&silence()));
        assert!(pulse.failed(&silence()));
        let Health::Unhealthy { reason, .. } = pulse.health() else {
            panic!("{pulse:?}");
        };
        assert_eq!(reason, "n:2375 did not answer within 2s");
        // It is back when it was read, not when it merely answered.
        assert!(pulse.answered(QUICK));
        assert!(!pulse.health().is_healthy());
        assert!(pulse.taken_in());
        assert_eq!(*pulse.health(), Health::Healthy);
        assert!(!pulse.taken_in());
    }

    #[test]
    fn late_answers_in_a_row_make_an_engine_slow_and_quick_ones_heal_it() {
        let mut pulse = healthy();
        for took in [LATE, LATE, QUICK, LATE, LATE] {
            pulse.answered(took);
            assert_eq!(*pulse.health(), Health::Healthy);
        }
        pulse.answered(LATE);
        assert!(matches!(pulse.health(), Health::Slow { took: LATE, .. }));
        assert!(pulse.health().is_healthy(), "it still serves");
        // What is neither late nor quick changes nothing, so that nothing flaps at the edge.
        for took in [QUICK, QUICK, BETWEEN, QUICK, QUICK] {
            pulse.answered(took);
            assert!(matches!(pulse.health(), Health::Slow { .. }));
        }
        pulse.answered(QUICK);
        assert_eq!(*pulse.health(), Health::Healthy);
    }

    #[test]
    fn an_engine_that_never_answered_is_pending_with_the_reason() {
        let mut pulse = Pulse::new(3, Duration::from_secs(1));
        for _ in 0..4 {
            assert!(!pulse.failed(&silence()));
        }
        let expected = Health::Pending("n:2375 did not answer within 2s".into());
        assert_eq!(*pulse.health(), expected);
    }
}
