//! Creates that wait for room on real engines: in order, past who wants something else, and to each end.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::caller::{Answer, Caller, names_on};
use crate::support::flotilla::{Flotilla, PATIENT};
use crate::support::lab::{Lab, Spec, eventually, output};

/// How long anything here may take to show on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// How long creates wait for room: longer than anything here may take.
const LONG: &str = "10m";

/// Three engines on each of which a container holds port 18080: `held0`, `held1`, `held2`.
struct Ground {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
}

impl Ground {
    fn prepare(timeout: &[&str]) -> Self {
        let lab = Lab::start(&Spec::mixed()).unwrap();
        let args = [timeout, &PATIENT].concat();
        let flotilla = Flotilla::with(&lab, &args);
        let caller = Caller::new(flotilla.addr()).with_patience(2 * SOON);
        for number in 0..3 {
            let name = format!("held{number}");
            caller.create(&name, &port(&[])).expect(201);
        }
        Self {
            lab,
            flotilla,
            caller,
        }
    }

    /// Lets a create begin that has to wait, and waits until it does.
    fn begin(&self, name: &str, body: Value) -> JoinHandle<Answer> {
        let before = self.waiting().len();
        let (caller, own) = (self.caller.clone(), name.to_owned());
        let running = thread::spawn(move || caller.create(&own, &body));
        self.until(before + 1);
        running
    }

    /// Returns the rows of the decisions that are waited for, first come first.
    fn waiting(&self) -> Vec<Value> {
        let list = self.caller.get("/flotilla/decisions").expect(200).json();
        let list = list.as_array().cloned().unwrap_or_default().into_iter();
        let mut waiting: Vec<_> = list.filter(|d| d["Outcome"] == "waiting").collect();
        waiting.reverse();
        waiting
    }

    /// Waits until so many creates wait.
    fn until(&self, count: usize) {
        let wait = || match self.waiting() {
            waiting if waiting.len() == count => Ok(()),
            waiting => Err(waiting),
        };
        eventually(SOON, wait).unwrap();
    }

    /// Returns the node that has a container, as the engines themselves know it.
    fn node_of(&self, name: &str) -> String {
        let mut engines = self.lab.engines().iter();
        let has = engines.find(|e| names_on(e).iter().any(|n| n == name));
        has.unwrap().name().to_owned()
    }

    /// Runs a command of Flotilla's own.
    fn own(&self, args: &[&str]) -> String {
        let mut flotilla = Command::new(env!("CARGO_BIN_EXE_flotilla"));
        flotilla.env("DOCKER_HOST", self.flotilla.docker_host());
        output(flotilla.args(args)).unwrap()
    }
}

/// The body of a container that wants host port 18080, with these wishes.
fn port(wishes: &[&str]) -> Value {
    json!({
        "Env": wishes,
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "18080"}]}},
    })
}

#[test]
fn room_goes_to_who_came_first_and_nobody_else_is_held_up() {
    let ground = Ground::prepare(&["--queue-timeout", LONG]);
    let first = ground.begin("first", port(&[]));
    let second = ground.begin("second", port(&[]));
    let rows = ground.waiting();
    let names: Vec<_> = rows.iter().map(|r| &r["Container"]["Name"]).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(
        (&rows[0]["Ahead"], &rows[1]["Ahead"]),
        (&json!(0), &json!(1))
    );
    let why = "3 have host port 18080/tcp taken";
    assert!(
        rows[0]["Message"].as_str().unwrap().contains(why),
        "{rows:?}"
    );
    // One that wants no port does not wait for those that do.
    ground.caller.create("other", &json!({})).expect(201);
    let told = ground.own(&["why", "second"]);
    assert!(
        told.contains("second (image busybox) waits for room, 1 before it: "),
        "{told}"
    );
    assert!(
        told.contains("refused  port: has host port 18080/tcp taken (by held"),
        "{told}"
    );
    assert!(ground.own(&["why"]).contains("waits for room, 1 before it"));
    let mut body = port(&[]);
    body["Image"] = json!("busybox");
    let explained = ground.caller.post_json("/flotilla/explain", &body);
    let explained = explained.expect(200).json();
    let message = explained["Message"].as_str().unwrap();
    let waits = "; it would wait for room for up to 600s, 2 before it";
    assert!(message.ends_with(waits), "{message}");

    // Gone past Flotilla.
    let node = ground.node_of("held1");
    output(
        ground
            .lab
            .engine(&node)
            .docker()
            .args(["rm", "-f", "held1"]),
    )
    .unwrap();
    first.join().unwrap().expect(201);
    assert_eq!(ground.node_of("first"), node);
    ground.until(1);
    let node = ground.node_of("held0");
    ground.caller.delete("/containers/held0").expect(204);
    second.join().unwrap().expect(201);
    assert_eq!(ground.node_of("second"), node);
    let told = ground.own(&["why", "second"]);
    assert!(told.contains(&format!("went to {node} after ")), "{told}");
}

#[test]
fn a_wait_ends_with_its_time_its_client_or_flotilla() {
    let ground = Ground::prepare(&["--queue-timeout", LONG]);
    let refusal = "no node can take this container (3 looked at): 3 have host port 18080/tcp taken";
    let at_once = ground
        .caller
        .create("", &port(&["queue:timeout==0s"]))
        .expect(409);
    assert!(at_once.message().starts_with(refusal), "{at_once:?}");
    let began = Instant::now();
    let late = ground
        .caller
        .create("", &port(&["queue:timeout==2s"]))
        .expect(409);
    assert!(began.elapsed() >= Duration::from_secs(2));
    let message = late.message();
    assert!(message.starts_with(refusal), "{message}");
    assert!(
        message.contains("; it waited 2.") && message.ends_with(" s for room"),
        "{message}"
    );
    let bad = ground
        .caller
        .create("", &port(&["queue:timeout==soon"]))
        .expect(400);
    let why = "queue: invalid expression \"timeout==soon\" at position 10: unknown unit \"soon\" in duration \"soon\": use ns, us, ms, s, m or h";
    assert_eq!(bad.message(), why);
    // A constraint that no node meets is not waited for.
    let never = ground
        .caller
        .create("", &port(&["constraint:zone==x"]))
        .expect(409);
    assert!(!never.message().contains("waited"), "{never:?}");

    // The client goes.
    let mut body = port(&[]);
    body["Image"] = json!("busybox");
    let body = body.to_string();
    let mut client = TcpStream::connect(ground.flotilla.addr()).unwrap();
    write!(
        client,
        "POST /v1.41/containers/create?name=left HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    ground.until(1);
    drop(client);
    ground.until(0);
    ground.caller.delete("/containers/held0").expect(204);
    ground.caller.create("next", &port(&[])).expect(201);
    let made: Vec<_> = ground.lab.engines().iter().flat_map(names_on).collect();
    assert!(!made.contains(&"left".to_owned()), "{made:?}");

    // Flotilla goes.
    let last = ground.begin("last", port(&[]));
    let pid = ground.flotilla.pid().to_string();
    output(Command::new("kill").args(["-TERM", &pid])).unwrap();
    let answer = last.join().unwrap().expect(503);
    assert!(
        answer.message().ends_with("for room, and Flotilla stops"),
        "{answer:?}"
    );
}

#[test]
fn without_the_flag_only_those_wait_that_ask_for_it() {
    let ground = Ground::prepare(&[]);
    let refused = ground.caller.create("", &port(&[])).expect(409);
    assert!(!refused.message().contains("waited"), "{refused:?}");
    let waits = ground.begin("waits", port(&["queue:timeout==10m"]));
    // It does not lose its place to those that do not wait.
    ground.caller.create("", &port(&[])).expect(409);
    ground.caller.delete("/containers/held2").expect(204);
    waits.join().unwrap().expect(201);
    let made = ground.caller.get("/containers/waits/json").expect(200);
    let labels = &made.json()["Config"]["Labels"];
    assert_eq!(labels["com.docker.swarm.queues"], "[\"timeout==10m\"]");
}
