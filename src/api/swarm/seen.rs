//! What clients were shown of managers' entries: entries change by themselves too, as when a role is taken on, and a
//! client whose picture of what users say still holds is not to be refused for that.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// How many versions of an entry are remembered.
const VERSIONS: usize = 8;
/// How many entries are remembered; past that all are forgotten, and managers judge by the version alone.
const ENTRIES: usize = 4096;

/// What users had said of nodes at versions that clients were shown; behind a short private mutex that no await crosses.
#[derive(Debug, Default)]
pub(in crate::api) struct Seen(Mutex<HashMap<String, VecDeque<(u64, Value)>>>);

impl Seen {
    /// Notes what a client is shown.
    pub(in crate::api) fn note(&self, entries: &[Value]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            let (Some(id), Some(version)) =
                (entry["ID"].as_str(), entry["Version"]["Index"].as_u64())
            else {
                continue;
            };
            if seen.len() >= ENTRIES && !seen.contains_key(id) {
                seen.clear();
            }
            let versions = seen.entry(id.to_owned()).or_default();
            if versions.iter().all(|(known, _)| *known != version) {
                versions.push_back((version, entry["Spec"].clone()));
                versions.drain(..versions.len().saturating_sub(VERSIONS));
            }
        }
    }

    /// Returns the version to change an entry at for a client that saw `version`: the present one where users have said
    /// nothing since.
    pub(super) fn current(&self, entry: &Value, version: u64) -> u64 {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = entry["ID"].as_str().and_then(|id| seen.get(id));
        let mut versions = versions.into_iter().flatten();
        let still = versions.any(|(v, spec)| *v == version && *spec == entry["Spec"]);
        match entry["Version"]["Index"].as_u64() {
            Some(now) if still => now,
            _ => version,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_stays_current_until_users_say_something_else() {
        let entry = |version: u64, label: &str| json!({"ID": "me", "Version": {"Index": version}, "Spec": {"Labels": {"a": label}}});
        let seen = Seen::default();
        seen.note(&[entry(5, "x")]);
        assert_eq!(seen.current(&entry(7, "x"), 5), 7);
        assert_eq!(seen.current(&entry(7, "y"), 5), 5);
        assert_eq!(seen.current(&entry(7, "x"), 6), 6, "nobody was shown that");
        for version in 10..20 {
            seen.note(&[entry(version, "z")]);
        }
        assert_eq!(seen.current(&entry(20, "x"), 5), 5, "forgotten");
        assert_eq!(seen.current(&entry(20, "z"), 19), 20);
    }
}
