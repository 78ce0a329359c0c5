//! Asking plug-ins about the nodes of a create, before one of them is chosen and while nothing is held.

use std::sync::Arc;

use jiff::Timestamp;

use super::choose::Trace;
use super::create::Create;
use super::{Cluster, reservation};
use crate::advisor::Question;
use crate::model::{ClusterView, Node};
use crate::scheduler::Scheduler;

/// Asks the plug-ins of the strategy, if it has any, about the nodes that the rules admit; their advice is in the trace.
pub(super) async fn advise(cluster: &Cluster, create: &Create, trace: &mut Trace) {
    let scheduler = cluster.scheduler();
    let names = scheduler.plug_ins();
    if names.is_empty() {
        // Another strategy may have had some.
        trace.advice = Arc::default();
        return;
    }
    // One that has failed is not asked again at the same look.
    if trace.advice.failures().next().is_some() {
        return;
    }
    if let Some(question) = question(cluster, &scheduler, create, trace) {
        trace.advice = Arc::new(cluster.advisors().consult(&names, question).await);
    }
}

/// Makes the question; `None` when there is no node to choose.
fn question(
    cluster: &Cluster,
    scheduler: &Scheduler,
    create: &Create,
    trace: &Trace,
) -> Option<Question> {
    let reserved = cluster.reservations();
    let seen = reserved.seen(cluster);
    let request = reserved.homed(&seen.members, &create.spec.request);
    // What is wrong with its pod is told where it is chosen.
    let request = reserved.with_pod(request).ok()?;
    let nodes = seen.picture.iter();
    let left = nodes.filter(|n| !trace.passed_over.contains(&n.key));
    let left = ClusterView::new(left.map(|n| reservation::without(n, &request)).collect());
    let balanced = scheduler.balanced(&request, left.nodes());
    let admitted = left.nodes().iter();
    let admitted = admitted.filter(|n| scheduler.admits(&balanced, n).is_ok());
    let admitted: Vec<Arc<Node>> = admitted.cloned().collect();
    let some = !admitted.is_empty();
    some.then(|| Question::new(&request, &admitted, Timestamp::now()))
}
