//! Images, networks and volumes out of the engine's lists.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Image, Network, Volume};

/// Reads an image list; what `all` has and `shown` has not is intermediate.
pub(crate) fn images(all: &Bytes, shown: &Bytes) -> serde_json::Result<Vec<Image>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Listed {
        id: String,
        #[serde(default)]
        parent_id: String,
        #[serde(default)]
        repo_tags: Option<Vec<String>>,
        #[serde(default)]
        repo_digests: Option<Vec<String>>,
        #[serde(default)]
        created: i64,
        #[serde(default)]
        labels: Option<BTreeMap<String, String>>,
    }
    let shown: Vec<Listed> = serde_json::from_slice(shown)?;
    let shown: HashSet<String> = shown.into_iter().map(|i| i.id).collect();
    let raw: Vec<&RawValue> = serde_json::from_slice(all)?;
    let real = |names: Option<Vec<String>>| -> Vec<String> {
        let names = names.into_iter().flatten();
        names.filter(|n| !n.starts_with("<none>")).collect()
    };
    raw.into_iter()
        .map(|entry| {
            let image: Listed = serde_json::from_str(entry.get())?;
            Ok(Image {
                intermediate: !shown.contains(&image.id),
                id: image.id,
                parent_id: image.parent_id,
                tags: real(image.repo_tags),
                digests: real(image.repo_digests),
                labels: image.labels.unwrap_or_default(),
                created_seconds: image.created,
                entry: Bytes::copy_from_slice(entry.get().as_bytes()),
            })
        })
        .collect()
}

/// Reads a network list.
pub(crate) fn networks(list: &Bytes) -> serde_json::Result<Vec<Network>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Listed {
        id: String,
        name: String,
        #[serde(default)]
        scope: String,
        #[serde(default)]
        driver: String,
        #[serde(default)]
        labels: Option<BTreeMap<String, String>>,
    }
    let raw: Vec<&RawValue> = serde_json::from_slice(list)?;
    raw.into_iter()
        .map(|entry| {
            let network: Listed = serde_json::from_str(entry.get())?;
            Ok(Network {
                id: network.id,
                name: network.name,
                scope: network.scope,
                driver: network.driver,
                labels: network.labels.unwrap_or_default(),
                entry: Bytes::copy_from_slice(entry.get().as_bytes()),
            })
        })
        .collect()
}

/// Reads a volume list.
pub(crate) fn volumes(list: &Bytes) -> serde_json::Result<Vec<Volume>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Listed {
        name: String,
        #[serde(default)]
        driver: String,
        #[serde(default)]
        scope: String,
        #[serde(default)]
        labels: Option<BTreeMap<String, String>>,
    }
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow, default, rename = "Volumes")]
        volumes: Option<Vec<&'a RawValue>>,
    }
    let list: List<'_> = serde_json::from_slice(list)?;
    list.volumes
        .into_iter()
        .flatten()
        .map(|entry| {
            let volume: Listed = serde_json::from_str(entry.get())?;
            Ok(Volume {
                name: volume.name,
                driver: volume.driver,
                scope: volume.scope,
                labels: volume.labels.unwrap_or_default(),
                entry: Bytes::copy_from_slice(entry.get().as_bytes()),
            })
        })
        .collect()
}
