//! Strategies on real engines: mixes, what has ended, and another one while Flotilla runs.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, names_on, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

/// Three engines whose nodes are chosen by one strategy at first.
struct Ground {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
}

impl Ground {
    fn prepare(strategy: &str) -> Self {
        let lab = Lab::start(&Spec::mixed()).unwrap();
        // A probe that is late on a busy machine would make a node the last choice.
        let flags = ["--strategy", strategy, "--engine-timeout", "10s"];
        let flotilla = Flotilla::with(&lab, &flags);
        let caller = Caller::new(flotilla.addr());
        Self {
            lab,
            flotilla,
            caller,
        }
    }

    /// Runs `flotilla strategy`.
    fn strategy(&self, args: &[&str]) -> std::process::Output {
        let mut flotilla = Command::new(env!("CARGO_BIN_EXE_flotilla"));
        flotilla.env("DOCKER_HOST", self.flotilla.docker_host());
        flotilla.env_remove("DOCKER_TLS_VERIFY").arg("strategy");
        flotilla.args(args).output().unwrap()
    }

    /// Chooses by another strategy.
    fn switch(&self, strategy: &str) {
        let ran = self.strategy(&[strategy]);
        assert!(ran.status.success(), "{ran:?}");
        assert_eq!(String::from_utf8_lossy(&ran.stdout).trim(), strategy);
    }

    /// Creates a container with a command that runs, and returns its ID.
    fn create(&self, more: &Value) -> String {
        self.caller.create("", more).expect(201).id()
    }

    /// Returns how many containers each engine has.
    fn counts(&self) -> Vec<usize> {
        let engines = self.lab.engines().iter();
        engines.map(|e| names_on(e).len()).collect()
    }
}

#[test]
fn another_strategy_is_chosen_by_while_flotilla_runs() {
    let ground = Ground::prepare("binpack");
    let first = ground.create(&json!({}));
    for _ in 0..3 {
        ground.create(&json!({}));
    }
    let mut counts = ground.counts();
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 4]);

    ground.switch("spread");
    for _ in 0..8 {
        ground.create(&json!({}));
    }
    assert_eq!(ground.counts(), [4, 4, 4]);
    let info = ground.caller.get("/info").expect(200).body;
    assert!(info.contains(r#"["Strategy","spread"]"#), "{info}");

    // What was decided before is explained by what decided it.
    let why = |id: &str| {
        ground
            .caller
            .get(&format!("/flotilla/decisions/{id}"))
            .expect(200)
            .json()
    };
    assert_eq!(why(&first)["Strategy"], "binpack");
    assert_eq!(why(&ground.create(&json!({})))["Strategy"], "spread");
    let ran = ground.strategy(&[]);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "spread\n");
}

#[test]
fn a_strategy_that_is_none_changes_nothing() {
    let ground = Ground::prepare("spread");
    for (strategy, said) in [
        (
            "best",
            "strategy not supported: best (there are spread, binpack, random, ",
        ),
        (
            "spread*0",
            "strategy spread*0: \"0\" at 8 is no weight (1 to 1000)",
        ),
    ] {
        let ran = ground.strategy(&[strategy]);
        let err = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success() && err.contains(said), "{err}");
    }
    for body in [json!({}), json!([]), json!({"Strategy": 5})] {
        let answer = ground
            .caller
            .post_json("/flotilla/strategy", &body)
            .expect(400);
        assert_eq!(
            answer.message(),
            "a body of {\"Strategy\": \"name\"} is expected"
        );
    }
    let now = ground.caller.get("/flotilla/strategy").expect(200).json();
    assert_eq!(now, json!({"Strategy": "spread"}));
}

#[test]
fn a_mix_stays_with_the_image_until_its_node_is_crowded() {
    let ground = Ground::prepare("spread+locality");
    let node1 = ground.lab.engine("node1");
    output(node1.docker().args(["tag", "busybox", "local:here"])).unwrap();
    let app = json!({"Image": "local:here"});
    // The image came past Flotilla, which hears of it.
    let caller = &ground.caller;
    eventually(Duration::from_secs(30), || {
        let found = caller.get("/images/local:here/json");
        if found.status == 200 {
            Ok(())
        } else {
            Err(found)
        }
    })
    .unwrap();
    for _ in 0..2 {
        ground.create(&app);
    }
    assert_eq!(names_on(node1).len(), 2);
    ground.switch("spread*1000+locality");
    ground.create(&app);
    assert_eq!(names_on(node1).len(), 2);
}

#[test]
fn what_has_ended_counts_for_nothing_when_told() {
    let ground = Ground::prepare("spread:running");
    let mut ended = on("node0");
    ended["Cmd"] = json!(["true"]);
    for _ in 0..3 {
        let id = ground.create(&ended);
        ground
            .caller
            .post(&format!("/containers/{id}/start"))
            .expect(204);
        ground
            .caller
            .post(&format!("/containers/{id}/wait"))
            .expect(200);
    }
    // Each of the others has one that is about to run.
    for node in ["node1", "node2"] {
        ground.create(&on(node));
    }
    ground.create(&json!({}));
    assert_eq!(ground.counts(), [4, 1, 1]);
    ground.switch("spread");
    ground.create(&json!({}));
    assert_eq!(names_on(ground.lab.engine("node0")).len(), 4);
}

#[test]
fn a_busy_node_gets_no_more_under_least_loaded() {
    let ground = Ground::prepare("spread");
    let mut busy = on("node0");
    busy["Cmd"] = json!(["sh", "-c", "while :; do :; done"]);
    let id = ground.create(&busy);
    let caller = &ground.caller;
    caller.post(&format!("/containers/{id}/start")).expect(204);
    for node in ["node1", "node2"] {
        for number in 0..2 {
            caller.run_on(node, &format!("{node}-{number}"));
        }
    }
    // By count it would go to the busy one, and nothing is measured.
    let explain = || {
        let body = json!({"Image": "busybox"});
        let told = caller.post_json("/flotilla/explain", &body).expect(200);
        told.json()
    };
    assert_eq!(explain()["Node"], "node0");

    ground.switch("least-loaded");
    let part = |told: &Value, node: &str| {
        let nodes = told["Nodes"].as_array().unwrap();
        let told = nodes.iter().find(|n| n["Name"] == node).unwrap();
        told["Parts"][0].clone()
    };
    let settled = |condition: &dyn Fn(f64) -> bool| {
        eventually(Duration::from_secs(60), || {
            let told = explain();
            let load = part(&told, "node0");
            let others = ["node1", "node2"].map(|node| part(&told, node));
            let measured = others.iter().all(|p| p["Name"] == "measured load");
            match load["Value"].as_f64() {
                Some(value) if measured && load["Name"] == "measured load" && condition(value) => {
                    Ok(())
                }
                _ => Err(told.to_string()),
            }
        })
        .unwrap();
    };
    settled(&|load| load >= 20.0);
    let before = names_on(ground.lab.engine("node0")).len();
    for _ in 0..2 {
        ground.create(&json!({}));
    }
    assert_eq!(names_on(ground.lab.engine("node0")).len(), before);

    // Idle again, it is as good as any.
    caller.post(&format!("/containers/{id}/kill")).expect(204);
    settled(&|load| load <= 10.0);
    ground.create(&json!({}));
    assert_eq!(names_on(ground.lab.engine("node0")).len(), before + 1);
}
