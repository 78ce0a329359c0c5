//! One entry out of those of all nodes that have the image.
//!
//! Invariant: what is not named here is the first holder's, as its engine wrote it.

use std::sync::Arc;

use crate::model::raw::{Object, quote};
use crate::model::{Image, Node};

/// What engines write for an image without tags up to API 1.42.
const NO_TAG: &str = "<none>:<none>";
/// What engines write for an image without digests up to API 1.42.
const NO_DIGEST: &str = "<none>@<none>";

/// What of an entry depends on the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The API the client speaks, as minor number.
    pub(super) api_minor: u16,
    /// Whether the client asked for manifests (since 1.47).
    pub(super) manifests: bool,
}

/// Unites names in the order in which they are met, without those that mean "none".
pub(super) fn union<'i>(names: impl Iterator<Item = &'i String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        if name != NO_TAG && name != NO_DIGEST && !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}

/// Appends the entry of an image that these nodes hold; the first of them gives what is not merged.
pub(super) fn write(
    holders: &[(Arc<Node>, usize)],
    tags: &[String],
    digests: &[String],
    shape: Shape,
    out: &mut Vec<u8>,
) {
    let images: Vec<&Image> = holders
        .iter()
        .filter_map(|(n, at)| n.images.get(*at))
        .collect();
    let entries: Vec<Object<'_>> = images
        .iter()
        .filter_map(|image| Object::parse(std::str::from_utf8(&image.entry).ok()?).ok())
        .collect();
    let Some(mut entry) = entries.first().cloned() else {
        // An entry that is no JSON never gets into a node; an empty object keeps the list readable.
        out.extend_from_slice(b"{}");
        return;
    };
    let nodes: Vec<String> = holders.iter().map(|(node, _)| quote(&node.name)).collect();
    let number = |entry: &Object<'_>, key: &str| entry.decode::<i64>(key);
    let sizes = entries.iter().filter_map(|entry| number(entry, "Size"));
    let size = sizes.max().unwrap_or_default().to_string();
    let containers = entries
        .iter()
        .map(|entry| number(entry, "Containers").filter(|n| *n >= 0));
    let containers = containers
        .sum::<Option<i64>>()
        .filter(|_| shape.api_minor >= 51);
    let (tags, digests) = names(tags, digests, shape.api_minor);
    entry.set("RepoTags", tags);
    entry.set("RepoDigests", digests);
    entry.set("Containers", containers.unwrap_or(-1).to_string());
    // Known when it was asked for; otherwise engines say -1.
    let shared = entries.iter().filter_map(|e| number(e, "SharedSize")).max();
    let shared = shared.unwrap_or(-1).to_string();
    entry.set("SharedSize", shared);
    entry.set("Size", size.clone());
    if shape.api_minor < 44 {
        entry.set("VirtualSize", size);
    } else {
        entry.remove_folded("VirtualSize");
    }
    if shape.api_minor < 48 {
        entry.remove_folded("Descriptor");
    }
    if shape.api_minor < 47 || !shape.manifests {
        entry.remove_folded("Manifests");
    }
    entry.set("Nodes", format!("[{}]", nodes.join(",")));
    out.extend_from_slice(entry.to_json().as_bytes());
}

/// Writes tags and digests as JSON; before 1.43 a pair of names stands for none at all, and `null` for none of one kind.
fn names(tags: &[String], digests: &[String], api_minor: u16) -> (String, String) {
    let list = |names: &[String]| {
        let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
        format!("[{}]", quoted.join(","))
    };
    let old = api_minor < 43;
    if old && tags.is_empty() && digests.is_empty() {
        return (list(&[NO_TAG.to_owned()]), list(&[NO_DIGEST.to_owned()]));
    }
    let or_null = |names: &[String]| match old && names.is_empty() {
        true => "null".to_owned(),
        false => list(names),
    };
    (or_null(tags), or_null(digests))
}
