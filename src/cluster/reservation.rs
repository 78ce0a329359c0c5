//! Names and room that are promised and not yet visible on an engine.
//!
//! Invariant: the lock is private, held for a check of one node and one name, and never across an await.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;

use super::outlook::{Outlook, Seen};
use super::pods::Holds;
use super::{Cluster, Error, Members, resolve};
use crate::model::{Container, Node};
use crate::scheduler::{Rank, Request, Required};

/// All promises of this process.
#[derive(Clone, Debug, Default)]
pub struct Reservations(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: Mutex<Held>,
    /// What was seen last, for those who only look.
    seen: RwLock<Seen>,
    /// Whether something was given back since.
    stale: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Held {
    /// Told when something is given back.
    pub(super) released: watch::Sender<()>,
    next: u64,
    names: HashMap<String, u64>,
    nodes: Promised,
    pub(super) outlook: Outlook,
    pub(super) pods: Holds,
    /// Where volumes are being made, and by how many at once.
    homes: HashMap<String, (Arc<str>, usize)>,
}

/// What is promised, by node key, with the tickets.
type Promised = HashMap<Arc<str>, Vec<(u64, Arc<Container>)>>;

/// A promise; dropping it gives back the name and the room.
#[derive(Debug)]
pub struct Reservation {
    all: Reservations,
    ticket: u64,
    name: Option<String>,
    node: Option<Arc<str>>,
    volumes: Vec<String>,
}

/// Why a node could not be reserved.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The name is taken: no other node helps.
    #[error(transparent)]
    Name(Error),
    /// The node no longer admits the request: another may.
    #[error("was taken by others meanwhile")]
    Node,
    /// The node is a worse place than it was when it was chosen: another may be better now.
    #[error("became a worse place meanwhile, so all nodes were looked at again")]
    Rank,
    /// Others of its pod have got their places.
    #[error("was chosen before others of its pod were placed, so all nodes were looked at again")]
    Pod,
    /// A volume that it makes has got its home on another node.
    #[error("lost a new volume to another node meanwhile, so all nodes were looked at again")]
    Home,
}

impl Reservations {
    /// Returns the membership of now, and its nodes as they will be when everything reserved is visible. Nobody is
    /// waited for but who brings it up to date.
    pub fn seen(&self, cluster: &Cluster) -> Seen {
        let members = cluster.members();
        let seen = self.0.seen.read();
        let seen = seen.unwrap_or_else(PoisonError::into_inner).clone();
        if Arc::ptr_eq(&seen.members, &members) && !self.0.stale.load(Ordering::Acquire) {
            return seen;
        }
        let mut held = self.lock();
        held.follow(cluster);
        // Set again under the lock only.
        self.0.stale.store(false, Ordering::Release);
        self.show(&held)
    }

    /// Shows what is known by now to those who only look.
    fn show(&self, held: &Held) -> Seen {
        let seen = held.outlook.seen().clone();
        let mut shown = self.0.seen.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *shown, seen.clone());
        drop(shown);
        drop(old);
        seen
    }

    /// Returns `node` as it will be for a request when everything reserved on it is visible, and what the request
    /// takes the place of is gone.
    pub fn ahead(&self, node: &Arc<Node>, request: &Request) -> Arc<Node> {
        let held = self.lock();
        let ahead = ahead(&held.nodes, node);
        drop(held);
        without(&ahead, request)
    }

    /// Returns the request, bound to the homes that its new volumes have got since it was read, or are about to get.
    pub fn homed(&self, members: &Members, request: &Arc<Request>) -> Arc<Request> {
        let mut request = Arc::clone(request);
        if request.new_volumes.is_empty() {
            return request;
        }
        let held = self.lock();
        for volume in &request.new_volumes.clone() {
            if let Some(node) = held.home(members, volume) {
                let name = members.view.by_key(&node);
                let name = name.map_or(&*node, |n| n.name.as_str());
                let reason = format!("volume {volume} is on {name}");
                let request = Arc::make_mut(&mut request);
                request.required.push(Required { node, reason });
            }
        }
        request
    }

    /// Reserves a container on one node, if the name is free and the node still admits the request.
    ///
    /// With `chosen_at` the node must also be as good a place as it was then: of two creates that choose the same
    /// node at once, the second looks again.
    ///
    /// # Errors
    /// Says whether the name, the node or its rank was lost.
    pub fn reserve(
        &self,
        cluster: &Cluster,
        request: &Request,
        node: &Node,
        container: Arc<Container>,
        chosen_at: Option<Rank>,
    ) -> Result<Reservation, Lost> {
        let mut held = self.lock();
        // Read inside the lock: a name given back was visible in the view before.
        let members = held.follow(cluster);
        if let Some(name) = &request.name {
            held.name_is_free(name).map_err(Lost::Name)?;
        }
        let elsewhere = |v: &String| held.home(&members, v).is_some_and(|home| home != node.key);
        if request.new_volumes.iter().any(elsewhere) {
            return Err(Lost::Home);
        }
        if held.rest(request).map_err(Lost::Name)? != request.pod {
            return Err(Lost::Pod);
        }
        let ahead = held.outlook.node(&node.key).ok_or(Lost::Node)?;
        let ahead = without(ahead, request);
        let counted = held.counted(request);
        let request = &*counted;
        if cluster.scheduler().admits(request, &ahead).is_err() {
            return Err(Lost::Node);
        }
        if chosen_at.is_some_and(|rank| cluster.scheduler().rank(request, &ahead) < rank) {
            return Err(Lost::Rank);
        }
        if request.pod.is_some() {
            self.keep_for_pod(cluster, &mut held, request, &node.key)?;
        }
        let ticket = held.promise(&node.key, container);
        if let Some(name) = &request.name {
            held.names.insert(name.clone(), ticket);
        }
        for volume in &request.new_volumes {
            held.make(volume, &node.key);
        }
        self.show(&held);
        Ok(Reservation {
            all: self.clone(),
            ticket,
            name: request.name.clone(),
            node: Some(Arc::clone(&node.key)),
            volumes: request.new_volumes.clone(),
        })
    }

    /// Reserves the name of a volume on the node that is to make it. Several may make the same one at once: an engine
    /// answers all of them alike.
    ///
    /// # Errors
    /// Another node has it, or is making it: its key.
    pub fn reserve_home(
        &self,
        cluster: &Cluster,
        volume: &str,
        node: &Arc<str>,
    ) -> Result<Reservation, Arc<str>> {
        let mut held = self.lock();
        let home = held.home(&cluster.members(), volume);
        if let Some(home) = home.filter(|home| home != node) {
            return Err(home);
        }
        held.make(volume, node);
        Ok(Reservation {
            all: self.clone(),
            ticket: 0,
            name: None,
            node: None,
            volumes: vec![volume.to_owned()],
        })
    }

    /// Checks that a container name is free now.
    ///
    /// # Errors
    /// Another container has it, or is about to.
    pub fn check_name(&self, cluster: &Cluster, name: &str) -> Result<(), Error> {
        let mut held = self.lock();
        held.follow(cluster);
        held.name_is_free(name)
    }

    /// Reserves a name alone, for a rename.
    ///
    /// # Errors
    /// Another container has it.
    pub fn reserve_name(&self, cluster: &Cluster, name: &str) -> Result<Reservation, Error> {
        let mut held = self.lock();
        held.follow(cluster);
        held.name_is_free(name)?;
        held.next += 1;
        let ticket = held.next;
        held.names.insert(name.to_owned(), ticket);
        Ok(Reservation {
            all: self.clone(),
            ticket,
            name: Some(name.to_owned()),
            node: None,
            volumes: Vec::new(),
        })
    }

    /// Reserves the name of another kind of object while it is created; `None` when that is under way already.
    pub fn reserve_object(&self, kind: &str, name: &str) -> Option<Reservation> {
        // No container name holds a slash in front.
        let name = format!("/{kind}/{name}");
        let mut held = self.lock();
        if held.names.contains_key(&name) {
            return None;
        }
        held.next += 1;
        let ticket = held.next;
        held.names.insert(name.clone(), ticket);
        Some(Reservation {
            all: self.clone(),
            ticket,
            name: Some(name),
            node: None,
            volumes: Vec::new(),
        })
    }

    /// Returns what tells that something was given back.
    pub(super) fn released(&self) -> watch::Receiver<()> {
        self.lock().released.subscribe()
    }

    /// Gives back the room of a ticket on a node.
    pub(super) fn give_back(&self, held: &mut Held, node: &str, ticket: u64) {
        if let Some(list) = held.nodes.get_mut(node) {
            list.retain(|(held, _)| *held != ticket);
            if list.is_empty() {
                held.nodes.remove(node);
            }
            held.outlook.gave_back(node);
            self.0.stale.store(true, Ordering::Release);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Tells whether it holds a name.
    pub(super) fn is_named(&self) -> bool {
        self.name.is_some()
    }

    /// Takes a name for a container that is there, in place of the one that was taken before, and tells whether it
    /// could: no other container has it, and none is about to get it.
    ///
    /// Of two that engines gave one name by chance at the same time, the first that claims it keeps it: the other's
    /// create is still under way, and claims it later.
    pub(super) fn claim(&mut self, cluster: &Cluster, id: &str, name: &str) -> bool {
        let mut held = self.all.lock();
        // Read inside the lock: whoever claimed before was visible in the view before.
        held.follow(cluster);
        let others = |(node, other): &(&Arc<Node>, &Arc<Container>)| {
            *other.id != *id && !held.is_unnamed(node, other)
        };
        let promised = held.names.get(name).is_some_and(|t| *t != self.ticket);
        if promised || held.outlook.named(name).iter().any(others) {
            return false;
        }
        if let Some(before) = self.name.replace(name.to_owned()) {
            held.names.remove(&before);
        }
        held.names.insert(name.to_owned(), self.ticket);
        true
    }
}

impl Held {
    /// Returns the node that alone may make a volume: it has one of that name, or is making it.
    fn home(&self, members: &Members, volume: &str) -> Option<Arc<str>> {
        let found = resolve::volumes(members, volume);
        if found.iter().any(|(_, v)| v.is_shared()) {
            return None;
        }
        let has = found.first().map(|(node, _)| &node.key);
        has.or_else(|| self.homes.get(volume).map(|(node, _)| node))
            .cloned()
    }

    /// Brings what is known up to date with the membership of now, and returns that.
    pub(super) fn follow(&mut self, cluster: &Cluster) -> Arc<Members> {
        let promised = &self.nodes;
        let members = cluster.members();
        self.outlook.follow(members, |node| ahead(promised, node));
        Arc::clone(&self.outlook.seen().members)
    }

    /// Promises room on a node to a container; returns the ticket.
    pub(super) fn promise(&mut self, node: &Arc<str>, container: Arc<Container>) -> u64 {
        self.next += 1;
        self.outlook.add(node, &container);
        let list = self.nodes.entry(Arc::clone(node)).or_default();
        list.push((self.next, container));
        self.next
    }

    /// Counts the groups of a request as they will be when everything reserved is visible.
    fn counted<'r>(&self, request: &'r Request) -> Cow<'r, Request> {
        if request.balances.is_empty() {
            return Cow::Borrowed(request);
        }
        let nodes = self.outlook.seen().picture.iter();
        let nodes: Vec<_> = nodes.map(|node| without(node, request)).collect();
        Cow::Owned(request.clone().counted_on(&nodes))
    }

    /// Notes that a node is making a volume.
    fn make(&mut self, volume: &str, node: &Arc<str>) {
        let home = self.homes.entry(volume.to_owned());
        home.or_insert_with(|| (Arc::clone(node), 0)).1 += 1;
    }

    /// Tells whether a container was created without a name and has not claimed the one that its engine gave it.
    fn is_unnamed(&self, node: &Node, container: &Container) -> bool {
        let reserved = self.nodes.get(&node.key).into_iter().flatten();
        let mut unnamed = reserved.filter(|(_, stand_in)| stand_in.names.is_empty());
        unnamed.any(|(_, stand_in)| {
            stand_in.swarm_id().is_some() && stand_in.swarm_id() == container.swarm_id()
        })
    }

    /// Checks that no container has the name and none is about to.
    fn name_is_free(&self, name: &str) -> Result<(), Error> {
        if let Some((_, owner)) = self.outlook.named(name).first() {
            return Err(Error::NameTaken {
                name: name.to_owned(),
                id: owner.id.to_string(),
            });
        }
        if let Some(ticket) = self.names.get(name) {
            let holder = self
                .nodes
                .iter()
                .find(|(_, list)| list.iter().any(|(t, _)| t == ticket))
                .and_then(|(key, _)| self.outlook.visible(key));
            return Err(Error::NameReserved {
                name: name.to_owned(),
                on: holder.map_or_else(String::new, |n| format!(" on {}", n.name)),
            });
        }
        Ok(())
    }
}

/// Returns a node with what is promised on it.
fn ahead(promised: &Promised, node: &Arc<Node>) -> Arc<Node> {
    let Some(promised) = promised.get(&node.key) else {
        return Arc::clone(node);
    };
    let list: Vec<_> = promised.iter().map(|(_, c)| Arc::clone(c)).collect();
    Arc::new(node.with_reserved(&list))
}

/// Returns a node without what a request takes the place of.
pub(super) fn without(node: &Arc<Node>, request: &Request) -> Arc<Node> {
    let mut replaced = request.replaces.iter();
    match replaced.any(|id| node.containers.by_id(id).is_some()) {
        true => Arc::new(Node::clone(node).without(&request.replaces)),
        false => Arc::clone(node),
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.all.lock();
        if let Some(name) = &self.name
            && held.names.get(name) == Some(&self.ticket)
        {
            held.names.remove(name);
        }
        if let Some(key) = &self.node {
            self.all.give_back(&mut held, key, self.ticket);
        }
        for volume in &self.volumes {
            if let Some((_, makers)) = held.homes.get_mut(volume) {
                *makers -= 1;
                if *makers == 0 {
                    held.homes.remove(volume);
                }
            }
        }
        held.released.send_replace(());
    }
}

#[cfg(test)]
#[path = "reservation_tests.rs"]
mod tests;
