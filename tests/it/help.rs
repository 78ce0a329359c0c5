//! `--help` teaches: which variables stand for flags, what holds without them, and how a call looks.

use std::process::Command;

use crate::support::lab::output;

/// Returns a help's words with single spaces between them, as its lines break where they must.
fn help(command: &[&str], env: &[(&str, &str)]) -> String {
    let mut flotilla = Command::new(env!("CARGO_BIN_EXE_flotilla"));
    flotilla.args(command).arg("--help");
    flotilla.envs(env.iter().copied());
    let text = output(&mut flotilla).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What each help must say: variables, defaults and examples, with what they belong to.
const TOLD: &[(&[&str], &[&str])] = &[
    (
        &[],
        &[
            "manage Serve the Docker API for a cluster",
            "list Print the engines that discovery finds",
            "certs Make the certificates",
            "overlay Join the engines",
            "Log each request; --log-level, if given, decides what is logged [env: DEBUG]",
            "RUST_LOG, if set, decides instead [default: info]",
            "text or json, on stderr [default: text]",
            "Example: flotilla manage -H unix:///run/flotilla.sock nodes://10.0.0.[1:3]:2375",
            "docker -H unix:///run/flotilla.sock info",
            "flotilla manage --help",
        ],
    ),
    (
        &["manage"],
        &[
            "[env: SWARM_DISCOVERY]",
            "unix:///PATH; repeatable, or separated by commas [env: SWARM_HOST] [default: tcp://127.0.0.1:2375]",
            "[env: FLOTILLA_ALLOW_UNAUTHENTICATED_TCP]",
            "[env: SWARM_ADVERTISE]",
            "[env: DEBUG]",
            "at least 1s [default: 60s]",
            "[default: what the engines have in common]",
            "spread*2+locality [default: spread]",
            "availability, health, taint, platform, plugins, runtime, port, containerslots, limit, dependency, affinity, constraint, whitelist, spread, pod, devices, resources; availability, taint, pod, devices, resources are asked in any case",
            "repeatable [default: all, in this order]",
            "swarm.overcommit=0.05",
            "swarm.createretry=0",
            "[default: everywhere with up to 8 engines]",
            "answer when it is looked at [default: 2s]",
            "make an engine unhealthy [default: 3]",
            "The shortest time between two full refreshes of an engine [default: 30s]",
            "The longest time between two full refreshes of an engine [default: 60s]",
            "Durations are written as 500ms, 30s, 1m30s or 1.5h.",
            "Examples: flotilla manage -H unix:///run/flotilla.sock 10.0.0.[1:3]:2375",
            "flotilla manage -H :3376 --tlsverify --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem",
        ],
    ),
    (
        &["certs"],
        &[
            "--dir <DIR> Where the folders are made [default: ./tls/out]",
            "How many days they are valid [default: 825, an authority 3650]",
            "Example, for Flotilla on 10.0.0.9 and engines on 10.0.0.1 and db-1: flotilla certs ca",
            "flotilla certs all --host 10.0.0.9 --host 10.0.0.1 --host db-1",
        ],
    ),
    (
        &["overlay"],
        &[
            "tcp://HOST:PORT or unix:///PATH [env: DOCKER_HOST] [default: tcp://127.0.0.1:2375]",
            "[env: DOCKER_TLS_VERIFY]",
            "[env: DOCKER_CERT_PATH]",
            "Example: flotilla overlay enable -H tcp://127.0.0.1:3376",
        ],
    ),
    (
        &["list"],
        &[
            "or file:///PATH with one entry a line [env: SWARM_DISCOVERY]",
            "How long to wait for the list: 500ms, 10s, 1m30s [default: 10s]",
            "Example: flotilla list file:///etc/flotilla/engines",
        ],
    ),
];

#[test]
fn help_tells_variables_defaults_and_an_example() {
    for (command, told) in TOLD {
        let help = help(command, &[]);
        for text in *told {
            assert!(
                help.contains(text),
                "flotilla {command:?} --help lacks {text:?}: {help}"
            );
        }
    }
}

#[test]
fn help_does_not_show_what_variables_hold() {
    let variables = [
        "DEBUG",
        "SWARM_HOST",
        "SWARM_DISCOVERY",
        "SWARM_ADVERTISE",
        "FLOTILLA_ALLOW_UNAUTHENTICATED_TCP",
        "DOCKER_HOST",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
    ];
    let env = variables.map(|name| (name, "whatisset"));
    for command in [
        &[][..],
        &["manage"],
        &["certs"],
        &["overlay"],
        &["list"],
        &["join"],
    ] {
        let shown = help(command, &env);
        assert!(!shown.contains("whatisset"), "{command:?}: {shown}");
        assert_eq!(shown, help(command, &[]), "{command:?}");
    }
}

#[test]
fn every_example_of_the_help_is_taken() {
    // What an example would do needs engines; that its flags are known shows before that.
    for line in ["list nodes://10.0.0.[1:3]:2375", "list 10.0.0.1:2375"] {
        let mut flotilla = Command::new(env!("CARGO_BIN_EXE_flotilla"));
        output(flotilla.args(line.split(' '))).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "certs ca",
        "certs server 10.0.0.9",
        "certs engine 10.0.0.1 db-1",
        "certs client alice",
    ] {
        let mut flotilla = Command::new(env!("CARGO_BIN_EXE_flotilla"));
        let flotilla = flotilla.args(line.split(' ')).current_dir(folder.path());
        output(flotilla).unwrap();
    }
    for made in ["ca", "server", "engine", "alice"] {
        assert!(folder.path().join("tls/out").join(made).is_dir(), "{made}");
    }
    let mut flotilla = Command::new(env!("CARGO_BIN_EXE_flotilla"));
    let all = "certs --dir all all --host 10.0.0.9 --host 10.0.0.1 --host db-1";
    output(flotilla.args(all.split(' ')).current_dir(folder.path())).unwrap();
}
