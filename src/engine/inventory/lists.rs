//! Images, networks and volumes out of the engine's lists.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::copies::Copies;
use crate::model::image::familiar;
use crate::model::network::REPLICA_LABEL;
use crate::model::plugin::{Kind, Plugin};
use crate::model::raw::{Object, quote};
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
                moved: BTreeMap::new(),
                copied: false,
                content: None,
                digests: real(image.repo_digests),
                labels: image.labels.unwrap_or_default(),
                created_seconds: image.created,
                entry: Bytes::copy_from_slice(entry.get().as_bytes()),
            })
        })
        .collect()
}

/// Notes in a new list which tags came to another image since the old one, or were given anew (`retagged`). One that is being `copied` here came as long
/// ago as where it is from: a copy that ends after a newer image was built elsewhere must not pass for the newest.
pub(crate) fn note_moves(
    old: &[Image],
    new: &mut [Image],
    copied: &Copies,
    retagged: &HashSet<String>,
    now: Timestamp,
) {
    let mut owners: HashMap<&str, &Image> = HashMap::new();
    for image in old {
        owners.extend(image.tags.iter().map(|tag| (tag.as_str(), image)));
    }
    let ids: HashMap<&str, bool> = old.iter().map(|i| (i.id.as_str(), i.copied)).collect();
    for image in new {
        image.copied = match ids.get(image.id.as_str()) {
            Some(known) => *known,
            None => image.tags.iter().any(|tag| copied.get(tag).is_some()),
        };
        for tag in &image.tags {
            let at = match owners.get(tag.as_str()) {
                Some(owner) if owner.id == image.id && !retagged.contains(familiar(tag)) => {
                    owner.moved.get(tag).copied()
                }
                _ => copied.get(tag).unwrap_or(Some(now)),
            };
            image.moved.extend(at.map(|at| (tag.clone(), at)));
        }
    }
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
            let mut labels = network.labels.unwrap_or_default();
            let of = labels.remove(REPLICA_LABEL).filter(|id| !id.is_empty());
            let shown = match &of {
                Some(id) => as_original(entry.get(), id)?.into(),
                None => Bytes::copy_from_slice(entry.get().as_bytes()),
            };
            Ok(Network {
                copy: of.is_some().then(|| network.id.clone()),
                id: of.unwrap_or(network.id),
                name: network.name,
                scope: network.scope,
                driver: network.driver,
                labels,
                entry: shown,
            })
        })
        .collect()
}

/// Returns what an engine tells of a copy as if it were the network itself.
fn as_original(text: &str, id: &str) -> serde_json::Result<String> {
    let mut network = Object::parse(text)?;
    network.set("Id", quote(id));
    let mut labels = network.object("Labels")?;
    labels.remove_folded(REPLICA_LABEL);
    let labels = labels.to_json();
    network.set("Labels", labels);
    Ok(network.to_json())
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

/// Reads a list of managed plugins: what those give that are enabled.
pub(crate) fn plugins(list: &Bytes) -> serde_json::Result<Vec<Plugin>> {
    let list: Option<Vec<Value>> = serde_json::from_slice(list)?;
    let enabled = list.into_iter().flatten().filter(|p| p["Enabled"] == true);
    let given = enabled.flat_map(|plugin| {
        let types = plugin["Config"]["Interface"]["Types"].as_array();
        let kinds = types.into_iter().flatten();
        let kinds = kinds.filter_map(|t| match t.as_str() {
            Some(text) => Kind::of_capability(text),
            None => Kind::of_capability(t["Capability"].as_str()?),
        });
        let name = plugin["Name"].as_str().unwrap_or_default();
        let given = kinds.map(|kind| Plugin {
            kind,
            name: name.to_owned(),
        });
        given.collect::<Vec<_>>()
    });
    Ok(given.collect())
}

#[cfg(test)]
mod tests {
    use super::super::copies::Copying;
    use super::*;

    #[test]
    fn only_enabled_plugins_give_drivers() {
        let plugin = |name: &str, enabled: bool, types: Value| {
            let interface = serde_json::json!({ "Interface": { "Types": types } });
            serde_json::json!({"Name": name, "Enabled": enabled, "Config": interface})
        };
        let volume = serde_json::json!(["docker.volumedriver/1.0"]);
        let list = serde_json::json!([
            plugin("on:latest", true, volume.clone()),
            plugin("off:latest", false, volume),
            plugin(
                "authz:latest",
                true,
                serde_json::json!(["docker.authz/1.0"])
            ),
        ]);
        let read = plugins(&list.to_string().into()).unwrap();
        assert_eq!(read.len(), 1);
        assert!(read[0].is_called(Kind::Volume, "on"));
        assert!(plugins(&"null".into()).unwrap().is_empty());
    }

    #[test]
    fn a_tag_that_comes_to_another_image_is_noted_once() {
        let image = |id: &str, tags: &[&str]| Image {
            id: id.into(),
            tags: tags.iter().map(|t| (*t).to_owned()).collect(),
            ..Image::default()
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (noon, later) = (at("2026-11-24T12:00:00Z"), at("2026-11-24T13:00:00Z"));
        let first = [image("a", &["app:1", "x:1"])];
        let mut second = [image("a", &["x:1"]), image("b", &["app:1"])];
        let none = Copies::default();
        note_moves(&first, &mut second, &none, &HashSet::new(), noon);
        assert!(second[0].moved.is_empty(), "it was there from the start");
        assert_eq!(second[1].moved_at("app:1"), Some(noon));
        let mut third = [image("a", &["x:1"]), image("b", &["app:1", "new:1"])];
        note_moves(&second, &mut third, &none, &HashSet::new(), later);
        assert_eq!(third[1].moved_at("app:1"), Some(noon));
        assert_eq!(third[1].moved_at("docker.io/library/new:1"), Some(later));
        // Copies are as old as what they are copies of.
        let mut copied = Copies::default();
        copied.insert(Copying::begin(), "new:1".to_owned(), Some(noon));
        copied.insert(Copying::begin(), "app:1".to_owned(), None);
        let mut fourth = [image("c", &["new:1", "app:1", "x:1"])];
        note_moves(&third, &mut fourth, &copied, &HashSet::new(), later);
        assert_eq!(fourth[0].moved_at("new:1"), Some(noon));
        assert_eq!(fourth[0].moved_at("app:1"), None);
        assert_eq!(fourth[0].moved_at("x:1"), Some(later));
        // Given again to the image that has it: other nodes may have had it elsewhere.
        let retagged = HashSet::from(["new:1".to_owned()]);
        let mut fifth = [image("c", &["new:1", "app:1"])];
        note_moves(&fourth, &mut fifth, &none, &retagged, later);
        assert_eq!(fifth[0].moved_at("new:1"), Some(later));
        assert_eq!(fifth[0].moved_at("app:1"), None);
    }
}
