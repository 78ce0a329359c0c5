//! The flags and their help; nothing is checked here beyond what clap must know.

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};

use super::certs::Certs;
use super::explain::Explain;
use super::manage::Manage;
use super::overlay::Overlay;
use super::simulate::Simulate;
use super::strategy::Strategy;
use super::why::Why;

/// One Docker endpoint for many engines.
#[derive(Debug, Parser)]
#[command(
    name = "flotilla",
    version = concat!("version ", env!("CARGO_PKG_VERSION")),
    disable_version_flag = true,
    args_override_self = true,
    max_term_width = 110,
    after_help = "Example:\n  flotilla manage -H unix:///run/flotilla.sock nodes://10.0.0.[1:3]:2375\n  docker -H unix:///run/flotilla.sock info\n\nEach command has its own help: flotilla manage --help"
)]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags that every command takes.
#[derive(Args, Debug)]
pub(super) struct Global {
    /// Log each request; --log-level, if given, decides what is logged
    #[arg(long, global = true, env = "DEBUG", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Logs")]
    pub(super) debug: bool,
    /// debug, info, warn, error, fatal or panic; RUST_LOG, if set, decides instead [default: info]
    #[arg(
        long,
        short = 'l',
        global = true,
        value_name = "LEVEL",
        help_heading = "Logs"
    )]
    pub(super) log_level: Option<String>,
    /// text or json, on stderr
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Logs"
    )]
    pub(super) log_format: String,
    /// Show an experimental build in `docker version` and `docker info`
    #[arg(long, global = true)]
    pub(super) experimental: bool,
    /// Print the version
    #[arg(long, short = 'v', action = clap::ArgAction::Version)]
    version: (),
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the Docker API for a cluster
    #[command(visible_alias = "m")]
    Manage(Box<Manage>),
    /// Print the engines that discovery finds, one a line
    #[command(visible_alias = "l")]
    List(List),
    /// Register an engine with a discovery store
    #[command(visible_alias = "j")]
    Join(Join),
    /// Make the certificates that protect clients, Flotilla and engines
    Certs(Certs),
    /// Join the engines so that networks reach over hosts, or undo that
    Overlay(Overlay),
    /// Say why a container is on its node, or why no node can take it
    Why(Why),
    /// Say where a container would go, and why; nothing is created
    Explain(Box<Explain>),
    /// Say by which strategy nodes are chosen, or choose by another
    Strategy(Strategy),
    /// Replay a workload on a cluster that is made up, to compare strategies
    Simulate(Simulate),
    /// Print docs/differences.md, generated from the table of routes
    #[command(hide = true)]
    Differences,
    /// Classic's hosted token service, which is gone
    #[command(visible_alias = "c")]
    Create(Create),
}

/// Where members are found.
#[derive(Args, Debug)]
pub(super) struct Discovery {
    /// nodes://HOST:PORT,… (or just the list; 10.0.0.[1:9]:2375 is a range; unix:///path is an engine on this machine),
    /// or file:///PATH with one entry a line
    #[arg(env = "SWARM_DISCOVERY", hide_env_values = true)]
    pub(super) discovery: Option<String>,
    /// Option of the discovery back end; repeatable
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Discovery")]
    pub(super) discovery_opt: Vec<String>,
}

/// Flags of `flotilla list`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  flotilla list file:///etc/flotilla/engines")]
pub(super) struct List {
    #[command(flatten)]
    pub(super) discovery: Discovery,
    /// How long to wait for the list: 500ms, 10s, 1m30s
    #[arg(
        long,
        default_value = "10s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) timeout: String,
}

/// Flags of `flotilla join`.
#[derive(Args, Debug)]
#[command(
    after_help = "Lists and files need no join: name the engine in them.\n\nExample:\n  flotilla join --advertise 10.0.0.1:2375 etcd://10.0.0.9:2379"
)]
pub(super) struct Join {
    #[command(flatten)]
    pub(super) discovery: Discovery,
    /// Where the engine is reached, as ip:port or hostname:port
    #[arg(
        long,
        alias = "addr",
        env = "SWARM_ADVERTISE",
        hide_env_values = true,
        value_name = "HOST:PORT"
    )]
    pub(super) advertise: Option<String>,
    /// Time between two registrations, at least 1s
    #[arg(
        long,
        default_value = "60s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) heartbeat: String,
    /// How long a registration lasts, longer than the heartbeat
    #[arg(
        long,
        default_value = "180s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) ttl: String,
    /// The longest random wait before the first registration
    #[arg(
        long,
        default_value = "0s",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    pub(super) delay: String,
}

/// Flags of `flotilla create`.
#[derive(Args, Debug)]
pub(super) struct Create {
    /// Taken by no one
    #[arg(hide = true)]
    pub(super) rest: Vec<String>,
}
