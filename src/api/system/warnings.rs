//! `Warnings` of `info`: what is wrong with nodes, and what their engines warn of.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{ClusterView, Health, Node};

/// Clocks that differ by more than this are told, in milliseconds.
const SKEW_MS: u64 = 1000;

/// Returns the warnings as `docker info` prints them: one line each.
pub(super) fn all(view: &ClusterView) -> Vec<String> {
    let mut warnings = Vec::new();
    for node in view.nodes() {
        warnings.extend(health(node));
        warnings.extend(trouble(node));
        warnings.extend(skew(node));
    }
    warnings.extend(clones(view));
    for node in view.nodes() {
        let own = node.facts.info.get("Warnings").and_then(Value::as_array);
        for text in own.into_iter().flatten().filter_map(Value::as_str) {
            let text = text.strip_prefix("WARNING: ").unwrap_or(text);
            warnings.push(format!("WARNING: {}: {text}", node.name));
        }
    }
    warnings
}

/// Tells that a node does not answer, since when and why.
fn health(node: &Node) -> Option<String> {
    match &node.health {
        Health::Healthy => None,
        Health::Slow { since, took } => Some(format!(
            "WARNING: node {} is slow since {}: its last late answer took {:.1} s; it is the last choice for new containers",
            node.name,
            told(since),
            took.as_secs_f64()
        )),
        Health::New => Some(format!(
            "WARNING: engine at {} has not answered yet",
            node.key
        )),
        Health::Pending(reason) => Some(format!(
            "WARNING: engine at {} was not taken in: {}",
            node.key,
            without_address(reason, &node.key)
        )),
        Health::Unhealthy { since, reason } => Some(format!(
            "WARNING: node {} is not answering since {}: {reason}",
            node.name,
            told(since)
        )),
    }
}

/// Tells that a node answers and yet cannot create.
fn trouble(node: &Node) -> Option<String> {
    let trouble = node.trouble.as_ref()?;
    Some(format!(
        "WARNING: node {} cannot create containers since {}: {}; it is the last choice for new ones",
        node.name,
        told(&trouble.since),
        trouble.reason
    ))
}

/// Writes a time to the second.
fn told(time: &Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns a reason without the engine's address in front, where that stands already.
fn without_address<'r>(reason: &'r str, address: &str) -> &'r str {
    let rest = reason.strip_prefix(address).unwrap_or(reason);
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    rest.trim_start()
}

/// Tells that a node's clock is not ours.
fn skew(node: &Node) -> Option<String> {
    let skew_ms = node.facts.clock_skew_ms;
    let way = if skew_ms > 0 { "ahead of" } else { "behind" };
    (node.health.is_known() && skew_ms.unsigned_abs() > SKEW_MS).then(|| {
        format!(
            "WARNING: the clock of node {} is {:.1} s {way} this machine's: times in logs and events do not agree",
            node.name,
            skew_ms.unsigned_abs() as f64 / 1000.0
        )
    })
}

/// Tells which engines share an ID, and which file to delete.
fn clones(view: &ClusterView) -> Vec<String> {
    let mut by_id: BTreeMap<&str, Vec<&Arc<Node>>> = BTreeMap::new();
    for node in view.nodes().iter().filter(|n| !n.engine_id.is_empty()) {
        by_id.entry(&node.engine_id).or_default().push(node);
    }
    by_id.retain(|_, nodes| nodes.len() > 1);
    by_id
        .into_iter()
        .map(|(id, nodes)| {
            let names: Vec<_> = nodes
                .iter()
                .map(|node| format!("{} ({})", node.key, node.name))
                .collect();
            let file = nodes.last().map_or_else(String::new, |node| id_file(node));
            format!(
                "WARNING: the engines at {} have the same ID {id}: machines were cloned, or one is listed twice; on \
                 each clone stop dockerd, delete {file} and start it again",
                names.join(" and ")
            )
        })
        .collect()
}

/// Returns where the engine keeps its ID: a key file up to 20.10, later one beside its data, made from the key file if
/// there is one.
fn id_file(node: &Node) -> String {
    let major = node.facts.version.split('.').next();
    if major.and_then(|m| m.parse().ok()).unwrap_or(0) < 23 {
        return "/etc/docker/key.json".to_owned();
    }
    let root = node.facts.info.get("DockerRootDir").and_then(Value::as_str);
    let root = root.unwrap_or("/var/lib/docker");
    format!("{root}/engine-id (and /etc/docker/key.json if it is there)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fixture::{down, node, view};
    use crate::model::node::{Facts, Trouble};

    #[test]
    fn each_trouble_is_told_in_one_line() {
        let facts = |version: &str, clock_skew_ms, info| {
            Arc::new(Facts {
                version: version.into(),
                clock_skew_ms,
                info,
                ..Facts::default()
            })
        };
        let mut a = node("a");
        a.engine_id = "SAME".into();
        a.facts = facts(
            "28.5.2",
            2500,
            serde_json::json!({"Warnings": ["WARNING: No swap limit support"]}),
        );
        let mut b = node("b");
        b.engine_id = "SAME".into();
        b.facts = facts(
            "28.5.2",
            -1000,
            serde_json::json!({"DockerRootDir": "/data"}),
        );
        let mut old = down(node("c"));
        old.facts = facts("20.10.24", -60_000, Value::Null);
        let since = "2026-11-24T11:50:00Z".parse().unwrap();
        let mut slow = node("d");
        slow.health = Health::Slow {
            since,
            took: std::time::Duration::from_millis(2200),
        };
        slow.trouble = Some(Trouble {
            since,
            reason: "no space left on device".into(),
        });
        let pending = Node {
            key: "10.0.0.9:2375".into(),
            health: Health::Pending("10.0.0.9:2375: cannot connect: refused".into()),
            ..Node::default()
        };
        let expected = [
            "WARNING: engine at 10.0.0.9:2375 was not taken in: cannot connect: refused",
            "WARNING: the clock of node a is 2.5 s ahead of this machine's: times in logs and events do not agree",
            "WARNING: node c is not answering since 2026-11-24T11:50:00Z: connection refused",
            "WARNING: the clock of node c is 60.0 s behind this machine's: times in logs and events do not agree",
            "WARNING: node d is slow since 2026-11-24T11:50:00Z: its last late answer took 2.2 s; it is the last choice for new containers",
            "WARNING: node d cannot create containers since 2026-11-24T11:50:00Z: no space left on device; it is the last choice for new ones",
            "WARNING: the engines at a:2375 (a) and b:2375 (b) have the same ID SAME: machines were cloned, or one is listed twice; on each clone stop dockerd, delete /data/engine-id (and /etc/docker/key.json if it is there) and start it again",
            "WARNING: a: No swap limit support",
        ];
        assert_eq!(all(&view(vec![a, b, old, slow, pending])), expected);
        let silent = "a:1 did not answer within 5s";
        assert_eq!(without_address(silent, "a:1"), "did not answer within 5s");
        assert_eq!(without_address("bad key", "a:1"), "bad key");
        assert_eq!(id_file(&node("x")), "/etc/docker/key.json");
        assert!(all(&view(vec![node("x")])).is_empty());
    }
}
