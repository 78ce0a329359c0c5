//! Flags of classic's `manage`, each by what it does on real engines.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::caller::{Caller, encoded, names_on, on};
use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, call, call_json, call_with};
use crate::support::lab::{Lab, Release, Spec, eventually, output};
use crate::support::relay::Relay;

/// How long anything here may take to show on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// Keeps an engine's lists from being read unless something asks for it.
const SELDOM: [&str; 4] = [
    "--engine-refresh-min-interval",
    "1h",
    "--engine-refresh-max-interval",
    "1h",
];
/// A read of all containers, which is a part of each full refresh and of nothing else.
const READ: &str = "GET /containers/json?all=";

fn lab(releases: &[Release]) -> Lab {
    Lab::start(&Spec::of(releases)).unwrap()
}

fn started(lab: &Lab, args: &[&str]) -> (Flotilla, Caller) {
    let flotilla = Flotilla::with(lab, args);
    let caller = Caller::new(flotilla.addr());
    (flotilla, caller)
}

#[test]
fn cors_lets_scripts_of_other_pages_read_answers() {
    let lab = lab(&[Release::V20]);
    let (open, _) = started(&lab, &["--cors"]);
    let (closed, _) = started(&lab, &[]);
    let allowed = |answer: &Answer| {
        let header = |name: &str| answer.head.header(name).unwrap_or_default().to_owned();
        [
            header("Access-Control-Allow-Origin"),
            header("Access-Control-Allow-Headers"),
            header("Access-Control-Allow-Methods"),
        ]
    };
    let all = [
        "*",
        "Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth",
        "GET, POST, DELETE, PUT, OPTIONS, HEAD",
    ];
    let origin = ["Origin: https://example.com"];
    let asks = "Access-Control-Request-Method: POST";
    let preflight = [origin[0], asks];
    // Answers of ours, of an engine, and errors; a browser asks first by OPTIONS.
    for (method, path, headers, status) in [
        ("OPTIONS", "/v1.41/containers/create", &preflight[..], 200),
        ("GET", "/_ping", &origin, 200),
        ("GET", "/v1.41/info", &origin, 200),
        ("GET", "/v1.41/containers/json", &origin, 200),
        ("GET", "/v1.41/images/busybox/json", &origin, 200),
        ("GET", "/v1.41/containers/nosuch/json", &origin, 404),
        ("GET", "/v1.41/containers/json?filters=x", &origin, 400),
    ] {
        let answer = call_with(open.addr(), method, path, headers, b"");
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(allowed(&answer), all, "{method} {path}");
        let answer = call_with(closed.addr(), method, path, headers, b"");
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(allowed(&answer), ["", "", ""], "{method} {path}");
    }
    let made = call_json(
        open.addr(),
        "POST",
        "/containers/create",
        r#"{"Image":"busybox"}"#,
    );
    assert_eq!(
        (made.status(), allowed(&made)),
        (201, all.map(str::to_owned))
    );
    let path = format!("/containers/{}", made.json()["Id"].as_str().unwrap());
    let removed = call(open.addr(), "DELETE", &path);
    assert_eq!(removed.status(), 204);
    assert_eq!(allowed(&removed), all);
}

/// Returns a count of reads once it stands still: those of the start come when this machine has time for them.
fn once_still<T: PartialEq + std::fmt::Debug>(count: impl Fn() -> T) -> T {
    eventually(SOON, || {
        let before = count();
        std::thread::sleep(Duration::from_millis(1500));
        let after = count();
        if before == after {
            Ok(before)
        } else {
            Err((before, after))
        }
    })
    .unwrap()
}

#[test]
fn a_list_that_names_a_node_refreshes_it_when_told_to() {
    let lab = lab(&[Release::V20, Release::V28]);
    let relays = [0, 1].map(|n| Relay::before(&lab.engines()[n].address()));
    let both = relays.iter().map(Relay::addr).collect::<Vec<_>>().join(",");
    let reads = || relays.each_ref().map(|relay| relay.count(READ));
    let start = |more: &[&str]| {
        let args = [&SELDOM[..], more].concat();
        let flotilla = Flotilla::start(lab.folder(), &args, &both);
        flotilla.wait_for_nodes(2);
        let caller = Caller::new(flotilla.addr());
        (flotilla, caller)
    };
    let list = |caller: &Caller, filters: &serde_json::Value| {
        let path = format!("/containers/json?all=1&filters={}", encoded(filters));
        caller.get(&path).expect(200);
    };
    let by_node = json!({"node": ["node1"]});
    let by_name = json!({"name": ["fresh"]});
    // Returns by how many reads of each engine a list is preceded, once the engines are left alone.
    let costs = |caller: &Caller, filters: &serde_json::Value| {
        let before = once_still(reads);
        list(caller, filters);
        let after = reads();
        [after[0] - before[0], after[1] - before[1]]
    };
    for (flags, of_node, of_name, of_other) in [
        (&[][..], [0, 0], [0, 0], [0, 0]),
        (&["--refresh-on-node-filter"], [0, 1], [0, 0], [0, 0]),
        (
            &["--container-name-refresh-filter", "fresh"],
            [0, 0],
            [1, 1],
            [0, 0],
        ),
    ] {
        let (_flotilla, caller) = start(flags);
        assert_eq!(costs(&caller, &by_node), of_node, "{flags:?}: by node");
        assert_eq!(costs(&caller, &by_name), of_name, "{flags:?}: by name");
        let other = json!({"name": ["fresher"], "label": ["fresh"]});
        assert_eq!(costs(&caller, &other), of_other, "{flags:?}: by another");
    }
}

#[test]
fn engines_are_read_anew_as_often_as_told() {
    let lab = lab(&[Release::V28]);
    let relay = Relay::before(&lab.engines()[0].address());
    let start = |min: &str, max: &str| {
        let args = ["--engine-refresh-min-interval", min];
        let args = [&args[..], &["--engine-refresh-max-interval", max]].concat();
        let flotilla = Flotilla::start(lab.folder(), &args, relay.addr());
        flotilla.wait_for_nodes(1);
        flotilla
    };
    let often = start("1s", "2s");
    let (started, before) = (Instant::now(), relay.count(READ));
    let rounds = 5;
    let reads = eventually(SOON, || match relay.count(READ) - before {
        few if few < rounds => Err(few),
        reads => Ok(reads),
    })
    .unwrap();
    // The first read after the stream of events was opened, and the next, may have been due at once.
    let least = Duration::from_secs(1) * u32::try_from(reads - 2).unwrap();
    let took = started.elapsed();
    assert!(
        took + Duration::from_millis(200) >= least,
        "{reads} in {took:?}"
    );
    drop(often);

    let _seldom = start("1h", "1h");
    let before = once_still(|| relay.count(READ));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(relay.count(READ), before, "nothing asks for a read");
}

#[test]
fn an_engine_is_given_up_after_as_many_failures_as_told() {
    let lab = lab(&[Release::V28]);
    let args = ["--engine-timeout", "1s", "--engine-failure-retry"];
    let (_hasty, hasty) = started(&lab, &[&args[..], &["1"]].concat());
    let (_patient, patient) = started(&lab, &[&args[..], &["12"]].concat());
    let status = |caller: &Caller| {
        let info = caller.get("/info").expect(200).json();
        let lines = info["SystemStatus"].as_array().unwrap().clone();
        let status = lines.into_iter().find(|l| l[0] == "  └ Status").unwrap();
        status[1].as_str().unwrap().to_owned()
    };
    let engine = &lab.engines()[0];
    engine.pause().unwrap();
    let given_up = |caller: &Caller| {
        eventually(SOON, || match status(caller).as_str() {
            "Unhealthy" => Ok(Instant::now()),
            other => Err(other.to_owned()),
        })
        .unwrap()
    };
    let first = given_up(&hasty);
    // Twelve failures are eleven waits more.
    assert_eq!(status(&patient), "Healthy");
    let last = given_up(&patient);
    let later = last - first;
    assert!(later > Duration::from_secs(4), "{later:?}");
    engine.resume().unwrap();
    for caller in [hasty, patient] {
        eventually(SOON, || match status(&caller).as_str() {
            "Healthy" => Ok(()),
            other => Err(other.to_owned()),
        })
        .unwrap();
    }
}

#[test]
fn a_create_that_an_engine_fails_is_tried_elsewhere_as_often_as_told() {
    let lab = lab(&[Release::V20, Release::V28, Release::V28]);
    let (_never, never) = started(&lab, &[]);
    let (_once, once) = started(&lab, &["--cluster-opt", "swarm.createretry=1"]);
    // The emptiest are chosen first: node1, then node2.
    for (node, count) in [("node0", 6), ("node2", 3)] {
        for _ in 0..count {
            never.create("", &on(node)).expect(201);
        }
    }
    // Both see all of them.
    eventually(SOON, || match once.containers().len() {
        9 => Ok(()),
        other => Err(other),
    })
    .unwrap();
    let breaks = |name: &str| {
        let engine = lab.engine(name);
        let folder = engine.folder().join("data/containers");
        let folder = folder.display();
        let script = format!("mv {folder} {folder}.kept && touch {folder}");
        output(engine.on_machine("/bin/sh").args(["-c", &script])).unwrap();
    };
    breaks("node1");
    let refused = never.create("never", &json!({})).expect(500).message();
    assert!(refused.contains("not a directory"), "{refused}");
    once.create("once", &json!({})).expect(201);
    assert_eq!(names_on(lab.engine("node2")).len(), 4);
    // One try elsewhere is not two.
    breaks("node2");
    let refused = once.create("twice", &json!({})).expect(500).message();
    assert!(refused.contains("not a directory"), "{refused}");
    assert_eq!(names_on(lab.engine("node0")).len(), 6);
}

#[test]
fn memory_is_promised_beyond_what_an_engine_has_as_far_as_told() {
    let lab = lab(&[Release::V20]);
    let engine = lab.engine("node0");
    let total = engine.ask("/info").unwrap()["MemTotal"].as_i64().unwrap();
    let percent = |percent: i64| json!({"HostConfig": {"Memory": total / 100 * percent}});
    for (more, fits, does_not) in [
        (None, 104, 106),
        (Some("swarm.overcommit=0"), 100, 101),
        (Some("swarm.overcommit=1"), 199, 201),
        (Some("swarm.overcommit=-0.5"), 49, 51),
    ] {
        let flags = more.map(|more| ["--cluster-opt", more]);
        let (_flotilla, caller) = started(&lab, flags.as_ref().map_or(&[][..], |f| &f[..]));
        let refused = caller.create("", &percent(does_not)).expect(409).message();
        assert!(refused.contains("lacks memory"), "{more:?}: {refused}");
        let made = caller.create("", &percent(fits)).expect(201).id();
        // What it has taken, nobody else gets.
        let left = caller.create("", &percent(10)).expect(409).message();
        assert!(left.contains("lacks memory"), "{more:?}: {left}");
        caller.delete(&format!("/containers/{made}")).expect(204);
    }
}

#[test]
fn an_experimental_build_is_shown_as_one() {
    let lab = lab(&[Release::V28]);
    for (flags, shown) in [(&["--experimental"][..], "true"), (&[], "false")] {
        let (flotilla, _) = started(&lab, flags);
        let clients = flotilla.clients(&lab);
        for old in [false, true] {
            let says = |args: &[&str]| {
                let mut docker = match old {
                    true => clients.docker_20(),
                    false => clients.docker(),
                };
                output(docker.args(args)).unwrap()
            };
            let version = says(&["version", "--format", "{{.Server.Experimental}}"]);
            assert_eq!(version, shown, "{flags:?}");
            assert_eq!(says(&["info", "--format", "{{.ExperimentalBuild}}"]), shown);
            // What people read.
            let of_server = |text: &str| {
                let rest = text.split_once("\nServer:").unwrap().1;
                let mut lines = rest.lines().map(str::trim);
                let line = lines.find_map(|line| line.strip_prefix("Experimental:"));
                line.unwrap_or_default().trim().to_owned()
            };
            assert_eq!(of_server(&says(&["version"])), shown);
            assert_eq!(of_server(&says(&["info"])), shown);
        }
    }
}
