//! What a create's body refers to: the containers, networks and volumes that its node must have.

use std::sync::Arc;

use serde_json::Value;

use super::spec::BadSpec;
use super::{Error, Members, resolve};
use crate::model::container::Mount;
use crate::model::go_json;
use crate::model::plugin::{self, Plugin};
use crate::model::raw::{Object, quote};
use crate::model::{Manners, Network};
use crate::scheduler::{Among, Request, Required, Together};

/// Returns what the network mode of a build asks of its node, and what the engine there calls it.
///
/// # Errors
/// It names what is on several nodes.
pub fn of_build(
    members: &Members,
    manners: Manners,
    mode: &str,
) -> Result<(Request, String), Error> {
    let mut references = References::new(members, manners);
    let plain = match mode.strip_prefix("container:") {
        Some(container) => format!(
            "container:{}",
            references.container("--network", container)?
        ),
        None => references.network(mode)?,
    };
    for id in &references.replicated {
        // A build makes no copy.
        let nodes = members.view.nodes().iter();
        let holders = nodes.filter(|node| node.networks.iter().any(|n| n.id == *id));
        references.request.among.push(Among {
            nodes: holders.map(|n| Arc::clone(&n.key)).collect(),
            what: format!("network {mode}"),
        });
    }
    Ok((references.request, plain))
}

/// What a body refers to, collected while node prefixes are taken out of it.
pub(super) struct References<'a> {
    /// The cluster that they are looked up in.
    pub(super) members: &'a Members,
    manners: Manners,
    /// What they ask of a node.
    pub(super) request: Request,
    /// The named volumes among them.
    pub(super) mounts: Vec<Mount>,
    /// What may not be as it was taken to be, for the user.
    pub(super) doubts: Vec<String>,
    /// The IDs of networks among them that any node may have a copy of.
    pub(super) replicated: Vec<String>,
    /// Whether a node prefix was taken out of the `HostConfig`.
    pub(super) host_changed: bool,
}

impl<'a> References<'a> {
    /// Starts with nothing collected.
    pub(super) fn new(members: &'a Members, manners: Manners) -> Self {
        Self {
            members,
            manners,
            request: Request::default(),
            mounts: Vec::new(),
            doubts: Vec::new(),
            replicated: Vec::new(),
            host_changed: false,
        }
    }

    /// Reads the references of a `HostConfig`.
    pub(super) fn host(&mut self, host: &mut Object<'_>) -> Result<(), BadSpec> {
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
        let driver: String = host.decode("VolumeDriver").unwrap_or_default();
        self.plugin(plugin::Kind::Volume, &driver);
        let runtime: String = host.decode("Runtime").unwrap_or_default();
        let mut nodes = self.members.view.nodes().iter();
        // One that no node has is the engine's to refuse.
        let is_known = nodes.any(|node| node.has_runtime(&runtime));
        self.request.runtime = is_known.then_some(runtime);
        let log = host.object("LogConfig").ok();
        let driver: String = log.and_then(|l| l.decode("Type")).unwrap_or_default();
        self.plugin(plugin::Kind::Log, &driver);
        self.mounts(host)
    }

    /// Notes that a driver is needed. One that no node is known to have is left to the engine: it may find it yet.
    fn plugin(&mut self, kind: plugin::Kind, name: &str) {
        let mut nodes = self.members.view.nodes().iter();
        if nodes.any(|node| node.has_plugin(kind, name)) {
            let name = name.to_owned();
            self.request.plugins.push(Plugin { kind, name });
        }
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
            let options: Option<Value> = mount.decode("VolumeOptions");
            let driver = options.map(|o| o["DriverConfig"]["Name"].clone());
            let driver = driver.and_then(|d| d.as_str().map(str::to_owned));
            let driver = driver.unwrap_or_default();
            self.plugin(plugin::Kind::Volume, &driver);
            let source: String = mount.decode("Source").unwrap_or_default();
            if mount.decode::<String>("Type").as_deref() == Some("image") && !source.is_empty() {
                self.request.mounted_images.push(source);
                continue;
            }
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
    pub(super) fn networking(&mut self, text: Option<&str>) -> Result<Option<String>, BadSpec> {
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
            let linked = self.links(name, endpoint)?;
            changed |= network != name || linked.is_some();
            let endpoint = linked.unwrap_or_else(|| endpoint.to_owned());
            let nameless = self.without_id(&endpoint);
            changed |= nameless.is_some();
            plain.set(&network, nameless.unwrap_or(endpoint));
        }
        if !changed {
            return Ok(None);
        }
        config.set_folded("EndpointsConfig", plain.to_json());
        Ok(Some(config.to_json()))
    }

    /// Returns a container's place on a network without the network's ID, when that is one which not every node knows.
    fn without_id(&self, endpoint: &str) -> Option<String> {
        let mut endpoint = Object::parse(endpoint).ok()?;
        let id: String = endpoint.decode("NetworkID")?;
        if !self.replicated.contains(&id) {
            return None;
        }
        endpoint.remove_folded("NetworkID");
        Some(endpoint.to_json())
    }

    /// Reads the links of a container's place on a network; returns its new text when one held a node prefix. Names of
    /// a network that reaches over nodes are found from all of them.
    fn links(&mut self, network: &str, endpoint: &str) -> Result<Option<String>, BadSpec> {
        let Ok(mut endpoint) = Object::parse(endpoint) else {
            return Ok(None);
        };
        let links: Vec<String> = endpoint.decode("Links").unwrap_or_default();
        let mut plain = Vec::with_capacity(links.len());
        for link in &links {
            let (name, alias) = link.split_once(':').unwrap_or((link, link));
            let located = match resolve::container(self.members, name) {
                Ok(located) => located.object,
                // An engine finds out when it is started.
                Err(error) if error.is_not_found() => {
                    plain.push(link.clone());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let reaches = resolve::network(self.members, network);
            if !reaches.is_ok_and(|network| network.object.is_shared()) {
                self.request.together.push(Together {
                    option: format!("--link={name}"),
                    container: located.id.to_string(),
                });
            }
            plain.push(match name.contains('/') && !name.starts_with('/') {
                // By its name, which is what the network resolves.
                true => format!(
                    "{}:{}",
                    located.name(),
                    alias.rsplit('/').next().unwrap_or(alias)
                ),
                false => link.clone(),
            });
        }
        if plain == links {
            return Ok(None);
        }
        endpoint.set_folded("Links", serde_json::to_string(&plain)?);
        Ok(Some(endpoint.to_json()))
    }

    /// Notes that a container must be on the node of another; returns what the engine calls that one. One that is
    /// not there is left to the engine to refuse, in its own words, unless a node that has told nothing may have it.
    fn container(&mut self, option: &str, reference: &str) -> Result<String, Error> {
        let located = match resolve::container(self.members, reference) {
            Ok(located) => located,
            Err(Error::NotFound { .. }) => return Ok(reference.to_owned()),
            Err(error) => return Err(error),
        };
        let separator = if option.starts_with("--volumes") || option == "--link" {
            "="
        } else {
            "=container:"
        };
        self.request.together.push(Together {
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
    fn network(&mut self, reference: &str) -> Result<String, Error> {
        if Network::PREDEFINED.contains(&reference) || reference.is_empty() {
            return Ok(reference.to_owned());
        }
        let located = match resolve::network(self.members, reference) {
            Ok(located) => located,
            // An engine takes such a create and refuses the start.
            Err(error) if error.is_not_found() => return Ok(reference.to_owned()),
            Err(error) => return Err(error),
        };
        if located.object.is_replicated() {
            let id = located.object.id;
            if !self.replicated.contains(&id) {
                self.replicated.push(id);
            }
            // By its ID no other node knows it.
            return Ok(located.object.name);
        }
        if !located.object.is_predefined() && !located.object.is_shared() {
            self.require(
                &located.node.key,
                format!("network {reference} is on {}", located.node.name),
            );
        }
        if located.object.scope == "swarm" {
            let nodes = self.members.view.nodes().iter();
            let nodes = nodes.filter(|n| n.shares_swarm(&located.node));
            self.request.among.push(Among {
                nodes: nodes.map(|n| Arc::clone(&n.key)).collect(),
                what: format!("network {reference}"),
            });
        }
        Ok(match reference.contains('/') {
            true => located.object.name,
            false => reference.to_owned(),
        })
    }

    /// Notes that a container must be where its volume is; returns the volume's plain name.
    fn volume(&mut self, reference: &str) -> Result<String, BadSpec> {
        let name = self.home(reference)?;
        self.mounts.push(Mount {
            kind: "volume".to_owned(),
            name: name.clone(),
            ..Mount::default()
        });
        Ok(name)
    }

    /// Notes where a volume is, or that it is to be made; returns its plain name.
    fn home(&mut self, reference: &str) -> Result<String, BadSpec> {
        if self.manners.is_classic() && !reference.contains('/') {
            // Every node has it, or makes its own.
            return Ok(reference.to_owned());
        }
        let located = match resolve::volume(self.members, reference) {
            Ok(located) => located,
            // Made on the chosen node, unless a node was named for it.
            Err(error) if error.is_not_found() => {
                let Some((node, plain)) = resolve::qualified(self.members, reference) else {
                    let doubt = error.doubt();
                    if !doubt.is_empty() {
                        let text = format!("volume {reference} is made anew: it is not{doubt}");
                        self.doubts.push(text);
                    }
                    self.request.new_volumes.push(reference.to_owned());
                    return Ok(reference.to_owned());
                };
                let (key, plain) = (Arc::clone(&node.key), plain.to_owned());
                self.require(&key, format!("volume {reference} names its node"));
                return Ok(plain);
            }
            Err(error) => return Err(error.into()),
        };
        if located.object.is_shared() {
            self.plugin(plugin::Kind::Volume, &located.object.driver);
        } else {
            self.require(
                &located.node.key,
                format!("volume {reference} is on {}", located.node.name),
            );
        }
        Ok(located.object.name)
    }

    fn require(&mut self, node: &Arc<str>, reason: String) {
        self.request.required.push(Required {
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
