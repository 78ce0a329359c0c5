//! `SystemStatus` of `info`: the table of nodes that `docker info` prints, line by line as classic Swarm 1.2.9 wrote it.
//!
//! Invariant: names, order and texts are classic's: Portainer, Shipyard and scripts read them by position.

use crate::model::{ClusterView, Node};

use super::about::{About, Role};
use crate::model::units;

/// Returns the lines as pairs of name and value.
pub(super) fn lines(view: &ClusterView, about: &About) -> Vec<[String; 2]> {
    let mut lines = Vec::new();
    match &about.role {
        Role::Primary => lines.push(line("Role", "primary")),
        Role::Replica { primary } => {
            lines.push(line("Role", "replica"));
            lines.push(line("Primary", primary));
        }
    }
    lines.push(line("Strategy", &about.strategy));
    lines.push(line("Filters", &about.filters.join(", ")));
    lines.push(line("Nodes", &view.nodes().len().to_string()));
    for node in view.nodes() {
        describe(node, &mut lines);
    }
    lines
}

/// How many containers of a node, or of all nodes, are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// All of them.
    pub(super) all: usize,
    /// Running, restarting included.
    pub(super) running: usize,
    /// Paused.
    pub(super) paused: usize,
}

impl Counts {
    /// Counts the containers of one node.
    pub(super) fn of(node: &Node) -> Self {
        let mut counts = Self::default();
        for container in node.containers.iter() {
            counts.all += 1;
            match container.state.status.as_str() {
                "paused" => counts.paused += 1,
                _ if container.state.is_running() => counts.running += 1,
                _ => {}
            }
        }
        counts
    }

    /// Returns how many are neither running nor paused.
    pub(super) fn stopped(self) -> usize {
        self.all - self.running - self.paused
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            running: self.running + other.running,
            paused: self.paused + other.paused,
        }
    }
}

/// Appends the lines of one node.
fn describe(node: &Node, lines: &mut Vec<[String; 2]>) {
    let known = !node.name.is_empty();
    let name = if known { &node.name } else { "(unknown)" };
    let id = if node.engine_id.is_empty() {
        String::new()
    } else {
        node.id()
    };
    let memory = |bytes| units::bytes(bytes);
    let labels: Vec<_> = node
        .labels
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    let updated = node.updated_at.map_or_else(
        || "0001-01-01T00:00:00Z".to_owned(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    lines.push(line(&format!(" {name}"), &node.key));
    let mut add = |name: &str, value: &str| lines.push(line(&format!("  └ {name}"), value));
    add("ID", &id);
    add("Status", node.health.word());
    add("Containers", &containers(node));
    add(
        "Reserved CPUs",
        &units::cpus(node.used.nano_cpus, node.capacity.nano_cpus),
    );
    add(
        "Reserved Memory",
        &format!(
            "{} / {}",
            memory(node.used.memory_bytes),
            memory(node.capacity.memory_bytes)
        ),
    );
    add("Labels", &labels.join(", "));
    if let Some(reason) = node.health.reason().filter(|reason| !reason.is_empty()) {
        add("Error", reason);
    }
    add("UpdatedAt", &updated);
    add("ServerVersion", &node.facts.version);
}

/// Writes how many containers a node has, by state as long as it answers.
fn containers(node: &Node) -> String {
    let counts = Counts::of(node);
    let Counts {
        all,
        running,
        paused,
    } = counts;
    if node.health.is_healthy() {
        format!(
            "{all} ({running} Running, {paused} Paused, {} Stopped)",
            counts.stopped()
        )
    } else {
        all.to_string()
    }
}

/// Makes one line.
fn line(name: &str, value: &str) -> [String; 2] {
    [name.to_owned(), value.to_owned()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::api::fixture::{down, exited, node, now, running, view, with};
    use crate::model::node::Facts;
    use crate::model::{Health, Resources};

    /// The table of the test, one line each.
    const TABLE: &str = "\
Role: replica
Primary: 10.0.0.7:4000
Strategy: spread
Filters: health, port
Nodes: 3
 (unknown): 10.0.0.9:2375
  └ ID: 
  └ Status: Pending
  └ Containers: 0
  └ Reserved CPUs: 0 / 0
  └ Reserved Memory: 0 B / 0 B
  └ Labels: 
  └ Error: no route to host
  └ UpdatedAt: 0001-01-01T00:00:00Z
  └ ServerVersion: 
 node0: node0:2375
  └ ID: ID-node0|node0:2375
  └ Status: Healthy
  └ Containers: 3 (1 Running, 1 Paused, 1 Stopped)
  └ Reserved CPUs: 1 / 2
  └ Reserved Memory: 64 MiB / 1.021 GiB
  └ Labels: ostype=linux, zone=a
  └ UpdatedAt: 2026-11-24T12:00:00Z
  └ ServerVersion: 28.5.2
 node1: node1:2375
  └ ID: ID-node1|node1:2375
  └ Status: Unhealthy
  └ Containers: 1
  └ Reserved CPUs: 0 / 0
  └ Reserved Memory: 0 B / 0 B
  └ Labels: 
  └ Error: connection refused
  └ UpdatedAt: 0001-01-01T00:00:00Z
  └ ServerVersion: ";

    #[test]
    fn the_table_is_classics() {
        let mut paused = running("b", "b", 2);
        paused.state.status = "paused".into();
        let containers = vec![
            (running("a", "a", 1), "[]"),
            (paused, "[]"),
            (exited("c", "c", 3, 0), "[]"),
        ];
        let mut node0 = with(node("node0"), containers);
        node0.labels = BTreeMap::from([
            ("zone".into(), "a".into()),
            ("ostype".into(), "linux".into()),
        ]);
        node0.capacity = Resources {
            nano_cpus: 2_100_000_000,
            memory_bytes: 1_096_272_445,
        };
        node0.used = Resources {
            nano_cpus: 1_000_000_000,
            memory_bytes: 64 << 20,
        };
        node0.updated_at = Some(now());
        node0.facts = Arc::new(Facts {
            version: "28.5.2".into(),
            ..Facts::default()
        });
        let lost = with(down(node("node1")), vec![(running("d", "d", 4), "[]")]);
        let pending = Node {
            key: "10.0.0.9:2375".into(),
            health: Health::Pending("no route to host".into()),
            ..Node::default()
        };
        let about = About {
            role: Role::Replica {
                primary: "10.0.0.7:4000".into(),
            },
            strategy: "spread".into(),
            filters: vec!["health".into(), "port".into()],
            ..About::default()
        };
        let lines = lines(&view(vec![node0, lost, pending]), &about);
        let text: Vec<_> = lines
            .iter()
            .map(|[name, value]| format!("{name}: {value}"))
            .collect();
        assert_eq!(text.join("\n"), TABLE);
    }
}
