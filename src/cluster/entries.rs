//! What managers of the engines' swarm-mode clusters keep of the nodes: read when they change, and told to the engines'
//! monitors, so that placement goes by what operators say at a manager too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Members;
use crate::model::Node;
use crate::model::entry::Entry;

/// How long a manager may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// After how long managers are asked again although nothing has changed, and when one did not answer.
const AGAIN: Duration = Duration::from_secs(30);
/// The least time between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// Follows the managers for ever and tells each engine what they keep of it.
pub async fn run(mut members: watch::Receiver<Arc<Members>>) {
    let (mut last, mut asked_at) = (BTreeMap::new(), Instant::now());
    loop {
        let now = Arc::clone(&members.borrow_and_update());
        let told = told(&now);
        if told != last || asked_at.elapsed() >= AGAIN {
            asked_at = Instant::now();
            last = told;
            tell(&now, &all(&now).await);
        }
        tokio::select! {
            // Whoever publishes has ended, and so has everything else.
            changed = members.changed() => if changed.is_err() { return },
            () = sleep_until(asked_at + AGAIN), if !last.is_empty() => {}
        }
        sleep(PAUSE).await;
    }
}

/// Returns what decides whether managers are to be asked anew: who is in swarm mode, and how often managers told of
/// changes.
fn told(members: &Members) -> BTreeMap<Arc<str>, (String, bool, u64)> {
    let joined = members.view.healthy();
    let joined = joined.filter(|node| !node.swarm_node_id().is_empty());
    let told = |n: &Node| (n.swarm_node_id().to_owned(), n.is_manager(), n.peers_told);
    joined.map(|n| (Arc::clone(&n.key), told(n))).collect()
}

/// Tells the engines what these entries say of them.
fn tell(members: &Members, entries: &[Value]) {
    for entry in entries.iter().filter_map(Entry::parse) {
        let mut nodes = members.view.nodes().iter();
        let node = nodes.find(|node| node.swarm_node_id() == entry.id);
        if let Some(engine) = node.and_then(|node| members.engine(&node.key)) {
            engine.kept(entry);
        }
    }
}

/// Returns what managers keep of all nodes of their clusters; nothing of one of which none tells.
pub async fn all(members: &Members) -> Vec<Value> {
    let (mut entries, mut heard) = (Vec::new(), BTreeSet::new());
    let managers = members.healthy().filter(|(node, _)| node.is_manager());
    for (node, engine) in managers {
        let cluster = node.swarm_id().unwrap_or_default();
        if heard.contains(cluster) {
            continue;
        }
        // One that was demoted past us refuses, and the next one knows as much.
        match engine.client().get("/nodes", DEADLINE).await {
            Ok(text) => {
                heard.insert(cluster.to_owned());
                let told = serde_json::from_slice::<Vec<Value>>(&text);
                entries.extend(told.unwrap_or_default());
            }
            Err(error) => tracing::warn!(%error, "swarm mode's nodes not read"),
        }
    }
    entries
}
