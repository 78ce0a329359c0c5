//! `GET /containers/json`: all containers of all nodes as one engine would list them, from memory.
//!
//! Invariant: a container's entry is the engine's own, spliced once when it was published; only the `Status` text is
//! written per request. Sizes (`size=1`) are not here: the caller puts entries with sizes into the rows.

use std::cmp::Reverse;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::api::filters::Filters;
use crate::api::list::{ListError, NodeFilter, chunks};
use crate::api::query::Query;
use crate::model::{ClusterView, Container, Manners, Node};

use super::filter::{ALLOWED, Filter};

/// What a client asks of the list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Whether stopped containers are listed.
    pub all: bool,
    /// How many at most; not bounded when 0.
    pub limit: usize,
    /// Only containers created before this one (classic and engines before 1.13); empty for none.
    pub before: String,
    /// Only containers created after this one.
    pub since: String,
    /// The filters.
    pub filters: Filters,
    /// Whose habits decide what is listed.
    pub manners: Manners,
}

impl ListQuery {
    /// Reads the query of the request.
    ///
    /// # Errors
    /// The limit is no number, or the filters are unreadable or unknown.
    pub fn parse(query: &Query, manners: Manners) -> Result<Self, ListError> {
        let filters = Filters::parse(query.text("filters"))?;
        let limit = query.int("limit")?.unwrap_or_default();
        filters.validate(ALLOWED)?;
        Ok(Self {
            all: query.flag("all"),
            limit: usize::try_from(limit).unwrap_or_default(),
            before: query.text("before").to_owned(),
            since: query.text("since").to_owned(),
            filters,
            manners,
        })
    }

    /// Tells whether stopped containers are listed too.
    fn shows_all(&self) -> bool {
        let mut states = self.filters.values("status");
        let states = match self.manners {
            Manners::Engine => states.next().is_some(),
            Manners::Classic => !self.before.is_empty() || states.any(|s| s == "exited"),
        };
        self.all || self.limit > 0 || states
    }

    /// Tells whether classic hides a running container: its node does not answer, or it is a part of classic itself.
    fn hides(&self, node: &Node, container: &Container) -> bool {
        let own = || container.image.split(':').next() == Some("swarm");
        self.manners.is_classic() && (!node.health.is_healthy() || own())
    }
}

/// One container of the list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The node it is on.
    pub node: Arc<Node>,
    /// The container; its `entry` is what is written.
    pub container: Arc<Container>,
}

/// A container's place in the list: the newest first; then by node and ID, so that the order is the same each time.
type Place<'c> = (Reverse<(i64, i32)>, usize, &'c str);

/// Selects and orders the containers that the list shows.
///
/// Containers of nodes that do not answer are among them as they were last known.
///
/// # Errors
/// A filter's value cannot be read, or `before` or `since` names no container.
pub fn select(view: &ClusterView, query: &ListQuery) -> Result<Vec<Row>, ListError> {
    let filter = Filter::new(&query.filters, view)?;
    let before = bound(view, query, "before", &query.before)?;
    let since = bound(view, query, "since", &query.since)?;
    let nodes = NodeFilter::new(&query.filters);
    let all = query.shows_all();
    let mut found = Vec::new();
    for (index, node) in view.nodes().iter().enumerate() {
        if !nodes.admits(node) {
            continue;
        }
        let scope = filter.on(node);
        for container in node.containers.iter() {
            let place = place(index, container);
            if (all || container.state.is_running() && !query.hides(node, container))
                && before.iter().all(|bound| place > *bound)
                && since.iter().all(|bound| place < *bound)
                && scope.admits(container)
            {
                found.push((place, node, container));
            }
        }
    }
    found.sort_unstable_by_key(|(place, ..)| *place);
    if query.limit > 0 {
        found.truncate(query.limit);
    }
    let row = |(_, node, container)| Row {
        node: Arc::clone(node),
        container: Arc::clone(container),
    };
    Ok(found.into_iter().map(row).collect())
}

/// Writes the rows as the engine's JSON, in chunks of about 64 KiB; `Status` is as of `now`.
pub fn render(rows: Vec<Row>, now: Timestamp) -> impl Iterator<Item = Bytes> {
    chunks("[", rows.into_iter(), "]\n".to_owned(), move |row, out| {
        let status = if row.node.health.is_healthy() {
            row.container.state.text(now)
        } else {
            // Classic's word; the state stays as it was last known.
            "Host Down".to_owned()
        };
        row.container.entry.write(&status, out);
    })
}

/// Returns the place of a container.
fn place(node_index: usize, container: &Container) -> Place<'_> {
    (
        Reverse((container.created_seconds, container.created_nano)),
        node_index,
        &container.id,
    )
}

/// Returns the places of the containers that a bound names; the filter wins over the query's own key.
fn bound<'v>(
    view: &'v ClusterView,
    query: &ListQuery,
    key: &str,
    plain: &str,
) -> Result<Vec<Place<'v>>, ListError> {
    let plain = Some(plain).filter(|p| !p.is_empty() && !query.filters.contains(key));
    query
        .filters
        .values(key)
        .chain(plain)
        .map(|reference| find(view, reference))
        .collect()
}

/// Finds the one container that a reference means: by ID, name, node and name, or a prefix of its ID.
fn find<'v>(view: &'v ClusterView, reference: &str) -> Result<Place<'v>, ListError> {
    let name = reference.strip_prefix('/').unwrap_or(reference);
    let each = || view.nodes().iter().enumerate();
    let by_id = each().find_map(|(i, n)| Some(place(i, n.containers.by_id(reference)?)));
    if let Some(place) = by_id {
        return Ok(place);
    }
    let own = |node: &'v Node| {
        let plain = name.strip_prefix(node.name.as_str())?.strip_prefix('/')?;
        node.containers.by_name(plain)
    };
    let named = |node: &'v Node| node.containers.by_name(name).or_else(|| own(node));
    let hits: Vec<_> = each()
        .filter_map(|(i, n)| Some((n, place(i, named(n)?))))
        .collect();
    match hits.as_slice() {
        [] => {}
        [(_, place)] => return Ok(*place),
        hits => {
            return Err(ListError::AmbiguousName {
                name: name.to_owned(),
                nodes: hits.iter().map(|(node, _)| node.name.clone()).collect(),
            });
        }
    }
    let mut places = each().flat_map(|(i, n)| {
        n.containers
            .with_prefix(reference)
            .map(move |c| place(i, c))
    });
    let first = places.next().filter(|_| !reference.is_empty());
    let first = first.ok_or_else(|| ListError::NoSuchContainer(reference.to_owned()))?;
    match places.next() {
        None => Ok(first),
        Some(_) => Err(ListError::AmbiguousPrefix(reference.to_owned())),
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
