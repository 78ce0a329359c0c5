//! Choosing: which nodes can take a container, best first, and which of them is reserved for it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::advise::advise;
use super::create::{Answer, BEST_ROUNDS, Create, ROUNDS};
use super::decision::{Decision, Id, Outcome, Step, Taken, cut};
use super::decisions::Found;
use super::outlook::Seen;
use super::pods;
use super::reservation::{Lost, Reservation};
use super::spec::Spec;
use super::supply::{Supply, Wanted};
use super::{Cluster, Error, reservation};
use crate::model::{ClusterView, Node, Picture};
use crate::scheduler::advice::Advice;
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
    pub(super) passed_over: Vec<Arc<str>>,
    /// What plug-ins said last.
    pub(super) advice: Arc<Advice>,
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
    picture: Arc<Picture>,
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
            advice: Arc::default(),
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
        Some((Arc::clone(&look.request), Arc::new(look.picture.view())))
    }

    /// Tells whether some node turned out not to do it.
    pub(super) fn has_passed_over(&self) -> bool {
        !self.passed_over.is_empty()
    }

    /// Forgets what happened at a look that is taken again because nothing came of it.
    pub(super) fn look_again(&mut self) {
        self.steps.clear();
        self.more_steps = 0;
        // Of other nodes, and perhaps of a strategy that is no longer in force.
        self.advice = Arc::default();
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
        let (decision, picture) = self.decision(outcome)?;
        cluster.decisions().push(Arc::clone(&decision), picture);
        Some(decision)
    }

    /// Returns the decision as it is now.
    pub(super) fn pending(&self, outcome: Outcome) -> Option<Found> {
        let (decision, picture) = self.decision(outcome)?;
        let picture = Some(Arc::new(picture.view()));
        Some(Found { decision, picture })
    }

    /// Makes the decision, with the picture that it was made on.
    fn decision(&self, outcome: Outcome) -> Option<(Arc<Decision>, Arc<Picture>)> {
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
        Some((decision, picture))
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
    candidates: Vec<(Arc<Node>, Supply)>,
}

/// What is asked for, of the nodes as they will be.
struct Asked {
    seen: Seen,
    request: Arc<Request>,
    scheduler: Arc<Scheduler>,
}

/// Ranks the nodes that can take a container, but for those that turned out not to; where an index knows the best, that
/// alone is told if nothing but the `best` will do.
fn rank(
    cluster: &Cluster,
    create: &Create,
    best: bool,
    trace: &mut Trace,
) -> Result<Ranked, Error> {
    let reserved = cluster.reservations();
    let seen = reserved.seen(cluster);
    let mut request = reserved.homed(&seen.members, &create.spec.request);
    if !trace.advice.0.is_empty() {
        Arc::make_mut(&mut request).advice = Arc::clone(&trace.advice);
    }
    if let Some(name) = &request.name {
        // Said before any complaint about room, as an engine does.
        reserved.check_name(cluster, name)?;
    }
    let request = reserved.with_pod(request)?;
    let asked = Asked {
        seen,
        request,
        scheduler: cluster.scheduler(),
    };
    let indexed = match best {
        true => by_index(cluster, &asked, trace),
        false => None,
    };
    match indexed {
        Some(ranked) => Ok(ranked),
        None => one_by_one(cluster, asked, create, trace),
    }
}

/// Finds the best node without a look at each, where no room is kept for others and no node turned out not to do it;
/// nothing where none admits the request.
fn by_index(cluster: &Cluster, asked: &Asked, trace: &mut Trace) -> Option<Ranked> {
    let Asked {
        seen,
        request,
        scheduler,
    } = asked;
    let plain = trace.passed_over.is_empty() && cluster.queue().len() == 0;
    if !plain || !scheduler.knows_by_index(request) {
        return None;
    }
    let best = cluster.desks().best(scheduler, request, &seen.picture)?;
    trace.look = Some(Look {
        request: Arc::clone(request),
        picture: Arc::clone(&seen.picture),
        scheduler: Arc::clone(scheduler),
    });
    trace.node = None;
    let supply = match best.has_image {
        true => Supply::Here,
        false => Wanted::new(&seen.members, &request.image).on(&best.node),
    };
    Some(Ranked {
        request: Arc::clone(request),
        candidates: vec![(best.node, supply)],
    })
}

/// Looks at each node by itself.
fn one_by_one(
    cluster: &Cluster,
    asked: Asked,
    create: &Create,
    trace: &mut Trace,
) -> Result<Ranked, Error> {
    let Asked {
        seen,
        request,
        scheduler,
    } = asked;
    let nodes = seen.picture.iter();
    let nodes: Vec<_> = nodes.map(|n| reservation::without(n, &request)).collect();
    let left = nodes.iter().filter(|n| !trace.passed_over.contains(&n.key));
    let left = ClusterView::new(left.cloned().collect());
    let request = match scheduler.balanced(&request, left.nodes()) {
        Cow::Borrowed(_) => request,
        Cow::Owned(balanced) => Arc::new(balanced),
    };
    let picture = match request.replaces.as_slice() {
        [] => seen.picture,
        _ => Arc::new(Picture::new(&nodes)),
    };
    trace.look = Some(Look {
        request: Arc::clone(&request),
        picture,
        scheduler: Arc::clone(&scheduler),
    });
    trace.node = None;
    let placement = scheduler.place(&request, &left);
    let wanted = Wanted::new(&seen.members, &request.image);
    let mut placement = placement.map_err(Error::Refused)?;
    let too_few = pods::too_few(&request, &placement.candidates);
    if !too_few.is_empty() {
        for (node, refusal) in &too_few {
            trace.step(node, || refusal.to_string());
        }
        let refused = Refused::All(placement.refused).and(too_few);
        return Err(Error::Refused(refused));
    }
    let candidates = std::mem::take(&mut placement.candidates).into_iter();
    let mut candidates: Vec<_> = candidates
        .map(|n| {
            let supply = wanted.on(&n);
            (n, supply)
        })
        .collect();
    // Stable: where the image may not come to, only if there is no other place.
    candidates.sort_by_key(|(_, supply)| supply.order());
    let ranked = Ranked {
        request,
        candidates,
    };
    let view = ClusterView::new(nodes);
    free_of_claims(cluster, ranked, (&view, placement.refused), create, trace)
}

/// Leaves out the nodes of a view whose room is kept for creates that wait for it already; the rest was refused.
fn free_of_claims(
    cluster: &Cluster,
    mut ranked: Ranked,
    (view, refused): (&ClusterView, Vec<(Arc<Node>, Refusal)>),
    create: &Create,
    trace: &mut Trace,
) -> Result<Ranked, Error> {
    // What takes another's place, or one that is kept for its pod, takes no room.
    if cluster.queue().len() == 0 || !ranked.request.replaces.is_empty() {
        return Ok(ranked);
    }
    let ticket = trace.ticket;
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
    let refused = Refused::All(refused).and(kept);
    Err(Error::Refused(refused))
}

/// Picks and reserves a node; `None` when every candidate was lost to another create in the meantime, or, with `best`,
/// when the one that was chosen is no longer as good a place.
pub(super) fn choose(
    cluster: &Cluster,
    create: &Create,
    best: bool,
    trace: &mut Trace,
) -> Result<Option<Chosen>, Error> {
    let ranked = rank(cluster, create, best, trace)?;
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
        if matches!(lost, Lost::Rank | Lost::Home | Lost::Pod) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Chooses a node for a container and reserves it, as each create begins, and sends nothing: for who measures that.
///
/// # Errors
/// The name is taken, no node admits it, or others were faster each time.
pub fn hold(cluster: &Cluster, create: &Create) -> Result<(Arc<Node>, Reservation), Error> {
    let mut trace = Trace::new(cluster, &create.spec);
    for round in 0..ROUNDS {
        let best = round < BEST_ROUNDS;
        if let Some(chosen) = choose(cluster, create, best, &mut trace)? {
            trace.keep(cluster, Outcome::Explained);
            return Ok((chosen.node, chosen.reservation));
        }
    }
    Err(Error::Conflict("others were faster".to_owned()))
}

/// Decides where a container would go, and creates nothing.
///
/// # Errors
/// The name is taken, or decisions are not kept.
pub async fn explain(cluster: &Cluster, create: &Create) -> Result<Arc<Decision>, Error> {
    let mut trace = Trace::new(cluster, &create.spec);
    Box::pin(advise(cluster, create, &mut trace)).await;
    let ranked = rank(cluster, create, true, &mut trace);
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
