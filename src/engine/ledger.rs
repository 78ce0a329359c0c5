//! What consumers were told of one engine's containers, so that a gap in its events can be closed: each step of a life
//! is told once, and one that the engine forgot is made up, marked, from what lists show.
//!
//! Invariant: pure. Times are the engine's, in nanoseconds; an event is stamped at the time of the state it tells of or
//! later.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde_json::json;

use crate::model::Containers;
use crate::model::event::Event;
use crate::model::{Container, container::RunState};

/// The attribute of an event that no engine told.
pub(crate) const SYNTHETIC: &str = "flotilla.synthetic";
/// How far back a resumed stream is read: engines publish some events later than they stamp them.
const MARGIN_NANO: i64 = 10_000_000_000;
/// Events that are remembered to know a repetition; engines repeat their last 256 at most.
const SEEN: usize = 1024;
/// Attributes of one event that do not belong to its container.
const OF_ONE_EVENT: [&str; 5] = ["exitCode", "execDuration", "execID", "signal", "oldName"];

/// A step of a container's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Create,
    Start,
    Die,
    Destroy,
}

impl Step {
    /// Returns the step that an event tells of.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match (event.kind.as_str(), event.action.as_str()) {
            ("container", "create") => Some(Self::Create),
            ("container", "start") => Some(Self::Start),
            ("container", "die") => Some(Self::Die),
            ("container", "destroy") => Some(Self::Destroy),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Die => "die",
            Self::Destroy => "destroy",
        }
    }
}

/// When which step of a container was told last.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    started: i64,
    died: i64,
    last: i64,
}

impl Life {
    fn is_running(self) -> bool {
        self.started > self.died
    }
}

/// The account of one engine.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The newest time of an event.
    newest: i64,
    /// When the first list was made after the stream was opened, 0 before; what is older is nobody's loss.
    first: i64,
    seen: HashSet<(i64, String, String)>,
    order: VecDeque<(i64, String, String)>,
    lives: HashMap<String, Life>,
    gone: VecDeque<String>,
    made_up: HashSet<(String, Step)>,
}

impl Ledger {
    /// Notes that events are told from `now` on, and which containers there were before.
    pub(crate) fn begin(&mut self, now: i64, containers: &Containers) {
        (self.newest, self.first) = (self.newest.max(now), now);
        for container in containers.iter() {
            // Listed while its end was on its way.
            if self.is_gone(&container.id) {
                continue;
            }
            let times = times(&container.state);
            self.lives
                .entry(container.id.to_string())
                .or_insert(Life { last: 0, ..times });
        }
    }

    /// Returns from when on a broken stream is to be read again; `None` before [`Ledger::begin`].
    pub(crate) fn since(&self) -> Option<i64> {
        (self.first > 0).then(|| (self.newest - MARGIN_NANO).max(self.first))
    }

    /// Forgets what was made up for an earlier gap: its events come no more.
    pub(crate) fn close(&mut self) {
        self.made_up.clear();
    }

    /// Puts an event into `out`, unless it was told before. `gap` says that events may be missing before it: steps
    /// without which it could not be are told first.
    pub(crate) fn tell(&mut self, event: Event, gap: bool, out: &mut Vec<Event>) {
        if !self.is_new(&event) {
            return;
        }
        let Some(step) = Step::of(&event) else {
            return out.push(event);
        };
        if self.made_up.remove(&(event.actor.clone(), step)) {
            return;
        }
        if gap {
            let attributes: BTreeMap<String, String> = event
                .attributes
                .iter()
                .filter(|(key, _)| !OF_ONE_EVENT.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            for missing in self.missing_before(&event.actor, step) {
                self.make_up(&event.actor, missing, event.time_nano, &attributes, out);
            }
        }
        self.note(&event.actor, step, event.time_nano);
        out.push(event);
    }

    /// Makes up what `listed` (read at `listed_at`) shows and was not told, unless `current` shows otherwise by now;
    /// `before` says what containers were that are no more.
    pub(crate) fn settle(
        &mut self,
        before: &Containers,
        listed: &Containers,
        listed_at: i64,
        current: &Containers,
        out: &mut Vec<Event>,
    ) {
        for container in listed.iter() {
            if !self.is_gone(&container.id) {
                self.settle_one(container, listed_at, current, out);
            }
        }
        let lost = self.lives.iter().filter(|(id, life)| {
            let absent = listed.by_id(id).is_none() && current.by_id(id).is_none();
            absent && life.last < listed_at
        });
        let mut lost: Vec<String> = lost.map(|(id, _)| id.clone()).collect();
        lost.sort();
        for id in lost {
            let attributes = before.by_id(&id).map(|c| attributes(c)).unwrap_or_default();
            if self.lives.get(&id).is_some_and(|life| life.is_running()) {
                self.make_up(&id, Step::Die, listed_at, &attributes, out);
            }
            self.make_up(&id, Step::Destroy, listed_at, &attributes, out);
        }
    }

    fn settle_one(
        &mut self,
        container: &Container,
        listed_at: i64,
        current: &Containers,
        out: &mut Vec<Event>,
    ) {
        let (id, state) = (&*container.id, &container.state);
        let attributes = attributes(container);
        let mut ended = attributes.clone();
        ended.insert("exitCode".to_owned(), state.exit_code.to_string());
        if !self.lives.contains_key(id) {
            let second = container.created_seconds.saturating_mul(1_000_000_000);
            let created = second.saturating_add(container.created_nano.into());
            self.make_up(id, Step::Create, created, &attributes, out);
        }
        let told = self.lives.get(id).copied().unwrap_or_default();
        let is = times(state);
        let mut missing = Vec::new();
        if is.started > told.started {
            missing.push((is.started, Step::Start, &attributes));
        }
        // A start that failed may leave a time of an end, of which nothing is told.
        if is.died > told.died && is.started.max(told.started) > 0 {
            missing.push((is.died, Step::Die, &ended));
        }
        missing.sort_by_key(|(at, ..)| *at);
        for (at, step, attributes) in missing {
            if step == Step::Start && self.lives.get(id).is_some_and(|life| life.is_running()) {
                self.make_up(id, Step::Die, at, attributes, out);
            }
            self.make_up(id, step, at, attributes, out);
        }
        let still = self.lives.get(id).copied().unwrap_or_default();
        let stands = |all: &Containers| all.by_id(id).is_none_or(|c| !c.state.is_running());
        if still.is_running() && still.last < listed_at && !state.is_running() && stands(current) {
            self.make_up(id, Step::Die, listed_at, &ended, out);
        }
    }

    /// Tells whether the container's removal was told.
    fn is_gone(&self, id: &str) -> bool {
        self.gone.iter().any(|gone| gone == id)
    }

    /// Returns the steps that must have been before this one.
    fn missing_before(&self, id: &str, step: Step) -> Vec<Step> {
        if self.is_gone(id) {
            return Vec::new();
        }
        match (self.lives.get(id), step) {
            (None, Step::Start | Step::Destroy) => vec![Step::Create],
            (None, Step::Die) => vec![Step::Create, Step::Start],
            (Some(life), Step::Start | Step::Destroy) if life.is_running() => vec![Step::Die],
            _ => Vec::new(),
        }
    }

    fn make_up(
        &mut self,
        id: &str,
        step: Step,
        at: i64,
        attributes: &BTreeMap<String, String>,
        out: &mut Vec<Event>,
    ) {
        self.note(id, step, at);
        self.made_up.insert((id.to_owned(), step));
        out.push(synthetic(id, step, at, attributes));
    }

    fn note(&mut self, id: &str, step: Step, at: i64) {
        if step == Step::Destroy {
            self.lives.remove(id);
            self.gone.push_back(id.to_owned());
            if self.gone.len() > SEEN {
                self.gone.pop_front();
            }
            return;
        }
        // An end that is told after the removal brings nothing back to life.
        if self.is_gone(id) {
            return;
        }
        let life = self.lives.entry(id.to_owned()).or_default();
        life.last = life.last.max(at);
        let other = match step {
            Step::Start => {
                // Two steps at one instant are in the order in which they are told.
                life.started = at.max(life.died + 1);
                Step::Die
            }
            Step::Die => {
                life.died = at.max(life.started);
                Step::Start
            }
            Step::Create | Step::Destroy => return,
        };
        self.made_up.remove(&(id.to_owned(), other));
    }

    /// Tells whether the event was not seen before, and remembers it.
    fn is_new(&mut self, event: &Event) -> bool {
        let mark = (event.time_nano, event.action.clone(), event.actor.clone());
        if !self.seen.insert(mark.clone()) {
            return false;
        }
        self.order.push_back(mark);
        if self.order.len() > SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.newest = self.newest.max(event.time_nano);
        true
    }
}

/// Returns when a container was started and when it ended, as its state says.
fn times(state: &RunState) -> Life {
    let nano = |time: Option<jiff::Timestamp>| {
        time.map_or(0, |t| i64::try_from(t.as_nanosecond()).unwrap_or(i64::MAX))
    };
    Life {
        started: nano(state.started_at),
        died: nano(state.finished_at),
        last: 0,
    }
}

/// Returns what events of a container say of it.
fn attributes(container: &Container) -> BTreeMap<String, String> {
    let mut attributes = container.labels.clone();
    attributes.insert("image".to_owned(), container.image.clone());
    attributes.insert("name".to_owned(), container.name().to_owned());
    attributes
}

/// Makes an event of which no engine told, and says so on it.
fn synthetic(id: &str, step: Step, at: i64, attributes: &BTreeMap<String, String>) -> Event {
    let mut attributes = attributes.clone();
    attributes.insert(SYNTHETIC.to_owned(), "true".to_owned());
    let word = step.word();
    let json = json!({
        "status": word,
        "id": id,
        "from": attributes.get("image"),
        "Type": "container",
        "Action": word,
        "Actor": {"ID": id, "Attributes": attributes},
        "scope": "local",
        "time": at / 1_000_000_000,
        "timeNano": at,
    });
    Event {
        kind: "container".to_owned(),
        action: word.to_owned(),
        actor: id.to_owned(),
        attributes,
        scope: "local".to_owned(),
        time_nano: at,
        made_up: true,
        json: json.to_string().into(),
        ..Event::default()
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
