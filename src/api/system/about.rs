//! What the proxy says of itself in `info`, `version` and `_ping`.

use crate::model::Manners;

/// The proxy as clients see it; filled once from the configuration, then kept up to date by the caller.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The cluster's ID.
    pub id: String,
    /// The host name of this proxy.
    pub name: String,
    /// Our version, `0.1.0`.
    pub version: String,
    /// The commit it was built from.
    pub git_commit: String,
    /// When it was built, in RFC 3339.
    pub build_time: String,
    /// The newest API that is announced, as minor number: `51` for 1.51.
    pub api_max: u16,
    /// The oldest API that is served, as minor number.
    pub api_min: u16,
    /// Whose habits answers follow where they differ.
    pub manners: Manners,
    /// Whether it is shown as an experimental build (classic's flag).
    pub experimental: bool,
    /// Whether this proxy decides or another one does.
    pub role: Role,
    /// The name of the strategy.
    pub strategy: String,
    /// The names of the scheduler's filters, in their order.
    pub filters: Vec<String>,
    /// How many clients follow events.
    pub event_listeners: usize,
    /// `HTTP_PROXY` of this process; likewise the other two.
    pub http_proxy: String,
    /// `HTTPS_PROXY`.
    pub https_proxy: String,
    /// `NO_PROXY`.
    pub no_proxy: String,
}

/// Who decides when several proxies run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// This one.
    #[default]
    Primary,
    /// Another one.
    Replica {
        /// Its address; empty while none is known.
        primary: String,
    },
}

impl About {
    /// Returns the version that clients are shown: our own, or `swarm/<version>`, which Portainer and others look for.
    pub fn server_version(&self) -> String {
        match self.manners {
            Manners::Engine => self.version.clone(),
            Manners::Classic => format!("swarm/{}", self.version),
        }
    }

    /// Returns the announced API version as text.
    pub fn api_version(&self) -> String {
        format!("1.{}", self.api_max)
    }
}
