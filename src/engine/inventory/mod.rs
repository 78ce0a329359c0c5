//! What one engine holds: built from its answers, changed by its events, frozen into a [`Node`].
//!
//! Invariant: pure. No network here; the monitor brings the answers.

mod container;
mod copies;
mod inspected;
mod lists;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

pub(crate) use container::Found;
use container::Host;
pub use container::record;
use copies::Copies;
pub use copies::Copying;
pub(crate) use inspected::{content, last_tagged};
pub(crate) use lists::{images, networks, plugins, volumes};

use super::pulse::Pulse;
use crate::model::entry::Entry;
use crate::model::image::{familiar, with_tag};
use crate::model::load::Load;
use crate::model::node::{Facts, Trouble, engine_labels};
use crate::model::orders::Orders;
use crate::model::{
    Container, Containers, Image, Manners, Network, Node, Plugin, Resources, Stock, Volume, network,
};

/// Everything known of one engine, owned by its monitor.
#[derive(Debug)]
pub(crate) struct Inventory {
    key: Arc<str>,
    ip: String,
    overcommit: f64,
    manners: Manners,
    revision: u64,
    facts: Arc<Facts>,
    containers: Containers,
    images: Arc<Vec<Image>>,
    networks: Arc<Vec<Network>>,
    /// Which of them are copies.
    network_copies: Arc<network::Copies>,
    volumes: Arc<Vec<Volume>>,
    plugins: Arc<Vec<Plugin>>,
    orders: Orders,
    /// The engine that the orders are for: one set up anew starts without.
    ordered: String,
    /// Whether the volume that carries the orders is gone from the engine.
    orders_lost: bool,
    /// What managers of its swarm-mode cluster keep of the engine, as last heard.
    entry: Option<Entry>,
    /// Grows when the engine tells that nodes of its swarm-mode cluster have changed.
    peers_told: u64,
    /// Tags that copies bring at the moment.
    pub(crate) copied: Copies,
    /// Tags given since the last list, also to images that had them: whoever gives one means that image from now on.
    retagged: HashSet<String>,
    updated_at: Option<Timestamp>,
    /// What the containers were measured to use.
    pub(crate) load: Option<Load>,
}

impl Inventory {
    /// Starts with nothing known of the engine at `key`.
    pub(crate) fn new(key: Arc<str>, overcommit: f64, manners: Manners) -> Self {
        Self {
            key,
            ip: String::new(),
            overcommit,
            manners,
            revision: 0,
            facts: Arc::default(),
            containers: Containers::default(),
            images: Arc::default(),
            networks: Arc::default(),
            network_copies: Arc::default(),
            volumes: Arc::default(),
            plugins: Arc::default(),
            orders: Orders::default(),
            ordered: String::new(),
            orders_lost: false,
            entry: None,
            peers_told: 0,
            copied: Copies::default(),
            retagged: HashSet::new(),
            updated_at: None,
            load: None,
        }
    }

    /// Says at which address published ports of this node are reached; tells whether that is news.
    pub(crate) fn set_ip(&mut self, ip: String) -> bool {
        let changed = self.ip != ip;
        self.ip = ip;
        changed
    }

    /// Takes what the engine says of itself.
    pub(crate) fn set_facts(&mut self, facts: Arc<Facts>) {
        self.facts = facts;
    }

    /// Replaces all containers, but for those that `stay` as they were.
    pub(crate) fn set_containers(
        &mut self,
        found: &[Found],
        stay: impl Fn(&str) -> bool,
    ) -> serde_json::Result<()> {
        let staying = self.containers.iter().filter(|c| stay(&c.id)).cloned();
        let mut all: Vec<_> = staying.collect();
        for one in found {
            let container = container::container(one, &self.host())?;
            all.push(Arc::new(self.on_originals(container)));
        }
        self.containers = all.into_iter().collect();
        Ok(())
    }

    /// Replaces the containers `asked`; those not among `found` are gone. Returns others whose names are stale with that:
    /// they gained a link or lost one.
    pub(crate) fn update_containers(
        &mut self,
        asked: &[Arc<str>],
        found: &[Found],
    ) -> serde_json::Result<Vec<Arc<str>>> {
        let removed = asked.iter().filter_map(|id| self.containers.remove(id));
        let before: HashSet<String> = removed.flat_map(|old| old.links.clone()).collect();
        let mut after = HashSet::new();
        for one in found {
            let container = self.on_originals(container::container(one, &self.host())?);
            after.extend(container.links.iter().cloned());
            self.containers.insert(Arc::new(container));
        }
        let mut linked = self.linked(before.symmetric_difference(&after));
        linked.retain(|id| !asked.contains(id));
        Ok(linked)
    }

    /// Returns the containers to which links lead.
    fn linked<'a>(&self, links: impl IntoIterator<Item = &'a String>) -> Vec<Arc<str>> {
        let names = links.into_iter().filter_map(|link| link.split_once(':'));
        let names = names.map(|(to, _)| to.trim_start_matches('/'));
        let found = names.filter_map(|name| self.containers.by_name(name));
        found.map(|container| Arc::clone(&container.id)).collect()
    }

    /// Returns the images.
    pub(crate) fn images(&self) -> &[Image] {
        &self.images
    }

    /// Returns the containers.
    pub(crate) fn containers(&self) -> &Containers {
        &self.containers
    }

    /// Returns what the engine says of itself.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Tells whether a container is known.
    pub(crate) fn has_container(&self, id: &str) -> bool {
        self.containers.by_id(id).is_some()
    }

    /// Forgets a container that the engine says is destroyed; returns those to which it had links.
    pub(crate) fn remove_container(&mut self, id: &str) -> Vec<Arc<str>> {
        let removed = self.containers.remove(id);
        self.linked(removed.iter().flat_map(|old| &old.links))
    }

    /// Replaces all images.
    pub(crate) fn set_images(&mut self, mut images: Vec<Image>) {
        // Of what came before the first list the engine itself has told.
        if self.is_read() {
            let now = Timestamp::now();
            let (copied, retagged) = (&self.copied, &self.retagged);
            lists::note_moves(&self.images, &mut images, copied, retagged, now);
        }
        self.retagged.clear();
        self.images = Arc::new(images);
    }

    /// Notes that a tag was given to an image.
    pub(crate) fn tagged(&mut self, tag: &str) {
        self.retagged.insert(with_tag(familiar(tag)));
    }

    /// Replaces all networks. Containers on copies are told to be on what those are copies of.
    pub(crate) fn set_networks(&mut self, networks: Vec<Network>) {
        if Arc::make_mut(&mut self.network_copies).note(&networks) {
            let on_copy = |c: &&Arc<Container>| c.is_on_copy(&self.network_copies);
            let users: Vec<_> = self.containers.iter().filter(on_copy).cloned().collect();
            for user in users {
                let container = self.on_originals((*user).clone());
                self.containers.remove(&user.id);
                self.containers.insert(Arc::new(container));
            }
        }
        self.networks = Arc::new(networks);
    }

    /// Puts a container on the networks that its own are copies of.
    fn on_originals(&self, container: Container) -> Container {
        match container.is_on_copy(&self.network_copies) {
            true => container.on_originals(&self.network_copies),
            false => container,
        }
    }

    /// Replaces all volumes.
    pub(crate) fn set_volumes(&mut self, mut volumes: Vec<Volume>) {
        let read = Orders::read(&volumes);
        let engine = self.facts.info["ID"].as_str().unwrap_or_default();
        // Someone cleared up past us, as with `docker volume prune -a` on the engine itself.
        self.orders_lost = read.revision == 0 && self.orders.revision > 0 && self.ordered == engine;
        if !self.orders_lost {
            self.orders = read;
            self.ordered = engine.to_owned();
        }
        volumes.retain(|volume| !Orders::are_in(volume));
        self.volumes = Arc::new(volumes);
    }

    /// Returns the orders when the engine no longer carries them.
    pub(crate) fn lost_orders(&self) -> Option<&Orders> {
        self.orders_lost.then_some(&self.orders)
    }

    /// Says that lost orders were written again, or are not to be before the next list.
    pub(crate) fn forget_loss(&mut self) {
        self.orders_lost = false;
    }

    /// Takes what managers keep of the engine; tells whether that is news.
    pub(crate) fn hear(&mut self, entry: Entry) -> bool {
        let known = self.entry.as_ref();
        let known = known.is_some_and(|e| e.id == entry.id && e.version >= entry.version);
        // Of whom it was before it joined anew nothing counts.
        let is_news = !known && self.facts.info["Swarm"]["NodeID"] == *entry.id;
        if is_news {
            self.entry = Some(entry);
        }
        is_news
    }

    /// Notes that nodes of the engine's swarm-mode cluster have changed.
    pub(crate) fn peers_changed(&mut self) {
        self.peers_told += 1;
    }

    /// Returns what operators decided: what the engine carries, and what managers keep as long as it is in their cluster.
    fn all_orders(&self) -> Orders {
        let now = &self.facts.info["Swarm"]["NodeID"];
        match self.entry.as_ref().filter(|entry| *now == *entry.id) {
            Some(entry) => self.orders.with(entry),
            None => self.orders.clone(),
        }
    }

    /// Replaces all managed plugins.
    pub(crate) fn set_plugins(&mut self, plugins: Vec<Plugin>) {
        self.plugins = Arc::new(plugins);
    }

    /// Tells whether the engine has ever been read.
    pub(crate) fn is_read(&self) -> bool {
        self.updated_at.is_some()
    }

    /// Says that what is held is true now; before the first list nothing is.
    pub(crate) fn touch(&mut self) {
        if self.is_read() {
            self.updated_at = Some(Timestamp::now());
        }
    }

    /// Says that all has been listed.
    pub(crate) fn read(&mut self) {
        self.updated_at = Some(Timestamp::now());
    }

    /// Returns the engine's newest API, as minor number.
    pub(crate) fn api_max(&self) -> u16 {
        self.facts.api_max
    }

    /// Makes the next publication.
    pub(crate) fn freeze(&mut self, pulse: &Pulse, trouble: Option<&Trouble>) -> Node {
        self.revision += 1;
        let info = &self.facts.info;
        let number = |key: &str| info[key].as_i64().unwrap_or(0);
        let with_overcommit = |n: i64| {
            // Rounding down never promises more than there is.
            (n as f64 * (1.0 + self.overcommit)).floor() as i64
        };
        let orders = self.all_orders();
        let labels = labels(info, &orders.labels);
        let devices = Arc::new(Stock::of(&labels, info));
        Node {
            key: Arc::clone(&self.key),
            engine_id: info["ID"].as_str().unwrap_or_default().to_owned(),
            name: self.name().to_owned(),
            ip: self.ip.clone(),
            health: pulse.health().clone(),
            failures: pulse.failures(),
            trouble: trouble.cloned(),
            labels,
            orders,
            carried: self.orders.clone(),
            peers_told: self.peers_told,
            facts: Arc::clone(&self.facts),
            capacity: Resources {
                nano_cpus: match self.manners {
                    Manners::Engine => with_overcommit(number("NCPU") * Resources::NANO_PER_CPU),
                    // Classic counts whole processors: one has none to give in excess.
                    Manners::Classic => with_overcommit(number("NCPU")) * Resources::NANO_PER_CPU,
                },
                memory_bytes: with_overcommit(number("MemTotal")),
            },
            used: self.containers.iter().map(|c| c.resources).sum(),
            load: self.load,
            devices,
            containers: self.containers.clone(),
            images: Arc::clone(&self.images),
            networks: Arc::clone(&self.networks),
            network_copies: Arc::clone(&self.network_copies),
            volumes: Arc::clone(&self.volumes),
            plugins: Arc::clone(&self.plugins),
            revision: self.revision,
            updated_at: self.updated_at,
            described: OnceLock::new(),
        }
    }

    /// Returns what containers of this engine have in common.
    fn host(&self) -> Host<'_> {
        Host {
            name: self.name(),
            ip: &self.ip,
            cpus: self.facts.info["NCPU"].as_i64().unwrap_or(0),
            manners: self.manners,
        }
    }

    /// Returns the host name the engine reports.
    pub(crate) fn name(&self) -> &str {
        self.facts.info["Name"].as_str().unwrap_or("(unknown)")
    }
}

/// Returns the labels that constraints see. A label called `node` would hide the node's name, and a user's label
/// never hides a built-in one (both as classic).
fn labels(
    info: &serde_json::Value,
    ordered: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = engine_labels(info)
        .filter(|(key, _)| *key != "node")
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let ordered = ordered.iter().filter(|(key, _)| *key != "node");
    labels.extend(ordered.map(|(key, value)| (key.clone(), value.clone())));
    for (label, key) in [
        ("storagedriver", "Driver"),
        ("kernelversion", "KernelVersion"),
        ("operatingsystem", "OperatingSystem"),
        ("ostype", "OSType"),
        ("architecture", "Architecture"),
    ] {
        if let Some(value) = info[key].as_str() {
            labels.insert(label.to_owned(), value.to_owned());
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_labels_win_and_node_is_not_a_label() {
        let info = serde_json::json!({
            "Labels": ["zone=a", "node=x", "ostype=plan9", "bare"],
            "OSType": "linux", "Driver": "overlay2",
        });
        let ordered = [("zone", "b"), ("ostype", "plan9"), ("rack", "1")];
        let ordered = ordered.map(|(k, v)| (k.to_owned(), v.to_owned()));
        let labels = labels(&info, &BTreeMap::from(ordered));
        assert_eq!(labels.get("zone").map(String::as_str), Some("b"));
        assert_eq!(labels.get("rack").map(String::as_str), Some("1"));
        assert_eq!(labels.get("ostype").map(String::as_str), Some("linux"));
        assert!(!labels.contains_key("node"));
        assert!(!labels.contains_key("bare"));
    }

    #[test]
    fn classic_overcommits_whole_processors() {
        for (manners, nano_cpus) in [
            (Manners::Engine, 4_200_000_000),
            (Manners::Classic, 4_000_000_000),
        ] {
            let mut inventory = Inventory::new("a:2375".into(), 0.05, manners);
            inventory.set_facts(Arc::new(Facts {
                info: serde_json::json!({"NCPU": 4, "MemTotal": 1000}),
                ..Facts::default()
            }));
            let capacity = inventory
                .freeze(&Pulse::new(3, std::time::Duration::from_secs(1)), None)
                .capacity;
            assert_eq!(
                (capacity.nano_cpus, capacity.memory_bytes),
                (nano_cpus, 1050)
            );
        }
    }

    #[test]
    fn what_managers_keep_counts_while_the_engine_is_in_their_cluster() {
        let mut inventory = Inventory::new("a:2375".into(), 0.0, Manners::Engine);
        let facts = |id: &str| Facts {
            info: serde_json::json!({"Swarm": {"NodeID": id}}),
            ..Facts::default()
        };
        let entry = |id: &str, version, label: &str| Entry {
            id: id.to_owned(),
            version,
            labels: BTreeMap::from([(label.to_owned(), String::new())]),
            ..Entry::default()
        };
        let shown = |inventory: &mut Inventory| {
            let pulse = Pulse::new(3, std::time::Duration::from_secs(1));
            let labels = inventory.freeze(&pulse, None).labels;
            labels.into_keys().collect::<Vec<_>>()
        };
        inventory.set_facts(facts("one").into());
        assert!(!inventory.hear(entry("other", 9, "x")));
        assert!(inventory.hear(entry("one", 5, "new")));
        assert!(!inventory.hear(entry("one", 4, "old")));
        assert_eq!(shown(&mut inventory), ["new"]);
        inventory.set_facts(facts("").into());
        assert!(shown(&mut inventory).is_empty());
        inventory.set_facts(facts("two").into());
        assert!(shown(&mut inventory).is_empty());
        assert!(inventory.hear(entry("two", 1, "again")));
        assert_eq!(shown(&mut inventory), ["again"]);
    }

    #[test]
    fn orders_outlive_the_volume_that_carries_them_but_not_the_engine() {
        let mut inventory = Inventory::new("a:2375".into(), 0.0, Manners::Engine);
        let engine = |id: &str| Facts {
            info: serde_json::json!({ "ID": id }),
            ..Facts::default()
        };
        inventory.set_facts(engine("one").into());
        let orders = Orders {
            revision: 3,
            labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            ..Orders::default()
        };
        let carrier = orders.carrier().unwrap();
        let carrier = Volume {
            name: orders.volume(),
            labels: serde_json::from_value(carrier["Labels"].clone()).unwrap(),
            ..Volume::default()
        };
        inventory.set_volumes(Vec::new());
        assert_eq!(inventory.lost_orders(), None, "there never were any");
        inventory.set_volumes(vec![carrier]);
        assert_eq!(inventory.lost_orders(), None);
        inventory.set_volumes(Vec::new());
        assert_eq!(inventory.lost_orders(), Some(&orders));
        inventory.set_facts(engine("two").into());
        inventory.set_volumes(Vec::new());
        assert_eq!(inventory.lost_orders(), None);
        assert_eq!(inventory.orders, Orders::default());
    }
}
