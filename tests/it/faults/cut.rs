//! Engines whose link is down.

use std::time::{Duration, Instant};

use super::Scene;

#[test]
fn an_unplugged_engine_is_told_and_its_events_go_on_when_it_is_back() {
    let scene = Scene::start();
    let engine = scene.lab.engine("node1");
    let broken = Instant::now();
    engine.unplug().unwrap();
    scene.others_work_until_unhealthy(broken);
    scene.is_listed_as_down();
    scene.broken_ones_are_refused();
    scene.others_work();
    // What happens behind the cut is found out later.
    let docker = |args: &[&str]| {
        let mut command = engine.docker();
        crate::support::lab::output(command.args(args)).unwrap()
    };
    let made = docker(&["create", "--name", "behind", "busybox"]);
    docker(&["rename", "c1", "renamed"]);

    engine.plug().unwrap();
    scene.wait_until_healthy();
    assert_eq!(scene.listed(&made).unwrap()["Names"][0], "/behind");
    assert_eq!(scene.listed(&scene.ids[1]).unwrap()["Names"][0], "/renamed");
    // Changes made past Flotilla are followed again at once, not only at the next full refresh.
    docker(&["rename", "renamed", "again"]);
    let less_than_a_refresh = Duration::from_secs(20);
    crate::support::lab::eventually(less_than_a_refresh, || {
        let entry = scene.listed(&scene.ids[1]).unwrap();
        match entry["Names"][0].as_str() {
            Some("/again") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .unwrap();
}
