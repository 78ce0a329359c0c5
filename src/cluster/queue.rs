//! Creates that wait for room, in the order in which they came.
//!
//! Fairness: whoever came first is served first. A later one passes only where it takes nothing that one before it waits
//! for ([`Scheduler::crowds`]), so that each gets its place once enough of what was there before it has gone, and none
//! stands in the way of those that want something else.
//!
//! Nothing is polled: who waits looks again when a view is published, a reservation is given back, or one before it has
//! left. Invariant: the locks are private and no await crosses them; while one waits, creates choose one after the other.
//!
//! [`Scheduler::crowds`]: crate::scheduler::Scheduler::crowds

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::advise::advise;
use super::choose::{Chosen, Trace, choose};
use super::create::Create;
use super::decision::{Decision, Outcome};
use super::decisions::Found;
use super::{Cluster, Error, Members};
use crate::model::{ClusterView, Container, Node};
use crate::scheduler::wait::kept_for;
use crate::scheduler::{Refusal, Request};

/// The most creates that wait at once.
const LENGTH: usize = 256;
/// The shortest and the longest rest between two looks of one that waits; in between, four times what the looks of all
/// take, so that a long queue in a lively cluster costs a part of one processor.
const REST: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// The queue; clones share it.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How long creates wait that say nothing of it; not at all with zero.
    usual: Duration,
    /// Ends all waiting.
    stop: CancellationToken,
    /// Told when one has left.
    left: watch::Sender<()>,
    /// Held by who chooses while others wait.
    turn: Mutex<()>,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    /// Oldest first; whoever goes through it at length takes it along, and those that come meanwhile change a copy.
    waiting: Arc<Vec<Waiting>>,
}

/// One that waits.
#[derive(Clone, Debug)]
struct Waiting {
    ticket: u64,
    /// Since when.
    at: Timestamp,
    request: Arc<Request>,
    /// What stands in for it.
    container: Arc<Container>,
    /// What was found at its last look, if decisions are kept.
    found: Option<Found>,
}

/// A place in the queue; dropping it leaves.
#[derive(Debug)]
struct Place {
    queue: Queue,
    ticket: u64,
    since: Instant,
}

/// What ended a wait in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// It was long enough.
    Timeout(Duration),
    /// The client is gone.
    Gone(Duration),
    /// Flotilla stops.
    Stopping(Duration),
    /// It turned out that no node will ever do.
    Hopeless(Duration),
    /// There was no place in the queue.
    Full,
}

impl Queue {
    /// Makes one in which creates wait for so long unless they say otherwise, and no longer than until `stop`.
    pub fn new(usual: Duration, stop: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            usual,
            stop,
            left: watch::Sender::default(),
            turn: Mutex::default(),
            line: Mutex::default(),
        }))
    }

    /// Returns the decisions that are still waited for, first come first, with the pictures of the last look.
    pub fn waiting(&self) -> Vec<Found> {
        let waiting = Arc::clone(&self.line().waiting);
        let found = waiting.iter().enumerate();
        let told = found.filter_map(|(ahead, waiting)| {
            let mut found = waiting.found.clone()?;
            if let Outcome::Waiting { message, .. } = &found.decision.outcome {
                let outcome = Outcome::Waiting {
                    ahead,
                    message: message.clone(),
                };
                let decision = Decision::clone(&found.decision);
                found.decision = Arc::new(Decision {
                    at: waiting.at,
                    outcome,
                    ..decision
                });
            }
            Some(found)
        });
        told.collect()
    }

    /// Says that one that no node can take at the moment would wait, and behind how many; nothing if it would not.
    pub(super) fn prospect(&self, cluster: &Cluster, trace: &Trace) -> String {
        let Some((request, picture)) = trace.look() else {
            return String::new();
        };
        let (patience, ahead) = (self.patience(&request), self.len());
        let may = !patience.is_zero() && ahead < LENGTH;
        match may && cluster.scheduler().may_pass(&request, picture.nodes()) {
            true => format!("; it would wait for room for up to {patience:?}, {ahead} before it"),
            false => String::new(),
        }
    }

    /// Returns for how long a create may wait.
    pub(super) fn patience(&self, request: &Request) -> Duration {
        let wished = request.wishes.patience.iter().map(|wish| wish.longest);
        wished.min().unwrap_or(self.0.usual)
    }

    /// Says for whom a node's room is kept, unless a newcomer may have it: it takes nothing that others wait for who
    /// were there before its ticket, or all with none.
    ///
    /// Of those before it each that could have the node now is taken to have it, as it will look in a moment.
    pub(super) fn objection(
        &self,
        cluster: &Cluster,
        newcomer: (&Request, &Arc<Container>),
        node: &Arc<Node>,
        view: &ClusterView,
        ticket: Option<u64>,
    ) -> Option<Refusal> {
        let line = Arc::clone(&self.line().waiting);
        let ahead = |waiting: &&Waiting| ticket.is_none_or(|own| waiting.ticket < own);
        let scheduler = cluster.scheduler();
        let (mut node, mut served, mut left) = (Arc::clone(node), None, Vec::new());
        let crowds = |container: &Arc<Container>, node: &Node, left: &[&Waiting]| {
            let mut left = left.iter().copied();
            let first = left.find(|w| scheduler.crowds(container, &w.request, node, view.nodes()));
            first.map(|waiting| kept_for(&waiting.request, node))
        };
        for waiting in line.iter().filter(ahead) {
            let fits = scheduler.admits(&waiting.request, &node).is_ok();
            if fits && crowds(&waiting.container, &node, &left).is_none() {
                node = Arc::new(node.with_reserved(&[Arc::clone(&waiting.container)]));
                served = served.or(Some(waiting));
            } else {
                left.push(waiting);
            }
        }
        let (request, container) = newcomer;
        match served.filter(|_| scheduler.admits(request, &node).is_err()) {
            Some(served) => Some(kept_for(&served.request, &node)),
            None => crowds(container, &node, &left),
        }
    }

    /// Returns how many wait.
    pub(super) fn len(&self) -> usize {
        self.line().waiting.len()
    }

    /// Takes the right to choose while others wait; none is needed when nobody does.
    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        let wanted = self.len() > 0;
        wanted.then(|| self.0.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the last place, if there is one.
    fn join(&self, request: &Arc<Request>, container: &Arc<Container>) -> Option<Place> {
        let mut line = self.line();
        if line.waiting.len() >= LENGTH {
            return None;
        }
        line.next += 1;
        let ticket = line.next;
        Arc::make_mut(&mut line.waiting).push(Waiting {
            ticket,
            at: Timestamp::now(),
            request: Arc::clone(request),
            container: Arc::clone(container),
            found: None,
        });
        Some(Place {
            queue: self.clone(),
            ticket,
            since: Instant::now(),
        })
    }

    /// Notes what one saw at its last look; returns how many are before it.
    fn note(&self, ticket: u64, request: Arc<Request>, found: Option<Found>) -> usize {
        let mut line = self.line();
        let ahead = line.waiting.iter().position(|w| w.ticket == ticket);
        let waiting = Arc::make_mut(&mut line.waiting);
        if let Some(waiting) = ahead.and_then(|at| waiting.get_mut(at)) {
            (waiting.request, waiting.found) = (request, found);
        }
        ahead.unwrap_or(0)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Queue {
    /// Makes one in which only those wait that ask for it.
    fn default() -> Self {
        Self::new(Duration::ZERO, CancellationToken::new())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        Arc::make_mut(&mut line.waiting).retain(|w| w.ticket != self.ticket);
        drop(line);
        self.queue.0.left.send_replace(());
    }
}

/// A create's way through the queue.
#[derive(Debug)]
pub(super) struct Wait {
    queue: Queue,
    patience: Duration,
    container: Arc<Container>,
    gone: CancellationToken,
    place: Option<Place>,
    parting: Option<Parting>,
}

impl Wait {
    /// Begins one; it ends with `gone`, and does not wait at all with none.
    pub(super) fn new(cluster: &Cluster, create: &Create, gone: Option<CancellationToken>) -> Self {
        let queue = cluster.queue().clone();
        let patience = match gone {
            Some(_) => queue.patience(&create.spec.request),
            None => Duration::ZERO,
        };
        Self {
            queue,
            patience,
            container: Arc::clone(&create.spec.stand_in),
            gone: gone.unwrap_or_default(),
            place: None,
            parting: None,
        }
    }

    /// Chooses as [`choose`] does, again and again while there is no room and some may come; returns the membership too
    /// that was looked at.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue.
    pub(super) async fn choose(
        &mut self,
        cluster: &Cluster,
        create: &Create,
        best: bool,
        trace: &mut Trace,
    ) -> (Arc<Members>, Result<Option<Chosen>, Error>) {
        let mut news = News::of(cluster, &self.queue);
        loop {
            news.forget();
            let began = Instant::now();
            Box::pin(advise(cluster, create, trace)).await;
            let chosen = {
                let _turn = self.queue.turn();
                choose(cluster, create, best, trace)
            };
            // Not older than what was looked at.
            let members = cluster.members();
            let refused = match chosen {
                // After a node that failed, what happened there is the answer.
                Err(error @ Error::Refused(_))
                    if !self.patience.is_zero() && !trace.has_passed_over() =>
                {
                    error
                }
                Ok(None) => return (members, Ok(None)),
                other => {
                    self.leave(trace, Parting::Hopeless);
                    return (members, other);
                }
            };
            if !self.stand(cluster, trace, &refused) {
                return (members, Err(refused));
            }
            let looks = began.elapsed() * u32::try_from(self.queue.len()).unwrap_or(1);
            let rest = (looks * 4).clamp(REST.0, REST.1);
            if let Some(parting) = self.until_news(&mut news, rest).await {
                self.leave(trace, parting);
                return (members, Err(refused));
            }
            trace.look_again();
        }
    }

    /// Adds to an error how the wait ended.
    pub(super) fn told(&self, error: Error) -> Error {
        let placed = matches!(error, Error::Refused(_) | Error::Unplaced { .. });
        match self.parting.filter(|_| placed) {
            Some(end) => Error::Waited {
                error: Box::new(error),
                end,
            },
            None => error,
        }
    }

    /// Takes a place, or keeps it; not if no node will ever do.
    fn stand(&mut self, cluster: &Cluster, trace: &mut Trace, why: &Error) -> bool {
        let Some((request, picture)) = trace.look() else {
            return false;
        };
        if !cluster.scheduler().may_pass(&request, picture.nodes()) {
            self.leave(trace, Parting::Hopeless);
            return false;
        }
        let is_new = self.place.is_none();
        if is_new {
            self.place = self.queue.join(&request, &self.container);
        }
        let Some(place) = &self.place else {
            self.parting = Some(Parting::Full);
            return false;
        };
        trace.ticket = Some(place.ticket);
        let message = why.to_string();
        let found = trace.pending(Outcome::Waiting { ahead: 0, message });
        let ahead = self.queue.note(place.ticket, request, found);
        if is_new {
            let (name, longest) = (create_name(trace), self.patience);
            tracing::info!(name, ahead, ?longest, "a create waits for room");
        }
        true
    }

    /// Waits until something has changed, and a rest is over; or says why not any longer.
    async fn until_news(&self, news: &mut News, rest: Duration) -> Option<fn(Duration) -> Parting> {
        let since = self.place.as_ref().map_or_else(Instant::now, |p| p.since);
        let news = async {
            news.come().await;
            tokio::time::sleep(rest).await;
        };
        tokio::select! {
            () = news => None,
            () = tokio::time::sleep_until(since + self.patience) => Some(Parting::Timeout),
            () = self.gone.cancelled() => Some(Parting::Gone),
            () = self.queue.0.stop.cancelled() => Some(Parting::Stopping),
        }
    }

    /// Leaves the queue, if it is in it.
    fn leave(&mut self, trace: &mut Trace, parting: fn(Duration) -> Parting) {
        if let Some(place) = self.place.take() {
            let waited = place.since.elapsed();
            tracing::info!(
                name = create_name(trace),
                ?waited,
                "a create leaves the queue"
            );
            trace.waited += waited;
            self.parting = Some(parting(trace.waited));
        }
    }
}

/// Returns the name that a create asks for.
fn create_name(trace: &Trace) -> Option<&str> {
    trace.request()?.name.as_deref()
}

/// What may make room.
struct News {
    members: watch::Receiver<Arc<Members>>,
    released: watch::Receiver<()>,
    left: watch::Receiver<()>,
}

impl News {
    fn of(cluster: &Cluster, queue: &Queue) -> Self {
        Self {
            members: cluster.members.clone(),
            released: cluster.reservations().released(),
            left: queue.0.left.subscribe(),
        }
    }

    /// Takes what is so far for known.
    fn forget(&mut self) {
        self.members.mark_unchanged();
        self.released.mark_unchanged();
        self.left.mark_unchanged();
    }

    /// Waits for any.
    async fn come(&mut self) {
        tokio::select! {
            () = changed(&mut self.members) => {}
            () = changed(&mut self.released) => {}
            () = changed(&mut self.left) => {}
        }
    }
}

/// Waits for a change, for ever if none can come.
async fn changed<T>(watched: &mut watch::Receiver<T>) {
    if watched.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waited = |waited: &Duration| format!("{:.1} s", waited.as_secs_f64());
        match self {
            Self::Timeout(time) => write!(f, "it waited {} for room", waited(time)),
            Self::Gone(time) => write!(f, "its client went away after {}", waited(time)),
            Self::Stopping(time) => {
                let time = waited(time);
                write!(f, "it waited {time} for room, and Flotilla stops")
            }
            Self::Hopeless(time) => {
                let time = waited(time);
                write!(f, "it waited {time} for room, until none could come")
            }
            Self::Full => write!(
                f,
                "it cannot wait for room, as {LENGTH} others do: try again later"
            ),
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
