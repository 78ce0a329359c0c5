//! Room that is kept for the containers of a pod that are still to come.
//!
//! Invariant: state is behind the lock of the reservations; after a restart it is made anew when the next one comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::reservation::{Held, Lost, Reservations, without};
use super::{Cluster, Error};
use crate::model::{Container, Node, Resources};
use crate::scheduler::filter::pod::{Key, Layout, Pod, Rest};
use crate::scheduler::{Refusal, Request, Required};

/// How long room is kept after the last one that came.
const KEPT: Duration = Duration::from_secs(120);

/// What is kept for pods.
#[derive(Debug, Default)]
pub(super) struct Holds(HashMap<Key, Hold>);

/// Room that is promised to those of a pod that are still to come.
#[derive(Debug)]
struct Hold {
    until: Instant,
    places: Vec<Place>,
}

/// Room for one of them.
#[derive(Debug)]
struct Place {
    node: Arc<str>,
    ticket: u64,
    /// What stands in for it.
    id: Arc<str>,
}

impl Reservations {
    /// Returns the request with the rest of its pod, bound to the node where that is, and with the room that is kept for
    /// it.
    ///
    /// # Errors
    /// All of the pod are there.
    pub(super) fn with_pod(&self, mut request: Arc<Request>) -> Result<Arc<Request>, Error> {
        let Some(pod) = pod(&request) else {
            return Ok(request);
        };
        let key = pod.key().clone();
        let held = self.lock();
        let Some(rest) = held.rest(&request)? else {
            return Ok(request);
        };
        let own = Arc::make_mut(&mut request);
        if let (Layout::Together, Some(node)) = (rest.layout, rest.nodes.first()) {
            let name = held.outlook.visible(node);
            let name = name.map_or(&**node, |n| n.name.as_str());
            own.required.push(Required {
                node: Arc::clone(node),
                reason: format!("pod {} is on {name}", rest.name),
            });
        }
        own.pod = Some(rest);
        let kept = held.pods.0.get(&key).into_iter();
        let places = kept.flat_map(|hold| &hold.places);
        own.replaces.extend(places.map(|p| Arc::clone(&p.id)));
        Ok(request)
    }

    /// Keeps room for the rest of a request's pod, which gets a node now.
    ///
    /// # Errors
    /// There is not enough any more.
    pub(super) fn keep_for_pod(
        &self,
        cluster: &Cluster,
        held: &mut Held,
        request: &Request,
        node: &Arc<str>,
    ) -> Result<(), Lost> {
        let (Some(pod), Some(rest)) = (pod(request), &request.pod) else {
            return Ok(());
        };
        let nodes = match rest.layout {
            Layout::Together => vec![Arc::clone(node); rest.missing],
            Layout::Apart => {
                let scheduler = cluster.scheduler();
                let free = |n: &&Arc<Node>| {
                    n.key != *node && scheduler.admits(request, &without(n, request)).is_ok()
                };
                let others = held.outlook.seen().picture.iter().filter(free);
                let others = others.take(rest.missing).map(|n| Arc::clone(&n.key));
                others.collect()
            }
        };
        if nodes.len() < rest.missing {
            return Err(Lost::Pod);
        }
        self.forget(held, pod.key());
        held.follow(cluster);
        let places = nodes.into_iter().enumerate().map(|(at, node)| {
            let id: Arc<str> = format!("pod {:016x} {at}", fastrand::u64(..)).into();
            let container = Container {
                id: Arc::clone(&id),
                resources: match rest.layout {
                    Layout::Together => share(rest, at),
                    Layout::Apart => request.resources,
                },
                ..Container::default()
            };
            let ticket = held.promise(&node, Arc::new(container));
            Place { node, ticket, id }
        });
        let hold = Hold {
            places: places.collect(),
            until: Instant::now() + KEPT,
        };
        if rest.missing > 0 {
            held.pods.0.insert(pod.key().clone(), hold);
            self.let_go();
        }
        Ok(())
    }

    /// Keeps nothing any more for the pod of a request that came to nothing, if none of it is there.
    pub(super) fn give_up_pod(&self, cluster: &Cluster, request: &Request) {
        let Some(pod) = pod(request) else {
            return;
        };
        let mut held = self.lock();
        held.follow(cluster);
        let rest = held.rest(request);
        if matches!(rest, Ok(Some(rest)) if rest.nodes.is_empty()) {
            self.forget(&mut held, pod.key());
        }
    }

    /// Gives back what is kept for a pod.
    fn forget(&self, held: &mut Held, key: &Key) {
        if let Some(hold) = held.pods.0.remove(key) {
            for place in &hold.places {
                self.give_back(held, &place.node, place.ticket);
            }
            held.released.send_replace(());
        }
    }

    /// Gives back what is kept for pods long enough, once it has been.
    fn let_go(&self) {
        let all = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(KEPT + Duration::from_millis(1)).await;
            let (mut held, now) = (all.lock(), Instant::now());
            let holds = held.pods.0.iter();
            let old = holds.filter(|(_, hold)| hold.until <= now);
            let old: Vec<_> = old.map(|(key, _)| key.clone()).collect();
            old.iter().for_each(|key| all.forget(&mut held, key));
        });
    }
}

impl Held {
    /// Returns what is left of a request's pod.
    ///
    /// # Errors
    /// All of the pod are there.
    pub(super) fn rest(&self, request: &Request) -> Result<Option<Rest>, Error> {
        let Some(pod) = pod(request) else {
            return Ok(None);
        };
        let (mut nodes, mut taken) = (Vec::new(), Resources::default());
        for node in self.outlook.seen().picture.iter() {
            let there = |c: &&Arc<Container>| {
                pod.has(&c.labels) && !c.has_ended() && !request.replaces.contains(&c.id)
            };
            for container in node.containers.iter().filter(there) {
                nodes.push(Arc::clone(&node.key));
                taken = taken + container.resources;
            }
        }
        if nodes.len() >= pod.size {
            let (name, size) = (&pod.expr.key, pod.size);
            return Err(Error::Conflict(format!(
                "pod {name} is whole: it was declared with {size} containers, and there are {}",
                nodes.len()
            )));
        }
        Ok(Some(pod.rest(request.resources, taken, nodes)))
    }
}

/// Says of each node that could take one of a pod that is to lie apart why there are too few of them; nothing if there
/// are enough.
pub(super) fn too_few(request: &Request, found: &[Arc<Node>]) -> Vec<(Arc<Node>, Refusal)> {
    let apart = request.pod.as_ref().filter(|p| p.layout == Layout::Apart);
    let short = apart.filter(|rest| found.len() <= rest.missing);
    let told = |rest: &Rest| {
        let nodes = found.iter();
        let told = nodes.map(|n| (Arc::clone(n), rest.too_few(n, found.len())));
        told.collect()
    };
    short.map(told).unwrap_or_default()
}

/// Returns the pod that a request is of.
fn pod(request: &Request) -> Option<&Pod> {
    request.wishes.pods.first()
}

/// Divides what is kept on one node; the first share has what does not divide.
fn share(rest: &Rest, at: usize) -> Resources {
    let count = i64::try_from(rest.missing).unwrap_or(i64::MAX).max(1);
    let of = |all: i64| all / count + if at == 0 { all % count } else { 0 };
    Resources {
        nano_cpus: of(rest.room.nano_cpus),
        memory_bytes: of(rest.room.memory_bytes),
    }
}

#[cfg(test)]
#[path = "pods_tests.rs"]
mod tests;
