//! Names and room that are promised and not yet visible on an engine.
//!
//! Invariant: the lock is private, held for a check of one node and one name, and never across an await.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Cluster, Error, Members, resolve};
use crate::model::{Container, Node};
use crate::scheduler::{Rank, Request};

/// All promises of this process.
#[derive(Clone, Debug, Default)]
pub struct Reservations(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    next: u64,
    names: HashMap<String, u64>,
    nodes: HashMap<Arc<str>, Vec<(u64, Arc<Container>)>>,
}

/// A promise; dropping it gives back the name and the room.
#[derive(Debug)]
pub struct Reservation {
    all: Reservations,
    ticket: u64,
    name: Option<String>,
    node: Option<Arc<str>>,
}

/// Why a node could not be reserved.
#[derive(Debug)]
pub enum Lost {
    /// The name is taken: no other node helps.
    Name(Error),
    /// The node no longer admits the request: another may.
    Node,
    /// The node is a worse place than it was when it was chosen: another may be better now.
    Rank,
}

impl Reservations {
    /// Returns `node` as it will be when everything reserved on it is visible.
    pub fn ahead(&self, node: &Arc<Node>) -> Arc<Node> {
        let held = self.lock();
        Arc::new(match held.nodes.get(&node.key) {
            None => return Arc::clone(node),
            Some(list) => with(node, list),
        })
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
        let members = cluster.members();
        if let Some(name) = &request.name {
            held.name_is_free(&members, name).map_err(Lost::Name)?;
        }
        let current = members.view.by_key(&node.key).ok_or(Lost::Node)?;
        let empty = Vec::new();
        let reserved = held.nodes.get(&node.key).unwrap_or(&empty);
        let ahead = with(current, reserved);
        if cluster.scheduler().admits(request, &ahead).is_err() {
            return Err(Lost::Node);
        }
        if chosen_at.is_some_and(|rank| cluster.scheduler().rank(request, &ahead) < rank) {
            return Err(Lost::Rank);
        }
        held.next += 1;
        let ticket = held.next;
        if let Some(name) = &request.name {
            held.names.insert(name.clone(), ticket);
        }
        held.nodes
            .entry(Arc::clone(&node.key))
            .or_default()
            .push((ticket, container));
        Ok(Reservation {
            all: self.clone(),
            ticket,
            name: request.name.clone(),
            node: Some(Arc::clone(&node.key)),
        })
    }

    /// Checks that a container name is free now.
    ///
    /// # Errors
    /// Another container has it, or is about to.
    pub fn check_name(&self, cluster: &Cluster, name: &str) -> Result<(), Error> {
        self.lock().name_is_free(&cluster.members(), name)
    }

    /// Reserves a name alone, for a rename.
    ///
    /// # Errors
    /// Another container has it.
    pub fn reserve_name(&self, cluster: &Cluster, name: &str) -> Result<Reservation, Error> {
        let mut held = self.lock();
        held.name_is_free(&cluster.members(), name)?;
        held.next += 1;
        let ticket = held.next;
        held.names.insert(name.to_owned(), ticket);
        Ok(Reservation {
            all: self.clone(),
            ticket,
            name: Some(name.to_owned()),
            node: None,
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
        })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Checks that no container has the name and none is about to.
    fn name_is_free(&self, members: &Members, name: &str) -> Result<(), Error> {
        if let Some((_, owner)) = resolve::named(members, name).next() {
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
                .and_then(|(key, _)| members.view.by_key(key));
            return Err(Error::NameReserved {
                name: name.to_owned(),
                on: holder.map_or_else(String::new, |n| format!(" on {}", n.name)),
            });
        }
        Ok(())
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
        if let Some(key) = &self.node
            && let Some(list) = held.nodes.get_mut(key)
        {
            list.retain(|(ticket, _)| *ticket != self.ticket);
            if list.is_empty() {
                held.nodes.remove(key);
            }
        }
    }
}

/// Adds what is reserved to a node.
fn with(node: &Node, reserved: &[(u64, Arc<Container>)]) -> Node {
    let list: Vec<_> = reserved.iter().map(|(_, c)| Arc::clone(c)).collect();
    node.with_reserved(&list)
}

#[cfg(test)]
mod tests {
    use tokio::sync::{broadcast, watch};

    use super::*;
    use crate::model::{ClusterView, Health, SWARM_ID_LABEL};
    use crate::scheduler::Scheduler;

    fn cluster() -> Cluster {
        let node = |name: &str| {
            Arc::new(Node {
                key: format!("{name}:2375").into(),
                name: name.to_owned(),
                health: Health::Healthy,
                ..Node::default()
            })
        };
        let members = Members {
            view: ClusterView::new(vec![node("a"), node("b")]),
            ..Members::default()
        };
        let (_, members) = watch::channel(Arc::new(members));
        let scheduler = Scheduler::new("spread", None).unwrap();
        Cluster::new(members, scheduler, broadcast::channel(1).0)
    }

    fn container(identity: &str) -> Arc<Container> {
        Arc::new(Container {
            id: identity.into(),
            labels: [(SWARM_ID_LABEL.to_owned(), identity.to_owned())].into(),
            ..Container::default()
        })
    }

    #[test]
    fn of_two_that_choose_one_node_at_once_the_second_looks_again() {
        let cluster = cluster();
        let request = Request::default();
        let view = &cluster.members().view;
        let node = &view.nodes()[0];
        let rank = Some(cluster.scheduler().rank(&request, node));
        let reserve = |identity, rank| {
            let all = cluster.reservations();
            all.reserve(&cluster, &request, node, container(identity), rank)
        };
        let first = reserve("one", rank).unwrap();
        assert!(matches!(reserve("two", rank), Err(Lost::Rank)));
        // Who takes any place gets it, and so does who chose it as it is now.
        let second = reserve("two", None).unwrap();
        let ahead = cluster.reservations().ahead(node);
        let now = cluster.scheduler().rank(&request, &ahead);
        let third = reserve("three", Some(now)).unwrap();
        drop((first, second, third));
        assert!(reserve("four", rank).is_ok());
    }
}
