//! Who needs only healthy nodes does not feel a sick one: lists, creates and execs keep their latency.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Scene;
use crate::support::caller::on;

/// The fewest rounds that are measured.
const ROUNDS: usize = 15;
/// What a busy machine may add to the median, beyond three times what it was.
const MEDIAN_MORE: Duration = Duration::from_millis(200);
/// What a busy machine may add to the worst, beyond five times what it was. The sick engine's shortest deadline, which
/// is that of a probe, is longer.
const WORST_MORE: Duration = Duration::from_secs(1);

/// How long each call of one kind took.
type Times = BTreeMap<&'static str, Vec<Duration>>;

/// Makes calls on node0 and lists of all, round after round, until `done` is set.
fn measure(scene: &Scene, done: &AtomicBool) -> Times {
    let mut times = Times::new();
    for round in 0.. {
        if round >= ROUNDS && done.load(Ordering::Relaxed) {
            break;
        }
        measure_once(scene, &mut times);
    }
    times
}

fn measure_once(scene: &Scene, times: &mut Times) {
    let caller = &scene.caller;
    let id = &scene.ids[0];
    let mut timed = |kind, call: &mut dyn FnMut()| {
        let started = Instant::now();
        call();
        times.entry(kind).or_default().push(started.elapsed());
    };
    timed("list", &mut || {
        caller.get("/containers/json?all=1").expect(200);
    });
    timed("images", &mut || {
        caller.get("/images/json").expect(200);
    });
    let mut made = String::new();
    timed("create", &mut || {
        made = caller.create("", &on("node0")).expect(201).id();
    });
    timed("exec", &mut || {
        let exec = json!({"AttachStdout": true, "Cmd": ["echo", "alive"]});
        let exec = caller.post_json(&format!("/containers/{id}/exec"), &exec);
        let start = format!("/exec/{}/start", exec.expect(201).id());
        let said = caller.post_json(&start, &json!({}));
        assert!(said.body.contains("alive"), "{said:?}");
    });
    timed("remove", &mut || {
        caller
            .delete(&format!("/containers/{made}?force=1"))
            .expect(204);
    });
}

/// Returns the median and the worst.
fn summary(times: &[Duration]) -> (Duration, Duration) {
    let mut sorted = times.to_vec();
    sorted.sort();
    (sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

/// Checks that calls took about as long as before.
fn kept(when: &str, before: &Times, during: &Times) {
    for (kind, times) in before {
        let ((median, worst), (now, worst_now)) = (summary(times), summary(&during[kind]));
        let count = during[kind].len();
        let line = format!(
            "{kind} {when}: median {median:?} then {now:?}, worst {worst:?} then {worst_now:?}, {count} calls"
        );
        println!("{line}");
        assert!(now <= 3 * median + MEDIAN_MORE, "{line}");
        assert!(worst_now <= 5 * worst + WORST_MORE, "{line}");
    }
}

/// Measures while `change` is made and until its effect is seen.
fn while_it(scene: &Scene, change: impl FnOnce()) -> Times {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let measured = scope.spawn(|| measure(scene, &done));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change));
        done.store(true, Ordering::Relaxed);
        let times = measured.join();
        result.unwrap();
        times.unwrap()
    })
}

/// Breaks node1 and mends it, and compares how long calls took before, meanwhile and afterwards.
fn nobody_waits(scene: &Scene, breaks: impl FnOnce(), mends: impl FnOnce()) {
    let before = measure(scene, &AtomicBool::new(true));
    let broken = while_it(scene, || {
        let started = Instant::now();
        breaks();
        scene.wait_until_unhealthy(started);
    });
    kept("while it is found out", &before, &broken);
    let down = measure(scene, &AtomicBool::new(true));
    kept("while it is down", &before, &down);
    let mended = while_it(scene, || {
        mends();
        scene.wait_until_healthy();
    });
    kept("while it comes back", &before, &mended);
}

#[test]
fn a_stopped_engine_costs_others_no_time() {
    let scene = Scene::start();
    let engine = scene.lab.engine("node1");
    let (pause, resume) = (|| engine.pause().unwrap(), || engine.resume().unwrap());
    nobody_waits(&scene, pause, resume);
}

#[test]
fn a_killed_engine_costs_others_no_time() {
    let scene = Scene::start();
    let engine = scene.lab.engine("node1");
    let (kill, restart) = (|| engine.kill().unwrap(), || engine.restart().unwrap());
    nobody_waits(&scene, kill, restart);
}
