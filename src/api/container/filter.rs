//! Which containers a list shows: the filters of an engine, looked at over all nodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::filters::{BadFilter, Filters};
use crate::api::list::unqualified;
use crate::api::pattern::Pattern;
use crate::api::query::atoi;
use crate::cluster::alike::Aliases;
use crate::model::{ClusterView, Container, NODE_NAME_LABEL, Node};

use super::port_filter::PortFilter;

/// Filters that a list of containers accepts; `node` is ours.
pub const ALLOWED: &[&str] = &[
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "node",
    "publish",
    "since",
    "status",
    "volume",
];

/// Label that swarm mode puts on the containers of tasks.
const TASK_LABEL: &str = "com.docker.swarm.task";

/// The filters of one request, compiled once.
#[derive(Debug)]
pub(super) struct Filter<'q> {
    filters: &'q Filters,
    name: Pattern,
    names_with_node: bool,
    isolation: Pattern,
    ids: Option<BTreeSet<Arc<str>>>,
    exit_codes: Vec<i64>,
    task: Option<bool>,
    ports: PortFilter,
    /// What `ancestor` names, and what that means where it is an ID of another store.
    ancestors: Vec<(&'q str, Aliases<'q>)>,
}

/// The filters as they apply on one node.
#[derive(Debug)]
pub(super) struct NodeScope<'f> {
    filter: &'f Filter<'f>,
    node: &'f Node,
    ancestors: Option<BTreeSet<&'f str>>,
    windows: bool,
}

impl<'q> Filter<'q> {
    /// Compiles the filters for this view.
    ///
    /// # Errors
    /// A value cannot be read, in the engine's words.
    pub(super) fn new(filters: &'q Filters, view: &'q ClusterView) -> Result<Self, BadFilter> {
        for value in filters.values("status") {
            let states = [
                "created",
                "running",
                "paused",
                "restarting",
                "removing",
                "exited",
                "dead",
            ];
            if !states.contains(&value) {
                return Err(BadFilter::Status(value.to_owned()));
            }
        }
        for value in filters.values("health") {
            if !["none", "starting", "healthy", "unhealthy"].contains(&value) {
                return Err(BadFilter::Health(value.to_owned()));
            }
        }
        let name = filters.pattern("name");
        Ok(Self {
            filters,
            names_with_node: name.looks_inside(),
            name,
            isolation: filters.pattern("isolation"),
            ids: ids(filters, view),
            exit_codes: exit_codes(filters)?,
            task: filters.flag("is-task")?,
            ports: PortFilter::new(filters)?,
            ancestors: filters
                .values("ancestor")
                .map(|value| (value, Aliases::of(view.nodes(), value)))
                .collect(),
        })
    }

    /// Prepares the filters for the containers of one node.
    pub(super) fn on<'f>(&'f self, node: &'f Node) -> NodeScope<'f> {
        let os = node.facts.info.get("OSType").and_then(|os| os.as_str());
        NodeScope {
            filter: self,
            node,
            ancestors: ancestors(&self.ancestors, node),
            windows: os == Some("windows"),
        }
    }
}

impl NodeScope<'_> {
    /// Tells whether the list shows this container of the node; whether it runs is not looked at here.
    pub(super) fn admits(&self, container: &Container) -> bool {
        let Filter {
            filters,
            ids,
            exit_codes,
            task,
            ports,
            ..
        } = self.filter;
        let state = &container.state;
        let health = if state.health.is_empty() {
            "none"
        } else {
            &state.health
        };
        ids.as_ref().is_none_or(|ids| ids.contains(&container.id))
            && self.has_name(container)
            && task.is_none_or(|task| container.labels.contains_key(TASK_LABEL) == task)
            && filters.labels("label", |name| self.label(container, name))
            && self.has_isolation(container)
            && (exit_codes.is_empty() || has_ended_with(container, exit_codes))
            && filters.exact("status", &state.status)
            && filters.exact("health", health)
            && (!filters.contains("volume") || self.any("volume", |v| mounts(container, v)))
            && self
                .ancestors
                .as_ref()
                .is_none_or(|ids| ids.contains(container.image_id.as_str()))
            && (!filters.contains("network") || self.any("network", |v| is_attached(container, v)))
            && ports.admits(&container.entry)
    }

    /// Tries the name with and without its slash, and with the node if the filter speaks of one.
    fn has_name(&self, container: &Container) -> bool {
        let name = container.name();
        let matches = |name: &str| {
            let slashed = format!("/{name}");
            self.filter.name.matches(&slashed) || self.filter.name.matches(name)
        };
        matches(name)
            || (self.filter.names_with_node && matches(&format!("{}/{name}", self.node.name)))
    }

    /// Returns a label of the container, the one with its node's name included.
    fn label<'c>(&'c self, container: &'c Container, name: &str) -> Option<&'c str> {
        match name {
            NODE_NAME_LABEL => Some(&self.node.name),
            name => container.labels.get(name).map(String::as_str),
        }
    }

    /// Looks at the isolation on Windows only, as engines do.
    fn has_isolation(&self, container: &Container) -> bool {
        let isolation = match container.isolation.as_str() {
            "" => "default",
            isolation => isolation,
        };
        !self.windows || self.filter.isolation.matches(&isolation.to_lowercase())
    }

    /// Tells whether any value of a filter fits, its node dropped if it is this one.
    fn any(&self, key: &str, fits: impl Fn(&str) -> bool) -> bool {
        self.filter
            .filters
            .values(key)
            .any(|value| fits(unqualified(value, self.node)))
    }
}

/// Returns the containers that `id` filters mean: unique prefixes of IDs, as engines since 17.10 take them.
fn ids(filters: &Filters, view: &ClusterView) -> Option<BTreeSet<Arc<str>>> {
    filters.values("id").next()?;
    let unique = |value| {
        let mut hits = view
            .nodes()
            .iter()
            .flat_map(|node| node.containers.with_prefix(value));
        let first = hits.next().filter(|_| !value.is_empty())?;
        // The same ID twice is a container that was cloned with its machine.
        hits.all(|other| other.id == first.id)
            .then(|| Arc::clone(&first.id))
    };
    Some(filters.values("id").filter_map(unique).collect())
}

/// Reads the codes of `exited`.
fn exit_codes(filters: &Filters) -> Result<Vec<i64>, BadFilter> {
    let read = |value: &str| {
        atoi(value).map_err(|source| BadFilter::Exited {
            value: value.to_owned(),
            source,
        })
    };
    filters.values("exited").map(read).collect()
}

/// Returns the IDs of the images that `ancestor` names on this node, and of all images built on them.
fn ancestors<'n>(wanted: &[(&str, Aliases<'_>)], node: &'n Node) -> Option<BTreeSet<&'n str>> {
    if wanted.is_empty() {
        return None;
    }
    let named = wanted
        .iter()
        .filter_map(|(value, aliases)| node.image(value).or_else(|| aliases.on(node)));
    let mut pending: Vec<&str> = named.map(|image| image.id.as_str()).collect();
    let mut found = BTreeSet::new();
    while let Some(id) = pending.pop() {
        if found.insert(id) {
            let children = node.images.iter().filter(|image| image.parent_id == id);
            pending.extend(children.map(|image| image.id.as_str()));
        }
    }
    Some(found)
}

/// Tells whether the container ran and ended with one of the codes.
fn has_ended_with(container: &Container, exit_codes: &[i64]) -> bool {
    !container.state.is_running()
        && container.state.started_at.is_some()
        && exit_codes.contains(&container.state.exit_code)
}

/// Tells whether something is mounted there, or from there.
fn mounts(container: &Container, value: &str) -> bool {
    container.mounts.iter().any(|mount| {
        let source = if mount.name.is_empty() {
            &mount.source
        } else {
            &mount.name
        };
        mount.destination == value || source == value
    })
}

/// Tells whether the container is on the network of that name or ID prefix.
fn is_attached(container: &Container, value: &str) -> bool {
    container
        .networks
        .iter()
        .any(|network| network.name == value || network.id.starts_with(value))
}
