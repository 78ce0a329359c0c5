//! `GET /images/json`: the images of all nodes, equal IDs as one row.
//!
//! Different IDs under one tag stay rows of their own, so that stale copies are seen.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::api::filters::Filters;
use crate::api::list::{ListError, NodeFilter, chunks};
use crate::api::query::Query;
use crate::model::{ClusterView, Node};

use super::filter::{ALLOWED, Filter, Named};
use super::merge::{self, Shape};

/// What a client asks of the list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Whether intermediate images are listed.
    pub all: bool,
    /// Whether sizes shared between images are asked for; only the nodes themselves know them.
    pub shared_size: bool,
    /// Whether manifests are asked for; likewise.
    pub manifests: bool,
    /// The API the client speaks, as minor number.
    pub api_minor: u16,
    /// The filters.
    pub filters: Filters,
}

impl ListQuery {
    /// Reads the query of a request made in API `1.{api_minor}`.
    ///
    /// # Errors
    /// The filters are unreadable or unknown.
    pub fn parse(query: &Query, api_minor: u16) -> Result<Self, ListError> {
        let mut filters = Filters::parse(query.text("filters"))?;
        let name = query.text("filter");
        // Dropped from the API with 1.41; classic Swarm took it too.
        if api_minor < 41 && !name.is_empty() {
            filters.insert("reference", name);
        }
        filters.validate(ALLOWED)?;
        Ok(Self {
            all: query.flag("all"),
            shared_size: api_minor >= 42 && query.flag("shared-size"),
            manifests: api_minor >= 47 && query.flag("manifests"),
            api_minor,
            filters,
        })
    }
}

/// One image of the list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The nodes that have it, those that answer first, and where in their images it is.
    holders: Vec<(Arc<Node>, usize)>,
    tags: Vec<String>,
    digests: Vec<String>,
    shape: Shape,
}

/// Selects, merges and orders the images that the list shows: the newest first.
///
/// # Errors
/// A filter's value cannot be read, or `before` or `since` names no image.
pub fn select(
    view: &ClusterView,
    query: &ListQuery,
    now: Timestamp,
) -> Result<Vec<Row>, ListError> {
    let filter = Filter::new(&query.filters, view, now)?;
    let nodes = NodeFilter::new(&query.filters);
    let mut by_id: BTreeMap<&str, Vec<(&Arc<Node>, usize)>> = BTreeMap::new();
    for node in view.nodes().iter().filter(|node| nodes.admits(node)) {
        for (at, image) in node.images.iter().enumerate() {
            by_id.entry(&image.id).or_default().push((node, at));
        }
    }
    let mut rows: Vec<(Reverse<i64>, Row)> = by_id
        .into_values()
        .filter_map(|holders| merged(holders, &filter, query))
        .collect();
    // Stable: equal times stay in the order of their IDs.
    rows.sort_by_key(|(created, _)| *created);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Writes the rows as the engine's JSON, in chunks of about 64 KiB.
pub fn render(rows: Vec<Row>) -> impl Iterator<Item = Bytes> {
    chunks("[", rows.into_iter(), "]\n".to_owned(), |row, out| {
        merge::write(&row.holders, &row.tags, &row.digests, row.shape, out);
    })
}

/// Makes a row of one image, with its time of creation; `None` when it is not listed.
fn merged(
    mut holders: Vec<(&Arc<Node>, usize)>,
    filter: &Filter<'_>,
    query: &ListQuery,
) -> Option<(Reverse<i64>, Row)> {
    holders.sort_by_key(|(node, _)| !node.health.is_healthy());
    let images = || holders.iter().map(|(node, at)| &node.images[*at]);
    let mut tags = merge::union(images().flat_map(|image| &image.tags));
    let mut digests = merge::union(images().flat_map(|image| &image.digests));
    tags.retain(|tag| filter.shows(tag));
    digests.retain(|digest| filter.shows(digest));
    let named = match (tags.is_empty(), digests.is_empty()) {
        (false, _) => Named::Tagged,
        (true, false) => Named::Digested,
        (true, true) => Named::Not,
    };
    let intermediate = images().all(|image| image.intermediate);
    let first = images().next()?;
    let hidden = !query.all && intermediate && named == Named::Not;
    (!hidden && filter.admits(first, named)).then(|| {
        let row = Row {
            holders: holders
                .iter()
                .map(|(node, at)| (Arc::clone(node), *at))
                .collect(),
            tags,
            digests,
            shape: Shape {
                api_minor: query.api_minor,
                manifests: query.manifests,
            },
        };
        (Reverse(first.created_seconds), row)
    })
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
