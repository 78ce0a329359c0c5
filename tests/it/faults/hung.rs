//! Engines that take connections and do not answer.

use std::time::Instant;

use super::{NOTICED, Scene, aside_for};

#[test]
fn a_stopped_engine_is_told_and_harms_nobody() {
    let scene = Scene::start();
    let before = scene.listed(&scene.ids[1]).unwrap();
    let stopped = scene.caller.run_on("node1", "stopped");
    let broken = Instant::now();
    scene.lab.engine("node1").pause().unwrap();
    let under_way = [
        ("GET", format!("/containers/{}/json", scene.ids[1]), ""),
        (
            "POST",
            format!("/containers/{stopped}/stop"),
            "; whether it was carried out is unknown",
        ),
        (
            "POST",
            "/containers/c1/attach?stdout=1&stream=1".to_owned(),
            "; whether it was carried out is unknown",
        ),
    ]
    .map(|(method, path, end)| {
        let caller = scene.caller.clone();
        let answer = aside_for(NOTICED * 2, move || caller.call(method, &path, None));
        (answer, end)
    });
    // Before it is noticed as much as after.
    let reason = scene.others_work_until_unhealthy(broken);
    assert!(reason.contains("did not answer within"), "{reason}");
    // Who asked while it still counted as healthy does not wait for ever.
    for (answer, end) in under_way {
        let message = answer().expect(504).message();
        let words = " took the request and has not answered it; ";
        assert!(
            message.contains(words) && message.ends_with(end),
            "{message}"
        );
    }
    scene.is_listed_as_down();
    scene.broken_ones_are_refused();
    scene.others_work();
    let node1 = scene
        .caller
        .create("late", &crate::support::caller::on("node1"));
    assert!(
        node1
            .clone()
            .expect(409)
            .message()
            .contains("does not answer"),
        "{node1:?}"
    );

    scene.lab.engine("node1").resume().unwrap();
    scene.wait_until_healthy();
    let after = scene.listed(&scene.ids[1]).unwrap();
    for key in ["Id", "Names", "State", "Created", "Image", "Ports"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    let inspect = format!("/containers/{}/json", scene.ids[1]);
    assert_eq!(
        scene.caller.get(&inspect).expect(200).json()["State"]["Running"],
        true
    );
}

#[test]
fn an_engine_whose_containerd_hangs_is_noticed_although_it_answers_pings() {
    let scene = Scene::start();
    let engine = scene.lab.engine("node1");
    let broken = Instant::now();
    engine.pause_containerd().unwrap();
    scene.wait_until_unhealthy(broken);
    assert!(engine.answers(super::PROMPT), "only containerd hangs");
    scene.is_listed_as_down();
    scene.others_work();
    engine.resume_containerd().unwrap();
    scene.wait_until_healthy();
    scene.caller.run_on("node1", "after");
}

#[test]
fn an_engine_that_hangs_while_it_is_busy_is_noticed_as_soon() {
    let scene = Scene::start();
    let filled: Vec<_> = (0..40)
        .map(|n| {
            scene
                .caller
                .create(&format!("busy{n}"), &crate::support::caller::on("node1"))
        })
        .collect();
    assert!(filled.iter().all(|a| a.status == 201));
    let engine = scene.lab.engine("node1");
    // Changes made past Flotilla keep its monitor reading while the engine stops.
    let direct = scene.lab.engine("node1").address();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let direct = crate::support::caller::Caller::new(direct);
        let stop = &stop;
        scope.spawn(move || {
            for n in (0..40).cycle() {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                direct.post(&format!("/containers/busy{n}/rename?name=busy{n}x"));
                direct.post(&format!("/containers/busy{n}x/rename?name=busy{n}"));
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let broken = Instant::now();
            engine.pause().unwrap();
            scene.wait_until_unhealthy(broken);
            scene.is_listed_as_down();
        }));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        engine.resume().unwrap();
        result.unwrap();
    });
    scene.wait_until_healthy();
    assert_eq!(scene.caller.containers().len(), 43);
}
