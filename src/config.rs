//! What a running proxy is told: every value is checked before it gets here, by `cli`.

use std::time::Duration;

use crate::discovery;
use crate::model::Manners;
use crate::net::addr::Addr;
use crate::net::tls::{ClientTls, ServerTls};

/// All settings of `flotilla manage`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect.
    pub listeners: Vec<Addr>,
    /// What clients on TCP are shown and asked; `None` means plain TCP.
    pub server_tls: Option<ServerTls>,
    /// What engines on TCP are shown and asked; `None` means plain TCP.
    pub engine_tls: Option<ClientTls>,
    /// Where members are found.
    pub discovery_url: String,
    /// How members are found.
    pub discovery: discovery::Options,
    /// How engines that are admitted are ranked.
    pub strategy: String,
    /// Plug-ins beside those of the strategy that are loaded, so that it can be switched to them.
    pub plug_ins: Vec<String>,
    /// Which filters run, in this order; `None` means all in their usual order.
    pub filters: Option<Vec<String>>,
    /// How long an engine may take to answer when it is looked at.
    pub probe_deadline: Duration,
    /// How many failures in a row make an engine unhealthy; at least 1.
    pub failure_retry: u32,
    /// The shortest time between two full refreshes of an engine.
    pub refresh_min: Duration,
    /// The longest time between two full refreshes of an engine; at least `refresh_min`.
    pub refresh_max: Duration,
    /// The share by which an engine may be given more than it has; more than -1.
    pub overcommit: f64,
    /// How often a create that failed on one engine is tried on others.
    pub create_retry: u32,
    /// How many decisions are kept for those who ask why.
    pub decisions: usize,
    /// How long creates wait for room that say nothing of it; not at all with zero.
    pub queue_timeout: Duration,
    /// Whether answers allow scripts of any web page.
    pub cors: bool,
    /// Whether a container list that names nodes refreshes them first.
    pub refresh_on_node_filter: bool,
    /// The container name whose listing refreshes all engines first; empty for none.
    pub container_name_refresh_filter: String,
    /// Whether a pull goes to every engine (`true`) or to those that need the image (`false`); `None` leaves the choice
    /// to the default.
    pub images_everywhere: Option<bool>,
    /// Whether bridge networks whose owners do not say are made again on every node that needs them.
    pub replicate_networks: bool,
    /// The minor of the API version 1.N that is advertised, from 24 to 55; `None` means what the engines have in common.
    pub advertise: Option<u16>,
    /// Whose habits are followed where an engine's and classic Swarm's differ.
    pub manners: Manners,
    /// Whether `docker version` shows an experimental build.
    pub experimental: bool,
}

impl Config {
    /// Returns the cluster's ID: the same for every proxy and at every start with the same discovery URL.
    pub fn identity(&self) -> String {
        // FNV-1a: the standard library's hash may change with its version.
        const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = (1 << 88) + 0x13b;
        let bytes = self.discovery_url.bytes();
        let hash = bytes.fold(START, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(PRIME)
        });
        format!("{hash:032x}")
    }
}
