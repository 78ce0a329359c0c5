//! What a new container asks of its node.

use std::sync::Arc;

use super::advice::Advice;
use super::filter::pod::Rest;
use super::filter::spread::Balance;
use super::wishes::Wishes;
use crate::model::container::{Port, PortBinding};
use crate::model::devices::Demand;
use crate::model::{Node, Platform, Plugin, Resources};

/// A container to be placed.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The image as the creator names it.
    pub image: String,
    /// The name it is to have.
    pub name: Option<String>,
    /// What its owner wants.
    pub wishes: Wishes,
    /// What it is to be promised.
    pub resources: Resources,
    /// Devices that its node must have free beside those of the wishes, of kinds that some node is known to have.
    pub devices: Vec<Demand>,
    /// Host ports it binds.
    pub ports: Vec<PortBinding>,
    /// Ports it takes of the host directly (network mode `host`).
    pub host_ports: Vec<Port>,
    /// Containers it must be with.
    pub together: Vec<Together>,
    /// Nodes it must be on, because something it uses is there.
    pub required: Vec<Required>,
    /// Sets of nodes of each of which its node must be one, because something it uses reaches no others.
    pub among: Vec<Among>,
    /// Drivers that its node must have, of those that some node is known to have.
    pub plugins: Vec<Plugin>,
    /// What its node's machine must run; `None` when nothing is asked or no node is of it, which may emulate it.
    pub platform: Option<Platform>,
    /// The runtime its engine must have; `None` for the engine's usual one, or one that no engine is known to have.
    pub runtime: Option<String>,
    /// Images that are mounted into it, and that its node must have by then.
    pub mounted_images: Vec<String>,
    /// Volumes that no node has and that are made wherever it goes.
    pub new_volumes: Vec<String>,
    /// How the groups of its spread wishes stand, in their order; taken from the view that is chosen on.
    pub balances: Vec<Balance>,
    /// What is left of its pod.
    pub pod: Option<Rest>,
    /// Containers, by ID, whose place it takes: their ports and their room are for it.
    pub replaces: Vec<Arc<str>>,
    /// What the plug-ins of the strategy said of the nodes.
    pub advice: Arc<Advice>,
    /// What `random` chooses by.
    pub seed: u64,
}

impl Request {
    /// Counts its groups anew on these nodes.
    #[must_use]
    pub fn counted_on(mut self, nodes: &[Arc<Node>]) -> Self {
        let balances = self.balances.iter_mut();
        for (wish, balance) in self.wishes.spreads.iter().zip(balances) {
            wish.count(balance, nodes);
        }
        self
    }
}

/// A container that must be on the same node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Together {
    /// The option that says so, for messages: `--volumes-from=db`.
    pub option: String,
    /// The container's ID.
    pub container: String,
}

/// The nodes that something the container uses reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Among {
    /// The nodes' keys.
    pub nodes: Vec<Arc<str>>,
    /// What it is, for messages: `network wide`.
    pub what: String,
}

/// A node that something the container uses is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// The node's key.
    pub node: Arc<str>,
    /// Why, for messages: `network app is on node0`.
    pub reason: String,
}
