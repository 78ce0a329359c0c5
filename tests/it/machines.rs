//! What differs between machines: what programs they run, and which runtimes their engines have.

use serde_json::{Value, json};

use crate::support::caller::{Caller, sleeper};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{EngineSpec, Lab, Release, Spec};

/// Creates a container and returns the node it is on.
fn placed(caller: &Caller, query: &str, body: &Value) -> String {
    let path = format!("/containers/create{query}");
    let id = caller.post_json(&path, body).expect(201).id();
    let found = caller.get(&format!("/containers/{id}/json")).expect(200);
    found.json()["Node"]["Name"].as_str().unwrap().to_owned()
}

#[test]
fn a_platform_is_found_and_one_that_no_machine_is_of_is_left_to_engines() {
    let engines = [
        EngineSpec::new("node0", Release::V20).i686(),
        EngineSpec::new("node1", Release::V28),
    ];
    let lab = Lab::start(&Spec::with(engines)).unwrap();
    let old = Caller::new(lab.engine("node0").address());
    let machine = &old.get("/info").expect(200).json()["Architecture"];
    assert_eq!(
        machine, "i686",
        "what the lab's engine takes its machine for"
    );
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    for platform in ["linux/amd64", "amd64", "linux%2Fx86_64"] {
        for _ in 0..2 {
            let node = placed(
                &caller,
                &format!("?platform={platform}"),
                &sleeper(&json!({})),
            );
            assert_eq!(node, "node1", "{platform}");
        }
    }
    // Without a wish both are used.
    let mut nodes: Vec<String> = (0..8)
        .map(|_| placed(&caller, "", &sleeper(&json!({}))))
        .collect();
    nodes.sort();
    nodes.dedup();
    assert_eq!(nodes, ["node0", "node1"]);
    let mut body = sleeper(&json!({}));
    body["Env"] = json!(["constraint:node==node0"]);
    let create = |platform: &str| {
        let path = format!("/containers/create?platform={platform}");
        caller.post_json(&path, &body)
    };
    let refused = create("linux/amd64").expect(409).message();
    assert!(
        refused.contains("1 is of another platform than linux/amd64 (is linux/386)"),
        "{refused}"
    );
    // Nobody runs it by itself: the engine is asked, which may have an emulator.
    let there = create("linux/s390x");
    let direct = old.post_json(
        "/containers/create?platform=linux/s390x",
        &sleeper(&json!({})),
    );
    assert_eq!(there.status, direct.status, "{}", there.body);
}

#[test]
fn a_runtime_is_found_and_one_that_no_engine_has_is_refused_in_its_words() {
    let runc = "--add-runtime=other=/usr/sbin/runc";
    let engines = [
        EngineSpec::new("node0", Release::V28),
        EngineSpec::new("node1", Release::V20).arg(runc),
        EngineSpec::new("node2", Release::V28),
    ];
    let lab = Lab::start(&Spec::with(engines)).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    let mut body = sleeper(&json!({}));
    for runtime in ["other", "other", "other"] {
        body["HostConfig"] = json!({"Runtime": runtime});
        assert_eq!(placed(&caller, "", &body), "node1");
    }
    // Each release has its own words.
    body["Env"] = json!(["constraint:node==node1"]);
    body["HostConfig"] = json!({"Runtime": "nobodys"});
    let refused = caller.post_json("/containers/create", &body);
    let direct = Caller::new(lab.engine("node1").address());
    let said = direct.post_json("/containers/create", &body);
    assert_eq!(
        (refused.status, refused.message()),
        (said.status, said.message())
    );
    body["HostConfig"] = json!({"Runtime": "other"});
    body["Env"] = json!(["constraint:node==node0"]);
    let refused = caller.post_json("/containers/create", &body).expect(409);
    let message = refused.message();
    assert!(message.contains("2 lack the runtime other"), "{message}");
}
