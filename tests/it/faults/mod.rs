//! One engine breaks in one way: the others do not feel it, users learn of it, and nothing is lost or doubled.

mod away;
mod cut;
mod elsewhere;
mod full;
mod half;
mod hung;
mod killed;
mod latency;
mod lost_answer;
mod slow;
mod waits;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::caller::{Answer, Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

/// How soon a change of an engine's health must show at the defaults.
const NOTICED: Duration = Duration::from_secs(10);
/// How long any call that needs no broken engine may take, even on a busy machine.
const PROMPT: Duration = Duration::from_secs(5);
/// How long what is promised no time may take to show on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// How long streams may take to end once their engine is gone.
const ENDED: Duration = Duration::from_secs(15);

/// Three engines with a running container each (`c0` on node0, …); node1 is the one that breaks.
struct Scene {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
    ids: Vec<String>,
}

impl Scene {
    /// Starts everything.
    fn start() -> Self {
        Self::of(&Spec::mixed())
    }

    /// Starts everything on these engines.
    fn of(spec: &Spec) -> Self {
        let lab = Lab::start(spec).unwrap();
        let flotilla = Flotilla::before(&lab);
        let caller = Caller::new(flotilla.addr());
        let ids = (0..3)
            .map(|n| caller.run_on(&format!("node{n}"), &format!("c{n}")))
            .collect();
        Self {
            lab,
            flotilla,
            caller,
            ids,
        }
    }

    /// Waits until `docker info` says Unhealthy of one node, and returns the reason it gives; it must do so in time after
    /// the node broke.
    fn wait_until_unhealthy(&self, broken: Instant) -> String {
        let reason = eventually(NOTICED.saturating_sub(broken.elapsed()), || {
            let info = self.caller.get("/info").json();
            let lines = info["SystemStatus"].as_array().cloned().unwrap_or_default();
            let unhealthy = lines.iter().any(|l| l[1] == "Unhealthy");
            let reason = lines.iter().find(|l| l[0] == "  └ Error").cloned();
            match (unhealthy, reason) {
                (true, Some(reason)) => Ok(reason[1].as_str().unwrap_or_default().to_owned()),
                _ => Err(info["SystemStatus"].to_string()),
            }
        })
        .unwrap();
        println!("unhealthy after {:?}: {reason}", broken.elapsed());
        assert!(!reason.is_empty());
        reason
    }

    /// Does the same while others work.
    fn others_work_until_unhealthy(&self, broken: Instant) -> String {
        thread::scope(|scope| {
            scope.spawn(|| self.others_work());
            self.wait_until_unhealthy(broken)
        })
    }

    /// Waits until all three nodes are healthy again.
    fn wait_until_healthy(&self) {
        let started = Instant::now();
        eventually(NOTICED, || {
            let info = self.caller.get("/info").body;
            match info.matches("\"Healthy\"").count() {
                3 => Ok(()),
                _ => Err(info),
            }
        })
        .unwrap();
        println!("healthy after {:?}", started.elapsed());
    }

    /// Returns the warnings of `docker info` that name node1.
    fn warnings(&self) -> Vec<String> {
        let info = self.caller.get("/info").expect(200).json();
        let all = info["Warnings"].as_array().cloned().unwrap_or_default();
        let texts = all.iter().filter_map(Value::as_str);
        texts
            .filter(|w| w.starts_with("WARNING: node node1 "))
            .map(str::to_owned)
            .collect()
    }

    /// Creates so many containers at whatever node is chosen and returns how many node1 got.
    fn placed_on_node1(&self, count: usize) -> usize {
        let ids: Vec<_> = (0..count)
            .map(|_| self.caller.create("", &json!({})).expect(201).id())
            .collect();
        let on = |id: &String| self.caller.get(&format!("/containers/{id}/json")).json();
        let all = ids.iter().map(on);
        all.filter(|c| c["Node"]["Name"] == "node1").count()
    }

    /// Returns a container's entry in the list of all.
    fn listed(&self, id: &str) -> Option<Value> {
        let mut list = self.caller.containers().into_iter();
        list.find(|c| c["Id"] == id)
    }

    /// Checks that what needs only node0 and node2 goes on: lists, inspects, a whole life of a container, execs.
    fn others_work(&self) {
        let caller = &self.caller;
        prompt(|| caller.get("/containers/json?all=1")).expect(200);
        prompt(|| caller.get("/images/json")).expect(200);
        prompt(|| caller.get("/info")).expect(200);
        for (node, id) in [("node0", &self.ids[0]), ("node2", &self.ids[2])] {
            prompt(|| caller.get(&format!("/containers/{id}/json"))).expect(200);
            let exec = json!({"AttachStdout": true, "Cmd": ["echo", "alive"]});
            let exec = prompt(|| caller.post_json(&format!("/containers/{id}/exec"), &exec));
            let start = format!("/exec/{}/start", exec.expect(201).id());
            let said = prompt(|| caller.post_json(&start, &json!({})));
            assert!(said.body.contains("alive"), "{said:?}");
            let made = prompt(|| caller.create("", &on(node))).expect(201).id();
            prompt(|| caller.post(&format!("/containers/{made}/start"))).expect(204);
            prompt(|| caller.delete(&format!("/containers/{made}?force=1"))).expect(204);
        }
    }

    /// Checks that every call on node1's container is refused with the node's name and since when.
    fn broken_ones_are_refused(&self) {
        let id = &self.ids[1];
        for (method, path) in [
            ("GET", format!("/containers/{id}/json")),
            ("GET", "/containers/c1/logs?stdout=1".to_owned()),
            ("POST", format!("/containers/{}/stop", &id[..12])),
            ("DELETE", "/containers/node1/c1?force=1".to_owned()),
        ] {
            let answer = prompt(|| self.caller.call(method, &path, None)).expect(503);
            let message = answer.message();
            assert!(
                message
                    .starts_with("container \"c1\" is on node1, which has not answered since 20"),
                "{message}"
            );
        }
        // The name is not free either.
        prompt(|| self.caller.create("c1", &json!({}))).expect(409);
    }

    /// Checks that node1's container is listed, and that its node is said to be down.
    fn is_listed_as_down(&self) {
        let entry = self.listed(&self.ids[1]).unwrap();
        assert_eq!(entry["Status"], "Host Down", "{entry}");
        let clients = self.flotilla.clients(&self.lab);
        for mut docker in [clients.docker(), clients.docker_20()] {
            let format = "{{.Names}}: {{.Status}}";
            let list = output(docker.args(["ps", "--format", format])).unwrap();
            let shown = |start: &str| list.lines().any(|line| line.starts_with(start));
            for start in ["c0: Up ", "c1: Host Down", "c2: Up "] {
                assert!(shown(start), "no {start}: {list}");
            }
        }
    }
}

/// Makes a call that must not take long.
fn prompt(call: impl FnOnce() -> Answer) -> Answer {
    let started = Instant::now();
    let answer = call();
    let took = started.elapsed();
    assert!(took < PROMPT, "{took:?} for {answer:?}");
    answer
}

/// Runs a job in a thread of its own and returns what waits for its end, for [`ENDED`] at most.
fn aside<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> impl FnOnce() -> T {
    aside_for(ENDED, job)
}

/// Runs a job in a thread of its own and returns what waits for its end, for `limit` at most.
fn aside_for<T: Send + 'static>(
    limit: Duration,
    job: impl FnOnce() -> T + Send + 'static,
) -> impl FnOnce() -> T {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        // Who gave up waiting has failed its test already.
        let _ = tell.send(job());
    });
    move || told.recv_timeout(limit).expect("ends within the limit")
}
