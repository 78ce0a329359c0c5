//! `GET /info` and what `docker info` makes of it: nothing of an engine's is missing, and three engines are one.

use std::collections::BTreeSet;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::support::caller::{Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Engine, Lab, Spec, output, skip};

/// `Server:` of `docker info` by CLI 28 before three engines with a container on node1; `<…>` stands for what differs
/// from machine to machine.
const LAYOUT_28: &str = include_str!("cli-28.txt");
/// The same by CLI 20.10.
const LAYOUT_20: &str = include_str!("cli-20.txt");

/// Abilities that all engines must have for the cluster to have them.
const ABILITIES: [&str; 11] = [
    "MemoryLimit",
    "SwapLimit",
    "KernelMemoryTCP",
    "CpuCfsPeriod",
    "CpuCfsQuota",
    "CPUShares",
    "CPUSet",
    "PidsLimit",
    "OomKillDisable",
    "IPv4Forwarding",
    "LiveRestoreEnabled",
];

/// Gets `/info` with a version prefix, or none.
fn info(addr: &str, version: &str) -> Value {
    let answer = crate::support::http::call(addr, "GET", &format!("{version}/info"));
    assert_eq!(answer.head.status, 200);
    answer.json()
}

fn keys(object: &Value) -> Vec<&String> {
    object.as_object().unwrap().keys().collect()
}

/// Fails unless a Flotilla before this engine alone tells all that the engine tells, in the engine's order.
fn tells_all_of(lab: &Lab, engine: &Engine) {
    let flotilla = Flotilla::start(lab.folder(), &[], &engine.address());
    flotilla.wait_for_nodes(1);
    for version in ["", "/v1.24", "/v1.41", "/v1.51"] {
        if version == "/v1.51" && engine.version().starts_with("20.") {
            continue;
        }
        let (direct, ours) = (
            info(&engine.address(), version),
            info(flotilla.addr(), version),
        );
        let (direct_keys, our_keys) = (keys(&direct), keys(&ours));
        let missing: Vec<_> = direct_keys
            .iter()
            // Of an execution driver speaks only 20.10, and only to clients of 1.24.
            .filter(|key| !our_keys.contains(key) && **key != "ExecutionDriver")
            .collect();
        assert!(missing.is_empty(), "{version}: {missing:?}");
        for key in ["Plugins", "DriverStatus", "SecurityOptions"]
            .into_iter()
            .chain(ABILITIES)
        {
            assert_eq!(ours[key], direct[key], "{version}: {key}");
        }
        assert_eq!(ours["Warnings"].is_null(), direct["Warnings"].is_null());
    }
    let (direct, ours) = (info(&engine.address(), ""), info(flotilla.addr(), ""));
    assert_eq!(ours["Runtimes"], direct["Runtimes"]);
    let mut known = keys(&ours);
    known.retain(|key| direct.get(key.as_str()).is_some());
    assert_eq!(known, keys(&direct), "the order is the engine's");
}

#[test]
fn before_one_engine_nothing_that_it_says_is_missing() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    tells_all_of(&lab, lab.engine("node0"));
    tells_all_of(&lab, lab.engine("node1"));
}

#[test]
fn three_engines_are_added_up_and_shown_in_the_classic_layout() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let caller = Caller::new(flotilla.addr());
    caller.run_on("node1", "one");
    caller.create("two", &on("node2")).expect(201);

    let engines: Vec<Value> = lab
        .engines()
        .iter()
        .map(|e| e.ask("/info").unwrap())
        .collect();
    let ours = info(flotilla.addr(), "");
    for key in [
        "Containers",
        "ContainersRunning",
        "ContainersPaused",
        "ContainersStopped",
        "Images",
        "NCPU",
        "MemTotal",
    ] {
        let sum: i64 = engines.iter().map(|e| e[key].as_i64().unwrap()).sum();
        assert_eq!(ours[key], sum, "{key}");
    }
    for key in ABILITIES {
        let all = engines.iter().all(|e| e[key] == true);
        assert_eq!(ours[key], all, "{key}");
    }
    let names = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    for kind in ["Volume", "Network", "Log"] {
        let union: BTreeSet<String> = engines
            .iter()
            .flat_map(|e| names(&e["Plugins"][kind]))
            .collect();
        assert_eq!(names(&ours["Plugins"][kind]), union, "{kind}");
    }
    let common = engines
        .iter()
        .map(|e| names(&e["SecurityOptions"]))
        .reduce(|a, b| &a & &b)
        .unwrap();
    assert_eq!(names(&ours["SecurityOptions"]), common);

    let clients = flotilla.clients(&lab);
    match clients.docker_28() {
        Ok(docker) => prints(docker, LAYOUT_28),
        Err(missing) => skip(&missing),
    }
    prints(clients.docker_20(), LAYOUT_20);
}

/// Fails unless `docker info` prints exactly the lines of a layout.
fn prints(mut docker: Command, layout: &str) {
    let text = output(docker.arg("info")).unwrap();
    let printed = text.lines().skip_while(|l| *l != "Server:");
    let printed: Vec<&str> = printed.take_while(|l| !l.is_empty()).collect();
    let expected: Vec<&str> = layout.lines().collect();
    for (number, line) in printed.iter().enumerate() {
        let pattern = expected.get(number).unwrap_or(&"(the end)");
        let fits = like(pattern).is_match(line);
        assert!(fits, "line {number} is {line:?}, not {pattern:?}:\n{text}");
    }
    assert_eq!(printed.len(), expected.len(), "{text}");
}

/// Makes an expression of a line of a layout.
fn like(line: &str) -> Regex {
    let mut pattern = regex::escape(line);
    for (mark, means) in [
        ("<n>", "[0-9]+"),
        ("<ip>", "172\\.31\\.[0-9]+"),
        ("<size>", "[0-9.]+ ?[KMGT]i?B"),
        ("<id>", "[0-9A-Za-z:-]+"),
        ("<time>", "[0-9-]{10}T[0-9:]{8}Z"),
        ("<any>", ".*"),
    ] {
        pattern = pattern.replace(mark, means);
    }
    Regex::new(&format!("^{pattern}$")).unwrap()
}
