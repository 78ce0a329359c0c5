//! Which images a list shows.

use jiff::Timestamp;
use regex::Regex;

use crate::api::filters::{BadFilter, Filters};
use crate::api::glob::glob;
use crate::api::list::ListError;
use crate::api::timestamp;
use crate::model::image::{familiar, with_tag, without_tag};
use crate::model::{ClusterView, Image};

/// Filters that a list of images accepts; `node` is ours.
pub const ALLOWED: &[&str] = &[
    "before",
    "dangling",
    "label",
    "node",
    "reference",
    "since",
    "until",
];

/// The filters of one request, compiled once.
#[derive(Debug)]
pub(super) struct Filter<'q> {
    filters: &'q Filters,
    dangling: Option<bool>,
    /// Created before these seconds.
    before: Option<i64>,
    /// Created after these seconds.
    since: Option<i64>,
    until: Option<Timestamp>,
    references: Vec<Regex>,
}

impl<'q> Filter<'q> {
    /// Compiles the filters for this view.
    ///
    /// # Errors
    /// A value cannot be read, or `before` or `since` names no image.
    pub(super) fn new(
        filters: &'q Filters,
        view: &ClusterView,
        now: Timestamp,
    ) -> Result<Self, ListError> {
        let bounds = |key: &str| -> Result<Vec<i64>, ListError> {
            filters
                .values(key)
                .map(|value| created(view, value))
                .collect()
        };
        let until = |value: &str| {
            timestamp::parse(value, now).map_err(|_| BadFilter::Time(value.to_owned()))
        };
        let untils: Vec<_> = filters
            .values("until")
            .map(until)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            filters,
            dangling: filters.flag("dangling")?,
            before: bounds("before")?.into_iter().min(),
            since: bounds("since")?.into_iter().max(),
            until: untils.into_iter().min(),
            references: filters
                .values("reference")
                .map(glob)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Tells whether an image with these names is listed; those that `reference` hides are gone already.
    pub(super) fn admits(&self, image: &Image, named: Named) -> bool {
        let created = image.created_seconds;
        let label = |name: &str| image.labels.get(name).map(String::as_str);
        self.dangling.is_none_or(|dangling| match dangling {
            true => named != Named::Tagged && !image.intermediate,
            false => named != Named::Not,
        }) && self.before.is_none_or(|before| created < before)
            && self.since.is_none_or(|since| created > since)
            && self.until.is_none_or(|until| created < until.as_second())
            && self.filters.labels("label", label)
            && (self.references.is_empty() || named != Named::Not)
    }

    /// Tells whether `reference` lets a tag or digest be shown.
    pub(super) fn shows(&self, reference: &str) -> bool {
        let name = reference
            .split_once('@')
            .map_or_else(|| without_tag(reference), |(n, _)| n);
        self.references.is_empty()
            || self
                .references
                .iter()
                .any(|p| p.is_match(reference) || p.is_match(name))
    }
}

/// How an image is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By a tag.
    Tagged,
    /// By digests only.
    Digested,
    /// Not at all.
    Not,
}

/// Returns when the image was created that a reference means, on whichever node has it.
fn created(view: &ClusterView, reference: &str) -> Result<i64, ListError> {
    let mut nodes = view.healthy().chain(view.nodes());
    let image = nodes.find_map(|node| node.image(reference));
    image.map(|image| image.created_seconds).ok_or_else(|| {
        // An engine writes the reference as it understood it.
        let exact = reference.starts_with("sha256:") || reference.contains('@');
        ListError::NoSuchImage(match exact {
            true => reference.to_owned(),
            false => with_tag(familiar(reference)),
        })
    })
}
