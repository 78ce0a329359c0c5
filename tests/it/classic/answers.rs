//! Statuses, words and forms of answers.

use std::io::BufRead;

use serde_json::{Value, json};

use super::{Classic, Refusal};
use crate::support::http::{Wire, call_json, request};
use crate::support::lab::Spec;

/// Calls, made while `web` runs.
const REFUSALS: &[Refusal<'_>] = &[
    (
        "GET",
        "/containers/x/json",
        "",
        404,
        "No such container x\n",
    ),
    (
        "POST",
        "/containers/x/start",
        "",
        404,
        "No such container x\n",
    ),
    (
        "POST",
        "/containers/x/attach?stream=1",
        "",
        404,
        "No such container: x\n",
    ),
    (
        "DELETE",
        "/containers/x",
        "",
        404,
        "Container x not found\n",
    ),
    ("GET", "/exec/x/json", "", 404, "Exec x not found\n"),
    (
        "GET",
        "/images/nothing/json",
        "",
        404,
        "No such image: nothing\n",
    ),
    (
        "DELETE",
        "/images/nothing",
        "",
        404,
        "No such image nothing\n",
    ),
    (
        "GET",
        "/networks/nothing",
        "",
        404,
        "No such network: nothing\n",
    ),
    (
        "DELETE",
        "/volumes/nothing",
        "",
        404,
        "No such volume nothing\n",
    ),
    (
        "POST",
        "/containers/web/exec",
        r#"{"Cmd":[]}"#,
        400,
        "No exec command specified\n",
    ),
    // Started already is as good as started.
    ("POST", "/containers/web/start", "", 204, ""),
];

#[test]
fn errors_are_plain_text_with_the_statuses_and_words_of_each_endpoint() {
    let classic = Classic::start(&Spec::mixed());
    let mut wire = Wire::connect(classic.flotilla.addr());
    wire.send(request("GET", "/containers/x/logs?stdout=1", &[], b""));
    let none = wire.answer("GET");
    assert_eq!(
        none.head.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(none.text(), "No such container: x\n");
    classic.caller.run_on("node1", "web");
    classic.check(REFUSALS);
}

#[test]
fn what_an_engine_refuses_is_a_fault_and_a_name_that_is_taken_a_conflict() {
    let classic = Classic::start(&Spec::mixed());
    classic.caller.run_on("node1", "web");
    let running = classic.caller.delete("/containers/web").expect(500).body;
    let words = "Error response from daemon: ";
    assert!(running.starts_with(words), "{running}");
    let conflict = "Conflict: The name web is already assigned. You have to delete (or rename) that container to be able to assign web to a container again.\n";
    let taken = classic.caller.create("web", &json!({})).expect(409);
    assert_eq!(taken.body, conflict);
    classic.caller.create("other", &json!({})).expect(201);
    let rename = classic.caller.post("/containers/other/rename?name=web");
    assert_eq!(rename.expect(409).body, conflict);
    let own = classic.caller.post("/containers/web/rename?name=web");
    assert_eq!(own.expect(409).body, conflict);
    let unread = json!({"Env": ["constraint:no expression"]});
    let unread = classic.caller.create("", &unread).expect(500).body;
    let prefix = "error from constraint filter: ";
    assert!(unread.starts_with(prefix), "{unread}");
    let wrong = json!({"HostConfig": {"Binds": ["relative/path:/x"]}});
    let wrong = classic.caller.create("", &wrong).expect(500).body;
    assert!(wrong.starts_with(words), "{wrong}");
    // What is no JSON was never asked of an engine.
    for body in ["nonsense", "", "{\"Image\":"] {
        let none = call_json(classic.flotilla.addr(), "POST", "/containers/create", body);
        assert_eq!(none.status(), 400, "{body}: {}", none.text());
        assert!(!none.text().contains(words), "{}", none.text());
    }
    let exec = classic
        .caller
        .post_json("/containers/other/exec", &json!({"Cmd": ["true"]}));
    assert!(exec.expect(500).body.starts_with(words));
    // Nobody listens there: one node is sent for the image, and no other after it.
    let image = json!({"Image": "127.0.0.1:1/nothing"});
    let nothing = classic.caller.create("bare", &image).expect(500).body;
    assert!(nothing.contains("127.0.0.1:1"), "{nothing}");
    let log = classic.flotilla.log();
    assert_eq!(log.matches("name=Some(\"bare\")").count(), 1, "{log}");
}

#[test]
fn a_create_tells_the_id_alone_and_lists_name_the_node() {
    let classic = Classic::start(&Spec::mixed());
    let created = classic.caller.create("web", &json!({})).expect(201);
    assert_eq!(created.body, format!("{{\"Id\":\"{}\"}}\n", created.id()));
    classic.caller.post("/containers/web/start").expect(204);
    let of = |path: &str| {
        let list = classic.caller.get(path).expect(200).json();
        let mut names: Vec<String> = list
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|c| c["Names"].as_array().unwrap().clone())
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let told = classic
        .caller
        .get("/containers/web/json")
        .expect(200)
        .json();
    let node = told["Node"]["Name"].as_str().unwrap();
    let expected = [format!("/{node}/web")];
    assert_eq!(of("/containers/json"), expected);
    assert_eq!(of("/containers/ps"), expected);
    assert_eq!(of("/containers/json?size=1"), expected);
    // A stopped container shows itself for `status=exited` alone.
    classic.caller.create("new", &json!({})).expect(201);
    let status =
        |value: &str| format!("/containers/json?filters=%7B%22status%22%3A%5B%22{value}%22%5D%7D");
    assert_eq!(of(&status("created")), [""; 0]);
    classic.caller.post("/containers/web/stop").expect(204);
    assert_eq!(of(&status("exited")), expected);
    // So do those that others have given it.
    let link = json!({"HostConfig": {"Links": ["new:alias"]}});
    classic.caller.create("links", &link).expect(201);
    let told = classic.caller.get("/containers/links/json").json();
    let node = told["Node"]["Name"].as_str().unwrap();
    let all = of("/containers/json?all=1");
    for name in ["links", "links/alias", "new"] {
        assert!(all.contains(&format!("/{node}/{name}")), "{all:?}");
    }
    assert_eq!(all.len(), 4, "{all:?}");
    classic.caller.delete("/containers/links").expect(204);
    // The commands that people type.
    classic.docker(&["run", "--rm", "busybox", "true"]).unwrap();
    classic.docker(&["start", "web"]).unwrap();
    assert_eq!(
        classic.docker(&["exec", "web", "echo", "hi"]).unwrap(),
        "hi"
    );
    let error = classic.docker(&["inspect", "nothing"]).unwrap_err();
    assert!(error.contains("nothing"), "{error}");
    classic.docker(&["rm", "-f", "web", "new"]).unwrap();
}

#[test]
fn a_node_that_is_lost_is_told_in_classics_words() {
    let classic = Classic::start(&Spec::mixed());
    classic.caller.run_on("node1", "far");
    classic.lab.engine("node1").pause().unwrap();
    let lost = || {
        let answer = classic.caller.get("/containers/far/json");
        match (answer.status, answer.body.as_str()) {
            (500, "Container far running on unhealthy node node1\n") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    crate::support::lab::eventually(std::time::Duration::from_secs(30), lost).unwrap();
    let count = |path: &str| {
        classic
            .caller
            .get(path)
            .expect(200)
            .json()
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count("/containers/json"), 0);
    assert_eq!(count("/containers/json?all=1"), 1);
    classic.lab.engine("node1").resume().unwrap();
}

#[test]
fn pings_versions_and_info_are_those_of_a_swarm() {
    let classic = Classic::start(&Spec::mixed());
    let mut wire = Wire::connect(classic.flotilla.addr());
    wire.send(request("GET", "/v9.99/_ping", &[], b""));
    let ping = wire.answer("GET");
    assert_eq!((ping.status(), ping.text().as_str()), (200, "OK"));
    assert_eq!(ping.head.header("api-version"), Some("1.40"));
    for header in [
        "builder-version",
        "swarm",
        "ostype",
        "docker-experimental",
        "server",
    ] {
        assert_eq!(ping.head.header(header), None, "{header}");
    }
    let version = classic.caller.get("/version").expect(200).json();
    assert_eq!(version["Platform"]["Name"], "Docker Swarm - Community");
    assert_eq!(version["ApiVersion"], "1.40");
    assert!(version["Version"].as_str().unwrap().starts_with("swarm/"));
    assert_eq!(
        (&version["Components"], &version["MinAPIVersion"]),
        (&Value::Null, &Value::Null)
    );
    let info = classic.caller.get("/info").expect(200).json();
    assert_eq!(info["ServerVersion"], version["Version"]);
    for (key, expected) in [
        ("ID", json!("")),
        ("Driver", json!("")),
        ("OperatingSystem", json!("linux")),
        ("OomKillDisable", json!(true)),
    ] {
        assert_eq!(info[key], expected, "{key}");
    }
    assert_eq!(info["Swarm"]["LocalNodeState"], "");
    let filters = json!([
        "Filters",
        "health, port, containerslots, dependency, affinity, constraint, whitelist"
    ]);
    assert!(info["SystemStatus"].as_array().unwrap().contains(&filters));
    let shown = classic
        .docker(&["info", "-f", "{{.ServerVersion}}"])
        .unwrap();
    assert!(shown.starts_with("swarm/"), "{shown}");
}

#[test]
fn an_event_says_thrice_which_node_it_is_of() {
    let classic = Classic::start(&Spec::mixed());
    let mut events = classic.caller.open("/events");
    classic.caller.run_on("node2", "web");
    let mut line = String::new();
    events.read_line(&mut line).unwrap();
    let event: Value = serde_json::from_str(&line).unwrap();
    let engine = classic.lab.engine("node2");
    assert_eq!(event["Action"], "create");
    assert_eq!(event["from"], "busybox node:node2");
    assert_eq!(event["node"]["Name"], "node2");
    assert_eq!(event["node"]["Ip"], engine.ip());
    assert_eq!(event["Actor"]["Attributes"]["node.name"], "node2");
}
