//! An engine that answers late: used last, and never given up.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{NOTICED, SOON};
use crate::support::caller::{Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Release, Spec, eventually, output};
use crate::support::relay::Relay;

#[test]
fn a_slow_engine_is_the_last_choice_and_still_serves() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let address = |name: &str| lab.engine(name).address();
    let relay = Relay::before(&address("node1"));
    let all = format!("{},{},{}", address("node0"), relay.addr(), address("node2"));
    // On a busy machine an engine that is held back must not seem to be gone.
    let flotilla = Flotilla::start(lab.folder(), &["--engine-timeout", "10s"], &all);
    flotilla.wait_for_nodes(3);
    let caller = Caller::new(flotilla.addr());
    let old = caller.run_on("node1", "old");
    let word = || {
        let info = caller.get("/info").expect(200).json();
        let lines = info["SystemStatus"].as_array().unwrap().clone();
        let mut of_node1 = lines.into_iter().skip_while(|l| l[0] != " node1");
        of_node1.find(|l| l[0] == "  └ Status").unwrap()[1].clone()
    };
    let becomes = |wanted: &str| {
        eventually(SOON, || match word() {
            now if now == wanted => Ok(()),
            other => Err(other),
        })
        .unwrap();
    };
    let placed_on_node1 = |count| {
        let made: Vec<_> = (0..count)
            .map(|_| caller.create("", &json!({})).expect(201).id())
            .collect();
        let inspect = |id: &String| caller.get(&format!("/containers/{id}/json")).json();
        let on_node1 = made.iter().map(inspect);
        on_node1.filter(|c| c["Node"]["Name"] == "node1").count()
    };

    relay.hold(Duration::from_millis(1300));
    becomes("Slow");
    let info = caller.get("/info").body;
    let warning = "WARNING: node node1 is slow since 20";
    assert!(info.contains(warning), "{info}");
    assert_eq!(placed_on_node1(6), 0);
    let entry = caller.containers().into_iter().find(|c| c["Id"] == *old);
    assert_eq!(entry.unwrap()["State"], "running");
    caller.get("/containers/old/json").expect(200);
    caller.create("insisted", &on("node1")).expect(201);
    assert_eq!(word(), "Slow");

    relay.hold(Duration::ZERO);
    becomes("Healthy");
    assert!(placed_on_node1(1) == 1, "it has the fewest");
}

#[test]
fn an_engine_whose_pull_waits_for_a_name_server_is_not_given_up() {
    let scene = super::Scene::start();
    let engine = scene.lab.engine("node0");
    let mut iptables = engine.on_machine("/usr/sbin/iptables");
    let rule = ["-I", "OUTPUT", "-p", "udp", "--dport", "53", "-j", "DROP"];
    output(iptables.args(rule)).unwrap();
    // 20.10 holds back `/info` meanwhile.
    assert_eq!(engine.release(), Release::V20);
    let direct = Caller::new(engine.address());
    let image = "/images/create?fromImage=registry.example/none&tag=1";
    let pull = super::aside_for(Duration::from_secs(60), move || direct.post(image));
    let started = Instant::now();
    while started.elapsed() < NOTICED {
        let info = scene.caller.get("/info").expect(200).body;
        assert!(!info.contains("\"Unhealthy\""), "{info}");
        scene.caller.get("/containers/c0/json").expect(200);
        std::thread::sleep(Duration::from_millis(100));
    }
    pull().expect(500);
    scene.wait_until_healthy();
}
