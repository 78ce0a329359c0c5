//! Replicas of one thing: how many on a node, and how they balance over zones, on real engines.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::caller::{Answer, Caller, at_once};
use crate::support::clients::needs;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

/// A service that wants a host for each of its containers, and no network, which would be on one host.
const PROJECT: &str = r#"
services:
  web:
    image: busybox
    stop_signal: KILL
    command: sleep 600
    network_mode: none
    environment: ["limit:service==1"]
"#;

/// Node0 and node1 in rack r1, node2 in rack r2.
struct Ground {
    lab: Lab,
    flotilla: Flotilla,
}

impl Ground {
    fn prepare() -> Self {
        let mut spec = Spec::mixed();
        for (engine, rack) in spec.engines.iter_mut().zip(["r1", "r1", "r2"]) {
            *engine = engine.clone().label("rack", rack);
        }
        let lab = Lab::start(&spec).unwrap();
        let flotilla = Flotilla::before(&lab);
        Self { lab, flotilla }
    }

    fn caller(&self) -> Caller {
        Caller::new(self.flotilla.addr())
    }

    /// Creates a replica of the app `web` with these wishes.
    fn replica(&self, wishes: &[&str]) -> Answer {
        self.caller().create("", &replica(wishes))
    }

    /// Counts the containers of each node, as the engines themselves know them.
    fn counts(&self) -> [usize; 3] {
        ["node0", "node1", "node2"].map(|name| {
            let list = self.lab.engine(name).ask("/containers/json?all=1");
            list.unwrap().as_array().unwrap().len()
        })
    }

    fn clear(&self) {
        for container in self.caller().containers() {
            let id = container["Id"].as_str().unwrap();
            let path = format!("/containers/{id}?force=1");
            self.caller().delete(&path).expect(204);
        }
    }
}

/// The body of a replica of the app `web`.
fn replica(wishes: &[&str]) -> Value {
    json!({"Labels": {"app": "web"}, "Env": wishes})
}

#[test]
fn a_limit_of_one_puts_each_replica_on_a_host_of_its_own() {
    let ground = Ground::prepare();
    let caller = ground.caller();
    // Six at once for three places.
    let answers = at_once(6, |_| ground.replica(&["limit:app==1"]));
    let made: Vec<_> = answers.iter().filter(|a| a.status == 201).collect();
    assert_eq!((made.len(), ground.counts()), (3, [1, 1, 1]), "{answers:?}");
    let refused = ground.replica(&["limit:app==1"]).expect(409).message();
    let why = "3 fail limit app==1 (node0 has 1 of app=web)";
    assert!(refused.contains(why), "{refused}");
    // The limit is each container's own wish, and others are of no concern to it.
    ground.replica(&["limit:app==2"]).expect(201);
    let other = json!({"Labels": {"app": "db"}, "Env": ["limit:app==1"]});
    caller.create("", &other).expect(201);
    let soft = ground.replica(&["limit:app==~1"]).expect(201).json();
    let warned = soft["Warnings"].to_string();
    assert!(
        warned.contains("soft wish limit:app==~1 is not met by"),
        "{soft}"
    );
    ground.clear();

    // What has ended makes room.
    let mut brief = replica(&["limit:app==1", "constraint:node==node1"]);
    brief["Cmd"] = json!(["true"]);
    let id = caller.create("", &brief).expect(201).id();
    assert_eq!(caller.create("", &brief).status, 409);
    caller.post(&format!("/containers/{id}/start")).expect(204);
    caller.post(&format!("/containers/{id}/wait")).expect(200);
    let again = || match caller.create("", &brief) {
        answer if answer.status == 201 => Ok(()),
        answer => Err(answer),
    };
    eventually(Duration::from_secs(30), again).unwrap();
}

#[test]
fn a_limit_counts_the_services_of_a_project_apart() {
    let ground = Ground::prepare();
    let caller = ground.caller();
    let of = |project: &str, service: &str| {
        json!({"Labels": {
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "com.docker.swarm.limits": "[\"service==1\"]",
        }})
    };
    for _ in 0..3 {
        caller.create("", &of("shop", "web")).expect(201);
    }
    for (project, service) in [("shop", "db"), ("other", "web")] {
        caller.create("", &of(project, service)).expect(201);
    }
    let refused = caller.create("", &of("shop", "web")).expect(409).message();
    let why = "3 fail limit service==1 (node0 has 1 of shop/web)";
    assert!(refused.contains(why), "{refused}");
}

#[test]
fn compose_scales_a_limited_service_over_the_hosts_and_makes_it_again_there() {
    needs!("plugins");
    let ground = Ground::prepare();
    let folder = ground.lab.folder().join("shop");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("compose.yaml"), PROJECT).unwrap();
    let up = |args: &[&str]| {
        let mut compose = ground.flotilla.clients(&ground.lab).compose().unwrap();
        compose.arg("--project-directory").arg(&folder);
        output(compose.args(["up", "-d"]).args(args))
    };
    up(&["--scale", "web=3"]).unwrap();
    assert_eq!(ground.counts(), [1, 1, 1]);
    // Each new one is made before the old one goes, whose place it takes.
    up(&["--scale", "web=3", "--force-recreate"]).unwrap();
    assert_eq!(ground.counts(), [1, 1, 1]);
    let refused = up(&["--scale", "web=4"]).unwrap_err().to_string();
    let why = "3 fail limit service==1 (node0 has 1 of shop/web)";
    assert!(refused.contains(why), "{refused}");
}

#[test]
fn a_limit_that_is_none_is_refused_with_its_place() {
    let ground = Ground::prepare();
    for (wish, told) in [
        (
            "limit:app==0",
            "limit: invalid expression \"app==0\" at position 6: a whole number from 1",
        ),
        (
            "limit:tier==1",
            "limit: invalid expression \"tier==1\" at position 1: the container has no label tier",
        ),
        (
            "spread:rack",
            "spread: invalid expression \"rack\" at position 5: One of operator",
        ),
        (
            "spread:rack==tier",
            "spread: invalid expression \"rack==tier\" at position 7: the container has no label tier",
        ),
    ] {
        let refused = ground.replica(&[wish]).expect(400).message();
        assert!(refused.contains(told), "{refused}");
    }
    assert_eq!(ground.counts(), [0, 0, 0]);
}

#[test]
fn replicas_balance_over_racks_also_when_many_come_at_once() {
    let ground = Ground::prepare();
    let hard = ["spread:rack==app"];
    for _ in 0..4 {
        ground.replica(&hard).expect(201);
    }
    assert_eq!(ground.counts(), [1, 1, 2]);
    ground.clear();
    let answers = at_once(8, |_| ground.replica(&hard));
    assert!(answers.iter().all(|a| a.status == 201), "{answers:?}");
    let counts = ground.counts();
    assert_eq!((counts[0] + counts[1], counts[2]), (4, 4), "{counts:?}");
    ground.clear();
    // Only where it may go at all it is to balance.
    for _ in 0..2 {
        let there = ["spread:rack==app", "constraint:rack==r1"];
        ground.replica(&there).expect(201);
    }
    assert_eq!(ground.counts(), [1, 1, 0]);
    ground.clear();
    // A soft one is met as long as it can be, and says when it is not.
    let soft = ["spread:rack==~app", "limit:app==1"];
    for _ in 0..2 {
        let made = ground.replica(&soft).expect(201).json();
        assert_eq!(made["Warnings"], json!([]), "{made}");
    }
    assert_eq!(ground.counts()[2], 1);
    ground.replica(&soft).expect(201);
    assert_eq!(ground.counts(), [1, 1, 1]);
}

#[test]
fn a_rack_that_is_full_is_not_passed_over_by_a_hard_balance() {
    let ground = Ground::prepare();
    let caller = ground.caller();
    let wishes = ["spread:rack==app", "limit:app==1"];
    for _ in 0..3 {
        ground.replica(&wishes).expect(201);
    }
    assert_eq!(ground.counts(), [1, 1, 1]);
    let refused = ground.replica(&["spread:rack==app", "constraint:rack==/r/", "limit:app==1"]);
    let refused = refused.expect(409).message();
    assert!(refused.contains("3 fail limit app==1"), "{refused}");
    let unlimited = caller.post_json(
        "/flotilla/explain",
        &json!({"Image": "busybox", "Labels": {"app": "web"}, "Env": ["spread:rack==app"]}),
    );
    let told = unlimited.expect(200).json();
    let nodes = told["Nodes"].as_array().unwrap().iter();
    let verdicts: BTreeMap<_, _> = nodes
        .map(|n| (n["Name"].as_str().unwrap(), n["Reason"].as_str().unwrap()))
        .collect();
    let why = "fails spread rack==app (rack r1 has 2 of app=web, r2 1)";
    assert_eq!((verdicts["node0"], verdicts["node1"]), (why, why));
    assert_eq!(told["Node"], "node2");
    let nowhere = ground.replica(&["spread:floor==app"]).expect(409).message();
    let why = "3 fail spread floor==app (node0 has no label floor)";
    assert!(nowhere.contains(why), "{nowhere}");
}
