//! From an engine's streams to what consumers are told: whenever the stream was opened, live events are held until the
//! past is read, and what is missing after a while is made up.
//!
//! Invariant: pure. The monitor brings lists, history and the time.

use std::time::Duration;

use tokio::time::Instant;

use super::ledger::Ledger;
use crate::model::Containers;
use crate::model::event::Event;

/// How long an engine may take to tell of what its lists show already.
const LATE: Duration = Duration::from_secs(1);
/// Live events that wait for the past; when there are more they are told without it.
const HELD: usize = 4096;

/// What is told of one engine.
#[derive(Debug, Default)]
pub(crate) struct Account {
    ledger: Ledger,
    gap: Option<Gap>,
    /// Events in the order in which they are to be told; emptied by the monitor.
    pub(crate) told: Vec<Event>,
}

/// A time of which events may be missing.
#[derive(Debug, Default)]
struct Gap {
    /// What there was when the stream was opened.
    before: Containers,
    /// Live events that came before the past was read; `None` once it was.
    held: Option<Vec<Event>>,
    listed: Containers,
    listed_at: i64,
    /// When what is missing by then is made up.
    settle_at: Option<Instant>,
}

impl Account {
    /// Notes that a stream was opened while the engine was known to have these containers.
    pub(crate) fn opened(&mut self, containers: &Containers) {
        let ledger = &mut self.ledger;
        let gap = self.gap.get_or_insert_with(|| {
            ledger.close();
            Gap {
                before: containers.clone(),
                ..Gap::default()
            }
        });
        gap.held.get_or_insert_default();
        gap.settle_at = None;
    }

    /// Takes a live event.
    pub(crate) fn take(&mut self, event: Event) {
        let Some(gap) = &mut self.gap else {
            return self.ledger.tell(event, false, &mut self.told);
        };
        let Some(held) = gap.held.as_mut() else {
            return self.ledger.tell(event, true, &mut self.told);
        };
        held.push(event);
        if held.len() > HELD {
            // Before the first list no container is known, so that none can be missed.
            let missing = self.ledger.since().is_some();
            for event in std::mem::take(held) {
                self.ledger.tell(event, missing, &mut self.told);
            }
        }
    }

    /// Tells an event of our own.
    pub(crate) fn tell_own(&mut self, event: Event) {
        self.told.push(event);
    }

    /// Tells whether the past is wanted: the stream was opened, and nothing was read since.
    pub(crate) fn wants_past(&self) -> bool {
        self.gap.as_ref().is_some_and(|gap| gap.held.is_some())
    }

    /// Returns from when on the past is wanted; `None` when the stream is open for the first time.
    pub(crate) fn since(&self) -> Option<i64> {
        self.ledger.since()
    }

    /// Takes the past, and what was listed at a time before it was asked for; then tells what was held.
    pub(crate) fn resume(&mut self, past: Vec<Event>, listed: &Containers, listed_at: i64) {
        let Some(gap) = &mut self.gap else {
            return;
        };
        let Some(held) = gap.held.take() else {
            return;
        };
        if self.ledger.since().is_none() {
            self.ledger.begin(listed_at, listed);
            self.gap = None;
            for event in held {
                self.ledger.tell(event, false, &mut self.told);
            }
            return;
        }
        (gap.listed, gap.listed_at) = (listed.clone(), listed_at);
        gap.settle_at = Some(Instant::now() + LATE);
        for event in past.into_iter().chain(held) {
            self.ledger.tell(event, true, &mut self.told);
        }
    }

    /// Returns when [`Account::settle`] is to be called.
    pub(crate) fn settle_at(&self) -> Option<Instant> {
        self.gap.as_ref().and_then(|gap| gap.settle_at)
    }

    /// Makes up what is missing of a gap whose time has come, unless `current` shows that it did not happen.
    pub(crate) fn settle(&mut self, current: &Containers) {
        let Some(gap) = self.gap.take() else {
            return;
        };
        let (listed, at) = (&gap.listed, gap.listed_at);
        let (ledger, told) = (&mut self.ledger, &mut self.told);
        ledger.settle(&gap.before, listed, at, current, told);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::ledger::SYNTHETIC;
    use crate::model::{Container, container::RunState};

    /// A running container.
    fn running(id: &str) -> Arc<Container> {
        Arc::new(Container {
            id: id.into(),
            state: RunState {
                status: "running".into(),
                started_at: Some(jiff::Timestamp::from_nanosecond(5).unwrap()),
                ..RunState::default()
            },
            ..Container::default()
        })
    }

    #[test]
    fn what_overflows_before_the_first_list_needs_no_beginning() {
        let mut account = Account::default();
        account.opened(&Containers::default());
        let count = HELD + 4;
        for number in 0..count {
            let action = if number / 10 % 2 == 0 { "die" } else { "start" };
            account.take(Event {
                kind: "container".into(),
                action: action.into(),
                actor: format!("old{}", number % 10),
                time_nano: 100 + i64::try_from(number).unwrap(),
                ..Event::default()
            });
        }
        assert_eq!(account.told.len(), HELD + 1, "the rest is held");
        let mut listed = Containers::default();
        (0..10).for_each(|n| listed.insert(running(&format!("old{n}"))));
        listed.insert(running("quiet"));
        account.resume(Vec::new(), &listed, 10_000);
        assert_eq!(account.told.len(), count);
        // Nor does the next gap find anything missing.
        account.opened(&listed);
        account.resume(Vec::new(), &listed, 20_000);
        account.settle(&listed);
        let told = account.told.iter();
        let made_up = told.filter(|e| e.attributes.contains_key(SYNTHETIC));
        assert_eq!(made_up.count(), 0);
        assert_eq!(account.told.len(), count);
    }
}
