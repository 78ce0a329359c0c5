//! Choosing: which nodes can take a container, best first, and which of them is reserved for it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::create::{Answer, Create};
use super::decision::{Decision, Id, Outcome, Step, Taken, cut};
use super::decisions::Found;
use super::reservation::{Lost, Reservation};
use super::spec::Spec;
use super::supply::{Supply, Wanted};
use super::{Cluster, Error, Members};
use crate::model::{ClusterView, Node};
use crate::scheduler::{Refusal, Refused, Request, Scheduler};

/// The largest body of a create whose decision is kept, in bytes.
const KEPT_BYTES: usize = 64 << 10;

/// A node, what it still needs, and the promise that it is ours.
pub(super) struct Chosen {
    pub(super) node: Arc<Node>,
    pub(super) supply: Supply,
    pub(super) reservation: Reservation,
}

/// A create on its way to being a decision.
#[derive(Debug)]
pub(super) struct Trace {
    /// Its number; `None` when decisions are not kept.
    pub(super) id: Option<Id>,
    /// What was last asked, the picture that it was asked of, and the rules.
    look: Option<Look>,
    node: Option<Arc<Node>>,
    /// The nodes, by key, that turned out not to do it.
    passed_over: Vec<Arc<str>>,
    steps: Vec<Step>,
    more_steps: usize,
    /// Its place in the queue, once it has one.
    pub(super) ticket: Option<u64>,
    /// How long it has waited there.
    pub(super) waited: Duration,
}

/// One look at all nodes.
#[derive(Clone, Debug)]
struct Look {
    request: Arc<Request>,
    picture: Arc<ClusterView>,
    scheduler: Arc<Scheduler>,
}

impl Trace {
    /// Starts one.
    pub(super) fn new(cluster: &Cluster, spec: &Spec) -> Self {
        // What would fill the memory is decided like any other, and not kept.
        let small = spec.length() <= KEPT_BYTES;
        let number = || cluster.decisions().number();
        Self {
            id: small.then(number).flatten(),
            look: None,
            node: None,
            passed_over: Vec::new(),
            steps: Vec::new(),
            more_steps: 0,
            ticket: None,
            waited: Duration::ZERO,
        }
    }

    /// Returns what was last asked.
    pub(super) fn request(&self) -> Option<&Request> {
        self.look.as_ref().map(|look| &*look.request)
    }

    /// Returns what was last asked, and of which picture.
    pub(super) fn look(&self) -> Option<(Arc<Request>, Arc<ClusterView>)> {
        let look = self.look.as_ref()?;
        Some((Arc::clone(&look.request), Arc::clone(&look.picture)))
    }

    /// Tells whether some node turned out not to do it.
    pub(super) fn has_passed_over(&self) -> bool {
        !self.passed_over.is_empty()
    }

    /// Forgets what happened at a look that is taken again because nothing came of it.
    pub(super) fn look_again(&mut self) {
        self.steps.clear();
        self.more_steps = 0;
    }

    /// Notes what happened to a node.
    pub(super) fn step(&mut self, node: &Node, what: impl FnOnce() -> String) {
        if self.id.is_some() {
            let step = Step {
                key: Arc::clone(&node.key),
                node: node.name.clone(),
                what: cut(what()),
            };
            step.add(&mut self.steps, &mut self.more_steps);
        }
    }

    /// Notes that the node will not do, and why; gives the reason back.
    pub(super) fn pass_over(&mut self, node: &Node, why: Error) -> Error {
        self.step(node, || why.to_string());
        self.passed_over.push(Arc::clone(&node.key));
        self.node = None;
        why
    }

    /// Keeps the decision, if one came to be: it did when nodes were looked at.
    fn keep(&self, cluster: &Cluster, outcome: Outcome) -> Option<Arc<Decision>> {
        let found = self.pending(outcome)?;
        let decision = Arc::clone(&found.decision);
        cluster.decisions().push(found.decision, found.picture?);
        Some(decision)
    }

    /// Returns the decision as it is now.
    pub(super) fn pending(&self, outcome: Outcome) -> Option<Found> {
        let Look {
            request,
            picture,
            scheduler,
        } = self.look.clone()?;
        let taken = |node: Arc<Node>| Taken {
            key: Arc::clone(&node.key),
            name: node.name.clone(),
            standing: scheduler.verdict(&request, &node).said.ok(),
        };
        let node = self.node.clone().map(taken);
        let decision = Arc::new(Decision {
            id: self.id?,
            at: Timestamp::now(),
            request,
            scheduler,
            node,
            passed_over: self.passed_over.clone(),
            steps: self.steps.clone(),
            more_steps: self.more_steps,
            waited: self.waited,
            outcome,
        });
        Some(Found {
            decision,
            picture: Some(picture),
        })
    }

    /// Keeps how a create ended; the error of one that no node admits says how to ask why.
    pub(super) fn end(
        mut self,
        cluster: &Cluster,
        ended: Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        let outcome = match &ended {
            Ok(answer) => match answer.container() {
                Some(container) => Outcome::Placed { container },
                None => Outcome::Failed(cut(answer.message())),
            },
            Err(error @ Error::Refused(_)) => {
                self.node = None;
                Outcome::Refused(cut(error.to_string()))
            }
            Err(error) => Outcome::Failed(cut(error.to_string())),
        };
        let kept = self.keep(cluster, outcome);
        ended.map_err(|error| match (error, kept) {
            (Error::Refused(refused), Some(decision)) => Error::Unplaced {
                refused,
                decision: decision.id,
            },
            (error, _) => error,
        })
    }
}

/// Who can take a container, best first, and what each of them needs.
struct Ranked {
    request: Arc<Request>,
    picture: Arc<ClusterView>,
    candidates: Vec<(Arc<Node>, Supply)>,
    refused: Vec<(Arc<Node>, Refusal)>,
}

/// Ranks the nodes that can take a container, but for those that turned out not to.
fn rank(
    cluster: &Cluster,
    members: &Members,
    create: &Create,
    trace: &mut Trace,
) -> Result<Ranked, Error> {
    let reserved = cluster.reservations();
    let request = reserved.homed(members, &create.spec.request);
    if let Some(name) = &request.name {
        // Said before any complaint about room, as an engine does.
        reserved.check_name(cluster, name)?;
    }
    let nodes = members.view.nodes().iter();
    let nodes = nodes.map(|n| reserved.ahead(n, &request));
    let picture = Arc::new(ClusterView::new(nodes.collect()));
    let left = match trace.passed_over.as_slice() {
        [] => Arc::clone(&picture),
        gone => {
            let left = picture.nodes().iter().filter(|n| !gone.contains(&n.key));
            Arc::new(ClusterView::new(left.cloned().collect()))
        }
    };
    let scheduler = cluster.scheduler();
    let request = match scheduler.balanced(&request, left.nodes()) {
        Cow::Borrowed(_) => request,
        Cow::Owned(balanced) => Arc::new(balanced),
    };
    trace.look = Some(Look {
        request: Arc::clone(&request),
        picture: Arc::clone(&picture),
        scheduler: Arc::clone(&scheduler),
    });
    trace.node = None;
    let placement = scheduler.place(&request, &left);
    let wanted = Wanted::new(members, &request.image);
    let placement = placement.map_err(Error::Refused)?;
    let candidates = placement.candidates.into_iter();
    let mut candidates: Vec<_> = candidates
        .map(|n| {
            let supply = wanted.on(&n);
            (n, supply)
        })
        .collect();
    // Stable: where the image may not come to, only if there is no other place.
    candidates.sort_by_key(|(_, supply)| supply.order());
    Ok(Ranked {
        request,
        picture,
        candidates,
        refused: placement.refused,
    })
}

/// Leaves out the nodes whose room is kept for creates that wait for it already.
fn free_of_claims(
    cluster: &Cluster,
    mut ranked: Ranked,
    create: &Create,
    trace: &mut Trace,
) -> Result<Ranked, Error> {
    // What takes another's place takes no room.
    if cluster.queue().len() == 0 || !ranked.request.replaces.is_empty() {
        return Ok(ranked);
    }
    let (view, ticket) = (&ranked.picture, trace.ticket);
    let request = Arc::clone(&ranked.request);
    let newcomer = (&*request, &create.spec.stand_in);
    let mut kept = Vec::new();
    for (node, supply) in std::mem::take(&mut ranked.candidates) {
        let queue = cluster.queue();
        let claim = queue.objection(cluster, newcomer, &node, view, ticket);
        let Some(claim) = claim else {
            // Others come into question once this one is lost, and are looked at then.
            ranked.candidates.push((node, supply));
            return Ok(ranked);
        };
        trace.step(&node, || claim.to_string());
        kept.push((node, claim));
    }
    let refused = Refused::All(ranked.refused).and(kept);
    Err(Error::Refused(refused))
}

/// Picks and reserves a node; `None` when every candidate was lost to another create in the meantime, or, with `best`,
/// when the one that was chosen is no longer as good a place.
pub(super) fn choose(
    cluster: &Cluster,
    members: &Members,
    create: &Create,
    best: bool,
    trace: &mut Trace,
) -> Result<Option<Chosen>, Error> {
    let ranked = rank(cluster, members, create, trace)?;
    let ranked = free_of_claims(cluster, ranked, create, trace)?;
    let request = &*ranked.request;
    for (node, supply) in ranked.candidates {
        let stand_in = Arc::clone(&create.spec.stand_in);
        let rank = best.then(|| cluster.scheduler().rank(request, &node));
        let reserved = cluster.reservations();
        let lost = match reserved.reserve(cluster, request, &node, stand_in, rank) {
            Ok(reservation) => {
                tracing::debug!(node = %node.name, name = ?request.name, "placed");
                trace.node = Some(Arc::clone(&node));
                return Ok(Some(Chosen {
                    node,
                    supply,
                    reservation,
                }));
            }
            Err(Lost::Name(error)) => return Err(error),
            Err(lost) => lost,
        };
        trace.step(&node, || lost.to_string());
        if matches!(lost, Lost::Rank | Lost::Home) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Decides where a container would go, and creates nothing.
///
/// # Errors
/// The name is taken, or decisions are not kept.
pub fn explain(cluster: &Cluster, create: &Create) -> Result<Arc<Decision>, Error> {
    let mut trace = Trace::new(cluster, &create.spec);
    let ranked = rank(cluster, &cluster.members(), create, &mut trace);
    let ranked = ranked.and_then(|ranked| free_of_claims(cluster, ranked, create, &mut trace));
    let outcome = match ranked {
        Ok(ranked) => {
            trace.node = ranked.candidates.into_iter().next().map(|(node, _)| node);
            Outcome::Explained
        }
        Err(error @ Error::Refused(_)) => {
            let waits = cluster.queue().prospect(cluster, &trace);
            Outcome::Refused(cut(format!("{error}{waits}")))
        }
        Err(error) => return Err(error),
    };
    let kept = trace.keep(cluster, outcome);
    kept.ok_or_else(|| {
        Error::Conflict("a decision that is not kept cannot be explained: none is with --decisions 0, nor one of a body of more than 64 KiB"
                .to_owned())
    })
}
