//! Images as a node lists them.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;

/// One image on one node.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// `sha256:` and 64 hexadecimal digits.
    pub id: String,
    /// The image it was built on by the classic builder; empty when unknown.
    pub parent_id: String,
    /// `repository:tag` names.
    pub tags: Vec<String>,
    /// When a tag was seen to come to this image; of tags that it had when the engine was first read, what that says.
    pub moved: BTreeMap<String, Timestamp>,
    /// Whether it is no more than a copy of another node's, as far as is known.
    pub copied: bool,
    /// A hash of its layers and configuration, the same in image stores of all kinds; `None` when it could not be read.
    pub content: Option<u64>,
    /// `repository@digest` names.
    pub digests: Vec<String>,
    /// Labels as the list shows them.
    pub labels: BTreeMap<String, String>,
    /// Unix time of the build, in seconds.
    pub created_seconds: i64,
    /// Whether only `all=1` lists it (an intermediate layer of the classic builder).
    pub intermediate: bool,
    /// The entry of the engine's list, as it came.
    pub entry: Bytes,
}

impl Image {
    /// Tells whether a user's `reference` means this image: full ID, ID prefix, `repo`, `repo:tag` or `repo@digest`,
    /// each with or without Docker Hub's prefix. A repository without a tag means `latest`, as to an engine.
    pub fn matches(&self, reference: &str) -> bool {
        self.has_id(reference) || self.has_name(reference)
    }

    /// Tells whether `reference` is this image's ID or a prefix of it.
    pub fn has_id(&self, reference: &str) -> bool {
        let hex = self.id.strip_prefix("sha256:").unwrap_or(&self.id);
        let wanted = reference.strip_prefix("sha256:").unwrap_or(reference);
        let all_hex = !wanted.is_empty() && wanted.bytes().all(|b| b.is_ascii_hexdigit());
        all_hex && hex.starts_with(wanted)
    }

    /// Returns when it was built, in seconds; 0 when that is not known, which stores say in different ways.
    pub fn made(&self) -> i64 {
        self.created_seconds.max(0)
    }

    /// Tells whether another image, which a store of another kind gave another ID, is the same build.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.content.is_some() && self.content == other.content && self.made() == other.made()
    }

    /// Returns this image's own tag that `reference` means.
    pub fn tag(&self, reference: &str) -> Option<&str> {
        let wanted = with_tag(familiar(reference));
        let mut tags = self.tags.iter();
        tags.find(|t| familiar(t) == wanted).map(String::as_str)
    }

    /// Returns when the tag that `reference` means was seen to come to this image.
    pub fn moved_at(&self, reference: &str) -> Option<Timestamp> {
        self.moved.get(self.tag(reference)?).copied()
    }

    /// Tells whether `reference` names one of this image's tags or digests.
    pub fn has_name(&self, reference: &str) -> bool {
        let wanted = familiar(reference);
        if wanted.contains('@') {
            // "repo:tag@digest" means the digest.
            let (name, digest) = wanted.split_once('@').unwrap_or((wanted, ""));
            let repository = without_tag(name);
            return self.digests.iter().any(|d| {
                familiar(d)
                    .split_once('@')
                    .is_some_and(|(r, own)| r == repository && own == digest)
            });
        }
        self.tag(wanted).is_some()
    }
}

/// Tells whether `reference` names an image by its content: `repo@sha256:…`.
pub fn is_digest(reference: &str) -> bool {
    reference.contains('@')
}

/// Returns the short form that users write: without `docker.io/` and `library/`.
pub fn familiar(reference: &str) -> &str {
    let short = reference
        .strip_prefix("docker.io/")
        .or_else(|| reference.strip_prefix("index.docker.io/"))
        .unwrap_or(reference);
    short.strip_prefix("library/").unwrap_or(short)
}

/// Returns `reference` with `:latest` added when it has no tag.
pub fn with_tag(reference: &str) -> String {
    if without_tag(reference).len() == reference.len() {
        format!("{reference}:latest")
    } else {
        reference.to_owned()
    }
}

/// Returns the repository part: what stands before the tag. A colon in the registry's port is no tag.
pub fn without_tag(reference: &str) -> &str {
    match reference.rfind(':') {
        Some(colon) if !reference[colon..].contains('/') => &reference[..colon],
        _ => reference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_mean_what_an_engine_says_they_mean() {
        let image = Image {
            id: format!("sha256:{}", "ab".repeat(32)),
            tags: vec!["busybox:latest".into(), "reg:5000/a/b:1".into()],
            digests: vec!["busybox@sha256:11".into()],
            ..Image::default()
        };
        for yes in [
            "busybox",
            "busybox:latest",
            "docker.io/library/busybox:latest",
            "library/busybox",
            "reg:5000/a/b:1",
            "abab",
            "sha256:abab",
            "busybox@sha256:11",
            "busybox:latest@sha256:11",
        ] {
            assert!(image.matches(yes), "{yes}");
        }
        for no in [
            "busybox:1",
            "reg:5000/a/b",
            "abac",
            "other",
            "",
            "busybox@sha256:12",
        ] {
            assert!(!image.matches(no), "{no}");
        }
    }
}
