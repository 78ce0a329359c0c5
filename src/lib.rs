//! Flotilla: one Docker endpoint for many hosts.
//!
//! A proxy that speaks the Docker Engine API, fans out to the engines of many hosts, and picks the host of every
//! container. This page says what the program is made of; each module's page says what it owns.
//!
//! | layer | module | what it is |
//! |---|---|---|
//! | 8 | [`cli`] | the command line, and nothing that lasts |
//! | 7 | [`config`] | what was asked for, checked |
//! | 6 | [`server`] | accepting connections; requests on them, or raw streams |
//! | 5 | [`api`] | the Docker Engine API: one table of routes, error statuses in one place |
//! | 4 | [`cluster`] | all engines as one: membership, look-ups, reservations, creates, events |
//! | 4 | [`proxy`] | the bytes of one request on their way through |
//! | 3 | [`engine`] | one daemon: how to talk to it, and the task that keeps our picture of it true |
//! | 3 | [`discovery`] | who exists |
//! | 3 | [`advisor`] | plug-ins that choose among given nodes |
//! | 2 | [`scheduler`] | where a container goes: pure functions |
//! | 2 | [`net`], [`telemetry`] | addresses, TLS, sockets, bodies; logs |
//! | 1 | [`model`] | what is true: plain immutable values |
//!
//! Imports point downward only, and a test reads the sources to keep it so.
//!
//! **State flows one way.** An engine's monitor task owns everything known of it and publishes an immutable
//! [`model::Node`]; the members task puts all nodes into one [`cluster::Members`], published whole; a request takes
//! that value once and looks at nothing else. Engines hold the truth: a restart loses reservations and nothing more.
//!
//! **A request** is accepted ([`server`]), its path cleaned and its version read, its row found in the table of routes
//! ([`api`]), and its handler run: answered from the view, forwarded to the owner ([`proxy`]), or placed
//! ([`cluster::create`]): chosen on the view without a lock, reserved in a short critical section that looks at one
//! node again, and sent to the engine outside of it. What was decided is kept for a while ([`cluster::decisions`]), with
//! the view it was decided on, and explained when somebody asks.

pub mod advisor;
pub mod api;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod discovery;
pub mod engine;
pub mod model;
pub mod net;
pub mod proxy;
pub mod scheduler;
pub mod server;
pub mod telemetry;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use config::Config;
use net::addr::Addr;

/// Events that may wait for a slow reader before it is dropped, as in classic.
const EVENTS: usize = 10_000;
/// The longest wait before a discovery source that failed is opened again.
const REOPEN: Duration = Duration::from_secs(5);
/// How long a connection to an engine may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Why the proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The strategy or a filter is not known.
    #[error(transparent)]
    Scheduler(#[from] scheduler::Unknown),
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] net::Error),
    /// The discovery cannot be used.
    #[error(transparent)]
    Discovery(#[from] discovery::Error),
    /// A plug-in cannot be used.
    #[error(transparent)]
    PlugIn(#[from] advisor::LoadError),
    /// Signals cannot be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(#[from] std::io::Error),
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The proxy cannot start.
pub async fn run(config: Config) -> Result<(), RunError> {
    let (strategy, filters) = (&config.strategy, config.filters.as_deref());
    let scheduler = scheduler::Scheduler::new(strategy, filters, config.manners)?;
    run_with(config, scheduler).await
}

/// Serves with rules of one's own: with a strategy in Rust, for example.
///
/// # Errors
/// The proxy cannot start.
pub async fn run_with(config: Config, scheduler: scheduler::Scheduler) -> Result<(), RunError> {
    let named = config.plug_ins.iter().map(String::as_str);
    let advisors = advisor::Advisors::load(scheduler.plug_ins().into_iter().chain(named))?;
    let mut listeners = Vec::new();
    for addr in &config.listeners {
        let listener = net::listen::Listener::bind(addr, config.server_tls.clone()).await?;
        tracing::info!(addr = %listener.addr(), "listening");
        listeners.push(listener);
    }
    let (found, discovered) = watch::channel(BTreeSet::new());
    let discovery = discovery::open(&config.discovery_url, &config.discovery)?;
    let pause = config.discovery.heartbeat.min(REOPEN);
    tokio::spawn(discover(discovery, found, pause));

    let feed = engine::Feed::new(EVENTS);
    let (measure, measured) = watch::channel(false);
    let (publish, members) = watch::channel(Arc::default());
    let watch_with = cluster::members::Watch {
        dialer: net::dial::Dialer {
            tls: config.engine_tls.clone(),
            deadline: CONNECT.min(config.probe_deadline),
        },
        settings: engine::Settings {
            probe_deadline: config.probe_deadline,
            failures: config.failure_retry,
            overcommit: config.overcommit,
            manners: config.manners,
            measure: measured,
            refresh: config.refresh_min..=config.refresh_max,
            ..engine::Settings::default()
        },
        feed: feed.clone(),
    };
    tokio::spawn(cluster::members::run(discovered, watch_with, publish));
    tokio::spawn(cluster::entries::run(members.clone()));
    let decisions = cluster::Decisions::keeping(config.decisions);
    let stop = CancellationToken::new();
    let queue = cluster::Queue::new(config.queue_timeout, stop.clone());
    let cluster = cluster::Cluster::new(members, scheduler, feed, decisions);
    let cluster = cluster
        .measuring(measure)
        .advised(advisors)
        .with_queue(queue);
    tokio::spawn(cluster::globals::run(cluster.clone()));
    let api = api::Api::new(cluster, settings(&config));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stopping.cancel();
    });
    server::serve(listeners, api, stop).await;
    Ok(())
}

/// Returns what the API needs of the configuration.
fn settings(config: &Config) -> api::Settings {
    api::Settings {
        identity: config.identity(),
        advertise: config.advertise,
        cors: config.cors,
        experimental: config.experimental,
        images_everywhere: config.images_everywhere,
        replicate_networks: config.replicate_networks,
        create_retry: config.create_retry,
        refresh_on_node_filter: config.refresh_on_node_filter,
        refresh_on_name: config.container_name_refresh_filter.clone(),
    }
}

/// Follows discovery for ever; a source that fails is opened again after a while, and its last set stays in force.
async fn discover(
    mut source: Box<dyn discovery::Discovery>,
    found: watch::Sender<BTreeSet<Addr>>,
    pause: Duration,
) {
    loop {
        let error = source.run(&found).await;
        tracing::error!(%error, "discovery failed; the last list stays in force");
        tokio::time::sleep(pause).await;
    }
}
