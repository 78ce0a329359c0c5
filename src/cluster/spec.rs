//! A create's body: what it asks of a node, and what the engine is sent.
//!
//! Invariant: nothing here waits; unknown fields, key order and numbers of the body survive (wire rule W18).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::error::Kind;
use super::{Error, Members, resolve};
use crate::model::container::{Container, RunState};
use crate::model::go_json::{self, BadJson};
use crate::model::raw::{Object, quote, same_key};
use crate::model::{NODE_NAME_LABEL, Network, SWARM_ID_LABEL, host_config};
use crate::scheduler::wishes;
use crate::scheduler::{Request, Required, Together};

/// A create, understood.
#[derive(Debug)]
pub struct Spec {
    /// What it asks of a node.
    pub request: Request,
    /// The body for the engine: wishes taken out of the environment, identity added, node prefixes removed.
    pub body: Bytes,
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
    pub fn read(body: &[u8], name: Option<&str>, members: &Members) -> Result<Self, BadSpec> {
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
        let identity = identity();
        let host_text = top.get_folded("HostConfig").unwrap_or("{}").to_owned();
        let place = "struct field .HostConfig of type container.HostConfig";
        let mut host = go_json::object(&host_text, place)?;
        let mut references = References::new(members);
        references.host(&mut host)?;
        let networking_text = top.get_folded("NetworkingConfig").map(str::to_owned);
        let networking = references.networking(networking_text.as_deref())?;

        let mut all_labels = labels;
        all_labels.extend(found.labels);
        all_labels.insert(SWARM_ID_LABEL.to_owned(), identity.clone());
        let (request, stand_in) = asked(
            &top,
            &host,
            name,
            references.take(),
            found.wishes,
            &all_labels,
            &identity,
        );
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
            request,
            body: top.to_json().into(),
            identity,
            stand_in: Arc::new(stand_in),
        })
    }
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
    (together, required): (Vec<Together>, Vec<Required>),
    wishes: wishes::Wishes,
    labels: &BTreeMap<String, String>,
    identity: &str,
) -> (Request, Container) {
    let network_mode: String = host.decode("NetworkMode").unwrap_or_default();
    let exposed = host_config::exposed(top);
    let mut request = Request {
        image: top.decode("Image").unwrap_or_default(),
        name: name.map(str::to_owned),
        wishes,
        resources: host_config::resources(host),
        ports: host_config::bindings(host),
        together,
        required,
        seed: fastrand::u64(..),
        ..Request::default()
    };
    if network_mode == "host" {
        request.host_ports.clone_from(&exposed);
    }
    let stand_in = Container {
        id: identity.into(),
        names: name.map(str::to_owned).into_iter().collect(),
        image: request.image.clone(),
        labels: labels.clone(),
        state: RunState {
            status: "created".to_owned(),
            ..RunState::default()
        },
        resources: request.resources,
        ports: request.ports.clone(),
        exposed,
        network_mode,
        ..Container::default()
    };
    (request, stand_in)
}

/// Makes 64 random hexadecimal digits.
fn identity() -> String {
    (0..4)
        .map(|_| format!("{:016x}", fastrand::u64(..)))
        .collect()
}

/// What a body refers to, collected while node prefixes are taken out of it.
struct References<'a> {
    members: &'a Members,
    together: Vec<Together>,
    required: Vec<Required>,
    host_changed: bool,
}

impl<'a> References<'a> {
    fn new(members: &'a Members) -> Self {
        Self {
            members,
            together: Vec::new(),
            required: Vec::new(),
            host_changed: false,
        }
    }

    /// Gives out what was collected.
    fn take(&mut self) -> (Vec<Together>, Vec<Required>) {
        (
            std::mem::take(&mut self.together),
            std::mem::take(&mut self.required),
        )
    }

    /// Reads the references of a `HostConfig`.
    fn host(&mut self, host: &mut Object<'_>) -> Result<(), BadSpec> {
        for (key, option) in [
            ("NetworkMode", "--net"),
            ("PidMode", "--pid"),
            ("IpcMode", "--ipc"),
        ] {
            let Some(mode) = host.decode::<String>(key) else {
                continue;
            };
            let plain = match mode.strip_prefix("container:") {
                Some(container) => format!("container:{}", self.container(option, container)?),
                None if key == "NetworkMode" => self.network(&mode)?,
                None => continue,
            };
            self.replace(host, key, &mode, &plain);
        }
        for (key, option) in [("VolumesFrom", "--volumes-from"), ("Links", "--link")] {
            let list: Vec<String> = host.decode(key).unwrap_or_default();
            let mut plain = Vec::with_capacity(list.len());
            for entry in &list {
                let (container, rest) = entry
                    .split_once(':')
                    .map_or((entry.as_str(), None), |(c, r)| (c, Some(r)));
                let container = self.container(option, container)?;
                plain.push(
                    rest.map_or_else(|| container.clone(), |rest| format!("{container}:{rest}")),
                );
            }
            self.replace_list(host, key, &list, &plain)?;
        }
        let binds: Vec<String> = host.decode("Binds").unwrap_or_default();
        let mut plain = Vec::with_capacity(binds.len());
        for bind in &binds {
            plain.push(match bind.split_once(':') {
                Some((volume, rest)) if is_volume(volume) => {
                    format!("{}:{rest}", self.volume(volume)?)
                }
                _ => bind.clone(),
            });
        }
        self.replace_list(host, "Binds", &binds, &plain)?;
        self.mounts(host)
    }

    /// Reads the volumes of `HostConfig.Mounts`.
    fn mounts(&mut self, host: &mut Object<'_>) -> Result<(), BadSpec> {
        let Some(text) = host.get_folded("Mounts").map(str::to_owned) else {
            return Ok(());
        };
        // A value of another type is left to the engine to refuse.
        let Ok(Some(mut mounts)) = serde_json::from_str::<Option<Vec<Object<'_>>>>(&text) else {
            return Ok(());
        };
        let mut changed = false;
        for mount in &mut mounts {
            let source: String = mount.decode("Source").unwrap_or_default();
            if mount.decode::<String>("Type").as_deref() != Some("volume") || source.is_empty() {
                continue;
            }
            let plain = self.volume(&source)?;
            if plain != source {
                mount.set_folded("Source", quote(&plain));
                changed = true;
            }
        }
        if changed {
            let list: Vec<String> = mounts.iter().map(Object::to_json).collect();
            host.set_folded("Mounts", format!("[{}]", list.join(",")));
            self.host_changed = true;
        }
        Ok(())
    }

    /// Reads `NetworkingConfig`; returns its new text when a key held a node prefix.
    fn networking(&mut self, text: Option<&str>) -> Result<Option<String>, BadSpec> {
        let Some(text) = text.filter(|t| *t != "null") else {
            return Ok(None);
        };
        let place = "struct field .NetworkingConfig of type network.NetworkingConfig";
        let mut config = go_json::object(text, place)?;
        let endpoints_text = config
            .get_folded("EndpointsConfig")
            .unwrap_or("null")
            .to_owned();
        if endpoints_text == "null" {
            return Ok(None);
        }
        let place = "struct field .NetworkingConfig.EndpointsConfig of type map[string]*network.EndpointSettings";
        let endpoints = go_json::object(&endpoints_text, place)?;
        let mut plain = Object::default();
        let mut changed = false;
        for (name, endpoint) in endpoints.iter() {
            let network = self.network(name)?;
            changed |= network != name;
            plain.set(&network, endpoint.to_owned());
        }
        if !changed {
            return Ok(None);
        }
        config.set_folded("EndpointsConfig", plain.to_json());
        Ok(Some(config.to_json()))
    }

    /// Notes that a container must be on the node of another; returns what the engine calls that one. One that is
    /// not there is left to the engine to refuse, in its own words.
    fn container(&mut self, option: &str, reference: &str) -> Result<String, BadSpec> {
        let located = match resolve::container(self.members, reference) {
            Ok(located) => located,
            Err(Error::NotFound { .. }) => return Ok(reference.to_owned()),
            Err(error) => return Err(error.into()),
        };
        let separator = if option.starts_with("--volumes") || option == "--link" {
            "="
        } else {
            "=container:"
        };
        self.together.push(Together {
            option: format!("{option}{separator}{reference}"),
            container: located.object.id.to_string(),
        });
        Ok(
            match reference.contains('/') && !reference.starts_with('/') {
                true => located.object.id.to_string(),
                false => reference.to_owned(),
            },
        )
    }

    /// Notes that a container must be where its network is; returns the network's plain name.
    fn network(&mut self, reference: &str) -> Result<String, BadSpec> {
        if Network::PREDEFINED.contains(&reference) || reference.is_empty() {
            return Ok(reference.to_owned());
        }
        let located = match resolve::network(self.members, reference) {
            Ok(located) => located,
            // An engine takes such a create and refuses the start.
            Err(Error::NotFound { .. }) => return Ok(reference.to_owned()),
            Err(error) => return Err(error.into()),
        };
        if !located.object.is_predefined() && !located.object.is_shared() {
            self.require(
                &located.node.key,
                format!("network {reference} is on {}", located.node.name),
            );
        }
        Ok(match reference.contains('/') {
            true => located.object.name,
            false => reference.to_owned(),
        })
    }

    /// Notes that a container must be where its volume is; returns the volume's plain name.
    fn volume(&mut self, reference: &str) -> Result<String, BadSpec> {
        let located = match resolve::volume(self.members, reference) {
            Ok(located) => located,
            // Made on the chosen node, unless a node was named for it.
            Err(Error::NotFound {
                kind: Kind::Volume, ..
            }) => {
                let Some((node, plain)) = resolve::qualified(self.members, reference) else {
                    return Ok(reference.to_owned());
                };
                let (key, plain) = (Arc::clone(&node.key), plain.to_owned());
                self.require(&key, format!("volume {reference} names its node"));
                return Ok(plain);
            }
            Err(error) => return Err(error.into()),
        };
        if !located.object.is_shared() {
            self.require(
                &located.node.key,
                format!("volume {reference} is on {}", located.node.name),
            );
        }
        Ok(located.object.name)
    }

    fn require(&mut self, node: &Arc<str>, reason: String) {
        self.required.push(Required {
            node: Arc::clone(node),
            reason,
        });
    }

    fn replace(&mut self, host: &mut Object<'_>, key: &str, old: &str, new: &str) {
        if old != new {
            host.set_folded(key, quote(new));
            self.host_changed = true;
        }
    }

    fn replace_list(
        &mut self,
        host: &mut Object<'_>,
        key: &str,
        old: &[String],
        new: &[String],
    ) -> Result<(), BadSpec> {
        if old != new {
            host.set_folded(key, serde_json::to_string(new)?);
            self.host_changed = true;
        }
        Ok(())
    }
}

/// Tells whether the first part of a bind is a volume's name and not a path.
fn is_volume(source: &str) -> bool {
    !source.is_empty() && !source.starts_with(['/', '.', '~', '\\'])
}
