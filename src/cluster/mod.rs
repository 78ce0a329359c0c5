//! All daemons as one: membership, look-ups, reservations, creates, events.
//!
//! State: membership and the view are written by the [`members`] task alone and published as ONE value; reservations
//! and owners of execs are behind short private locks that no await crosses.

pub mod absent;
mod advise;
pub mod alike;
mod bring;
pub mod builds;
mod carry;
pub mod choose;
pub mod create;
pub mod decision;
pub mod decisions;
mod desk;
mod devices;
mod endpoints;
pub mod entries;
pub mod error;
pub mod events;
pub mod execs;
pub mod explain;
pub mod flight;
pub mod globals;
pub mod members;
mod names;
mod naming;
mod once;
mod outlook;
mod pods;
pub mod queue;
pub mod references;
mod replace;
pub mod replicas;
pub mod reservation;
pub mod resolve;
pub mod settle;
pub mod spec;
pub mod stall;
pub mod supply;
pub mod transfer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

pub use decisions::Decisions;
pub use error::Error;
pub use members::Members;
pub use queue::Queue;

use crate::advisor::Advisors;
use crate::engine::{Engine, Feed, Refresh};
use crate::model::Manners;
use crate::scheduler::{self, Scheduler};

/// How long a request waits for the view to show what it just did.
const VISIBLE_DEADLINE: Duration = Duration::from_secs(5);
/// How long after the start requests wait for engines that have not been tried.
const START: Duration = Duration::from_secs(10);

/// The cluster as requests see it; clones share everything.
#[derive(Clone, Debug)]
pub struct Cluster {
    members: watch::Receiver<Arc<Members>>,
    scheduler: watch::Sender<Arc<Scheduler>>,
    manners: Manners,
    reservations: reservation::Reservations,
    desks: desk::Desks,
    execs: execs::Execs,
    builds: builds::Builds,
    transfers: transfer::Transfers,
    copying: replicas::Copying,
    decisions: Decisions,
    queue: Queue,
    feed: Feed,
    advisors: Arc<Advisors>,
    /// Whether engines are to measure what containers use.
    measure: watch::Sender<bool>,
    started: Instant,
}

impl Cluster {
    /// Makes the cluster over a published membership.
    pub fn new(
        members: watch::Receiver<Arc<Members>>,
        scheduler: Scheduler,
        feed: Feed,
        decisions: Decisions,
    ) -> Self {
        Self {
            members,
            manners: scheduler.manners(),
            scheduler: watch::Sender::new(Arc::new(scheduler)),
            reservations: reservation::Reservations::default(),
            desks: desk::Desks::default(),
            execs: execs::Execs::default(),
            builds: builds::Builds::default(),
            transfers: transfer::Transfers::default(),
            copying: replicas::Copying::default(),
            decisions,
            queue: Queue::default(),
            feed,
            advisors: Arc::default(),
            measure: watch::Sender::new(false),
            started: Instant::now(),
        }
    }

    /// Has these plug-ins asked, if the strategy names them.
    #[must_use]
    pub fn advised(mut self, advisors: Advisors) -> Self {
        self.advisors = Arc::new(advisors);
        self
    }

    /// Has the engines told through `measure` whether the strategy looks at what containers use.
    #[must_use]
    pub fn measuring(mut self, measure: watch::Sender<bool>) -> Self {
        measure.send_replace(self.scheduler().uses_load());
        self.measure = measure;
        self
    }

    /// Lets creates wait for room in a queue.
    #[must_use]
    pub fn with_queue(mut self, queue: Queue) -> Self {
        self.queue = queue;
        self
    }

    /// Returns the newest membership; a request takes it once and looks at nothing else.
    pub fn members(&self) -> Arc<Members> {
        Arc::clone(&self.members.borrow())
    }

    /// Waits until every engine known at the start has been tried once, so that the first answers are whole; at most
    /// until 10 s after the start.
    pub async fn settled(&self) {
        if self.members.borrow().settled {
            return;
        }
        let mut members = self.members.clone();
        let wait = members.wait_for(|m| m.settled);
        // After the deadline the answer is made of what is known.
        let _ = tokio::time::timeout_at(self.started + START, wait).await;
    }

    /// Returns the scheduler; a request takes it once, as another may take its place.
    pub fn scheduler(&self) -> Arc<Scheduler> {
        Arc::clone(&self.scheduler.borrow())
    }

    /// Chooses by another strategy from now on.
    ///
    /// # Errors
    /// The text names none; all stays as it was.
    pub fn switch_strategy(&self, strategy: &str) -> Result<(), scheduler::Unknown> {
        let mut outcome = Ok(());
        self.scheduler.send_if_modified(|current| {
            match current.with_strategy(strategy) {
                Ok(other) => match other.plug_ins().iter().find(|p| !self.advisors.has(p)) {
                    None => *current = Arc::new(other),
                    // A client must not have files read or servers asked that the operator has not named.
                    Some(name) => {
                        let name = (*name).to_owned();
                        outcome = Err(scheduler::strategy::Unknown::PlugIn { name }.into());
                    }
                },
                Err(unknown) => outcome = Err(unknown),
            }
            outcome.is_ok()
        });
        self.measure.send_replace(self.scheduler().uses_load());
        outcome
    }

    /// Returns whose habits are followed.
    pub fn manners(&self) -> Manners {
        self.manners
    }

    /// Returns the reservations of names and resources.
    pub fn reservations(&self) -> &reservation::Reservations {
        &self.reservations
    }

    /// Returns what decisions work with.
    fn desks(&self) -> &desk::Desks {
        &self.desks
    }

    /// Returns the owners of execs.
    pub fn execs(&self) -> &execs::Execs {
        &self.execs
    }

    /// Returns the places of builds.
    pub fn builds(&self) -> &builds::Builds {
        &self.builds
    }

    /// Returns the images on their way.
    pub fn transfers(&self) -> &transfer::Transfers {
        &self.transfers
    }

    /// Returns the networks that are being made on other nodes.
    pub fn copying(&self) -> &replicas::Copying {
        &self.copying
    }

    /// Returns the plug-ins that are loaded.
    pub fn advisors(&self) -> &Advisors {
        &self.advisors
    }

    /// Returns the last decisions.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Returns the creates that wait for room.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Returns where the events of all engines go.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Reads the images of nodes anew to which tunnels of builders lead: nothing tells when a build in one has ended.
    pub async fn after_tunnels(&self) {
        let keys = self.builds.tunnelled();
        if keys.is_empty() {
            return;
        }
        let members = self.members();
        let healthy = members.healthy();
        let engines = healthy.filter(|(node, _)| keys.contains(&node.key));
        let reads = engines.map(|(_, engine)| self.refresh(engine, Refresh::Images));
        futures_util::future::join_all(reads).await;
    }

    /// Tells whether an engine is one of the cluster's still; one that left and came back is another.
    pub fn is_member(&self, engine: &Engine) -> bool {
        let members = self.members();
        let now = members.engine(engine.client().key());
        now.is_some_and(|now| now.is_same(engine))
    }

    /// Reads `what` anew from `engine` and waits until the cluster's view shows it (read your writes); tells whether it
    /// does. Late is not lost: the view catches up by itself.
    pub async fn refresh(&self, engine: &Engine, what: Refresh) -> bool {
        let Some(revision) = engine.refresh(what).await else {
            return false;
        };
        let key = Arc::clone(engine.client().key());
        let mut members = self.members.clone();
        let shown = members.wait_for(|m| {
            m.view
                .by_key(&key)
                .is_none_or(|node| node.revision >= revision)
        });
        let shown = tokio::time::timeout(VISIBLE_DEADLINE, shown).await;
        matches!(shown, Ok(Ok(_)))
    }
}
