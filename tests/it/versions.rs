//! API versions: clients from 1.24 up before engines of 20.10 and 28.5, with one version advertised on every answer.

use serde_json::{Value, json};

use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, call, call_json};
use crate::support::lab::{Lab, Release};

/// The versions that clients speak; none at all is what dockerode sends.
const SPOKEN: [&str; 4] = ["/v1.24", "/v1.41", "/v1.51", ""];

/// A Flotilla and the version that it is to advertise.
struct Door {
    flotilla: Flotilla,
    advertised: &'static str,
}

/// Starts one Flotilla that finds its version by itself and one that is told it.
fn doors() -> [Door; 2] {
    let lab = Lab::shared().unwrap();
    let start = |args: &[&str], advertised| {
        let flotilla = Flotilla::with(lab, args);
        Door {
            flotilla,
            advertised,
        }
    };
    [
        start(&[], "1.41"),
        start(&["--api-version", "1.51"], "1.51"),
    ]
}

impl Door {
    /// Makes a call, with a JSON body unless it is null, and checks the version that the answer tells.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let addr = self.flotilla.addr();
        let answer = match body {
            Value::Null => call(addr, method, path),
            body => call_json(addr, method, path, &body.to_string()),
        };
        let told = answer.head.header("api-version");
        assert_eq!(told, Some(self.advertised), "{method} {path}: {answer:?}");
        answer
    }

    /// Makes a call that must have this status.
    fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Answer {
        let answer = self.ask(method, path, body);
        assert_eq!(
            answer.status(),
            status,
            "{method} {path}: {}",
            answer.text()
        );
        answer
    }

    /// Tells whether a client of this version is let in.
    fn takes(&self, version: &str) -> bool {
        version.is_empty() || version[2..] <= *self.advertised
    }
}

/// Makes the body of a container for a node.
fn sleeper(node: &str, more: &Value) -> Value {
    let mut body = json!({
        "Image": "busybox", "Cmd": ["sleep", "600"], "StopSignal": "KILL",
        "Env": [format!("constraint:node=={node}")],
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}

#[test]
fn clients_of_every_version_are_served_by_old_and_new_engines() {
    for door in doors() {
        for version in SPOKEN {
            if !door.takes(version) {
                let refused = door.expect(400, "GET", &format!("{version}/info"), &Value::Null);
                let text = format!("Maximum supported API version is {}", door.advertised);
                assert!(refused.message().ends_with(&text));
                continue;
            }
            for node in ["node0", "node1"] {
                let name = "versions-one";
                let path = format!("{version}/containers/create?name={name}");
                let created = door.expect(201, "POST", &path, &sleeper(node, &json!({})));
                assert_eq!(created.json()["Warnings"], json!([]), "{version} {node}");
                let path = |rest: &str| format!("{version}/containers/{name}{rest}");
                door.expect(204, "POST", &path("/start"), &Value::Null);
                let seen = door.expect(200, "GET", &path("/json"), &Value::Null).json();
                assert_eq!(seen["State"]["Running"], true, "{seen}");
                assert_eq!(seen["Node"]["Name"], node);
                let exec = json!({"AttachStdout": true, "Tty": true, "Cmd": ["echo", "heard"]});
                let exec = door.expect(201, "POST", &path("/exec"), &exec).json();
                let exec = format!("{version}/exec/{}", exec["Id"].as_str().unwrap());
                let start = json!({"Detach": true});
                door.expect(200, "POST", &format!("{exec}/start"), &start);
                let seen = door.expect(200, "GET", &format!("{exec}/json"), &Value::Null);
                assert_eq!(seen.json()["ProcessConfig"]["entrypoint"], "echo");
                for list in [
                    "/containers/json",
                    "/images/json",
                    "/networks",
                    "/volumes",
                    "/info",
                ] {
                    door.expect(200, "GET", &format!("{version}{list}"), &Value::Null);
                }
                door.expect(200, "GET", &path("/logs?stdout=1"), &Value::Null);
                door.expect(204, "DELETE", &path("?force=1"), &Value::Null);
                door.expect(404, "GET", &path("/json"), &Value::Null);
            }
        }
    }
}

#[test]
fn an_exec_that_is_attached_tells_the_same_version() {
    for door in doors() {
        for node in ["node0", "node1"] {
            let body = sleeper(node, &json!({}));
            door.expect(201, "POST", "/containers/create?name=versions-exec", &body);
            door.expect(204, "POST", "/containers/versions-exec/start", &Value::Null);
            let exec = json!({"AttachStdout": true, "Cmd": ["echo", "heard"]});
            let exec = door.expect(201, "POST", "/containers/versions-exec/exec", &exec);
            let start = format!("/exec/{}/start", exec.json()["Id"].as_str().unwrap());
            let heard = door.expect(200, "POST", &start, &json!({}));
            assert!(heard.text().contains("heard"), "{heard:?}");
            door.expect(
                204,
                "DELETE",
                "/containers/versions-exec?force=1",
                &Value::Null,
            );
        }
    }
}

#[test]
fn pings_and_version_agree() {
    for door in doors() {
        for version in SPOKEN.into_iter().filter(|v| door.takes(v)) {
            let told = door
                .expect(200, "GET", &format!("{version}/version"), &Value::Null)
                .json();
            assert_eq!(told["ApiVersion"], door.advertised);
            assert_eq!(told["MinAPIVersion"], "1.24");
            door.expect(200, "GET", &format!("{version}/_ping"), &Value::Null);
            door.expect(200, "HEAD", &format!("{version}/_ping"), &Value::Null);
        }
    }
}

/// Creates two networks on a node.
fn two_networks(door: &Door, node: &str) {
    for name in ["versions-front", "versions-back"] {
        let body = json!({"Name": format!("{node}/{name}"), "Driver": "bridge"});
        door.expect(201, "POST", "/networks/create", &body);
    }
}

#[test]
fn a_create_with_two_networks_ends_in_both_on_old_and_new_engines() {
    let [_, door] = doors();
    let lab = Lab::shared().unwrap();
    for node in ["node0", "node1"] {
        two_networks(&door, node);
        let two = json!({
            "HostConfig": {"NetworkMode": "versions-front"},
            "NetworkingConfig": {"EndpointsConfig": {
                "versions-back": {"Aliases": ["behind"]}, "versions-front": {"Aliases": ["before"]},
            }},
        });
        let path = "/v1.51/containers/create?name=versions-two";
        let id = door.expect(201, "POST", path, &sleeper(node, &two)).json();
        let path = format!("/containers/{}/json", id["Id"].as_str().unwrap());
        // The engine itself knows, before the start and after.
        for status in ["created", "running"] {
            let seen = lab.engine(node).ask(&path).unwrap();
            assert_eq!(seen["State"]["Status"], status);
            let networks = &seen["NetworkSettings"]["Networks"];
            assert_eq!(networks.as_object().unwrap().len(), 2, "{networks}");
            for (network, alias) in [("versions-front", "before"), ("versions-back", "behind")] {
                let aliases = networks[network]["Aliases"].as_array().unwrap();
                assert!(aliases.contains(&alias.into()), "{node}: {networks}");
            }
            door.ask("POST", "/containers/versions-two/start", &Value::Null);
        }
        door.expect(
            204,
            "DELETE",
            "/containers/versions-two?force=1",
            &Value::Null,
        );
        for name in ["versions-front", "versions-back"] {
            door.expect(204, "DELETE", &format!("/networks/{name}"), &Value::Null);
        }
    }
}

#[test]
fn a_create_whose_second_network_is_refused_leaves_nothing_behind() {
    let [_, door] = doors();
    let node0 = Lab::shared().unwrap().engine("node0");
    assert_eq!(node0.release(), Release::V20);
    let two = json!({
        "HostConfig": {"NetworkMode": "default"},
        "NetworkingConfig": {"EndpointsConfig": {"default": {}, "host": {}}},
    });
    let path = "/v1.51/containers/create?name=versions-half";
    let refused = door.expect(409, "POST", path, &sleeper("node0", &two));
    assert!(refused.message().contains("host"), "{refused:?}");
    let path = "/containers/versions-half/json";
    door.expect(404, "GET", path, &Value::Null);
    node0.ask(path).unwrap_err();
}
