//! Events of all engines as one stream: history first, in the order of time, then what happens now.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::broadcast;

use super::Cluster;
use super::once::Once;
use crate::engine;
use crate::model::event::Event;

/// How long history may take to come from one engine; the others are told without it.
const HISTORY_DEADLINE: Duration = Duration::from_secs(5);

/// A reader of the cluster's events.
#[derive(Debug)]
pub struct Reader {
    history: std::vec::IntoIter<Arc<Event>>,
    /// What history ended with, so that the live stream does not repeat it.
    told: HashSet<(Arc<str>, i64, String, String)>,
    live: broadcast::Receiver<Arc<Event>>,
    once: Once,
}

impl Reader {
    /// Starts reading from now.
    pub fn open(cluster: &Cluster) -> Self {
        Self {
            history: Vec::new().into_iter(),
            told: HashSet::new(),
            live: cluster.feed().subscribe(),
            once: Once::default(),
        }
    }

    /// Reads what happened from `since` (nanoseconds since the Unix epoch) to be told first. The reader was opened
    /// before, so nothing falls between.
    #[must_use]
    pub async fn with_history(mut self, cluster: &Cluster, since: i64, until: Option<i64>) -> Self {
        let members = cluster.members();
        let asked = members.healthy().map(|(node, engine)| {
            let (node, engine) = (Arc::clone(node), engine.clone());
            async move { engine::history(&engine, &node, since, until, HISTORY_DEADLINE).await }
        });
        let mut past = Vec::new();
        for result in join_all(asked).await {
            match result {
                Ok(events) => past.extend(events),
                Err(error) => tracing::warn!(%error, "no event history from an engine"),
            }
        }
        // By one clock: those of the engines may differ.
        let nodes = members.view.nodes().iter();
        let skews: HashMap<_, _> = nodes
            .map(|node| (Arc::clone(&node.key), node.facts.skew_nano()))
            .collect();
        let until = until.unwrap_or(i64::MAX);
        let history = cluster.feed().complete(past, &skews, since, until);
        self.told = history.iter().map(|e| key(e)).collect();
        self.history = history.into_iter();
        self
    }

    /// Returns the next event; `None` when the reader was too slow for the live stream.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        if let Some(event) = self.next_past() {
            return Some(event);
        }
        loop {
            let event = self.live.recv().await.ok()?;
            if !self.told.remove(&key(&event)) && self.once.is_first(&event) {
                return Some(event);
            }
        }
    }

    /// Returns what is left of history, without waiting.
    pub fn next_past(&mut self) -> Option<Arc<Event>> {
        self.history.find(|event| self.once.is_first(event))
    }
}

fn key(event: &Event) -> (Arc<str>, i64, String, String) {
    (
        Arc::clone(&event.node),
        event.time_nano,
        event.action.clone(),
        event.actor.clone(),
    )
}
