//! The calls about containers, images, networks, volumes and the system.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Checked;
use crate::support::caller::sleeper;

impl Checked<'_> {
    /// Makes all calls.
    pub(super) fn all(&mut self, places: &[Value]) {
        let start = seconds();
        let containers: Vec<String> = places.iter().map(|place| self.container(place)).collect();
        self.about_all();
        self.registry();
        self.as_nodes();
        self.swarm();
        // What has happened until now.
        self.get(&format!("/events?since={start}&until={}", seconds()));
        for id in containers {
            self.end_container(&id);
        }
        self.refused();
        self.prunes();
    }

    /// Makes a container that stays, and calls what is about it.
    fn container(&mut self, more: &Value) -> String {
        let id = self.make("/containers/create", &sleeper(more));
        let path = |rest: &str| format!("/containers/{id}{rest}");
        self.get(&path("/json"));
        self.call("POST", &path("/start"), &Value::Null);
        let exec = self.make(&path("/exec"), &json!({"Cmd": ["touch", "/made"]}));
        self.call(
            "POST",
            &format!("/exec/{exec}/start"),
            &json!({"Detach": true}),
        );
        self.get(&format!("/exec/{exec}/json"));
        for (method, rest, body) in [
            ("GET", "/json?size=1", Value::Null),
            ("GET", "/top", Value::Null),
            ("GET", "/stats?stream=0&one-shot=1", Value::Null),
            ("GET", "/changes", Value::Null),
            ("POST", "/update", json!({"CpuShares": 512})),
            ("POST", "/rename?name=busybox%2F", Value::Null),
        ] {
            self.call(method, &path(rest), &body);
        }
        let image = format!("/commit?container={id}&repo=checked&tag=1");
        self.call("POST", &image, &Value::Null);
        self.get("/images/checked:1/json");
        self.get("/images/checked:1/history");
        self.call("DELETE", "/images/checked:1", &Value::Null);
        id
    }

    fn end_container(&mut self, id: &str) {
        for (method, rest) in [("POST", "/kill"), ("POST", "/wait"), ("DELETE", "")] {
            self.call(method, &format!("/containers/{id}{rest}"), &Value::Null);
        }
        self.call("GET", &format!("/containers/{id}/json"), &Value::Null);
    }

    /// Calls what is about no single container.
    fn about_all(&mut self) {
        let labels = json!({"Name": "checked", "Labels": {"a": "b"}});
        let network = self.make("/networks/create", &labels);
        self.make("/volumes/create", &labels);
        for path in [
            "/info",
            "/version",
            "/system/df",
            "/containers/json?all=1&size=1",
            "/images/json",
            "/images/json?digests=1&all=1",
            "/images/busybox/json",
            "/images/busybox/history",
            "/networks",
            "/networks/bridge",
            "/networks/checked",
            "/volumes",
            "/volumes/checked",
        ] {
            self.get(path);
        }
        self.call("DELETE", &format!("/networks/{network}"), &Value::Null);
        self.call("DELETE", "/volumes/checked", &Value::Null);
    }

    /// Calls what is refused.
    fn refused(&mut self) {
        for (method, path) in [
            ("GET", "/nodes/nowhere"),
            ("GET", "/services"),
            ("GET", "/tasks"),
            ("GET", "/secrets"),
            ("GET", "/configs"),
            ("GET", "/swarm"),
            ("GET", "/swarm/unlockkey"),
            ("GET", "/containers/nowhere/json"),
            ("GET", "/images/nowhere/json"),
            ("GET", "/networks/nowhere"),
            ("GET", "/volumes/nowhere"),
            ("GET", "/plugins/nowhere/json"),
            ("GET", "/distribution/UPPER/json"),
            ("POST", "/auth"),
            ("GET", "/containers/json?filters=x"),
        ] {
            self.call(method, path, &Value::Null);
        }
    }

    fn prunes(&mut self) {
        for of in ["containers", "images", "networks", "volumes", "build"] {
            self.call("POST", &format!("/{of}/prune"), &Value::Null);
        }
    }
}

/// Returns the time, rounded up.
fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 1
}
