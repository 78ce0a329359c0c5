//! An engine whose disk is full: it answers, and creates nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{NOTICED, SOON, Scene};
use crate::support::caller::on;
use crate::support::images::{big_image, count_on, has, wait_for};
use crate::support::lab::{EngineSpec, Release, Spec, eventually, output};

/// How long an engine is spared at least after it could not create for the first time.
const SPARED: Duration = Duration::from_secs(5);

/// Three engines, of which node1 has a small disk.
fn scene() -> Scene {
    Scene::of(&Spec::with([
        EngineSpec::new("node0", Release::V20),
        EngineSpec::new("node1", Release::V28).disk(96),
        EngineSpec::new("node2", Release::V28),
    ]))
}

/// Fills node1's disk, or frees it.
fn fill(scene: &Scene, full: bool) {
    let engine = scene.lab.engine("node1");
    let file = engine.folder().join("data/fill");
    let file = file.display();
    let script = match full {
        true => format!("dd if=/dev/zero of={file} bs=4096 2>/dev/null; true"),
        false => format!("rm {file}"),
    };
    output(engine.on_machine("/bin/sh").args(["-c", &script])).unwrap();
}

/// Waits until `docker info` warns of node1, or no longer does; returns the warnings.
fn wait_for_warnings(scene: &Scene, wanted: bool) -> Vec<String> {
    eventually(SOON, || match scene.warnings() {
        some if some.is_empty() == wanted => Err(some),
        other => Ok(other),
    })
    .unwrap()
}

#[test]
fn creates_go_elsewhere_while_a_disk_is_full() {
    let scene = scene();
    fill(&scene, true);

    // With node1 emptier than the others, it is the first choice until it says what is wrong.
    for n in 0..4 {
        let node = ["node0", "node2"][n % 2];
        scene.caller.create("", &on(node)).expect(201);
    }
    assert_eq!(scene.placed_on_node1(2), 0);
    let warnings = wait_for_warnings(&scene, true);
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert!(warning.starts_with("WARNING: node node1 cannot create containers since 20"));
    let end = ": no space left on device; it is the last choice for new ones";
    assert!(warning.ends_with(end), "{warning}");
    // What it has goes on, and who insists on it gets its own words.
    assert_eq!(scene.listed(&scene.ids[1]).unwrap()["State"], "running");
    let insisted = scene.caller.create("there", &on("node1")).expect(500);
    assert!(
        insisted.message().contains("no space left on device"),
        "{insisted:?}"
    );
    assert!(
        !scene
            .caller
            .containers()
            .iter()
            .any(|c| c["Names"][0] == "/there")
    );

    fill(&scene, false);
    scene.caller.create("there", &on("node1")).expect(201);
    wait_for_warnings(&scene, false);
    assert_eq!(scene.placed_on_node1(1), 1, "it is the emptiest");
}

#[test]
fn a_full_disk_is_tried_again_after_a_while() {
    let scene = scene();
    fill(&scene, true);
    let started = Instant::now();
    scene.caller.create("", &on("node1")).expect(500);
    assert_eq!(scene.placed_on_node1(4), 0);
    let took = started.elapsed();
    // It was spared, not tried again for each: what a failed create leaves behind is no room that was freed.
    let log = scene.flotilla.log();
    let tries = log.matches("engine cannot create").count();
    match took < SPARED {
        true => assert_eq!(tries, 1, "{log}"),
        false => println!("{tries} tries in {took:?}, which may have been its right"),
    }
    fill(&scene, false);
    // Nobody tells that there is room again; sooner or later a create finds out.
    eventually(NOTICED * 2, || match scene.placed_on_node1(1) {
        1 => Ok(()),
        _ => Err(scene.warnings()),
    })
    .unwrap();
    wait_for_warnings(&scene, false);
}

/// Returns how much of its disk node1 uses, in kB.
fn used_kb(scene: &Scene) -> u64 {
    let engine = scene.lab.engine("node1");
    let data = engine.folder().join("data");
    let mut df = engine.on_machine("/bin/df");
    let told = output(df.args(["-k", "--output=used"]).arg(data)).unwrap();
    told.lines().last().unwrap().trim().parse().unwrap()
}

#[test]
fn an_image_that_does_not_fit_leaves_nothing_and_the_container_goes_elsewhere() {
    let scene = scene();
    let node1 = scene.lab.engine("node1");
    // More than there is room for, be it only once.
    big_image(scene.lab.engine("node2"), "big:1", 96);
    wait_for(&scene.caller, "big:1");
    let (images, used) = (count_on(node1), used_kb(&scene));

    let mut body = on("node1");
    body["Image"] = json!("big:1");
    let message = scene.caller.create("there", &body).expect(500).message();
    let start = "image big:1 could not be copied from node2 to node1: ";
    assert!(message.starts_with(start), "{message}");
    assert!(message.contains("no space left on device"), "{message}");
    let nothing_left = || {
        assert_eq!(count_on(node1), images);
        assert!(!has(node1, "big:1"));
        let left = || match used_kb(&scene) {
            now if now <= used + 1024 => Ok(()),
            now => Err(format!("{now} kB used, {used} kB before")),
        };
        eventually(NOTICED, left).unwrap();
    };
    nothing_left();
    let there = |c: &serde_json::Value| c["Names"][0] == "/there";
    assert!(!scene.caller.containers().iter().any(there));

    // The emptiest node is the first choice, and not the only one.
    for node in ["node0", "node2"] {
        scene.caller.create("", &on(node)).expect(201);
    }
    let answer = scene.caller.create("there", &json!({"Image": "big:1"}));
    let answer = answer.expect(201);
    let warnings = answer.json()["Warnings"].to_string();
    assert!(warnings.contains(start), "{warnings}");
    let inspect = format!("/containers/{}/json", answer.id());
    let inspect = scene.caller.get(&inspect).json();
    assert_ne!(inspect["Node"]["Name"], "node1");
    nothing_left();
    // It takes what fits.
    scene.caller.create("", &on("node1")).expect(201);
}
