//! Who is in the cluster: follows discovery, runs one monitor per engine, publishes the view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::{Client, Engine, Feed, Settings, monitor};
use crate::model::node::Health;
use crate::model::{ClusterView, Node};
use crate::net::addr::Addr;
use crate::net::dial::Dialer;

/// The cluster at one moment. Invariant: every node of the view has its engine in the same value.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// All nodes.
    pub view: ClusterView,
    /// The engines behind them, by node key.
    pub engines: Arc<BTreeMap<Arc<str>, Engine>>,
    /// Whether discovery has spoken and every engine that it named until then was tried at least once. Stays so:
    /// engines that come later are waited for by nobody.
    pub settled: bool,
}

impl Members {
    /// Returns the engine behind a node.
    pub fn engine(&self, key: &str) -> Option<&Engine> {
        self.engines.get(key)
    }

    /// Returns those of the nodes that pass `admits`.
    #[must_use]
    pub fn only(&self, admits: impl Fn(&Node) -> bool) -> Self {
        let nodes = self.view.nodes().iter().filter(|node| admits(node));
        let nodes: Vec<_> = nodes.cloned().collect();
        let engines = nodes.iter().filter_map(|node| {
            let engine = self.engines.get(&node.key)?;
            Some((Arc::clone(&node.key), engine.clone()))
        });
        Self {
            engines: Arc::new(engines.collect()),
            view: ClusterView::new(nodes),
            settled: self.settled,
        }
    }

    /// Returns the nodes that answer, with their engines.
    pub fn healthy(&self) -> impl Iterator<Item = (&Arc<Node>, &Engine)> {
        self.view
            .healthy()
            .filter_map(|node| Some((node, self.engines.get(&node.key)?)))
    }
}

/// Engines with their monitors, by node key.
type Running = BTreeMap<Arc<str>, (Engine, AbortOnDropHandle<()>)>;

/// What a monitor needs to watch an engine.
#[derive(Clone, Debug)]
pub struct Watch {
    /// How engines are dialled.
    pub dialer: Dialer,
    /// How closely they are watched.
    pub settings: Settings,
    /// Where their events go.
    pub feed: Feed,
}

/// Follows `discovered` for ever and publishes each change; the only writer of `publish`.
pub async fn run(
    mut discovered: watch::Receiver<BTreeSet<Addr>>,
    watch_with: Watch,
    publish: watch::Sender<Arc<Members>>,
) {
    let mut running = Running::new();
    let mut changes = FuturesUnordered::new();
    let (mut open, mut discovered_once, mut settled) = (true, false, false);
    let (mut view, mut engines) = (ClusterView::default(), Arc::default());
    loop {
        let (mut left, mut sorted) = (Vec::new(), true);
        tokio::select! {
            changed = discovered.changed(), if open => {
                // A source that ended leaves its last set in force.
                open = changed.is_ok();
                discovered_once |= open;
                let addrs = discovered.borrow_and_update().clone();
                let wanted = addrs.into_iter().map(|a| (a.to_string().into(), a)).collect();
                left = release(&mut running, &wanted);
                for engine in adopt(&mut running, wanted, &watch_with) {
                    changes.push(next_change(engine.subscribe()));
                }
                (sorted, engines) = (false, handles(&running).into());
            }
            Some(changed) = changes.next() => {
                if let Some(receiver) = changed {
                    sorted &= take(&mut view, &running, &receiver);
                    changes.push(next_change(receiver));
                }
            }
        }
        // Whatever else is ready is published in one go.
        while let Some(Some(changed)) = futures_util::FutureExt::now_or_never(changes.next()) {
            if let Some(receiver) = changed {
                sorted &= take(&mut view, &running, &receiver);
                changes.push(next_change(receiver));
            }
        }
        if !sorted {
            view = ClusterView::new(running.values().map(|(e, _)| e.node()).collect());
        }
        settled =
            settled || discovered_once && view.nodes().iter().all(|n| n.health != Health::New);
        publish.send_replace(Arc::new(Members {
            view: view.clone(),
            engines: Arc::clone(&engines),
            settled,
        }));
        // Once the view is without them: a reader of the event finds them in no list.
        left.iter().for_each(|node| watch_with.feed.left(node));
    }
}

/// Ends the monitors of addresses that are gone; returns the nodes of those that answered until now.
fn release(running: &mut Running, wanted: &BTreeMap<Arc<str>, Addr>) -> Vec<Arc<Node>> {
    let mut left = Vec::new();
    running.retain(|key, (engine, _)| {
        let stays = wanted.contains_key(key);
        if !stays {
            tracing::info!(node = %key, "engine removed from discovery");
            // Of the others their monitors have told.
            left.extend(Some(engine.node()).filter(|node| node.health.is_healthy()));
        }
        stays
    });
    left
}

/// Starts monitors for new addresses; returns the new engines.
fn adopt(
    running: &mut Running,
    wanted: BTreeMap<Arc<str>, Addr>,
    watch_with: &Watch,
) -> Vec<Engine> {
    let mut started = Vec::new();
    for (key, addr) in wanted {
        if running.contains_key(&key) {
            continue;
        }
        tracing::info!(node = %key, "engine discovered");
        let client = Client::new(addr, watch_with.dialer.clone());
        let (engine, task) =
            monitor::start(client, watch_with.settings.clone(), watch_with.feed.clone());
        running.insert(key, (engine.clone(), task));
        started.push(engine);
    }
    started
}

/// Takes the newest picture of an engine into the view; tells whether the view is still in order. What an engine said that
/// has left counts for nothing, even if another is at its address by now.
fn take(view: &mut ClusterView, running: &Running, changed: &watch::Receiver<Arc<Node>>) -> bool {
    let key = Arc::clone(&changed.borrow().key);
    let engine = running.get(&key);
    engine.is_none_or(|(engine, _)| view.replace(engine.node()))
}

/// Waits for the next publication of one engine; `None` when its monitor ended.
async fn next_change(mut node: watch::Receiver<Arc<Node>>) -> Option<watch::Receiver<Arc<Node>>> {
    node.changed().await.ok()?;
    node.mark_unchanged();
    Some(node)
}

/// Returns the engines by their nodes' keys.
fn handles(running: &Running) -> BTreeMap<Arc<str>, Engine> {
    running
        .iter()
        .map(|(key, (engine, _))| (Arc::clone(key), engine.clone()))
        .collect()
}
