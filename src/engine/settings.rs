//! How closely an engine is watched.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::model::Manners;

/// Engines that are read for the first time at once: thousands would take more connections than a process may have.
const FIRST_READS: usize = 64;

/// How closely an engine is watched.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long one probe may take.
    pub probe_deadline: Duration,
    /// How long a healthy engine is left alone between probes.
    pub probe_interval: Duration,
    /// Failed probes in a row that make an engine unhealthy.
    pub failures: u32,
    /// Probes that take longer make an engine slow: it serves, and is the last choice for what is new.
    pub slow_after: Duration,
    /// How long until everything is read anew although no event asked for it; a random time of this range.
    pub refresh: RangeInclusive<Duration>,
    /// How long one list or inspect may take.
    pub call_deadline: Duration,
    /// Share of its resources that a node promises beyond what it has; 0.05 is five percent.
    pub overcommit: f64,
    /// Whose habits lists and promises of resources follow.
    pub manners: Manners,
    /// Whether it is wanted to know what containers use.
    pub measure: watch::Receiver<bool>,
    /// The turns of engines that are read for the first time; all engines share them.
    pub first_reads: Arc<Semaphore>,
}

impl Settings {
    /// Waits for a turn to read an engine for the first time; not for ever: those that have one may be slow.
    pub(crate) async fn turn_to_read(&self) -> Option<SemaphorePermit<'_>> {
        let turn = self.first_reads.acquire();
        // Never closed.
        tokio::time::timeout(self.call_deadline, turn)
            .await
            .ok()?
            .ok()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            probe_deadline: Duration::from_secs(2),
            probe_interval: Duration::from_secs(2),
            failures: 3,
            slow_after: Duration::from_secs(1),
            refresh: Duration::from_secs(30)..=Duration::from_secs(60),
            call_deadline: Duration::from_secs(6),
            overcommit: 0.05,
            manners: Manners::Engine,
            measure: watch::channel(false).1,
            first_reads: Arc::new(Semaphore::new(FIRST_READS)),
        }
    }
}
