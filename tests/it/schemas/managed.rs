//! The calls about registries, plugins and swarm mode.

use std::time::Duration;

use serde_json::{Value, json};

use super::Checked;
use crate::support::lab::eventually;

/// A plugin that the lab's registry has.
const PLUGIN: &str = "vieux/sshfs:latest";
/// How long swarm mode may take to make a task, on a busy machine.
const MADE: Duration = Duration::from_secs(60);

impl Checked<'_> {
    /// Calls what engines ask registries for.
    pub(super) fn registry(&mut self) {
        let registry = self.lab.registry().unwrap();
        let login = json!({"serveraddress": registry, "username": "u", "password": "p"});
        self.call("POST", "/auth", &login);
        self.get(&format!("/images/search?term={}/anything", self.index));
        self.get("/distribution/busybox:latest/json");
        let remote = format!("remote={PLUGIN}");
        let privileges = self.get(&format!("/plugins/privileges?{remote}")).json();
        let pull = format!("/plugins/pull?{remote}&name={PLUGIN}");
        let pulled = self.call("POST", &pull, &privileges);
        assert_eq!(pulled.status(), 200, "{}", pulled.text());
        self.get("/plugins");
        self.get(&format!("/plugins/{PLUGIN}/json"));
        self.call(
            "DELETE",
            &format!("/plugins/{PLUGIN}?force=1"),
            &Value::Null,
        );
    }

    /// Calls the nodes and tasks that Flotilla makes of engines in no swarm; none of these engines has any.
    pub(super) fn as_nodes(&mut self) {
        let engines = self.lab.engines();
        if engines.iter().any(|engine| engine.address() == self.addr) {
            return;
        }
        for list in ["/nodes", "/tasks"] {
            let all = self.get(list).json();
            let all = all.as_array().unwrap();
            assert!(all.len() >= engines.len(), "{list}: {all:?}");
            for one in all {
                let path = format!("{list}/{}", one["ID"].as_str().unwrap());
                assert_eq!(self.get(&path).json()["ID"], one["ID"]);
            }
        }
    }

    /// Makes a swarm, calls what there is in one, and leaves it.
    pub(super) fn swarm(&mut self) {
        let init = json!({"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "eth0"});
        let made = self.call("POST", "/swarm/init", &init);
        assert_eq!(made.status(), 200, "{}", made.text());
        let nodes = self.get("/nodes").json();
        let node = nodes[0]["ID"].as_str().unwrap().to_owned();
        self.get(&format!("/nodes/{node}"));
        let data = json!({"Name": "checked", "Data": "eA==", "Labels": {"a": "b"}});
        for kind in ["secrets", "configs"] {
            let id = self.make(&format!("/{kind}/create"), &data);
            self.get(&format!("/{kind}"));
            self.get(&format!("/{kind}/{id}"));
            self.call("DELETE", &format!("/{kind}/{id}"), &Value::Null);
        }
        self.service();
        self.lock();
        let left = self.call("POST", "/swarm/leave?force=1", &Value::Null);
        assert_eq!(left.status(), 200, "{}", left.text());
    }

    /// Locks the swarm, so that there is a key. Not before all engines are in it: none of 28 can join a manager of 20.10
    /// that has changed its keys.
    fn lock(&mut self) {
        self.update("/swarm", |spec| {
            spec["EncryptionConfig"]["AutoLockManagers"] = true.into();
        });
        self.get("/swarm/unlockkey");
    }

    /// Changes what swarm mode changes too: reads and writes it until nothing comes between.
    fn update(&mut self, path: &str, change: impl Fn(&mut Value)) {
        let written = eventually(MADE, || {
            let found = self.get(path).json();
            let mut spec = found["Spec"].clone();
            change(&mut spec);
            let version = &found["Version"]["Index"];
            let update = format!("{path}/update?version={version}");
            let answer = self.call("POST", &update, &spec);
            match answer.status() {
                200 => Ok(()),
                _ => Err(answer.text()),
            }
        });
        written.unwrap();
    }

    fn service(&mut self) {
        let spec = json!({
            "Name": "checked",
            "Labels": {"a": "b"},
            "TaskTemplate": {"ContainerSpec": {"Image": "busybox:latest", "Command": ["sleep", "600"]}},
            "Mode": {"Replicated": {"Replicas": 1}},
            "EndpointSpec": {"Ports": [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080}]},
        });
        let id = self.make("/services/create", &spec);
        self.get("/services");
        self.update(&format!("/services/{id}"), |spec| {
            spec["Labels"]["a"] = "c".into()
        });
        let filter = "filters=%7B%22service%22%3A%5B%22checked%22%5D%7D";
        let running = || {
            let tasks = self.get(&format!("/tasks?{filter}")).json();
            let mut tasks = tasks.as_array().cloned().unwrap_or_default().into_iter();
            let running = tasks.find(|task| task["Status"]["State"] == "running");
            running.ok_or("no task runs")
        };
        let task = eventually(MADE, running).unwrap();
        let task = task["ID"].as_str().unwrap().to_owned();
        self.get(&format!("/tasks/{task}"));
        self.call("DELETE", &format!("/services/{id}"), &Value::Null);
    }
}
