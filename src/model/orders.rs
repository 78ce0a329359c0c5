//! What an operator decided about a node: availability and labels (`docker node update`).
//!
//! Invariant: they live on the node's own engine, so that they survive Flotilla, move with the engine and are the same
//! for every manager. Engines let nothing of themselves be changed, so an empty volume carries them in a label; it is
//! shown in no list. In a swarm-mode cluster its managers keep the same, and others may change it there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Volume;
use super::entry::Entry;

/// The label with the orders as JSON.
pub const ORDERS_LABEL: &str = "com.flotilla.node";
/// What the names of the volumes begin with; the revision follows.
const VOLUME: &str = "flotilla-node-";

/// Whether a node takes new containers (swarm mode's words), the strictest last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Availability {
    /// It does.
    #[default]
    Active,
    /// It keeps what it has and takes nothing new.
    Pause,
    /// It takes nothing new, and what it has is to leave.
    Drain,
}

impl Availability {
    /// Reads swarm mode's word; empty means active.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "active" => Some(Self::Active),
            "pause" => Some(Self::Pause),
            "drain" => Some(Self::Drain),
            _ => None,
        }
    }

    /// Returns swarm mode's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }
}

/// The orders for one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Orders {
    /// Grows by one with every change; 0 when there never was one.
    #[serde(skip)]
    pub revision: u64,
    /// Whether it takes new containers.
    pub availability: Availability,
    /// Labels that constraints see beside the engine's own, which they hide.
    pub labels: BTreeMap<String, String>,
    /// The node's ID in the swarm-mode cluster whose managers were told the same; empty when none were.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub told: String,
}

impl Orders {
    /// Returns what counts where managers keep an entry of the node. Once they were told these orders, the entry is newer
    /// or the same. Before that both count: the labels of both, of which these hide the others, and the stricter word.
    #[must_use]
    pub fn with(&self, entry: &Entry) -> Self {
        let mut orders = Self {
            availability: entry.availability,
            labels: entry.labels.clone(),
            ..self.clone()
        };
        if self.told != entry.id {
            orders.availability = self.availability.max(entry.availability);
            orders.labels.extend(self.labels.clone());
        }
        orders
    }

    /// Returns the name of the volume that carries these orders.
    pub fn volume(&self) -> String {
        format!("{VOLUME}{}", self.revision)
    }

    /// Returns what an engine is asked for the volume that carries these orders.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn carrier(&self) -> serde_json::Result<serde_json::Value> {
        let text = serde_json::to_string(self)?;
        let labels = serde_json::json!({ ORDERS_LABEL: text });
        Ok(serde_json::json!({"Name": self.volume(), "Driver": "local", "Labels": labels}))
    }

    /// Tells whether a volume of this name may carry orders.
    pub fn are_named(name: &str) -> bool {
        let number = name.strip_prefix(VOLUME);
        number.is_some_and(|number| number.parse::<u64>().is_ok())
    }

    /// Tells whether a volume carries orders.
    pub fn are_in(volume: &Volume) -> bool {
        volume.labels.contains_key(ORDERS_LABEL) && Self::revision(volume).is_some()
    }

    /// Reads the newest orders among an engine's volumes; what cannot be read counts as no orders.
    pub fn read(volumes: &[Volume]) -> Self {
        let carriers = volumes.iter().filter(|v| Self::are_in(v));
        let newest = carriers.max_by_key(|v| Self::revision(v));
        let read = |volume: &Volume| {
            let text = volume.labels.get(ORDERS_LABEL)?;
            let orders: Self = serde_json::from_str(text).ok()?;
            Some(Self {
                revision: Self::revision(volume)?,
                ..orders
            })
        };
        newest.and_then(read).unwrap_or_default()
    }

    fn revision(volume: &Volume) -> Option<u64> {
        volume.name.strip_prefix(VOLUME)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str, label: Option<&str>) -> Volume {
        Volume {
            name: name.into(),
            labels: label
                .map(|text| (ORDERS_LABEL.to_owned(), text.to_owned()))
                .into_iter()
                .collect(),
            ..Volume::default()
        }
    }

    #[test]
    fn the_newest_volume_tells_the_orders() {
        let orders = Orders {
            revision: 10,
            availability: Availability::Drain,
            labels: BTreeMap::from([("zone".to_owned(), "a=b".to_owned())]),
            told: "me".to_owned(),
        };
        let text = serde_json::to_string(&orders).unwrap();
        let volumes = [
            volume("data", None),
            volume("flotilla-node-9", Some("{}")),
            volume(&orders.volume(), Some(&text)),
            volume("flotilla-node-11", None),
        ];
        assert_eq!(Orders::read(&volumes), orders);
        let carriers = volumes.iter().filter(|v| Orders::are_in(v)).count();
        assert_eq!(carriers, 2, "a user's volume of that name is none");
        assert_eq!(Orders::read(&volumes[..1]), Orders::default());
    }

    #[test]
    fn an_entry_counts_alone_once_its_managers_were_told() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs.map(|(k, v)| ((*k).into(), (*v).into())).collect()
        };
        let mut orders = Orders {
            revision: 2,
            availability: Availability::Pause,
            labels: labels(&[("a", "ours"), ("b", "ours")]),
            told: String::new(),
        };
        let mut entry = Entry {
            id: "me".to_owned(),
            labels: labels(&[("a", "theirs"), ("c", "theirs")]),
            ..Entry::default()
        };
        let both = orders.with(&entry);
        assert_eq!(both.availability, Availability::Pause);
        let expected = labels(&[("a", "ours"), ("b", "ours"), ("c", "theirs")]);
        assert_eq!((both.labels, both.revision), (expected, 2));
        entry.availability = Availability::Drain;
        assert_eq!(orders.with(&entry).availability, Availability::Drain);

        orders.told = "me".to_owned();
        entry.availability = Availability::Active;
        let theirs = orders.with(&entry);
        assert_eq!(theirs.availability, Availability::Active);
        assert_eq!((theirs.labels, theirs.revision), (entry.labels, 2));
    }

    #[test]
    fn orders_that_cannot_be_read_are_no_orders() {
        let broken = [volume("flotilla-node-3", Some("nonsense"))];
        assert_eq!(Orders::read(&broken), Orders::default());
        assert_eq!(Availability::parse("drain"), Some(Availability::Drain));
        assert_eq!(Availability::parse("Drain"), None);
    }
}
