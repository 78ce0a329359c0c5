//! Networks as a node lists them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;

/// Label by which users ask for a bridge network to be made again on every node that needs it.
pub const REPLICATE_LABEL: &str = "com.docker.swarm.replicate";
/// Label on such a copy, shown to nobody: the ID of the network that it is a copy of.
pub const REPLICA_LABEL: &str = "com.docker.swarm.replica-of";

/// One network on one node.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// 64 hexadecimal digits, or swarmkit's shorter ID; of a copy that of the network that was there first.
    pub id: String,
    /// What a copy's own engine calls it by.
    pub copy: Option<String>,
    /// Its name on the node.
    pub name: String,
    /// `local`, `global` or `swarm`.
    pub scope: String,
    /// The driver's name.
    pub driver: String,
    /// User labels.
    pub labels: BTreeMap<String, String>,
    /// The entry of the engine's list, as it came; of a copy with the ID of what it is one of.
    pub entry: Bytes,
}

impl Network {
    /// Names that every engine brings by itself.
    pub const PREDEFINED: [&'static str; 4] = ["bridge", "host", "none", "default"];

    /// Tells whether the engine made it by itself; such networks are on every node and tie a container to none.
    pub fn is_predefined(&self) -> bool {
        Self::PREDEFINED.contains(&self.name.as_str())
            || (self.name == "docker_gwbridge" || self.name == "ingress")
    }

    /// Tells whether it reaches over nodes, so that the same ID on several nodes is one network.
    pub fn is_shared(&self) -> bool {
        self.scope == "swarm" || self.scope == "global"
    }

    /// Tells whether nodes that need it make it again, without traffic between them.
    pub fn is_replicated(&self) -> bool {
        let asked = self.labels.get(REPLICATE_LABEL);
        self.copy.is_some() || !self.is_shared() && asked.is_some_and(|asked| is_yes(asked))
    }

    /// Tells whether the same ID on several nodes is one network.
    pub fn is_one(&self) -> bool {
        self.is_shared() || self.is_replicated()
    }

    /// Returns what the engine calls it by.
    pub fn own_id(&self) -> &str {
        self.copy.as_deref().unwrap_or(&self.id)
    }
}

/// Reads the value of a label that says yes or no.
pub fn is_yes(value: &str) -> bool {
    matches!(value, "1" | "true")
}

/// The networks of one engine that are copies: their IDs there, and those of what they are copies of. Some that are gone
/// stay, since events tell of them afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies(BTreeMap<String, String>);

impl Copies {
    /// The most that are kept beside those that are there.
    const GONE: usize = 256;

    /// Takes in a new list; tells whether it has copies that were not known.
    pub fn note(&mut self, networks: &[Network]) -> bool {
        let listed = networks
            .iter()
            .filter_map(|n| Some((n.copy.as_ref()?, &n.id)));
        let listed: Vec<_> = listed.collect();
        let is_new = listed.iter().any(|(own, _)| !self.0.contains_key(*own));
        if self.0.len() > listed.len() + Self::GONE {
            self.0.clear();
        }
        self.0.extend(
            listed
                .into_iter()
                .map(|(own, id)| (own.clone(), id.clone())),
        );
        is_new
    }

    /// Returns the ID of what this one is a copy of.
    pub fn of(&self, own: &str) -> Option<&str> {
        self.0.get(own).map(String::as_str)
    }

    /// Tells clients the IDs that they know, wherever an engine's text has those of copies.
    pub fn told<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut told = Cow::Borrowed(text);
        for (own, id) in &self.0 {
            if told.contains(own.as_str()) {
                told = Cow::Owned(told.replace(own.as_str(), id));
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_told_by_the_id_of_what_they_are_copies_of() {
        let copy = |own: &str, id: &str| Network {
            id: id.to_owned(),
            copy: Some(own.to_owned()),
            ..Network::default()
        };
        let mut copies = Copies::default();
        assert!(!copies.note(&[Network::default()]));
        assert!(copies.note(&[copy("bb", "aa"), copy("dd", "cc")]));
        assert!(!copies.note(&[copy("dd", "cc")]), "both are known");
        assert_eq!(copies.of("bb"), Some("aa"), "events tell of it still");
        assert_eq!(
            copies.told(r#"{"a":"bb","b":"dd"}"#),
            r#"{"a":"aa","b":"cc"}"#
        );
        assert!(matches!(copies.told("x"), Cow::Borrowed("x")));
    }

    #[test]
    fn a_network_is_replicated_when_its_owner_says_so() {
        let network = |scope: &str, value: &str| Network {
            scope: scope.to_owned(),
            labels: BTreeMap::from([(REPLICATE_LABEL.to_owned(), value.to_owned())]),
            ..Network::default()
        };
        assert!(network("local", "true").is_one());
        assert!(!network("local", "false").is_one());
        assert!(!network("swarm", "true").is_replicated());
    }
}
