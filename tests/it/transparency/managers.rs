//! The table's rows of swarm mode, on an engine that manages a swarm: directly, and through Flotilla before that engine
//! and another one of the swarm.

use super::row::{Row, Same};
use super::{Side, run_rows};
use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Release, Spec, skip};

/// No task runs, so that nothing but the rows changes it.
const SERVICE: &str = r#"{"Name":"@-svc","Labels":{"a":"b"},"TaskTemplate":{"ContainerSpec":{"Image":"busybox:latest","Command":["true"]}},"Mode":{"Replicated":{"Replicas":0}}}"#;
/// Its task waits for a node that there is not, so that it stays as it is.
const WAITS: &str = r#"{"Name":"@-waits","TaskTemplate":{"ContainerSpec":{"Image":"busybox:latest"},"Placement":{"Constraints":["node.hostname==nowhere"]}},"Mode":{"Replicated":{"Replicas":1}}}"#;
const DATA: &str = r#"{"Name":"@-data","Labels":{"a":"b"},"Data":"eA=="}"#;
/// The same with another label.
const RELABELLED: &str = r#"{"Name":"@-data","Labels":{"a":"c"},"Data":"eA=="}"#;

/// The rows.
pub(super) const ROWS: &[Row] = &[
    Row::of(&[200], "GET", "/swarm"),
    Row::of(&[200], "POST", "/swarm/update?version={index}").json("{spec}"),
    Row::of(&[400], "POST", "/swarm/update?version=x").json("{spec}"),
    Row::of(&[200], "GET", "/swarm/unlockkey"),
    Row::of(&[409], "POST", "/swarm/unlock").json(r#"{"UnlockKey":"x"}"#),
    Row::of(&[503], "POST", "/swarm/init")
        .json(r#"{"ListenAddr":"0.0.0.0:2377"}"#)
        .many(Same::Head, "it says which node is in a swarm"),
    // Services and tasks.
    Row::of(&[201], "POST", "/services/create").json(SERVICE),
    Row::of(&[409], "POST", "/services/create").json(SERVICE),
    Row::of(&[400], "POST", "/services/create").json(r#"{"Name":"@-bad"}"#),
    Row::of(&[200], "GET", "/services?filters={\"name\":[\"@-svc\"]}"),
    Row::of(&[400], "GET", "/services?filters={\"bogus\":[\"x\"]}"),
    Row::of(&[200], "GET", "/services/@-svc"),
    Row::of(&[404], "GET", "/services/@-none"),
    Row::of(&[200], "POST", "/services/@-svc/update?version={index}").json(SERVICE),
    Row::of(&[500], "POST", "/services/@-svc/update?version={index}").json(SERVICE),
    Row::of(&[404], "POST", "/services/@-none/update?version=1").json(SERVICE),
    Row::of(&[200], "GET", "/services/@-svc/logs?stdout=1"),
    Row::of(&[404], "GET", "/services/@-none/logs?stdout=1"),
    Row::of(&[201], "POST", "/services/create").json(WAITS),
    Row::of(&[200], "GET", "/tasks?filters={\"service\":[\"@-svc\"]}"),
    Row::of(&[200], "GET", "/tasks?filters={\"service\":[\"@-waits\"]}")
        .same(Same::Head)
        .keep(),
    // Swarm mode says after a while why it waits; its form is checked elsewhere.
    Row::of(&[200], "GET", "/tasks/{exec}").same(Same::Head),
    Row::of(&[200], "GET", "/tasks/{exec}/logs?stdout=1"),
    Row::of(&[404], "GET", "/tasks/@-none"),
    Row::of(&[404], "GET", "/tasks/@-none/logs?stdout=1"),
    Row::of(&[200], "DELETE", "/services/@-waits"),
    Row::of(&[200], "DELETE", "/services/@-svc"),
    Row::of(&[404], "DELETE", "/services/@-svc"),
    // Secrets and configurations.
    Row::of(&[201], "POST", "/secrets/create").json(DATA),
    Row::of(&[409], "POST", "/secrets/create").json(DATA),
    Row::of(&[200], "GET", "/secrets?filters={\"name\":[\"@-data\"]}"),
    Row::of(&[200], "GET", "/secrets/@-data"),
    Row::of(&[404], "GET", "/secrets/@-none"),
    Row::of(&[200], "POST", "/secrets/@-data/update?version={index}").json(RELABELLED),
    Row::of(&[404], "POST", "/secrets/@-none/update?version=1").json(DATA),
    Row::of(&[204], "DELETE", "/secrets/@-data"),
    Row::of(&[404], "DELETE", "/secrets/@-data"),
    Row::of(&[201], "POST", "/configs/create").json(DATA),
    Row::of(&[409], "POST", "/configs/create").json(DATA),
    Row::of(&[200], "GET", "/configs?filters={\"name\":[\"@-data\"]}"),
    Row::of(&[200], "GET", "/configs/@-data"),
    Row::of(&[404], "GET", "/configs/@-none"),
    Row::of(&[200], "POST", "/configs/@-data/update?version={index}").json(RELABELLED),
    Row::of(&[404], "POST", "/configs/@-none/update?version=1").json(DATA),
    Row::of(&[204], "DELETE", "/configs/@-data"),
    Row::of(&[404], "DELETE", "/configs/@-data"),
    // Nodes.
    Row::of(&[200], "GET", "/nodes")
        .same(Same::Shape)
        .many(Same::Head, "the first of a list may be another"),
    Row::of(&[200], "GET", "/nodes/{node}").same(Same::Shape),
    Row::of(&[404], "GET", "/nodes/@-none"),
    Row::of(&[200], "POST", "/nodes/{node}/update?version={index}")
        .json(r#"{"Role":"manager","Availability":"active","Labels":{"by":"@"}}"#),
    Row::of(&[200], "GET", "/nodes/{node}").same(Same::Shape),
    // As it was, since the other side comes next.
    Row::of(&[200], "POST", "/nodes/{node}/update?version={index}")
        .json(r#"{"Role":"manager","Availability":"active","Labels":{}}"#),
    Row::of(&[404], "DELETE", "/nodes/@-none"),
    // Overlays.
    Row::of(&[201], "POST", "/networks/create")
        .json(r#"{"Name":"@-wide","Driver":"overlay","Attachable":true}"#),
    // It has no addresses before swarm mode has found some.
    Row::of(&[200], "GET", "/networks/@-wide").same(Same::Head),
    Row::of(&[200], "GET", "/networks?filters={\"name\":[\"@-wide\"]}").same(Same::Head),
    Row::of(&[204], "DELETE", "/networks/@-wide"),
    Row::of(&[404], "DELETE", "/networks/@-wide"),
];

#[test]
fn a_manager_answers_the_same_through_flotilla() {
    let lab = Lab::start(&Spec::of(&[Release::V28, Release::V28])).unwrap();
    if let Some(skipped) = lab.skipped() {
        skip(skipped);
        return;
    }
    let flotilla = Flotilla::before(&lab);
    let init = serde_json::json!({"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "eth0"});
    Caller::new(flotilla.addr())
        .post_json("/swarm/init", &init)
        .expect(200);
    let first = &lab.engines()[0];
    let swarm = first.ask("/swarm").unwrap();
    let node = first.ask("/info").unwrap()["Swarm"]["NodeID"].clone();
    let words = [
        ("{spec}", swarm["Spec"].to_string()),
        ("{node}", node.as_str().unwrap().to_owned()),
    ];
    let side = |addr: &str, letter| Side {
        words: words.to_vec(),
        ..Side::new(addr, letter, Some(51))
    };
    let mut direct = side(&first.address(), 'd');
    let mut through = side(flotilla.addr(), 'f');
    run_rows(ROWS, 2, &mut direct, &mut through);
}
