//! What monitors tell: to all who listen now, and for those who ask later what no engine can repeat.
//!
//! State: the newest events that were made up, behind a short private mutex that no await crosses. Engines remember the
//! others themselves.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use super::events::{self, CLUSTER};
use super::ledger::Step;
use crate::model::Node;
use crate::model::event::Event;

/// The most bytes of JSON that are kept; the oldest events go first.
const KEPT_BYTES: usize = 4 << 20;

/// Where the events of all engines go; clones share everything.
#[derive(Clone, Debug)]
pub struct Feed {
    live: broadcast::Sender<Arc<Event>>,
    kept: Arc<Mutex<Kept>>,
}

/// Events that were made up, oldest first.
#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<MadeUp>,
    bytes: usize,
}

/// An event that no engine told in time.
#[derive(Debug)]
struct MadeUp {
    event: Arc<Event>,
    /// How far the clock of its time was before ours, in nanoseconds; `None` when it is ours.
    skew: Option<i64>,
}

impl Feed {
    /// Makes a feed whose listeners may be this many events behind.
    pub fn new(behind: usize) -> Self {
        Self {
            live: broadcast::channel(behind).0,
            kept: Arc::default(),
        }
    }

    /// Starts to listen.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.live.subscribe()
    }

    /// Returns how many listen.
    pub fn listeners(&self) -> usize {
        self.live.receiver_count()
    }

    /// Tells an event of a node whose clock is `skew` nanoseconds before ours; one that was made up is kept.
    pub(crate) fn tell(&self, event: Event, skew: i64) {
        let event = Arc::new(event);
        if event.made_up {
            self.keep(MadeUp {
                skew: (event.kind != CLUSTER).then_some(skew),
                event: Arc::clone(&event),
            });
        }
        // Without listeners there is nobody to tell.
        let _ = self.live.send(event);
    }

    /// Tells that a node that answered is no longer of the cluster.
    pub fn left(&self, node: &Node) {
        let mut event = events::of_engine("engine_disconnect");
        if events::decorate(&mut event, node) {
            self.tell(event, 0);
        }
    }

    /// Puts what was made up from `since` to `until` into what engines remember of that time, in the order of time by
    /// our clock. `skews` says how far the clocks of nodes are before ours, all in nanoseconds.
    pub fn complete(
        &self,
        remembered: Vec<Event>,
        skews: &HashMap<Arc<str>, i64>,
        since: i64,
        until: i64,
    ) -> Vec<Arc<Event>> {
        let at = |made_up: &MadeUp| {
            let current = skews.get(&made_up.event.node).copied();
            // The same for all events of a node, so that their order stands.
            let skew = made_up.skew.map_or(0, |then| current.unwrap_or(then));
            made_up.event.time_nano.saturating_sub(skew)
        };
        let mut all: Vec<(i64, Arc<Event>)> = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let own = kept.events.iter().map(|m| (at(m), Arc::clone(&m.event)));
            own.filter(|(at, _)| (since..=until).contains(at)).collect()
        };
        all.extend(remembered.into_iter().map(|event| {
            let skew = skews.get(&event.node).copied().unwrap_or_default();
            (event.time_nano.saturating_sub(skew), Arc::new(event))
        }));
        // What was made up has the time of what it comes before, and so stays there.
        all.sort_by_key(|(at, _)| *at);
        once(all.into_iter().map(|(_, event)| event).collect())
    }

    fn keep(&self, made_up: MadeUp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += made_up.event.json.len();
        kept.events.push_back(made_up);
        while kept.bytes > KEPT_BYTES
            && let Some(oldest) = kept.events.pop_front()
        {
            kept.bytes -= oldest.event.json.len();
        }
    }
}

/// Leaves out what an engine remembers of a step that was made up, perhaps since it had told it to nobody: what was told
/// once is told again.
fn once(all: Vec<Arc<Event>>) -> Vec<Arc<Event>> {
    let keep = kept(&all);
    let marked = all.into_iter().zip(keep);
    marked.filter_map(|(e, keep)| keep.then_some(e)).collect()
}

/// Marks the events to keep. A container is created and removed once, and between two starts it ends: of two equal
/// steps in a row one is the memory of the other.
fn kept(all: &[Arc<Event>]) -> Vec<bool> {
    let made_up = all.iter().filter(|event| event.made_up);
    let made_up: HashSet<_> = made_up
        .filter_map(|event| Some((who(event), Step::of(event)?)))
        .collect();
    let mut keep = vec![true; all.len()];
    let mut last = HashMap::new();
    for (at, event) in all.iter().enumerate() {
        match Step::of(event) {
            None => {}
            Some(step @ (Step::Create | Step::Destroy)) => {
                keep[at] = event.made_up || !made_up.contains(&(who(event), step));
            }
            Some(step @ (Step::Start | Step::Die)) => {
                if let Some((before, step_before)) = last.insert(who(event), (at, step))
                    && step_before == step
                    && all[before].made_up != event.made_up
                {
                    keep[if event.made_up { before } else { at }] = false;
                }
            }
        }
    }
    keep
}

/// Returns the container that an event is of: its node and ID.
fn who(event: &Event) -> (&str, &str) {
    (&event.node, &event.actor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event of container `a`, by the clock of node `n`.
    fn event(action: &str, time_nano: i64) -> Event {
        Event {
            node: "n".into(),
            kind: "container".into(),
            action: action.into(),
            actor: "a".into(),
            time_nano,
            ..Event::default()
        }
    }

    fn made_up(action: &str, time_nano: i64) -> Event {
        Event {
            made_up: true,
            json: vec![b' '; 1 << 20].into(),
            ..event(action, time_nano)
        }
    }

    /// Writes what is told of all times, or from `since` to `until`.
    fn words(feed: &Feed, remembered: &[Event], (since, until): (i64, i64)) -> Vec<String> {
        let skews = HashMap::from([(Arc::from("n"), 100)]);
        let all = feed.complete(remembered.to_vec(), &skews, since, until);
        let word = |e: &Arc<Event>| format!("{}{}", if e.made_up { "*" } else { "" }, e.action);
        all.iter().map(word).collect()
    }

    const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

    #[test]
    fn what_was_made_up_stands_where_it_was_told() {
        let feed = Feed::new(8);
        let mut live = feed.subscribe();
        feed.tell(made_up("create", 300), 90);
        feed.tell(event("start", 300), 90);
        feed.tell(made_up("die", 400), 100);
        let remembered = [event("start", 300), event("destroy", 500)];
        let all = ["*create", "start", "*die", "destroy"];
        assert_eq!(words(&feed, &remembered, ALWAYS), all);
        // Times of the question are by our clock.
        assert_eq!(words(&feed, &[], (201, 300)), ["*die"]);
        assert_eq!(words(&feed, &[], (200, 299)), ["*create"]);
        for action in ["create", "start", "die"] {
            assert_eq!(live.try_recv().unwrap().action, action);
        }
    }

    #[test]
    fn what_an_engine_remembers_all_the_same_is_told_once() {
        let feed = Feed::new(8);
        feed.tell(made_up("die", 400), 100);
        let remembered = ["start", "die", "start", "die"].map(|action| event(action, 0));
        let times = |times: [i64; 4]| {
            let mut events = remembered.clone();
            for (event, at) in events.iter_mut().zip(times) {
                event.time_nano = at;
            }
            events
        };
        let all = ["start", "*die", "start", "die"];
        for memory in [times([50, 390, 500, 600]), times([50, 410, 500, 600])] {
            assert_eq!(words(&feed, &memory, ALWAYS), all);
        }
        // Of two ends with a start between them each is one.
        let memory = times([350, 450, 500, 600]);
        assert_eq!(words(&feed, &memory[2..], ALWAYS), ["*die", "start", "die"]);
        // Another's is another, and where the one is not told the other is.
        let mut other = memory[1].clone();
        other.actor = "b".to_owned();
        assert_eq!(words(&feed, &[other], ALWAYS), ["*die", "die"]);
        assert_eq!(words(&feed, &memory[1..2], (301, 400)), ["die"]);
    }

    #[test]
    fn a_life_whose_end_was_noticed_late_is_told_once() {
        let feed = Feed::new(8);
        for (action, at) in [("create", 300), ("die", 400), ("destroy", 400)] {
            feed.tell(made_up(action, at), 100);
        }
        let memory = [
            ("create", 299),
            ("start", 300),
            ("die", 350),
            ("destroy", 351),
        ];
        let memory = memory.map(|(action, at)| event(action, at));
        let all = ["*create", "start", "*die", "*destroy"];
        assert_eq!(words(&feed, &memory, ALWAYS), all);
    }

    #[test]
    fn events_of_the_cluster_are_by_our_clock() {
        let feed = Feed::new(8);
        feed.tell(made_up("die", 450), 100);
        let left = Event {
            kind: CLUSTER.to_owned(),
            ..made_up("engine_disconnect", 340)
        };
        feed.tell(left, 100);
        assert_eq!(
            words(&feed, &[], (330, 350)),
            ["engine_disconnect", "die"].map(|w| format!("*{w}"))
        );
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let feed = Feed::new(1);
        for (at, action) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            feed.tell(made_up(action, i64::try_from(at).unwrap()), 0);
        }
        assert_eq!(words(&feed, &[], ALWAYS), ["*b", "*c", "*d", "*e"]);
    }
}
