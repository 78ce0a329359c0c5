//! Flags of `flotilla manage`.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::args::Discovery;
use crate::scheduler::filter;

/// Where to listen unless told otherwise.
pub(super) const HOST: &str = "tcp://127.0.0.1:2375";

/// Flags of `flotilla manage`.
#[derive(Args, Debug)]
#[command(
    after_help = "Durations are written as 500ms, 30s, 1m30s or 1.5h.\n\nExamples:\n  flotilla manage -H unix:///run/flotilla.sock 10.0.0.[1:3]:2375\n  flotilla manage -H :3376 --tlsverify --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem \\\n      --strategy binpack file:///etc/flotilla/engines"
)]
pub(super) struct Manage {
    #[command(flatten)]
    pub(super) discovery: Discovery,
    /// Time between two looks at the discovery, at least 1s
    #[arg(
        long,
        default_value = "60s",
        value_name = "DURATION",
        allow_hyphen_values = true,
        help_heading = "Discovery"
    )]
    pub(super) heartbeat: String,
    #[command(flatten)]
    pub(super) listen: Listen,
    #[command(flatten)]
    pub(super) placement: Placement,
    #[command(flatten)]
    pub(super) engines: Engines,
    #[command(flatten)]
    pub(super) unbuilt: Unbuilt,
}

/// Where clients connect, and what they see.
#[derive(Args, Debug)]
#[command(next_help_heading = "Clients")]
pub(super) struct Listen {
    /// Where to listen: [tcp://]HOST:PORT, :PORT or unix:///PATH; repeatable, or separated by commas
    #[arg(
        long = "host",
        short = 'H',
        env = "SWARM_HOST",
        hide_env_values = true,
        default_value = HOST,
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    pub(super) hosts: Vec<String>,
    /// Listen on TCP for other machines without asking for client certificates: whoever reaches it controls every engine
    #[arg(long, env = "FLOTILLA_ALLOW_UNAUTHENTICATED_TCP", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(super) allow_unauthenticated_tcp: bool,
    /// Encrypt, towards clients and engines, without checking either; --tlsverify is what protects
    #[arg(long)]
    pub(super) tls: bool,
    /// Encrypt, and demand certificates of the CA from clients and engines
    #[arg(long)]
    pub(super) tlsverify: bool,
    /// The CA's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) tlscacert: Option<String>,
    /// Our certificate (PEM), shown to clients and engines
    #[arg(long, value_name = "FILE")]
    pub(super) tlscert: Option<String>,
    /// Its key (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub(super) tlskey: Option<String>,
    /// Towards engines, this CA and the two files below in place of --tls and its files; all three or none
    #[arg(long, value_name = "FILE")]
    pub(super) engine_tlscacert: Option<String>,
    /// Our certificate (PEM), shown to engines
    #[arg(long, value_name = "FILE")]
    pub(super) engine_tlscert: Option<String>,
    /// Its key (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub(super) engine_tlskey: Option<String>,
    /// Let scripts of any web page call the API (CORS)
    #[arg(long, visible_alias = "api-enable-cors")]
    pub(super) cors: bool,
    /// The API version shown to clients, from 1.24 to 1.55 [default: what the engines have in common]
    #[arg(long, value_name = "1.N")]
    pub(super) api_version: Option<String>,
    /// Place and answer as classic Swarm did where Flotilla differs (docs/compat-classic.md)
    #[arg(long, value_name = "classic")]
    pub(super) compat: Option<String>,
}

/// Where new containers go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Placement")]
pub(super) struct Placement {
    /// spread, binpack, random, locality (who has the image), least-loaded (by measured use); spread:running and binpack:running do not count containers
    /// that have ended; plug-ins: script:PATH, wasm:PATH,
    /// http://HOST:PORT/PATH; mixes: spread*2+locality
    #[arg(long, default_value = "spread", value_name = "NAME")]
    pub(super) strategy: String,
    /// Plug-in to load as well, so that flotilla strategy can switch to it: script:PATH, wasm:PATH or http://HOST:PORT/PATH;
    /// repeatable
    #[arg(long, value_name = "PLUGIN")]
    pub(super) strategy_plugin: Vec<String>,
    #[arg(long = "filter", short = 'f', value_name = "NAME", help = filter_help())]
    pub(super) filters: Vec<String>,
    /// swarm.overcommit=0.05 (the share of CPU and memory to give beyond what an engine has) or swarm.createretry=0 (how
    /// often a failed create is tried elsewhere); repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) cluster_opt: Vec<String>,
    /// Where `docker pull` puts an image: everywhere, or on-demand where a container needs it [default: everywhere with up
    /// to 8 engines]
    #[arg(long, value_name = "everywhere|on-demand")]
    pub(super) image_spread: Option<String>,
    /// Make bridge networks again on every engine whose containers need them, without traffic between engines, unless
    /// their label com.docker.swarm.replicate is false
    #[arg(long)]
    pub(super) replicate_networks: bool,
    /// How many decisions are kept for `flotilla why`, at most 10000; 0 keeps none
    #[arg(
        long,
        default_value = "256",
        value_name = "COUNT",
        allow_hyphen_values = true
    )]
    pub(super) decisions: String,
    /// How long a create waits for room when no engine can take it at the moment, unless it says so itself; 0s for not at
    /// all
    #[arg(
        long,
        default_value = "0s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) queue_timeout: String,
    /// Only swarm is known
    #[arg(
        long,
        short = 'c',
        default_value = "swarm",
        value_name = "NAME",
        hide = true
    )]
    pub(super) cluster_driver: String,
}

/// Says which filters there are.
fn filter_help() -> String {
    let (all, always) = filter::names();
    format!(
        "Filter that engines must pass, in the order given, of: {}; {} are asked in any case; repeatable [default: all, in this order]",
        all.join(", "),
        always.join(", ")
    )
}

/// How engines are looked at.
#[derive(Args, Debug)]
#[command(next_help_heading = "Engines")]
pub(super) struct Engines {
    /// How long an engine may take to answer when it is looked at
    #[arg(
        long,
        default_value = "2s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) engine_timeout: String,
    /// How many failures in a row make an engine unhealthy
    #[arg(
        long,
        default_value = "3",
        value_name = "COUNT",
        allow_hyphen_values = true
    )]
    pub(super) engine_failure_retry: String,
    /// The shortest time between two full refreshes of an engine
    #[arg(
        long,
        default_value = "30s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) engine_refresh_min_interval: String,
    /// The longest time between two full refreshes of an engine
    #[arg(
        long,
        default_value = "60s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) engine_refresh_max_interval: String,
    /// Replaced by --engine-failure-retry
    #[arg(
        long,
        default_value = "3",
        value_name = "COUNT",
        hide = true,
        allow_hyphen_values = true
    )]
    pub(super) engine_refresh_retry: String,
    /// Refresh the engines that a container list names with node= before it is answered
    #[arg(long)]
    pub(super) refresh_on_node_filter: bool,
    /// Refresh all engines before a container list with exactly this name filter is answered
    #[arg(
        long,
        default_value = "",
        value_name = "NAME",
        hide_default_value = true
    )]
    pub(super) container_name_refresh_filter: String,
}

/// Classic's flags that are known and refused so far.
#[derive(Args, Debug)]
#[command(next_help_heading = "Not built yet")]
pub(super) struct Unbuilt {
    /// Take part in the election of a leader
    #[arg(long)]
    pub(super) replication: bool,
    /// How long a leader's lock lasts
    #[arg(
        long,
        default_value = "20s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) replication_ttl: String,
    /// Where other managers reach this one; only used with --replication
    #[arg(
        long,
        alias = "addr",
        env = "SWARM_ADVERTISE",
        hide_env_values = true,
        value_name = "HOST:PORT"
    )]
    pub(super) advertise: Option<String>,
}
