//! Measuring what an engine's containers use, while a strategy asks for it.
//!
//! One call for each running container again and again would cost an engine more than it tells. So a round every few
//! seconds, not of all engines at once, looks at a few containers: the new ones first, then those that were not looked at
//! for longest. Engines count the time that processors worked, so that nothing in between is missed, however long that is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use super::Client;
use crate::model::load::Load;
use crate::model::{Container, Node};

/// The middle of the time between two rounds.
const PAUSE: Duration = Duration::from_secs(5);
/// The most containers of one round.
const LOOKS: usize = 8;
/// The most calls to one engine at once.
const AT_ONCE: usize = 2;
/// How long one may take: engines before API 1.41 wait for a second sample.
const DEADLINE: Duration = Duration::from_secs(4);
/// Seconds after which an old figure counts a third of a new one.
const SMOOTH: f64 = 10.0;
/// The share of a processor, in billionths, by which a figure must change to be told.
const NEWS: i64 = 10_000_000;

/// What an engine tells of one container.
#[derive(Debug, Deserialize)]
struct Stats {
    read: String,
    #[serde(default)]
    cpu_stats: Cpu,
    #[serde(default)]
    memory_stats: Memory,
}

#[derive(Debug, Default, Deserialize)]
struct Cpu {
    #[serde(default)]
    cpu_usage: Used,
}

#[derive(Debug, Default, Deserialize)]
struct Used {
    #[serde(default)]
    total_usage: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Memory {
    #[serde(default)]
    usage: u64,
    #[serde(default)]
    stats: HashMap<String, u64>,
}

/// One look at a container.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// By the engine's clock.
    at: Timestamp,
    /// Nanoseconds that processors worked since it was started.
    worked: u64,
    memory_bytes: u64,
}

/// What is known of a container.
#[derive(Debug)]
struct Measured {
    last: Look,
    started_at: Option<Timestamp>,
    /// Processors, in billionths.
    nano_cpus: f64,
    /// Whether that is of two looks, and not of one and the start.
    twice: bool,
}

/// The figures of one engine.
#[derive(Debug, Default)]
struct Meter {
    round: u64,
    known: HashMap<Arc<str>, Measured>,
    /// The round in which a container was looked at last.
    tried: HashMap<Arc<str>, u64>,
}

/// Measures while `wanted`, and tells what changed; nothing is known when it is not wanted, or the engine does not say.
pub(crate) async fn run(
    client: Client,
    node: watch::Receiver<Arc<Node>>,
    mut wanted: watch::Receiver<bool>,
    tell: mpsc::Sender<Option<Load>>,
) {
    // Whoever could want it is gone: so it stays as it is.
    while wanted.wait_for(|w| *w).await.is_ok() {
        let mut meter = Meter::default();
        let mut told = None;
        while *wanted.borrow() {
            let current = Arc::clone(&node.borrow());
            meter.round(&client, &current).await;
            let load = meter.load(&current);
            if is_news(told, load) {
                told = load;
                if tell.send(load).await.is_err() {
                    return;
                }
            }
            let pause = PAUSE.mul_f64(0.8 + 0.4 * fastrand::f64());
            // An end that comes meanwhile is seen after it.
            tokio::time::sleep(pause).await;
        }
        if told.is_some() && tell.send(None).await.is_err() {
            return;
        }
    }
}

/// Tells whether the difference is one that a choice could depend on.
fn is_news(told: Option<Load>, now: Option<Load>) -> bool {
    match (told, now) {
        (Some(told), Some(now)) => {
            let moved = |a: i64, b: i64, least: i64| (a - b).abs() >= least;
            told.measured != now.measured
                || moved(told.nano_cpus, now.nano_cpus, NEWS)
                || moved(told.memory_bytes, now.memory_bytes, 16 << 20)
        }
        (told, now) => told.is_some() != now.is_some(),
    }
}

impl Meter {
    /// Looks at some containers.
    async fn round(&mut self, client: &Client, node: &Node) {
        if !node.health.is_healthy() {
            self.known.clear();
            return;
        }
        self.round += 1;
        let looks = self.choose(node).into_iter().map(|container| async move {
            let path = format!("/containers/{}/stats?stream=0&one-shot=1", container.id);
            let answer = client.get(&path, DEADLINE).await.ok();
            let look = answer.and_then(|text| read(&text));
            (container, look)
        });
        let looks: Vec<_> = stream::iter(looks)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (container, look) in looks {
            match look {
                Some(look) => self.take(&container, look),
                // It has ended, or its engine is busy: an old figure would be wrong for longer and longer.
                None => drop(self.known.remove(&container.id)),
            }
        }
    }

    /// Picks the containers that are to be looked at, and forgets those that do not run.
    fn choose(&mut self, node: &Node) -> Vec<Arc<Container>> {
        let running = node.containers.iter().filter(|c| runs(c));
        let mut running: Vec<_> = running.cloned().collect();
        let known = &mut self.known;
        known.retain(|id, measured| {
            let container = node.containers.by_id(id);
            // Started again, it counts from nothing.
            container.is_some_and(|c| runs(c) && c.state.started_at == measured.started_at)
        });
        let tried = &mut self.tried;
        tried.retain(|id, _| node.containers.by_id(id).is_some_and(|c| runs(c)));
        // Those never looked at are of no round; the newest of them first. A look that fails counts too: there may be as
        // many that fail as are looked at in a round.
        running.sort_by_key(|c| {
            let round = tried.get(&c.id).copied().unwrap_or(0);
            (round, std::cmp::Reverse(c.state.started_at))
        });
        running.truncate(LOOKS);
        let chosen = running.iter().map(|c| (Arc::clone(&c.id), self.round));
        tried.extend(chosen);
        running
    }

    /// Takes in one look.
    fn take(&mut self, container: &Container, look: Look) {
        let started_at = container.state.started_at;
        let per_second = |worked: u64, since: Timestamp| {
            let seconds = look.at.duration_since(since).as_secs_f64();
            (seconds > 0.0).then(|| (worked as f64 / seconds, seconds))
        };
        let figure = match self.known.get(&container.id) {
            Some(before) => {
                let worked = look.worked.saturating_sub(before.last.worked);
                per_second(worked, before.last.at).map(|(now, seconds)| {
                    let old = match before.twice {
                        true => (-seconds / SMOOTH).exp(),
                        false => 0.0,
                    };
                    (before.nano_cpus * old + now * (1.0 - old), true)
                })
            }
            None => started_at
                .and_then(|at| per_second(look.worked, at))
                .map(|(now, _)| (now, false)),
        };
        if let Some((nano_cpus, twice)) = figure {
            let measured = Measured {
                last: look,
                started_at,
                nano_cpus,
                twice,
            };
            self.known.insert(Arc::clone(&container.id), measured);
        }
    }

    /// Sums up; `None` when containers run and none could be measured.
    fn load(&self, node: &Node) -> Option<Load> {
        let idle = !node.containers.iter().any(|c| runs(c));
        if !node.health.is_healthy() || self.known.is_empty() && !idle {
            return None;
        }
        let known = || self.known.values();
        let memory: u64 = known().map(|m| m.last.memory_bytes).sum();
        Some(Load {
            nano_cpus: known().map(|m| m.nano_cpus).sum::<f64>() as i64,
            memory_bytes: i64::try_from(memory).unwrap_or(i64::MAX),
            measured: self.known.len(),
        })
    }
}

/// Tells whether a container can work: one that is paused or waits for its next try does not.
fn runs(container: &Container) -> bool {
    container.state.status == "running"
}

/// Reads what an engine tells; `None` when the container does not run any more.
fn read(text: &[u8]) -> Option<Look> {
    let stats: Stats = serde_json::from_slice(text).ok()?;
    let at: Timestamp = stats.read.parse().ok()?;
    // Engines tell of one that does not run at the beginning of time.
    let is_real = at > Timestamp::UNIX_EPOCH;
    let memory = stats.memory_stats;
    // Of control groups v1 and v2.
    let cache = ["total_inactive_file", "inactive_file"];
    let cache = cache.iter().find_map(|key| memory.stats.get(*key));
    is_real.then(|| Look {
        at,
        worked: stats.cpu_stats.cpu_usage.total_usage,
        memory_bytes: memory.usage.saturating_sub(cache.copied().unwrap_or(0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Health;
    use crate::model::container::RunState;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn container(id: &str, started: i64) -> Container {
        Container {
            id: id.into(),
            state: RunState {
                status: "running".to_owned(),
                started_at: Some(at(started)),
                ..RunState::default()
            },
            ..Container::default()
        }
    }

    fn node(containers: impl IntoIterator<Item = Container>) -> Node {
        let mut node = Node {
            health: Health::Healthy,
            ..Node::default()
        };
        for container in containers {
            node.containers.insert(Arc::new(container));
        }
        node
    }

    fn look(second: i64, worked_seconds: f64) -> Look {
        Look {
            at: at(second),
            worked: (worked_seconds * 1e9) as u64,
            memory_bytes: 1 << 20,
        }
    }

    #[test]
    fn a_new_container_is_known_by_one_look_and_smoothed_after_two() {
        let one = container("a", 0);
        let node = node([one.clone()]);
        let mut meter = Meter::default();
        let cpus = |meter: &Meter| meter.load(&node).map(|l| l.nano_cpus / 10_000_000);
        assert_eq!(cpus(&meter), None);
        meter.take(&one, look(10, 5.0));
        assert_eq!(cpus(&meter), Some(50));
        meter.take(&one, look(20, 15.0));
        assert_eq!(cpus(&meter), Some(100), "what it did before is past");
        meter.take(&one, look(30, 15.0));
        assert_eq!(cpus(&meter), Some(36));
        // A look that tells nothing new changes nothing.
        meter.take(&one, look(30, 15.0));
        assert_eq!(cpus(&meter), Some(36));
    }

    #[test]
    fn each_round_is_bounded_and_no_container_is_left_out() {
        let all = (0..20).map(|i| container(&format!("c{i:02}"), i));
        let node = node(all);
        let mut meter = Meter::default();
        let mut seen = Vec::new();
        for round in 1..=3 {
            meter.round = round;
            let chosen = meter.choose(&node);
            assert!(chosen.len() <= LOOKS);
            // What fails is nothing to take.
            seen.extend(chosen.iter().map(|c| c.id.to_string()));
            for container in chosen.iter().filter(|_| round > 1) {
                meter.take(container, look(100, 1.0));
            }
        }
        assert_eq!(seen[0], "c19", "the newest first");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 20);
        assert_eq!(meter.load(&node).unwrap().measured, 12 + 4);
    }

    #[test]
    fn what_does_not_run_any_more_is_forgotten_and_silence_is_not_idleness() {
        let mut meter = Meter::default();
        let before = node([container("a", 0), container("b", 0)]);
        for id in ["a", "b"] {
            meter.take(&container(id, 0), look(10, 10.0));
        }
        let mut ended = container("b", 0);
        ended.state.status = "exited".to_owned();
        let after = node([container("a", 20), ended]);
        assert_eq!(meter.load(&before).unwrap().measured, 2);
        meter.choose(&after);
        assert_eq!(meter.load(&after), None, "it was started again");
        assert_eq!(meter.load(&node([])), Some(Load::default()));
        let mut down = node([]);
        down.health = Health::New;
        assert_eq!(meter.load(&down), None);
    }

    #[test]
    fn an_engines_answer_is_read_and_that_of_an_ended_container_is_none() {
        let told = br#"{"read":"2026-11-27T10:00:00.5Z","cpu_stats":{"cpu_usage":{"total_usage":7,"more":1}},
            "memory_stats":{"usage":100,"stats":{"inactive_file":40,"anon":1}}}"#;
        let look = read(told).unwrap();
        assert_eq!((look.worked, look.memory_bytes), (7, 60));
        let ended = br#"{"read":"0001-01-01T00:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{}}"#;
        assert!(read(ended).is_none());
        assert!(read(b"{}").is_none());
    }
}
