//! The Docker Engine API over a cluster: one table of routes, and one file for each endpoint that has logic.
//!
//! Invariant: which endpoint is served how is read in `route`, and error status codes are in `error` alone.

mod afterwards;
mod at_once;
pub mod bad_filter;
mod broadcast;
mod build;
mod call;
mod classic;
pub mod container;
mod decision;
mod differences;
mod endpoints;
mod error;
pub mod event_filter;
mod exec;
pub mod filters;
#[cfg(test)]
mod fixture;
mod form;
pub mod glob;
mod holding;
mod home;
pub mod image;
pub mod list;
pub mod network;
mod node;
pub mod pattern;
mod plugin;
mod prune;
pub mod query;
mod route;
mod route_pattern;
mod swarm;
pub mod system;
pub mod timestamp;
mod version;
pub mod volume;
mod warning;
mod wish;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use http::request::Parts;
use http::{HeaderValue, Method, Response, header};
use tracing::Instrument;

pub use differences::differences;
#[doc(hidden)]
pub use endpoints::{endpoint_of, endpoints, since};

use call::Call;
use error::Error;
use query::Query;
use system::about::About;
use wish::{Scope, Wish};

use crate::cluster::Cluster;
use crate::model::Manners;
use crate::net::body::Body;
use crate::proxy::hijack::Slot;

/// The newest API that may be advertised, as minor number; engines get what they speak.
pub const API_NEWEST: u16 = 55;
/// The newest API that is advertised unless told otherwise: the newest that was tried with engines.
const API_TRIED: u16 = 51;

/// Who sent a request.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Its address, or the socket's path.
    pub addr: String,
    /// The subject of its certificate.
    pub subject: Option<String>,
}

/// How the API presents itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster's ID in `docker info`; the same after a restart.
    pub identity: String,
    /// The API version to advertise whatever the engines speak, as minor number.
    pub advertise: Option<u16>,
    /// Whether browsers of other origins may call (classic's `--cors`).
    pub cors: bool,
    /// How many other nodes are tried when an engine fails a create (classic's `swarm.createretry`).
    pub create_retry: u32,
    /// Whether a container list with `node` filters reads those engines anew first (classic's flag).
    pub refresh_on_node_filter: bool,
    /// The value of a `name` filter that makes a container list read all engines anew first; empty for none.
    pub refresh_on_name: String,
    /// Whether `docker info` and `docker version` say that this is an experimental build (classic's flag).
    pub experimental: bool,
    /// Whether images go to all nodes; `None` decides by their number.
    pub images_everywhere: Option<bool>,
    /// Whether bridge networks whose owners do not say are made again on every node that needs them.
    pub replicate_networks: bool,
}

/// The API.
#[derive(Debug)]
pub struct Api {
    cluster: Cluster,
    settings: Settings,
    requests: AtomicU64,
    usage: system::df::Usage,
    host: String,
    /// What clients were shown of swarm mode's nodes.
    seen: swarm::seen::Seen,
    /// The newest API version that was ever advertised.
    promised: AtomicU16,
}

impl Api {
    /// Makes the API of a cluster.
    pub fn new(cluster: Cluster, settings: Settings) -> Arc<Self> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Arc::new(Self {
            cluster,
            settings,
            requests: AtomicU64::new(1),
            usage: system::df::Usage::default(),
            host: host.trim().to_owned(),
            seen: swarm::seen::Seen::default(),
            promised: AtomicU16::new(version::OLDEST),
        })
    }

    /// Returns the API version to advertise, as minor number, and keeps it promised: a client that has once agreed on a
    /// version is served at it, whatever engines come later.
    fn advertise(&self) -> u16 {
        let now = self.advertised_now();
        self.promised.fetch_max(now, Ordering::Relaxed);
        now
    }

    /// Returns the API version that is advertised at the moment.
    fn advertised_now(&self) -> u16 {
        let of_engines = || version::of_engines(&self.cluster.members().view);
        self.settings
            .advertise
            .unwrap_or_else(|| match self.cluster.manners() {
                Manners::Engine => of_engines(),
                Manners::Classic => of_engines().min(classic::API),
            })
    }

    /// Tells whether an image that a client brings goes to all nodes.
    pub(crate) fn images_everywhere(&self) -> bool {
        self.settings.images_everywhere.unwrap_or_else(|| {
            self.cluster.manners().is_classic() || self.cluster.members().view.nodes().len() <= 8
        })
    }

    /// Tells whether the route of a request may turn the connection into a raw stream.
    pub fn may_hijack(head: &Parts) -> bool {
        let path = head.uri.path();
        head.headers.contains_key(header::UPGRADE)
            || path.ends_with("/attach")
            || path.ends_with("/start")
    }

    /// Answers one request; never fails, errors are answers too.
    pub async fn answer(
        self: &Arc<Self>,
        head: Parts,
        body: Body,
        peer: Arc<Peer>,
        slot: Slot,
    ) -> Response<Body> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let span =
            tracing::debug_span!("request", number, method = %head.method, path = head.uri.path());
        let head_only = head.method == Method::HEAD;
        let stream = slot.clone();
        let answered = self.route(head, body, peer, slot).instrument(span.clone());
        let mut answer = match answered.await {
            Ok(answer) => answer,
            Err(error) => {
                span.in_scope(
                    || tracing::debug!(status = error.status().as_u16(), %error, "refused"),
                );
                let answer = error.answer(self.cluster.manners());
                if matches!(error, Error::NoRoute | Error::Moved(_)) {
                    // An engine answers these before anything of its own has seen the request.
                    return answer;
                }
                answer
            }
        };
        if head_only {
            call::without_body(&mut answer);
        }
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let is_raw = kind.is_some_and(|kind| kind == error::RAW_STREAM);
        let is_refused = is_raw && !answer.status().is_success();
        let is_stream = stream.is_taken_over() || is_refused;
        self.mark(&mut answer, is_stream);
        answer
    }

    /// Finds the handler and runs it.
    async fn route(
        self: &Arc<Self>,
        mut head: Parts,
        body: Body,
        peer: Arc<Peer>,
        slot: Slot,
    ) -> Result<Response<Body>, Error> {
        if head.method == Method::OPTIONS {
            self.cluster.settled().await;
            return Ok(call::no_content(http::StatusCode::OK));
        }
        let manners = self.cluster.manners();
        let mut path = version::read(&head.uri)?;
        if manners.is_classic() {
            path.rest = classic::path(path.rest);
        }
        let (route, id) = route::find(&head.method, &path.rest).ok_or(Error::NoRoute)?;
        self.cluster.settled().await;
        let now = self.advertised_now();
        let most = self.promised.load(Ordering::Relaxed).max(now);
        let version = match manners {
            Manners::Engine => version::accept(path.version.as_deref(), now, most)?,
            Manners::Classic => version::any(path.version.as_deref(), now),
        };
        form::refuse(route, &head, &body)?;
        let wish = Wish::take(&mut head.headers);
        let scope = Scope::of(route.class, &wish, &self.cluster)?;
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        let call = Call {
            api: Arc::clone(self),
            head,
            body,
            path: path.rest,
            id,
            query,
            wish,
            scope,
            version,
            peer,
            slot,
        };
        tracing::debug!(route = route.path, peer = call.peer.addr, subject = ?call.peer.subject, "request");
        match manners {
            Manners::Engine => (route.run)(call).await,
            Manners::Classic => classic::answer(route, call).await,
        }
    }

    /// Puts the headers on an answer that every engine puts there (wire rule W15). What comes before a raw stream or
    /// instead of one is the engine's own, which says little.
    fn mark(&self, answer: &mut Response<Body>, is_stream: bool) {
        match answer.headers_mut().get_mut("api-version") {
            // An engine's own answer has them, with its version in place of ours.
            Some(version) => {
                if let Ok(ours) = format!("1.{}", self.advertise()).parse() {
                    *version = ours;
                }
            }
            None if is_stream => {}
            None => self.put_standard(answer),
        }
        if is_stream {
            return;
        }
        let named = self.cluster.manners().is_classic();
        if !named && !answer.headers().contains_key(header::SERVER) {
            let server = format!("Docker/{} (linux)", env!("CARGO_PKG_VERSION"));
            answer
                .headers_mut()
                .extend(server.parse().ok().map(|v| (header::SERVER, v)));
        }
        if self.settings.cors {
            for (name, value) in [
                ("access-control-allow-origin", "*"),
                (
                    "access-control-allow-headers",
                    "Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth",
                ),
                (
                    "access-control-allow-methods",
                    "GET, POST, DELETE, PUT, OPTIONS, HEAD",
                ),
            ] {
                answer
                    .headers_mut()
                    .insert(name, HeaderValue::from_static(value));
            }
        }
    }
}

impl Api {
    /// Puts on an answer of our own what pings say, but for what is about the ping itself.
    fn put_standard(&self, answer: &mut Response<Body>) {
        let of_ping = system::ping::headers(&self.cluster.members().view, &self.about());
        let standard = ["Api-Version", "Docker-Experimental", "Ostype"];
        for (name, value) in of_ping {
            if standard.contains(&name)
                && let Ok(value) = HeaderValue::from_str(&value)
            {
                answer.headers_mut().insert(name, value);
            }
        }
    }

    /// Returns what Flotilla says of itself.
    fn about(&self) -> About {
        let scheduler = self.cluster.scheduler();
        let env = |name: &str| std::env::var(name).unwrap_or_default();
        let filters = scheduler.filter_names().into_iter();
        let filters = filters.filter(|name| classic::knows(name, scheduler.manners()));
        About {
            id: self.settings.identity.clone(),
            name: self.host.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            api_max: self.advertise(),
            api_min: version::OLDEST,
            manners: self.cluster.manners(),
            experimental: self.settings.experimental,
            strategy: scheduler.strategy_name().to_owned(),
            filters: filters.map(str::to_owned).collect(),
            event_listeners: self.cluster.feed().listeners(),
            http_proxy: env("HTTP_PROXY"),
            https_proxy: env("HTTPS_PROXY"),
            no_proxy: env("NO_PROXY"),
            ..About::default()
        }
    }
}
