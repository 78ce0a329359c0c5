//! A create's body: what it asks of a node, and what the engine is sent.
//!
//! Invariant: nothing here waits; unknown fields, key order and numbers of the body survive (wire rule W18).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::references::References;
use super::replace::replaced;
use super::{Error, Members, devices};
use crate::model::container::{Container, RunState};
use crate::model::go_json::{self, BadJson};
use crate::model::raw::{Object, quote, same_key};
use crate::model::{self, Manners, NODE_NAME_LABEL, Platform, SWARM_ID_LABEL, host_config};
use crate::scheduler::{Expr, Request, wishes};

/// The IDs that images have on an engine, by what they are asked for by.
pub type Aliases = BTreeMap<String, String>;

/// A create, understood.
#[derive(Debug)]
pub struct Spec {
    /// What it asks of a node.
    pub request: Arc<Request>,
    /// The body for an engine, but for classic's CPUs; see [`Spec::body_for`].
    body: Bytes,
    /// Whole CPUs that an engine is to be told as shares of what it has; 0 for none.
    whole_cpus: i64,
    /// What may not be as it was taken to be, for the user.
    pub doubts: Vec<String>,
    /// The IDs of networks that its node is to have a copy of.
    pub replicated: Vec<String>,
    /// The identity label's value.
    pub identity: String,
    /// The container as it stands in for itself until it is visible.
    pub stand_in: Arc<Container>,
}

/// Why a body is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BadSpec {
    /// It is not JSON, or something in it is of another type (the engine's words).
    #[error("invalid JSON: {0}")]
    Json(#[from] BadJson),
    /// It says nothing of the container (the engine's words).
    #[error("config cannot be empty in order to create a container")]
    Empty,
    /// It cannot be written again.
    #[error("cannot write the request: {0}")]
    Write(#[from] serde_json::Error),
    /// A wish in it cannot be understood.
    #[error("{0}")]
    Wish(#[from] wishes::BadWish),
    /// What it refers to cannot be found or is on several nodes.
    #[error(transparent)]
    Reference(#[from] Error),
}

impl Spec {
    /// Reads a create's body against the cluster as it is now.
    ///
    /// # Errors
    /// The body is not JSON, holds a wish that cannot be read, or names something that is on several nodes.
    pub fn read(
        body: &[u8],
        name: Option<&str>,
        members: &Members,
        manners: Manners,
    ) -> Result<Self, BadSpec> {
        let text = String::from_utf8_lossy(body);
        go_json::check(&text)?;
        let mut top = go_json::object(&text, "value of type container.CreateRequest")?;
        if is_empty(&top) {
            return Err(BadSpec::Empty);
        }
        let mut labels = labels(&top)?;
        // Tools that make a container again from an inspect bring along where it was.
        labels.remove(NODE_NAME_LABEL);
        let env: Vec<String> = top.decode("Env").unwrap_or_default();
        let found = wishes::extract(&env, &labels)?;
        let given = labels.get(SWARM_ID_LABEL).filter(|_| manners.is_classic());
        let identity = identity(given, members);
        let host_text = top.get_folded("HostConfig").unwrap_or("{}").to_owned();
        let place = "struct field .HostConfig of type container.HostConfig";
        let mut host = go_json::object(&host_text, place)?;
        let mut references = References::new(members, manners);
        references.host(&mut host)?;
        let networking_text = top.get_folded("NetworkingConfig").map(str::to_owned);
        let networking = references.networking(networking_text.as_deref())?;

        let mut all_labels = labels;
        all_labels.extend(found.labels);
        all_labels.insert(SWARM_ID_LABEL.to_owned(), identity.clone());
        let (mut request, stand_in) = asked(
            &top,
            &host,
            name,
            &references,
            found.wishes,
            &all_labels,
            manners,
        );
        request.replaces = replaced(members, &all_labels);
        if found.env.len() != env.len() {
            top.set_folded("Env", serde_json::to_string(&found.env)?);
        }
        if references.host_changed {
            top.set_folded("HostConfig", host.to_json());
        }
        if let Some(networking) = networking {
            top.set_folded("NetworkingConfig", networking);
        }
        top.set_folded("Labels", serde_json::to_string(&all_labels)?);
        Ok(Self {
            request: Arc::new(request),
            body: top.to_json().into(),
            whole_cpus: match manners {
                Manners::Engine => 0,
                Manners::Classic => host_config::cpu_shares(&host),
            },
            doubts: references.doubts,
            replicated: references.replicated,
            identity,
            stand_in: Arc::new(stand_in),
        })
    }
}

impl Spec {
    /// Adds constraints that the body does not say.
    pub fn wish(&mut self, constraints: Vec<Expr>) {
        let wishes = &mut Arc::make_mut(&mut self.request).wishes;
        wishes.constraints.extend(constraints);
    }

    /// Changes the labels that the container gets; what they say of its place has been read.
    ///
    /// # Errors
    /// The body cannot be written again.
    pub(super) fn relabel(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), BadSpec> {
        let stand_in = Arc::make_mut(&mut self.stand_in);
        change(&mut stand_in.labels);
        let text = String::from_utf8_lossy(&self.body);
        let mut top = Object::parse(&text)?;
        top.set_folded("Labels", serde_json::to_string(&stand_in.labels)?);
        let body = top.to_json().into();
        self.body = body;
        Ok(())
    }

    /// Notes the platform that the query asks for. Where no node is of it all are left to try: one may emulate it.
    pub fn ask_platform(&mut self, text: &str, members: &Members) {
        let wanted = Platform::parse(text);
        let is_there = |wanted: &Platform| {
            let mut nodes = members.view.nodes().iter();
            nodes.any(|n| Platform::of_engine(&n.facts.info).is_some_and(|own| own.runs(wanted)))
        };
        Arc::make_mut(&mut self.request).platform = wanted.filter(is_there);
    }

    /// Returns the length of the body, in bytes.
    pub fn length(&self) -> usize {
        self.body.len()
    }

    /// Returns the body for an engine of so many CPUs: wishes taken out of the environment, identity added, node
    /// prefixes removed, classic's whole CPUs as shares, and the IDs that images have there where those are others.
    pub fn body_for(&self, cpus: i64, aliases: &Aliases) -> Bytes {
        let told = || {
            let text = std::str::from_utf8(&self.body).ok()?;
            let mut top = Object::parse(text).ok()?;
            let host = top.get_folded("HostConfig").map(str::to_owned);
            // Some clients send `null` for none.
            if let Some(Ok(mut host)) = host.as_deref().map(Object::parse) {
                if self.whole_cpus > 0 {
                    let shares = host_config::shares(self.whole_cpus, cpus);
                    host.set_folded("CpuShares", shares.to_string());
                }
                if !self.request.mounted_images.is_empty() {
                    mount_by(aliases, &mut host);
                }
                top.set_folded("HostConfig", host.to_json());
            }
            if let Some(id) = aliases.get(&self.request.image) {
                top.set_folded("Image", quote(id));
            }
            Some(top.to_json().into())
        };
        let told = (self.whole_cpus > 0 || !aliases.is_empty()).then(told);
        let told = told.flatten();
        told.unwrap_or_else(|| self.body.clone())
    }
}

/// Gives the images that are mounted the IDs that they have on an engine.
fn mount_by(aliases: &Aliases, host: &mut Object<'_>) {
    let text = host.get_folded("Mounts").unwrap_or("null").to_owned();
    let Ok(Some(mut mounts)) = serde_json::from_str::<Option<Vec<Object<'_>>>>(&text) else {
        return;
    };
    for mount in &mut mounts {
        let of_image = mount.decode::<String>("Type").as_deref() == Some("image");
        let source: String = mount.decode("Source").unwrap_or_default();
        if let Some(id) = aliases.get(&source).filter(|_| of_image) {
            mount.set_folded("Source", quote(id));
        }
    }
    let list: Vec<String> = mounts.iter().map(Object::to_json).collect();
    host.set_folded("Mounts", format!("[{}]", list.join(",")));
}

/// Tells whether a body has nothing but what stands beside the container's own settings.
fn is_empty(top: &Object<'_>) -> bool {
    let beside = ["HostConfig", "NetworkingConfig"];
    top.iter()
        .all(|(key, _)| beside.iter().any(|name| same_key(key, name)))
}

/// Reads the labels, of which `null` is an empty one. They are written anew, so none may be lost here.
fn labels(top: &Object<'_>) -> Result<BTreeMap<String, String>, BadJson> {
    let text = top.get_folded("Labels").unwrap_or("null");
    let read: Result<Option<BTreeMap<String, Option<String>>>, _> = serde_json::from_str(text);
    if let Ok(labels) = read {
        let labels = labels.unwrap_or_default().into_iter();
        return Ok(labels.map(|(k, v)| (k, v.unwrap_or_default())).collect());
    }
    let labels = go_json::object(text, "struct field .Labels of type map[string]string")?;
    let wrong = labels
        .iter()
        .find(|(_, value)| !matches!(go_json::kind(value), "string" | "null"));
    let (name, value) = wrong.unwrap_or_default();
    Err(BadJson::Type {
        found: go_json::kind(value),
        place: format!("struct field .Labels.{name} of type string"),
    })
}

/// Puts together what a create asks of its node, and the container that stands in for it until it is visible.
fn asked(
    top: &Object<'_>,
    host: &Object<'_>,
    name: Option<&str>,
    references: &References<'_>,
    wishes: wishes::Wishes,
    labels: &BTreeMap<String, String>,
    manners: Manners,
) -> (Request, Container) {
    let network_mode: String = host.decode("NetworkMode").unwrap_or_default();
    let exposed = host_config::exposed(top);
    let of_engine = model::devices::asked(host);
    let mut request = Request {
        image: top.decode("Image").unwrap_or_default(),
        name: name.map(str::to_owned),
        wishes,
        resources: host_config::asked(host, manners),
        devices: devices::asked(&of_engine, references.members),
        ports: host_config::bindings(host),
        seed: fastrand::u64(..),
        ..references.request.clone()
    };
    if network_mode == "host" {
        request.host_ports.clone_from(&exposed);
    }
    let stand_in = Container {
        id: labels.get(SWARM_ID_LABEL).map_or("", String::as_str).into(),
        names: name.map(str::to_owned).into_iter().collect(),
        image: request.image.clone(),
        labels: labels.clone(),
        state: RunState {
            status: "created".to_owned(),
            ..RunState::default()
        },
        resources: request.resources,
        devices: devices::held(&of_engine, &request.wishes),
        ports: request.ports.clone(),
        exposed,
        network_mode,
        mounts: references.mounts.clone(),
        ..Container::default()
    };
    (request, stand_in)
}

/// Returns the identity that the caller gave, which must be nobody else's, or makes 64 random hexadecimal digits.
fn identity(given: Option<&String>, members: &Members) -> String {
    let nodes = members.view.nodes().iter();
    let mut all = nodes.flat_map(|n| n.containers.iter());
    if let Some(given) = given.filter(|id| !id.is_empty())
        && !all.any(|c| c.swarm_id() == Some(given.as_str()))
    {
        return given.clone();
    }
    (0..4)
        .map(|_| format!("{:016x}", fastrand::u64(..)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn images_get_the_ids_that_they_have_on_the_engine() {
        let body = r#"{"Image":"aa","HostConfig":{"X":1,"Mounts":[{"Type":"image","Source":"bb","Target":"/b"},{"Type":"bind","Source":"bb","Target":"/c"},{"Type":"image","Source":"cc","Target":"/d"}]}}"#;
        let spec = Spec::read(body.as_bytes(), None, &Members::default(), Manners::Engine).unwrap();
        assert_eq!(spec.request.mounted_images, ["bb", "cc"]);
        let sent = |aliases: &[(&str, &str)]| {
            let aliases = aliases.iter();
            let aliases = aliases.map(|(asked, id)| ((*asked).to_owned(), (*id).to_owned()));
            let sent = spec.body_for(1, &aliases.collect());
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            let mounts = sent["HostConfig"]["Mounts"].as_array().unwrap();
            let sources = mounts.iter().map(|m| m["Source"].clone());
            (
                sent["Image"].clone(),
                Value::Array(sources.collect()),
                sent["HostConfig"]["X"].clone(),
            )
        };
        assert_eq!(
            sent(&[]),
            (json!("aa"), json!(["bb", "bb", "cc"]), json!(1))
        );
        assert_eq!(
            sent(&[("aa", "sha256:1"), ("bb", "sha256:2")]),
            (json!("sha256:1"), json!(["sha256:2", "bb", "cc"]), json!(1))
        );
        let bare = br#"{"Image":"aa","HostConfig":null}"#;
        let spec = Spec::read(bare, None, &Members::default(), Manners::Engine).unwrap();
        let aliases = [("aa".to_owned(), "sha256:1".to_owned())];
        let sent = spec.body_for(1, &aliases.into_iter().collect());
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(sent["Image"], "sha256:1");
    }
}
