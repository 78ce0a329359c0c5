//! Prunes, disk usage and plugins: what is kept up on every node.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::caller::{Caller, at_once, encoded, on};
use crate::support::flotilla::Flotilla;
use crate::support::http;
use crate::support::lab::{Engine, Lab, Spec, eventually, output};
use crate::support::relay::Relay;

const NODES: [&str; 3] = ["node0", "node1", "node2"];

fn start(args: &[&str]) -> (Lab, Flotilla) {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::with(&lab, args);
    (lab, flotilla)
}

/// Creates a container with a named and an anonymous volume on a node; it is never started.
fn leave(caller: &Caller, node: &str, name: &str) {
    let mut body = on(node);
    body["HostConfig"] = json!({ "Binds": [format!("{name}:/named"), "/anonymous"] });
    caller.create(name, &body).expect(201);
}

/// Returns the names in a list of one engine.
fn names(engine: &Engine, kind: &str, format: &str) -> Vec<String> {
    let mut docker = engine.docker();
    let all = if kind == "container" {
        "-a"
    } else {
        "--no-trunc"
    };
    let all = if kind == "volume" { "-q" } else { all };
    let text = output(docker.args([kind, "ls", all, "--format", format])).unwrap();
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn a_prune_clears_every_node_and_keeps_what_is_used() {
    let (lab, flotilla) = start(&[]);
    let caller = Caller::new(flotilla.addr());
    let docker = |args: &[&str]| {
        let mut docker = flotilla.clients(&lab).docker();
        output(docker.args(args)).unwrap()
    };
    for node in NODES {
        leave(&caller, node, &format!("left-{node}"));
        let kept = format!("kept-{node}");
        let mut body = on(node);
        body["HostConfig"] = json!({ "Binds": [format!("{kept}:/data")] });
        caller.create(&kept, &body).expect(201);
        caller
            .post(&format!("/containers/{kept}/start"))
            .expect(204);
        let labels = json!({"com.docker.swarm.constraints": format!("[\"node=={node}\"]")});
        let network = json!({"Name": format!("net-{node}"), "Labels": labels});
        caller.post_json("/networks/create", &network).expect(201);
    }
    docker(&["node", "update", "--availability", "pause", "node1"]);

    let said = docker(&["container", "prune", "-f"]);
    assert_eq!(said.lines().filter(|l| l.len() == 64).count(), 3, "{said}");
    // At once, without waiting for events.
    assert_eq!(caller.containers().len(), 3);
    let said = docker(&["network", "prune", "-f"]);
    for node in NODES {
        assert!(said.contains(&format!("net-{node}")), "{said}");
    }
    let said = docker(&["volume", "prune", "-f"]);
    assert!(
        said.contains("left-node2") && !said.contains("kept"),
        "{said}"
    );
    assert_eq!(docker(&["volume", "ls", "-q"]).lines().count(), 3);
    for engine in lab.engines() {
        let kept = vec![format!("kept-{}", engine.name())];
        assert_eq!(names(engine, "container", "{{.Names}}"), kept);
        let volumes = names(engine, "volume", "{{.Name}}");
        assert!(volumes.contains(&kept[0]), "{volumes:?}");
        assert!(
            !volumes.iter().any(|v| v.starts_with("left-")),
            "{volumes:?}"
        );
        assert!(
            !names(engine, "network", "{{.Name}}")
                .iter()
                .any(|n| n.starts_with("net-"))
        );
    }
    let availability = docker(&["node", "inspect", "-f", "{{.Spec.Availability}}", "node1"]);
    assert_eq!(
        availability, "pause",
        "what is ordered of a node is not cleared away"
    );

    docker(&["rm", "-fv", "kept-node0"]);
    docker(&["system", "prune", "-af", "--volumes"]);
    assert!(names(lab.engine("node0"), "image", "{{.ID}}").is_empty());
    assert!(!names(lab.engine("node1"), "image", "{{.ID}}").is_empty());
    assert_eq!(caller.containers().len(), 2);
}

#[test]
fn a_prune_with_an_unknown_filter_removes_nothing() {
    let (lab, flotilla) = start(&[]);
    let caller = Caller::new(flotilla.addr());
    leave(&caller, "node0", "left");
    for kind in ["containers", "images", "networks", "volumes"] {
        let filters = encoded(&json!({"nonsense": {"x": true}}));
        let path = format!("/{kind}/prune?filters={filters}");
        let ours = caller.post(&path).expect(400);
        let theirs = Caller::new(lab.engine("node1").address()).post(&path);
        assert_eq!(
            (ours.status, ours.message()),
            (theirs.status, theirs.message())
        );
        let path = format!(
            "/{kind}/prune?filters={}",
            encoded(&json!({"label": {"no-such": true}}))
        );
        caller.post(&path).expect(200);
    }
    assert_eq!(caller.containers().len(), 1);
}

#[test]
fn volumes_that_a_user_spares_by_a_label_stay() {
    let (lab, flotilla) = start(&[]);
    let docker = |args: &[&str]| output(flotilla.clients(&lab).docker().args(args)).unwrap();
    for node in NODES {
        docker(&["node", "update", "--label-add", "a=b", node]);
        let (kept, left) = (format!("{node}/kept"), format!("{node}/left-{node}"));
        docker(&["volume", "create", "--label", "keep", &kept]);
        docker(&["volume", "create", &left]);
    }
    let spare = ["volume", "prune", "-f", "--filter", "label!=keep"];
    let said = docker(&spare);
    let told: Vec<&str> = said.lines().filter(|l| !l.is_empty()).collect();
    let mut told: Vec<&str> = told[1..told.len() - 1].to_vec();
    told.sort_unstable();
    assert_eq!(told, ["left-node0", "left-node1", "left-node2"], "{said}");
    for engine in lab.engines() {
        let volumes = names(engine, "volume", "{{.Name}}");
        assert!(volumes.contains(&"kept".to_owned()), "{volumes:?}");
    }
    // What was ordered of nodes went with the others, and is written again.
    let ordered = |engine: &Engine| {
        let volumes = names(engine, "volume", "{{.Name}}");
        volumes.iter().any(|v| v.starts_with("flotilla-node-"))
    };
    eventually(Duration::from_secs(20), || {
        match lab.engines().iter().all(ordered) {
            true => Ok(()),
            false => Err("not all have their orders"),
        }
    })
    .unwrap();
}

#[test]
fn a_prune_says_which_node_took_no_part() {
    let (lab, flotilla) = start(&[]);
    let caller = Caller::new(flotilla.addr());
    for node in NODES {
        leave(&caller, node, &format!("left-{node}"));
    }
    lab.engine("node2").kill().unwrap();
    eventually(Duration::from_secs(60), || {
        let info = caller.get("/info").body;
        if info.contains("Unhealthy") {
            Ok(())
        } else {
            Err(info)
        }
    })
    .unwrap();
    for (method, path) in [("POST", "/containers/prune"), ("GET", "/system/df")] {
        let answer = http::call(flotilla.addr(), method, path);
        assert_eq!(answer.status(), 200);
        let warning = answer.head.header("warning").unwrap_or_default();
        assert!(warning.starts_with("199 flotilla \"node2: "), "{warning}");
    }
    assert_eq!(
        caller.containers().len(),
        1,
        "that of the node which is away"
    );
}

#[test]
fn prunes_at_once_all_succeed() {
    let (_lab, flotilla) = start(&[]);
    let caller = Caller::new(flotilla.addr());
    for node in NODES {
        for number in 0..5 {
            leave(&caller, node, &format!("left-{node}-{number}"));
        }
    }
    let answers = at_once(8, |_| caller.post("/containers/prune").expect(200).json());
    let deleted = |answer: &Value| answer["ContainersDeleted"].as_array().map_or(0, Vec::len);
    assert_eq!(answers.iter().map(deleted).sum::<usize>(), 15);
    assert!(caller.containers().is_empty());
}

/// An engine that cannot tell anonymous volumes must not take named ones for a client that means the others.
#[test]
fn an_old_engine_keeps_named_volumes_that_a_new_client_does_not_mean() {
    let (lab, flotilla) = start(&["--api-version", "1.51"]);
    let caller = Caller::new(flotilla.addr());
    for node in NODES {
        let labels = json!({"com.docker.swarm.constraints": format!("[\"node=={node}\"]")});
        let volume = json!({"Name": format!("named-{node}"), "Labels": labels});
        caller.post_json("/volumes/create", &volume).expect(201);
    }
    let answer = http::call(flotilla.addr(), "POST", "/v1.51/volumes/prune");
    assert_eq!(answer.status(), 200);
    let warning = answer.head.header("warning").unwrap_or_default();
    assert!(warning.contains("node0"), "{warning}");
    for engine in lab.engines() {
        let name = format!("named-{}", engine.name());
        assert!(names(engine, "volume", "{{.Name}}").contains(&name));
    }
    let all = encoded(&json!({"all": {"true": true}}));
    let path = format!("/v1.51/volumes/prune?filters={all}");
    let answer = http::call(flotilla.addr(), "POST", &path);
    assert_eq!(answer.status(), 200, "{}", answer.text());
    for engine in lab.engines() {
        assert_eq!(names(engine, "volume", "{{.Name}}"), Vec::<String>::new());
    }
}

#[test]
fn disk_usage_is_that_of_all_engines() {
    let (lab, flotilla) = start(&[]);
    let caller = Caller::new(flotilla.addr());
    for node in NODES {
        leave(&caller, node, &format!("used-{node}"));
    }
    let update = json!({"Availability": "pause", "Role": "worker", "Name": ""});
    let node = caller.get("/nodes/node1").json();
    let path = format!("/nodes/node1/update?version={}", node["Version"]["Index"]);
    caller.post_json(&path, &update).expect(200);
    let ours = caller.get("/system/df").expect(200).json();
    let theirs: Vec<Value> = lab
        .engines()
        .iter()
        .map(|e| {
            Caller::new(e.address())
                .get("/system/df")
                .expect(200)
                .json()
        })
        .collect();
    let sum: i64 = theirs
        .iter()
        .map(|t| t["LayersSize"].as_i64().unwrap())
        .sum();
    assert_eq!(ours["LayersSize"], sum);
    for kind in ["Images", "Containers"] {
        let count = |usage: &Value| usage[kind].as_array().map_or(0, Vec::len);
        assert_eq!(
            count(&ours),
            theirs.iter().map(count).sum::<usize>(),
            "{kind}"
        );
    }
    let volumes = ours["Volumes"].as_array().unwrap();
    // Six of containers; the one that keeps an availability is not shown.
    assert_eq!(volumes.len(), 6, "{volumes:?}");
    assert!(
        volumes.iter().all(|v| v["UsageData"]["RefCount"] == 1),
        "{volumes:?}"
    );
    let mut docker = flotilla.clients(&lab).docker();
    let told = output(docker.args([
        "system",
        "df",
        "--format",
        "{{.Type}} {{.TotalCount}} {{.Active}}",
    ]));
    assert_eq!(
        told.unwrap(),
        "Images 3 3\nContainers 3 0\nLocal Volumes 6 6\nBuild Cache 0 0"
    );
}

#[test]
fn disk_usage_is_told_in_the_form_of_the_clients_version() {
    let (_lab, flotilla) = start(&["--api-version", "1.55"]);
    let caller = Caller::new(flotilla.addr());
    for node in NODES {
        leave(&caller, node, &format!("form-{node}"));
    }
    caller.run_on("node1", "runs");
    let ask = |target: &str| http::call(flotilla.addr(), "GET", target);
    let usage = |target: &str| {
        let answer = ask(target);
        assert_eq!(answer.status(), 200, "{target}: {}", answer.text());
        answer.json()
    };
    let keys = |usage: &Value| -> Vec<String> {
        let members = usage.as_object().unwrap();
        members.keys().cloned().collect()
    };
    let count = |usage: &Value, key: &str| {
        let usage = &usage[key];
        ["TotalCount", "ActiveCount"].map(|c| usage[c].as_u64().unwrap_or_default())
    };
    let expected = [
        ("ImageUsage", "Images", [3, 3]),
        ("ContainerUsage", "Containers", [4, 1]),
        ("VolumeUsage", "Volumes", [6, 6]),
        ("BuildCacheUsage", "BuildCache", [0, 0]),
    ];
    let both = usage("/v1.52/system/df");
    assert_eq!(both["ImageUsage"]["TotalSize"], both["LayersSize"]);
    let verbose = usage("/v1.55/system/df?verbose=1");
    assert_eq!(keys(&verbose), expected.map(|(key, ..)| key));
    for (key, list, counts) in expected {
        assert_eq!(count(&both, key), counts, "{both}");
        assert_eq!(count(&verbose, key), counts, "{verbose}");
        let items = |list: &Value| list.as_array().map_or(0, Vec::len) as u64;
        assert_eq!(items(&both[list]), counts[0], "{both}");
        assert_eq!(both[key]["Items"], Value::Null);
        assert_eq!(items(&verbose[key]["Items"]), counts[0], "{verbose}");
    }

    let volumes = usage("/v1.55/system/df?type=volume");
    assert_eq!(keys(&volumes), ["Volumes", "VolumeUsage"]);
    // Also of the engine of 20.10, which tells everything.
    let volumes = usage("/v1.51/system/df?type=volume");
    assert_eq!(volumes["Volumes"].as_array().unwrap().len(), 6);
    for list in ["Images", "Containers", "BuildCache"] {
        assert_eq!(volumes[list], Value::Null, "{volumes}");
    }
    let refused = ask("/v1.51/system/df?type=nonsense");
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.message(), "unknown object type: nonsense");
}

#[test]
fn disk_usage_is_told_to_all_who_ask_at_once() {
    let (_lab, flotilla) = start(&[]);
    // An engine of 20.10 takes one question at a time, whatever is asked.
    let questions = [
        "/v1.41/system/df",
        "/v1.41/system/df?a=b",
        "/v1.40/system/df",
    ];
    for answer in at_once(12, |n| {
        http::call(flotilla.addr(), "GET", questions[n % questions.len()])
    }) {
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.head.header("warning"), None);
    }
}

#[test]
fn what_asks_all_nodes_ends_when_one_hangs() {
    let (lab, flotilla) = start(&[]);
    lab.engine("node1").pause().unwrap();
    let calls = [
        ("GET", "/v1.41/system/df"),
        ("GET", "/v1.41/plugins"),
        ("POST", "/v1.41/containers/prune"),
        ("POST", "/v1.41/images/prune"),
        ("POST", "/v1.41/volumes/prune"),
    ];
    let started = Instant::now();
    let answers = at_once(calls.len(), |n| {
        http::call(flotilla.addr(), calls[n].0, calls[n].1)
    });
    // A hung engine is given up within 10 s at the defaults; the others may be busy for longer.
    assert!(started.elapsed() < Duration::from_secs(50));
    for ((_, path), answer) in calls.iter().zip(answers) {
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        let warning = answer.head.header("warning").unwrap_or_default();
        assert!(
            warning.starts_with("199 flotilla \"node1: "),
            "{path}: {warning}"
        );
    }
    lab.engine("node1").resume().unwrap();
}

#[test]
fn an_engine_that_breaks_off_leaves_registries_to_the_next() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let relay = Relay::before(&lab.engine("node0").address());
    let [_, second, third] = lab.engines() else {
        panic!("three engines");
    };
    let addresses = format!("{},{},{}", relay.addr(), second.address(), third.address());
    let flotilla = Flotilla::start(lab.folder(), &[], &addresses);
    flotilla.wait_for_nodes(3);
    for (method, path) in [("GET", "/distribution/UPPER/json"), ("POST", "/auth")] {
        relay.refuse(path);
        let ours = http::call(flotilla.addr(), method, &format!("/v1.41{path}"));
        assert!(!relay.request(path).is_empty());
        let theirs = http::call(&second.address(), method, &format!("/v1.41{path}"));
        assert_ne!(theirs.text(), "");
        assert_eq!(
            (ours.status(), ours.text()),
            (theirs.status(), theirs.text())
        );
        assert_eq!(ours.head.header("api-version"), Some("1.41"));
    }
}

const PLUGIN: &str = r#"{
  "description": "sleeps", "documentation": "", "entrypoint": ["/bin/sleep", "600"],
  "interface": {"types": ["docker.dummy/1.0"], "socket": "dummy.sock"},
  "linux": {"capabilities": []}, "network": {"type": ""}, "mounts": [], "workdir": "", "user": {},
  "propagatedMount": "", "ipchost": false, "pidhost": false,
  "env": [{"name": "DEBUG", "settable": ["value"], "value": "0", "description": ""}],
  "args": {"name": "args", "settable": [], "value": [], "description": ""}
}"#;

#[test]
fn plugins_are_kept_on_all_nodes_alike() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let docker = |args: &[&str]| {
        let mut docker = flotilla.clients(&lab).docker();
        output(docker.args(args)).map_err(|e| e.to_string())
    };
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("rootfs/bin")).unwrap();
    fs::write(folder.path().join("rootfs/bin/sleep"), "none").unwrap();
    fs::write(folder.path().join("config.json"), PLUGIN).unwrap();
    let name = format!("{}/sleeps:1", lab.registry().unwrap());
    let of = |engine: &Engine| names(engine, "plugin", "{{.Name}} {{.Enabled}}");
    let everywhere = |wanted: &[String]| {
        for engine in lab.engines() {
            assert_eq!(of(engine), wanted, "{}", engine.name());
        }
    };
    let off = [format!("{name} false")];

    docker(&["plugin", "create", &name, folder.path().to_str().unwrap()]).unwrap();
    everywhere(&off);
    let listed = docker(&["plugin", "ls", "--format", "{{.Name}} {{.Enabled}}"]);
    assert_eq!(listed.unwrap(), off[0]);
    docker(&["plugin", "set", &name, "DEBUG=1"]).unwrap();
    for engine in lab.engines() {
        let mut inspect = engine.docker();
        inspect.args(["plugin", "inspect", "-f", "{{.Settings.Env}}", &name]);
        assert_eq!(output(&mut inspect).unwrap(), "[DEBUG=1]");
    }
    let refused = docker(&["plugin", "enable", &name]).unwrap_err();
    for node in NODES {
        assert!(refused.contains(&format!("{node}: ")), "{refused}");
    }
    docker(&["plugin", "push", &name]).unwrap();
    docker(&["plugin", "rm", &name]).unwrap();
    everywhere(&[]);
    let gone = docker(&["plugin", "rm", &name]).unwrap_err();
    assert!(
        gone.contains(&format!("plugin \"{name}\" not found")),
        "{gone}"
    );

    docker(&[
        "plugin",
        "install",
        "--disable",
        "--grant-all-permissions",
        &name,
    ])
    .unwrap();
    everywhere(&off);
    output(lab.engine("node1").docker().args(["plugin", "rm", &name])).unwrap();
    // Who lacks it already is none of the matter.
    docker(&["plugin", "rm", &name]).unwrap();
    everywhere(&[]);
}
