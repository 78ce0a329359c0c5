//! Plug-ins of the strategy on real engines, good and bad, and what is said of them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Caller, names_on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec};

#[allow(unreachable_pub, reason = "the example is a program of its own")]
#[path = "../../examples/custom_strategy.rs"]
mod custom_strategy;

/// Gives the node with the label `wanted` all points, whatever is there, and refuses that without a zone.
const SCRIPT: &str = r#"
fn place(request, nodes, utc) {
    let answer = #{};
    for node in nodes {
        answer[node.id] = if node.labels.zone == "b" { 100 } else { 1 };
        if node.labels.zone == "c" { answer[node.id] = "is for others"; }
    }
    answer
}
"#;

fn explain(caller: &Caller) -> Value {
    let body = json!({"Image": "busybox"});
    caller
        .post_json("/flotilla/explain", &body)
        .expect(200)
        .json()
}

fn warnings(created: &Value) -> Vec<String> {
    let warnings = created["Warnings"].as_array().unwrap().iter();
    warnings.map(|w| w.as_str().unwrap().to_owned()).collect()
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    format!("script:{}", path.display())
}

#[test]
fn a_script_chooses_and_one_that_fails_is_told_and_replaced_by_spread() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let good = written(lab.folder(), "good.rhai", SCRIPT);
    let endless = "fn place(request, nodes, utc) { loop {} }";
    let bad = written(lab.folder(), "bad.rhai", endless);
    let flags = [
        ("--strategy", good.as_str()),
        ("--strategy-plugin", &bad),
        ("--engine-timeout", "10s"),
    ];
    let flags: Vec<&str> = flags.iter().flat_map(|(k, v)| [*k, *v]).collect();
    let flotilla = Flotilla::with(&lab, &flags);
    let caller = Caller::new(flotilla.addr());
    for _ in 0..3 {
        let created = caller.create("", &json!({})).expect(201).json();
        assert_eq!(warnings(&created), [""; 0]);
    }
    let counts = || -> Vec<usize> {
        let engines = lab.engines().iter();
        engines.map(|e| names_on(e).len()).collect()
    };
    assert_eq!(counts(), [0, 3, 0]);
    let told = explain(&caller);
    let of = |name: &str| {
        let mut nodes = told["Nodes"].as_array().unwrap().iter();
        nodes.find(|n| n["Name"] == name).unwrap().clone()
    };
    assert_eq!(of("node1")["Verdict"], "chosen");
    assert_eq!(of("node1")["Parts"][0]["Name"], format!("points of {good}"));
    assert_eq!(of("node1")["Parts"][0]["Value"], 100.0);
    let refused = format!("is refused by {good} (node2: is for others)");
    assert_eq!(of("node2")["Reason"], refused);

    let switch = |strategy: &str| {
        let body = json!({"Strategy": strategy});
        caller.post_json("/flotilla/strategy", &body)
    };
    // What the operator has not named is not read.
    let other = switch("script:/etc/passwd").expect(400);
    let said = "plug-in script:/etc/passwd is not loaded: flotilla manage --strategy-plugin loads it at the start";
    assert_eq!(other.message(), said);

    switch(&format!("{bad}+locality")).expect(200);
    let created = caller.create("told", &json!({})).expect(201).json();
    let [warning] = &warnings(&created)[..] else {
        panic!("{created}");
    };
    let begins = format!("plug-in {bad} ");
    assert!(warning.starts_with(&begins), "{warning}");
    assert!(
        warning.contains("; spread decided in its place"),
        "{warning}"
    );
    assert_eq!(counts().iter().max(), Some(&3), "spread decided");
    let why = Command::new(env!("CARGO_BIN_EXE_flotilla"))
        .env("DOCKER_HOST", flotilla.docker_host())
        .env_remove("DOCKER_TLS_VERIFY")
        .args(["why", "told"])
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains(&format!("\n{begins}")), "{why}");
    assert!(flotilla.log().contains("plug-in failed"));
}

#[test]
fn a_plug_in_that_is_none_ends_the_start_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let text = "fn place(request, nodes, utc) {\n  let x = ;\n}";
    let bad = written(folder.path(), "bad.rhai", text);
    let flags = ["manage", "--host", "tcp://127.0.0.1:0", "--strategy", &bad];
    let mut child = Command::new(env!("CARGO_BIN_EXE_flotilla"));
    let ran = child.args(flags).arg("127.0.0.1:1").output().unwrap();
    let err = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success() && err.contains(&bad), "{err}");
    assert!(err.contains("(line 2, position 11)"), "{err}");
}

#[test]
fn a_slow_server_costs_creates_no_more_than_its_deadline() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/place", silent.local_addr().unwrap());
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flags = ["--strategy", &url, "--engine-timeout", "10s"];
    let flotilla = Flotilla::with(&lab, &flags);
    let caller = Caller::new(flotilla.addr()).with_patience(Duration::from_secs(60));
    let many = std::thread::scope(|scope| {
        let creates: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| caller.create("", &json!({})).expect(201).json()))
            .collect();
        // Reads go on meanwhile.
        caller.get("/containers/json").expect(200);
        let creates = creates.into_iter();
        creates.map(|c| c.join().unwrap()).collect::<Vec<_>>()
    });
    for created in many {
        let said = "took longer than 500 ms; spread decided in its place";
        let warnings = warnings(&created);
        assert!(
            warnings.len() == 1 && warnings[0].contains(said),
            "{created}"
        );
    }
    let mut engines = lab.engines().iter();
    assert!(engines.all(|e| names_on(e).len() == 2), "spread decided");
}

#[test]
fn a_strategy_in_rust_places_as_it_says() {
    assert_eq!(custom_strategy::place(4), ["b", "c", "b", "c"]);
}
