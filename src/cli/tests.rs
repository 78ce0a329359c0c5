//! Tables of flags and of the exact texts that users read.

use std::time::Duration;

use clap::{CommandFactory, Parser};

use super::args::Command;
use super::{Cli, Error, settings, switches};
use crate::config::Config;
use crate::model::Manners;

/// Parses a command line; words are separated by blanks.
fn parsed(line: &str) -> Cli {
    let words = std::iter::once("flotilla").chain(line.split_whitespace());
    Cli::try_parse_from(switches(words.map(Into::into))).unwrap()
}

/// Checks a command line of `manage`.
pub(super) fn config(line: &str) -> Result<Config, Error> {
    let cli = parsed(line);
    match &cli.command {
        Command::Manage(manage) => settings::config(&cli.global, manage),
        _ => panic!("{line} is not manage"),
    }
}

fn listeners(config: &Config) -> Vec<String> {
    config.listeners.iter().map(ToString::to_string).collect()
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
    assert_eq!(
        Cli::command().render_version(),
        concat!("flotilla version ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn defaults_are_those_of_classic() {
    let config = config("manage a:2375").unwrap();
    assert_eq!(listeners(&config), ["127.0.0.1:2375"]);
    assert_eq!(config.discovery_url, "a:2375");
    assert_eq!(config.discovery.heartbeat, Duration::from_secs(60));
    assert_eq!(config.strategy, "spread");
    assert_eq!(config.filters, None);
    assert_eq!(config.probe_deadline, Duration::from_secs(2));
    assert_eq!(config.failure_retry, 3);
    assert_eq!(config.refresh_min, Duration::from_secs(30));
    assert_eq!(config.refresh_max, Duration::from_secs(60));
    assert_eq!(config.overcommit.to_bits(), 0.05_f64.to_bits());
    assert_eq!((config.create_retry, config.decisions), (0, 256));
    assert_eq!(config.queue_timeout, Duration::ZERO);
    assert!(!config.cors && !config.refresh_on_node_filter);
    assert!(!config.experimental);
    assert_eq!(config.container_name_refresh_filter, "");
    assert_eq!((config.images_everywhere, config.advertise), (None, None));
    assert_eq!(config.manners, Manners::Engine);
    assert!(config.server_tls.is_none() && config.engine_tls.is_none());
}

#[test]
fn every_flag_is_taken_before_and_after_the_positional() {
    let config = config(
        "--debug m a:1 -H unix:///x.sock -H 127.0.0.1:4000 -f port -f health --strategy binpacking \
         --heartbeat 1m30s --discovery-opt kv.path=x --cluster-opt swarm.overcommit=-0.5 \
         --cluster-opt swarm.createretry=2 --engine-timeout 500ms --engine-failure-retry 5 \
         --engine-refresh-min-interval 1s --engine-refresh-max-interval 1s --cors \
         --refresh-on-node-filter --container-name-refresh-filter web --image-spread on-demand \
         --api-version 1.44 --experimental --compat classic -c swarm --addr nonsense",
    )
    .unwrap();
    assert_eq!(listeners(&config), ["unix:///x.sock", "127.0.0.1:4000"]);
    assert_eq!(config.filters.as_deref().unwrap(), ["port", "health"]);
    assert_eq!(config.strategy, "binpack");
    assert_eq!(config.discovery.heartbeat, Duration::from_secs(90));
    assert_eq!(config.discovery.options["kv.path"], "x");
    assert_eq!(config.overcommit.to_bits(), (-0.5_f64).to_bits());
    assert_eq!(config.create_retry, 2);
    assert_eq!(config.probe_deadline, Duration::from_millis(500));
    assert_eq!(config.failure_retry, 5);
    assert_eq!(config.refresh_min, config.refresh_max);
    assert!(config.cors && config.refresh_on_node_filter);
    assert!(config.experimental);
    assert_eq!(config.container_name_refresh_filter, "web");
    assert_eq!(config.images_everywhere, Some(false));
    assert_eq!(config.advertise, Some(44));
    assert_eq!(config.manners, Manners::Classic);
}

#[test]
fn switches_are_read_as_go_reads_them() {
    assert!(config("manage --cors=true a:1").unwrap().cors);
    assert!(!config("manage --cors=0 a:1").unwrap().cors);
    assert_eq!(
        config("manage --strategy random --strategy spread a:1")
            .unwrap()
            .strategy,
        "spread"
    );
    let open = config("manage -H :4000 --allow-unauthenticated-tcp a:1").unwrap();
    assert_eq!(listeners(&open), [":4000"]);
}

/// Flags of `manage`, and what is said about them.
const WRONG: &[(&str, &str)] = &[
    (
        "",
        "discovery required to manage a cluster. See 'flotilla manage --help'.",
    ),
    ("gopher://x", "discovery service not supported"),
    (
        "a:1 --strategy x",
        "strategy not supported: x (there are spread, binpack, random, spread:running, binpack:running, locality, least-loaded, and mixes of them: spread*2+locality)",
    ),
    (
        "a:1 --strategy spread+binpack*0",
        "strategy spread+binpack*0: \"0\" at 16 is no weight (1 to 1000)",
    ),
    ("a:1 -f x", "filter not supported"),
    ("a:1 -H udp://x:1", "unsupported protocol: \"udp\""),
    ("a:1 -c mesos", "unsupported cluster \"mesos\""),
    (
        "a:1 --tls",
        "--tlscert and --tlskey must be provided when using --tls",
    ),
    (
        "a:1 --tls --tlscert c",
        "--tlscert and --tlskey must be provided when using --tls",
    ),
    (
        "a:1 --tlsverify --tlscert c --tlskey k",
        "--tlscacert must be provided when using --tlsverify",
    ),
    (
        "a:1 --tlscert c",
        "--tlscert, --tlskey and --tlscacert require the use of either --tls or --tlsverify",
    ),
    (
        "a:1 --engine-refresh-min-interval 0",
        "min refresh interval should be a positive number",
    ),
    (
        "a:1 --engine-refresh-min-interval x",
        "min refresh interval should be a positive number",
    ),
    (
        "a:1 --engine-refresh-max-interval 29s",
        "max refresh interval cannot be less than min refresh interval",
    ),
    (
        "a:1 --engine-failure-retry 0",
        "invalid failure retry count",
    ),
    (
        "a:1 --engine-failure-retry -1",
        "invalid failure retry count",
    ),
    (
        "a:1 --engine-refresh-retry 4",
        "--engine-refresh-retry is deprecated. Use --engine-failure-retry",
    ),
    (
        "a:1 --heartbeat 999ms",
        "--heartbeat should be at least one second",
    ),
    (
        "a:1 --heartbeat -1s",
        "--heartbeat should be at least one second",
    ),
    (
        "a:1 --heartbeat 60",
        "invalid --heartbeat: missing unit in duration \"60\": write 30s, 500ms or 1m30s",
    ),
    (
        "a:1 --engine-timeout 0s",
        "--engine-timeout should be a positive number",
    ),
    (
        "a:1 --discovery-opt x",
        "--discovery-opt must contain key=value strings",
    ),
    (
        "a:1 --cluster-opt x",
        "--cluster-opt must contain key=value strings",
    ),
    (
        "a:1 --cluster-opt swarm.overcommit=-1",
        "swarm.overcommit should be larger than -1, -1.000000 is invalid",
    ),
    (
        "a:1 --cluster-opt swarm.overcommit=x",
        "swarm.overcommit should be a number, \"x\" is invalid",
    ),
    (
        "a:1 --cluster-opt swarm.createretry=-2",
        "swarm.createretry can not be negative, -2 is invalid",
    ),
    (
        "a:1 --decisions -1",
        "--decisions should be a whole number up to 10000, \"-1\" is not",
    ),
    (
        "a:1 --queue-timeout -1s",
        "--queue-timeout should not be negative",
    ),
    (
        "a:1 --image-spread x",
        "--image-spread should be everywhere or on-demand, \"x\" is not",
    ),
    (
        "a:1 --api-version 1.56",
        "--api-version should be from 1.24 to 1.55, 1.56 is not",
    ),
    (
        "a:1 --replication-ttl 0",
        "--replication-ttl should be a positive number",
    ),
    (
        "a:1 --replication",
        "--advertise address must be provided when using --leader-election",
    ),
    (
        "a:1 --replication --advertise x",
        "--advertise should be of the form ip:port or hostname:port",
    ),
    (
        "a:1 --replication --advertise h:1",
        "Leader election is only supported with consul, etcd and zookeeper discovery.",
    ),
    (
        "file:///engines --replication --advertise h:1",
        "Leader election is only supported with consul, etcd and zookeeper discovery.",
    ),
    (
        "gopher://x --replication --advertise h:1",
        "discovery service not supported",
    ),
    (
        "etcd://h --replication --advertise h:1",
        "--replication is not built yet",
    ),
    (
        "a:1 --compat swarm",
        "--compat should be classic, \"swarm\" is not",
    ),
    (
        "a:1 -H 0.0.0.0:2375",
        "refusing to listen on 0.0.0.0:2375 without client certificates, as whoever reaches it controls every engine: add --tlsverify with --tlscacert, --tlscert and --tlskey, or accept the risk with --allow-unauthenticated-tcp",
    ),
];

#[test]
fn what_is_wrong_is_said_in_classics_words() {
    for &(flags, error) in WRONG {
        let found = config(&format!("manage {flags}")).map(|_| ()).unwrap_err();
        assert_eq!(found.to_string(), error, "{flags}");
    }
}

/// Other command lines, and what is said about them.
const OTHERS: &[(&str, &str)] = &[
    (
        "list",
        "discovery required to list a cluster. See 'flotilla list --help'.",
    ),
    (
        "l a:1 --timeout 0s",
        "--timeout should be a positive number",
    ),
    (
        "l a:1 --timeout x",
        "invalid --timeout: unknown unit \"x\" in duration \"x\": use ns, us, ms, s, m or h",
    ),
    ("l gopher://x", "discovery service not supported"),
    (
        "join",
        "discovery required to join a cluster. See 'flotilla join --help'.",
    ),
    ("j a:1", "missing mandatory --advertise flag"),
    (
        "j a:1 --addr h",
        "--advertise should be of the form ip:port or hostname:port",
    ),
    (
        "j a:1 --addr h:0",
        "--advertise should be of the form ip:port or hostname:port",
    ),
    (
        "j a:1 --addr h:1 --heartbeat 0",
        "--heartbeat should be at least one second",
    ),
    (
        "j a:1 --addr h:1 --ttl 60s",
        "--ttl must be strictly superior to the heartbeat value",
    ),
    (
        "j a:1 --addr h:1 --delay -1s",
        "--delay should not be a negative number",
    ),
    (
        "j a:1 --addr h:1",
        "not implemented in this discovery service",
    ),
    (
        "j zk://a --addr h:1",
        "discovery with zk:// is not built yet: list the engines (nodes://host:port,…) or keep them in a file (file:///path)",
    ),
    ("create x", "the `create` command takes no arguments"),
    (
        "explain",
        "say what to explain: flotilla explain -- docker run …, or --json FILE",
    ),
    (
        "explain -- sh -c true",
        "only lines of the docker CLI are understood: flotilla explain -- docker run …",
    ),
    ("why -H udp://x:1", "unsupported protocol: \"udp\""),
    (
        "--log-level loud list a:1",
        "unknown log level \"loud\": use debug, info, warn, error, fatal or panic",
    ),
    (
        "list a:1 --log-format xml",
        "unknown log format \"xml\": use text or json",
    ),
];

#[tokio::test]
async fn the_other_commands_say_what_is_wrong() {
    for &(line, error) in OTHERS {
        let cli = parsed(line);
        let failed = match line.contains("--log-") {
            true => cli.start_logs(),
            false => Box::pin(cli.run()).await,
        };
        assert_eq!(failed.unwrap_err().to_string(), error, "{line}");
    }
    let gone = parsed("c").run().await.unwrap_err().to_string();
    assert!(
        gone.starts_with("the hosted token service is gone"),
        "{gone}"
    );
}
