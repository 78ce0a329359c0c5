//! `docker ps` and `docker events`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{BOTH, Cli, Stage};
use crate::support::lab::eventually;

#[test]
fn ps_filters_find_containers_of_all_nodes() {
    let stage = Stage::set("psfilter");
    let names = ["node0", "node1", "node2"].map(|n| stage.name(n));
    for (node, name) in ["node0", "node1", "node2"].into_iter().zip(&names) {
        stage.sleeper(node, name, &["--label", &format!("psfilter={node}")]);
    }
    stage.ok(&["kill", &names[2]]);
    let word = format!("name={}", stage.name(""));
    for cli in BOTH {
        let ps = |args: &[&str]| {
            let mut docker = stage.docker(cli);
            docker
                .args(["ps", "--format", "{{.Names}}", "--filter", &word])
                .args(args);
            let out = super::ran(&mut docker, b"").out;
            let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
            lines.sort();
            lines
                .iter()
                .map(|l| l.rsplit('-').next().unwrap())
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (args, want) in [
            (&[][..], "node0 node1"),
            (&["-a"], "node0 node1 node2"),
            (&["-a", "--filter", "status=exited"], "node2"),
            (&["--filter", "status=running"], "node0 node1"),
            (&["-a", "--filter", "label=psfilter=node1"], "node1"),
            (&["-a", "--filter", "label=psfilter"], "node0 node1 node2"),
            (&["-a", "--filter", "node=node2"], "node2"),
            (&["-a", "--filter", "ancestor=busybox"], "node0 node1 node2"),
            (&["-a", "--filter", "ancestor=nosuchimage"], ""),
            (&["-a", "--filter", "exited=137"], "node2"),
            (&["-n", "1"], "node2"),
            (&["-l"], "node2"),
        ] {
            assert_eq!(ps(args), want, "{cli:?} {args:?}");
        }
        let bad = stage.same(cli, "node1", &["ps", "--filter", "nosuchfilter=1"]);
        assert_eq!(bad.code, Some(1));
        let bad = stage.same(cli, "node1", &["ps", "--filter", "status=nosuch"]);
        assert_eq!(bad.code, Some(1));
    }
}

#[test]
fn ps_s_shows_what_containers_wrote() {
    let stage = Stage::set("pssize");
    for node in ["node0", "node1"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &[]);
        stage.ok(&[
            "exec",
            &name,
            "dd",
            "if=/dev/zero",
            "of=/big",
            "bs=1000",
            "count=3000",
        ]);
        let filter = format!("name=^/{name}$");
        for cli in BOTH {
            let args = ["ps", "-s", "--filter", &filter, "--format", "{{.Size}}"];
            let seen = stage.same(cli, node, &args);
            assert!(seen.out.starts_with("3MB (virtual "), "{seen:?}");
        }
    }
}

/// Returns the time as `docker events` takes it.
pub(super) fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{:.3}", now.as_secs_f64())
}

#[test]
fn events_between_two_times_are_those_of_all_nodes() {
    let stage = Stage::set("events");
    let actions = ["create", "start", "die", "destroy"];
    let since = now();
    let mut want = Vec::new();
    for node in ["node0", "node1", "node2"] {
        let name = stage.name(node);
        let wish = format!("constraint:node=={node}");
        let run = ["run", "--rm", "--name", &name, "-e", &wish, "--label"];
        stage.ok(&[&run[..], &["t1=events", "busybox", "true"]].concat());
        want.extend(actions.map(|action| format!("{action} {name} {node}")));
    }
    let format = "{{.Action}} {{.Actor.Attributes.name}} {{index .Actor.Attributes \"node.name\"}}";
    let events = actions.map(|action| format!("event={action}"));
    for cli in BOTH {
        // An engine tells of the last removal a little after whoever waits for it is answered.
        eventually(Duration::from_secs(30), || {
            let mut docker = stage.docker(cli);
            docker.args(["events", "--since", &since, "--until", &now()]);
            docker.args(["--format", format, "--filter", "label=t1=events"]);
            for event in &events {
                docker.args(["--filter", event]);
            }
            let seen = super::ran(&mut docker, b"");
            let lines: Vec<&str> = seen.out.lines().collect();
            if lines == want { Ok(()) } else { Err(seen) }
        })
        .unwrap();
    }
    let bad = ["events", "--since", "nosuchtime", "--until", "1"];
    assert_eq!(stage.same(Cli::V28, "node1", &bad).code, Some(1));
}
