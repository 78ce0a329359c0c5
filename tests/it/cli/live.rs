//! Streams that go on while things happen: `docker events`, and `docker stats` of all.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::list::now;
use super::{BOTH, Stage};
use crate::support::lab::eventually;

/// How long a line may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// How long after an `until` its stream may end.
const LATE: Duration = Duration::from_secs(15);
/// How far ahead that `until` lies.
const AHEAD: Duration = Duration::from_secs(12);

/// A client that goes on, and what it has written.
struct Live {
    client: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Live {
    fn start(client: &mut Command) -> Self {
        let mut client = client.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(client.stdout.take().unwrap());
        let (tell, lines) = channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            client,
            lines,
            seen: Vec::new(),
        }
    }

    /// Returns what has come so far.
    fn seen(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// Waits until one line holds this text.
    fn wait_for(&mut self, text: &str) {
        eventually(SOON, || {
            let seen = self.seen();
            match seen.iter().any(|line| line.contains(text)) {
                true => Ok(()),
                false => Err(format!("no {text} in {seen:?}")),
            }
        })
        .unwrap();
    }

    fn runs(&mut self) -> bool {
        self.client.try_wait().unwrap().is_none()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

#[test]
fn events_are_shown_as_they_happen_until_the_client_leaves() {
    let stage = Stage::set("livevents");
    for cli in BOTH {
        let filter = format!("label=livevents={cli:?}");
        let mut events = stage.docker(cli);
        events.args(["events", "--filter", &filter, "--filter", "event=start"]);
        events.args(["--format", "{{.Action}} {{.Actor.Attributes.name}}"]);
        let mut live = Live::start(&mut events);
        let start = |name: &str, node: &str| {
            stage.sleeper(node, name, &["--label", &filter["label=".len()..]]);
        };
        // Nothing tells when the stream is open: so many are started until one is shown.
        let shown = (0..30).find(|number| {
            start(&stage.name(&format!("{cli:?}-first{number}")), "node0");
            thread::sleep(Duration::from_millis(200));
            !live.seen().is_empty()
        });
        assert!(shown.is_some(), "{cli:?}: no start is shown");
        for node in ["node0", "node1", "node2"] {
            let name = stage.name(&format!("{cli:?}-{node}"));
            start(&name, node);
            live.wait_for(&format!("start {name}"));
        }
        assert!(live.runs(), "{cli:?} ended by itself");
    }
}

#[test]
fn events_until_a_time_to_come_end_then() {
    let stage = Stage::set("liveuntil");
    for cli in BOTH {
        let label = format!("liveuntil={cli:?}");
        let (since, until) = (now(), now_and(AHEAD));
        let started = Instant::now();
        let mut events = stage.docker(cli);
        let filter = format!("label={label}");
        events.args(["events", "--since", &since, "--until", &until]);
        events.args(["--filter", &filter, "--filter", "event=start"]);
        events.args(["--format", "{{.Actor.Attributes.name}}"]);
        let mut live = Live::start(&mut events);
        let nodes = ["node0", "node1", "node2"];
        let names = nodes.map(|node| stage.name(&format!("{cli:?}-{node}")));
        let mut in_time = Vec::new();
        for (node, name) in nodes.iter().zip(&names) {
            stage.sleeper(node, name, &["--label", &label]);
            if started.elapsed() + Duration::from_secs(2) < AHEAD {
                in_time.push(name.clone());
            }
        }
        assert!(!in_time.is_empty(), "the machine is too busy for this");
        // It does not wait for the end to show what it has.
        live.wait_for(&in_time[0]);
        let code = eventually(AHEAD + LATE, || {
            live.client.try_wait().unwrap().ok_or("goes on")
        });
        let took = started.elapsed();
        assert_eq!(code.unwrap().code(), Some(0), "{cli:?}");
        assert!(took + Duration::from_secs(1) >= AHEAD, "{cli:?}: {took:?}");
        for name in &in_time {
            live.wait_for(name);
        }
    }
}

/// Returns the time after so long as `docker events` takes it.
fn now_and(more: Duration) -> String {
    let now: f64 = now().parse().unwrap();
    format!("{:.3}", now + more.as_secs_f64())
}

#[test]
fn stats_without_names_are_those_of_all_nodes_and_of_what_comes() {
    let stage = Stage::set("livestats");
    for cli in BOTH {
        let name = |rest: &str| stage.name(&format!("{cli:?}-{rest}"));
        for node in ["node0", "node1"] {
            stage.sleeper(node, &name(node), &[]);
        }
        let mut stats = stage.docker(cli);
        let mut live = Live::start(stats.args(["stats", "--format", "{{.Name}} {{.PIDs}}"]));
        // A name stands there before the first sample, with `--` for its numbers.
        for node in ["node0", "node1"] {
            live.wait_for(&format!("{} 1", name(node)));
        }
        stage.sleeper("node2", &name("node2"), &[]);
        live.wait_for(&format!("{} 1", name("node2")));
        assert!(live.runs(), "{cli:?} ended by itself");
        drop(live);
        // Other tests' containers may go meanwhile, which ends such a look with an error.
        eventually(SOON, || {
            let mut stats = stage.docker(cli);
            let args = ["stats", "--no-stream", "--format", "{{.Name}}"];
            let seen = super::ran(stats.args(args), b"");
            let all = ["node0", "node1", "node2"].map(name);
            let lines: Vec<&str> = seen.out.lines().collect();
            match all.iter().all(|name| lines.contains(&name.as_str())) {
                true => Ok(()),
                false => Err(seen),
            }
        })
        .unwrap();
    }
}
