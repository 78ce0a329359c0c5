//! Events of three engines are one stream: nothing is missing, nothing is told twice.

mod forms;
mod gaps;
mod members;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::caller::{Caller, encoded, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually};

const CONTAINERS: usize = 30;
/// How long an engine may take for what it does by itself.
const SOON: Duration = Duration::from_secs(60);
/// The steps of a container's life that are counted.
const STEPS: [&str; 4] = ["create", "start", "die", "destroy"];

/// A lab, Flotilla before it, and the way to call it.
struct Scene {
    lab: Lab,
    _flotilla: Flotilla,
    caller: Caller,
}

impl Scene {
    /// Starts all.
    fn start() -> Self {
        let lab = Lab::start(&Spec::mixed()).unwrap();
        let flotilla = Flotilla::before(&lab);
        let caller = Caller::new(flotilla.addr());
        Self {
            lab,
            _flotilla: flotilla,
            caller,
        }
    }

    /// Opens the stream; what happens once this has returned is on it.
    fn follow(&self, query: &str) -> impl Iterator<Item = Value> + use<> {
        let lines = self.caller.open(&format!("/events{query}")).lines();
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap())
    }

    /// Lets a container live and die on a node and returns its ID.
    fn live(&self, node: &str, name: &str) -> String {
        let id = self.caller.run_on(node, name);
        self.caller
            .post(&format!("/containers/{id}/kill"))
            .expect(204);
        // An engine tells of the end a little after it calls the container exited, and then perhaps after its removal.
        let engine = Caller::new(self.lab.engine(node).address());
        let filter = encoded(&json!({"container": [id], "event": ["die"]}));
        eventually(SOON, || {
            let path = format!("/events?since=0&until={}&filters={filter}", now());
            let told = engine.get(&path).body;
            if told.contains("\"die\"") {
                Ok(())
            } else {
                Err(told)
            }
        })
        .unwrap();
        self.caller
            .delete(&format!("/containers/{id}?force=1"))
            .expect(204);
        id
    }

    /// Ends what can be told of all nodes so far: reads up to the end of one last container on each of them.
    fn read_up_to_now(&self, events: &mut impl Iterator<Item = Value>) -> Vec<Value> {
        let mut last: Vec<String> = (0..3).map(|n| self.live(&format!("node{n}"), "")).collect();
        let marks = last.clone();
        let mut seen = Vec::new();
        while !last.is_empty() {
            let event = events.next().expect("the stream goes on");
            if event["Action"] == "destroy" {
                last.retain(|id| event["Actor"]["ID"] != **id);
            }
            seen.push(event);
        }
        seen.retain(|e| !marks.iter().any(|id| e["Actor"]["ID"] == **id));
        seen
    }
}

/// Returns the time now as the API takes it.
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// Returns the counted steps of each container, in the order in which they were told.
fn lives(events: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut lives: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events.iter().filter(|e| e["Type"] == "container") {
        let action = event["Action"].as_str().unwrap();
        if STEPS.contains(&action) {
            let id = event["Actor"]["ID"].as_str().unwrap().to_owned();
            lives.entry(id).or_default().push(action.to_owned());
        }
    }
    lives
}

/// How far apart in time events of two objects may be told in the other order. An engine notes an event and publishes it
/// without one lock over both, so that of two at one moment each of its readers may get either first (5 ms were seen).
const MOMENT_NANO: i64 = 500_000_000;

/// Fails unless what was told of each engine's own events came in the order in which that engine tells them again: those
/// of one container exactly, those of several objects but for what happened at one moment.
fn told_in_order(lab: &Lab, seen: &[Value]) {
    let key = |event: &Value| {
        let of = ["Type", "Action"].map(|key| event[key].to_string());
        let object = event["Actor"]["ID"].to_string();
        (object, event["timeNano"].as_i64().unwrap(), of.join(" "))
    };
    type Told = (String, i64, String);
    let mut compared = 0;
    for engine in lab.engines() {
        let of_engine = |e: &&Value| e["Actor"]["Attributes"]["node.name"] == engine.name();
        let told: Vec<Told> = seen.iter().filter(of_engine).map(key).collect();
        // It forgets when it starts again, and after 256.
        let past = Caller::new(engine.address()).get(&format!("/events?since=0&until={}", now()));
        let past = past.expect(200).body;
        let past = past
            .lines()
            .map(|line| key(&serde_json::from_str(line).unwrap()));
        let past: Vec<Told> = past.collect();
        let both = |of: &[Told], other: &[Told]| -> Vec<Told> {
            of.iter().filter(|e| other.contains(e)).cloned().collect()
        };
        let (mut told, mut past) = (both(&told, &past), both(&past, &told));
        let mut latest = 0;
        for event in &told {
            assert!(latest - event.1 < MOMENT_NANO, "{event:?} in {told:#?}");
            latest = latest.max(event.1);
        }
        // Stable: of each container they stay as they were told. A network is joined by several at one moment.
        let of_object = |event: &Told| {
            let own = event.2.starts_with("\"container\"");
            (event.0.clone(), if own { 0 } else { event.1 })
        };
        told.sort_by_key(of_object);
        past.sort_by_key(of_object);
        assert_eq!(told, past, "{}", engine.name());
        compared += past.len();
    }
    assert!(compared > 0, "no engine remembers anything of it");
}

#[test]
fn each_step_of_each_container_is_told_once_and_in_order() {
    let scene = Scene::start();
    let mut events = scene.follow("");
    let made: Vec<(String, String)> = crate::support::caller::at_once(CONTAINERS, |n| {
        let node = format!("node{}", n % 3);
        (scene.live(&node, &format!("e{n}")), node)
    });
    let seen = scene.read_up_to_now(&mut events);
    told_in_order(&scene.lab, &seen);
    let lives = lives(&seen);
    assert_eq!(lives.len(), CONTAINERS);
    for (id, node) in &made {
        assert_eq!(lives[id], STEPS, "{id} on {node}");
    }
    for (id, node) in &made {
        let engine = scene.lab.engine(node);
        for event in seen.iter().filter(|e| e["Actor"]["ID"] == **id) {
            let marks = &event["Actor"]["Attributes"];
            assert_eq!(marks["node.name"], **node);
            assert_eq!(marks["node.addr"], engine.address());
            assert_eq!(marks["node.ip"], engine.ip());
            assert!(marks["node.id"].as_str().unwrap().starts_with(engine.id()));
            assert_eq!(marks["image"], "busybox", "the engine's own stay");
        }
    }
}

#[test]
fn the_past_is_told_in_the_order_of_time_and_ends() {
    let scene = Scene::start();
    let before = now();
    let first: Vec<String> = (0..9)
        .map(|n| scene.live(&format!("node{}", n % 3), &format!("past{n}")))
        .collect();
    let between = now();
    let second = scene.live("node1", "later");

    let replay = |since: &str, until: &str| -> Vec<Value> {
        scene
            .follow(&format!("?since={since}&until={until}"))
            .collect()
    };
    let seen = replay(&before, &between);
    let lives_seen = lives(&seen);
    assert_eq!(lives_seen.len(), first.len());
    for id in &first {
        assert_eq!(lives_seen[id], STEPS);
    }
    let times: Vec<i64> = seen
        .iter()
        .map(|e| e["timeNano"].as_i64().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let nodes: std::collections::BTreeSet<_> = seen
        .iter()
        .map(|e| e["Actor"]["Attributes"]["node.name"].to_string())
        .collect();
    assert_eq!(nodes.len(), 3);
    assert_eq!(
        lives(&replay(&between, &now()))
            .into_keys()
            .collect::<Vec<_>>(),
        [second]
    );

    // The past, then what happens now, without a seam.
    let mut events = scene.follow(&format!("?since={before}"));
    scene.live("node2", "now");
    let seen = lives(&scene.read_up_to_now(&mut events));
    assert_eq!(seen.len(), first.len() + 2);
    assert!(seen.values().all(|steps| *steps == STEPS), "{seen:?}");
}

#[test]
fn filters_choose_what_is_told() {
    let scene = Scene::start();
    let since = now();
    // Names that no ID begins with: a filter takes parts of both.
    let ids: Vec<String> = (0..3)
        .map(|n| scene.live(&format!("node{n}"), &format!("named{n}")))
        .collect();
    let until = now();
    let replay = |filter: Value| -> Vec<(String, String)> {
        let filter = encoded(&filter);
        let path = format!("/events?since={since}&until={until}&filters={filter}");
        let body = scene.caller.get(&path).expect(200).body;
        let events = body
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        events
            .map(|e| (text(&e["Actor"]["ID"]), text(&e["Action"])))
            .collect()
    };
    let told = |id: &str, action: &str| (id.to_owned(), action.to_owned());
    assert_eq!(
        replay(json!({"type": ["container"], "event": ["die"]})),
        ids.iter().map(|id| told(id, "die")).collect::<Vec<_>>()
    );
    assert_eq!(
        replay(json!({"container": ["named1"], "event": ["create", "destroy"]})),
        [told(&ids[1], "create"), told(&ids[1], "destroy")]
    );
    assert_eq!(
        replay(json!({"node": ["node2"], "event": ["start"]})),
        [told(&ids[2], "start")]
    );
    assert_eq!(replay(json!({"image": ["other"]})), []);
    let networks = replay(json!({"type": ["network"], "event": ["connect"]}));
    assert_eq!(networks.len(), 3, "{networks:?}");
}

#[test]
fn a_stream_goes_on_after_an_engine_restarted() {
    let scene = Scene::start();
    let mut events = scene.follow("");
    let first = scene.live("node1", "first");
    scene.lab.engine("node1").restart().unwrap();
    let second = eventually(SOON, || {
        let made = scene.caller.create("second", &on("node1"));
        if made.status == 201 {
            Ok(made.id())
        } else {
            Err(made)
        }
    })
    .unwrap();
    let path = format!("/containers/{second}");
    scene.caller.delete(&path).expect(204);
    let seen = lives(&scene.read_up_to_now(&mut events));
    assert_eq!(seen[&first], STEPS);
    assert_eq!(seen[&second], ["create", "destroy"]);
}
