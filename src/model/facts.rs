//! What is new in what an engine says of itself.

use serde_json::{Map, Value};

use super::node::Facts;

/// What moves by itself in `/info`, and is shown as it was when the node was last published: clocks, counters of the
/// daemon's own, and sums of what lists tell more exactly.
const MOVING: [&str; 9] = [
    "Containers",
    "ContainersPaused",
    "ContainersRunning",
    "ContainersStopped",
    "Images",
    "NEventsListener",
    "NFd",
    "NGoroutines",
    "SystemTime",
];
/// How far a clock may go, in milliseconds, before that is news.
const CLOCK: u64 = 250;

impl Facts {
    /// Tells whether `new` says something else than this, so that it is worth telling everybody who looks at the cluster:
    /// thousands of engines are asked again and again, and nearly always say the same.
    pub fn is_news(&self, new: &Self) -> bool {
        self.version_answer != new.version_answer
            || self.clock_skew_ms.abs_diff(new.clock_skew_ms) > CLOCK
            || match (&self.info, &new.info) {
                (Value::Object(old), Value::Object(new)) => differ(old, new),
                (old, new) => old != new,
            }
    }
}

fn differ(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    let still = |info: &Map<String, Value>| {
        let moving = MOVING.iter().filter(|key| info.contains_key(**key));
        info.len() - moving.count()
    };
    let mut standing = old
        .iter()
        .filter(|(key, _)| !MOVING.contains(&key.as_str()));
    still(old) != still(new) || standing.any(|(key, value)| new.get(key) != Some(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(info: Value, clock_skew_ms: i64) -> Facts {
        Facts {
            info,
            clock_skew_ms,
            ..Facts::default()
        }
    }

    #[test]
    fn what_moves_by_itself_is_no_news_and_all_else_is() {
        let old = facts(json!({"Name": "a", "NFd": 1, "SystemTime": "x"}), 0);
        for (info, skew, expected) in [
            (
                json!({"Name": "a", "NFd": 2, "SystemTime": "y"}),
                100,
                false,
            ),
            (
                json!({"SystemTime": "y", "Images": 3, "Name": "a"}),
                0,
                false,
            ),
            (json!({"Name": "b", "NFd": 1, "SystemTime": "x"}), 0, true),
            (json!({"Name": "a", "NFd": 1, "Labels": []}), 0, true),
            (json!({"NFd": 1, "SystemTime": "x"}), 0, true),
            (json!({"Name": "a"}), -900, true),
            (Value::Null, 0, true),
        ] {
            let new = facts(info, skew);
            assert_eq!(old.is_news(&new), expected, "{new:?}");
        }
        let other = Facts {
            version_answer: json!({"Version": "28"}),
            ..old.clone()
        };
        assert!(old.is_news(&other));
    }
}
