//! A workload on a cluster that is made up: what a strategy would do, before it is trusted with a real one.
//!
//! Invariant: the rules are those of real creates, and the same workload gives the same answer.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use serde::Deserialize;

use super::index::Bits;
use super::wishes::{self, BadWish, Wishes};
use super::{Index, Request, Scheduler};
use crate::model::{ClusterView, Container, Health, Node, Picture, Resources};

/// The most nodes and the most containers of a workload.
const LIMIT: usize = 1_000_000;
/// The most moments of a run that are told.
const MOMENTS: usize = 200;

/// What happens on which cluster.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    nodes: Vec<Arc<Node>>,
    /// In the order of their times.
    creates: Vec<Create>,
}

/// Why a workload cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadWorkload {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

/// One line of a workload.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Nodes(Machines),
    Create(Asked),
}

/// Nodes of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machines {
    node: String,
    #[serde(default = "one")]
    count: usize,
    cpus: f64,
    memory_mib: i64,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Containers that are created at one time, or one after the other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    at: u64,
    create: String,
    #[serde(default = "one")]
    count: usize,
    #[serde(default)]
    every: u64,
    #[serde(default)]
    cpus: f64,
    #[serde(default)]
    memory_mib: i64,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    wishes: Vec<String>,
    lifetime: Option<u64>,
}

/// A container that is to be placed.
#[derive(Clone, Debug)]
struct Create {
    at: u64,
    until: Option<u64>,
    name: String,
    labels: BTreeMap<String, String>,
    wishes: Wishes,
    resources: Resources,
}

/// What a strategy made of a workload.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Containers that found a place.
    pub placed: usize,
    /// Containers that did not, by what was said of them.
    pub refused: BTreeMap<String, usize>,
    /// How the cluster was, in order.
    pub moments: Vec<Moment>,
}

/// How a cluster is at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Seconds since the beginning.
    pub at: u64,
    /// Containers that are there.
    pub containers: usize,
    /// Nodes that have any.
    pub nodes: usize,
    /// How full those are, in percent of processors or of memory, whichever is more.
    pub filled: f64,
    /// How far nodes are from the mean of all: the standard deviation, in percent.
    pub uneven: f64,
}

fn one() -> usize {
    1
}

impl Workload {
    /// Reads a workload, one JSON object a line; lines that begin with `#` are for people.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, BadWorkload> {
        let mut workload = Self::default();
        for (number, text) in text.lines().enumerate() {
            let bad = |why: String| BadWorkload {
                line: number + 1,
                why,
            };
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            match serde_json::from_str(text) {
                Ok(Line::Nodes(machines)) => workload.nodes(&machines),
                Ok(Line::Create(asked)) => workload.create(&asked).map_err(|e| bad(e.to_string()))?,
                Err(_) => return Err(bad(
                    "neither nodes ({\"node\",\"count\",\"cpus\",\"memory_mib\",\"labels\"}) nor a create ({\"at\",\"create\",\"count\",\"every\",\"cpus\",\"memory_mib\",\"labels\",\"wishes\",\"lifetime\"})"
                        .to_owned(),
                )),
            }
            if workload.nodes.len() > LIMIT || workload.creates.len() > LIMIT {
                return Err(bad(format!("more than {LIMIT} nodes or containers")));
            }
        }
        workload.creates.sort_by_key(|create| create.at);
        Ok(workload)
    }

    /// Takes so many nodes as its first is, in place of its own.
    pub fn resize(&mut self, count: usize) {
        let Some(first) = self.nodes.first().cloned() else {
            return;
        };
        let same = (0..count.min(LIMIT)).map(|number| {
            let name = format!("node{number}");
            Arc::new(Node {
                key: name.as_str().into(),
                name,
                ..Node::clone(&first)
            })
        });
        self.nodes = same.collect();
    }

    fn nodes(&mut self, machines: &Machines) {
        for _ in 0..machines.count.min(LIMIT + 1) {
            let name = format!("{}{}", machines.node, self.nodes.len());
            self.nodes.push(Arc::new(Node {
                key: name.as_str().into(),
                name,
                health: Health::Healthy,
                labels: machines.labels.clone(),
                capacity: resources(machines.cpus, machines.memory_mib),
                ..Node::default()
            }));
        }
    }

    fn create(&mut self, asked: &Asked) -> Result<(), BadWish> {
        let wishes = wishes::extract(&asked.wishes, &asked.labels)?.wishes;
        for number in 0..asked.count.min(LIMIT + 1) {
            let at = asked
                .at
                .saturating_add(asked.every.saturating_mul(number as u64));
            self.creates.push(Create {
                at,
                until: asked.lifetime.map(|lifetime| at.saturating_add(lifetime)),
                name: format!("{}-{number}", asked.create),
                labels: asked.labels.clone(),
                wishes: wishes.clone(),
                resources: resources(asked.cpus, asked.memory_mib),
            });
        }
        Ok(())
    }

    /// Replays it by the rules of a scheduler.
    pub fn replay(&self, scheduler: &Scheduler) -> Run {
        let view = ClusterView::new(self.nodes.clone());
        let mut cluster = Simulated {
            picture: Picture::new(view.nodes()),
            index: Index::default(),
            ends: BinaryHeap::new(),
        };
        let end = self.creates.last().map_or(0, |create| create.at);
        let between = (end / MOMENTS as u64).max(1);
        let (mut run, mut next) = (Run::default(), 0);
        for (number, create) in self.creates.iter().enumerate() {
            while next < create.at {
                cluster.end(next);
                run.moments.push(cluster.moment(next));
                next = next.saturating_add(between);
            }
            cluster.end(create.at);
            match cluster.place(scheduler, create, number) {
                Ok(()) => run.placed += 1,
                Err(why) => *run.refused.entry(why).or_default() += 1,
            }
        }
        run.moments.push(cluster.moment(end));
        run
    }
}

/// A cluster on its way through a workload.
struct Simulated {
    picture: Picture,
    index: Index,
    /// When which container ends, and at which place its node is.
    ends: BinaryHeap<Reverse<(u64, Arc<str>, usize)>>,
}

impl Simulated {
    /// Places a container; or says why not.
    fn place(
        &mut self,
        scheduler: &Scheduler,
        create: &Create,
        number: usize,
    ) -> Result<(), String> {
        let request = Request {
            name: Some(create.name.clone()),
            wishes: create.wishes.clone(),
            resources: create.resources,
            seed: number as u64,
            ..Request::default()
        };
        let at = match self.best(scheduler, &request) {
            Some(at) => at,
            None => {
                let view = self.picture.view();
                let placed = scheduler
                    .place(&request, &view)
                    .map_err(|e| e.to_string())?;
                let best = placed.candidates.first();
                let mut nodes = self.picture.iter();
                let at = nodes.position(|n| best.is_some_and(|best| Arc::ptr_eq(n, best)));
                at.ok_or_else(|| "no nodes".to_owned())?
            }
        };
        let id: Arc<str> = format!("{number:08x}").into();
        let container = Arc::new(Container {
            id: Arc::clone(&id),
            names: vec![create.name.clone()],
            labels: create.labels.clone(),
            resources: create.resources,
            ..Container::default()
        });
        if let Some(node) = self.picture.node(at) {
            let node = node.with_reserved(&[container]);
            self.picture.put(at, Arc::new(node));
        }
        if let Some(until) = create.until {
            self.ends.push(Reverse((until, id, at)));
        }
        Ok(())
    }

    /// Finds the place of the best node by index, where that knows it.
    fn best(&mut self, scheduler: &Scheduler, request: &Request) -> Option<usize> {
        if !scheduler.knows_by_index(request) {
            return None;
        }
        self.index.follow(&self.picture);
        let all = Bits::all(self.picture.len());
        self.index.best(scheduler, request, &all)
    }

    /// Ends what has ended by a time.
    fn end(&mut self, now: u64) {
        while let Some(Reverse((until, _, _))) = self.ends.peek()
            && *until <= now
        {
            let Some(Reverse((_, id, at))) = self.ends.pop() else {
                return;
            };
            if let Some(node) = self.picture.node(at) {
                let node = Node::clone(node).without(&[id]);
                self.picture.put(at, Arc::new(node));
            }
        }
    }

    /// Tells how the cluster is.
    fn moment(&self, at: u64) -> Moment {
        let filled: Vec<f64> = self.picture.iter().map(|node| filled(node)).collect();
        let used: Vec<f64> = self
            .picture
            .iter()
            .zip(&filled)
            .filter(|(node, _)| !node.containers.is_empty())
            .map(|(_, filled)| *filled)
            .collect();
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
        let middle = mean(&filled);
        let squares: Vec<f64> = filled.iter().map(|f| (f - middle).powi(2)).collect();
        Moment {
            at,
            containers: self.picture.iter().map(|n| n.containers.len()).sum(),
            nodes: used.len(),
            filled: mean(&used),
            uneven: mean(&squares).sqrt(),
        }
    }
}

/// Returns how full a node is, in percent of processors or of memory, whichever is more.
fn filled(node: &Node) -> f64 {
    let percent = |used: i64, all: i64| used as f64 * 100.0 / all.max(1) as f64;
    let cpus = percent(node.used.nano_cpus, node.capacity.nano_cpus);
    cpus.max(percent(node.used.memory_bytes, node.capacity.memory_bytes))
}

fn resources(cpus: f64, memory_mib: i64) -> Resources {
    Resources {
        nano_cpus: (cpus * Resources::NANO_PER_CPU as f64) as i64,
        memory_bytes: memory_mib.saturating_mul(1 << 20),
    }
}
