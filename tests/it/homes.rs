//! Networks and volumes have a home node, and containers follow them.

use serde_json::{Value, json};

use crate::support::caller::{Caller, on};
use crate::support::flotilla::Flotilla;
use crate::support::http::call_with;
use crate::support::lab::{Lab, Spec, output};

/// A lab with Flotilla before it.
struct Cluster {
    lab: Lab,
    flotilla: Flotilla,
}

impl Cluster {
    fn start() -> Self {
        let lab = Lab::start(&Spec::mixed()).unwrap();
        let flotilla = Flotilla::before(&lab);
        Self { lab, flotilla }
    }

    /// Runs the docker CLI through Flotilla.
    fn docker(&self, args: &[&str]) -> Result<String, String> {
        let mut docker = self.flotilla.clients(&self.lab).docker();
        output(docker.args(args))
            .map(|s| s.trim().to_owned())
            .map_err(|e| e.to_string())
    }

    /// Runs the docker CLI straight on one engine.
    fn on(&self, node: &str, args: &[&str]) -> Result<String, String> {
        let mut docker = self.lab.engine(node).docker();
        output(docker.args(args))
            .map(|s| s.trim().to_owned())
            .map_err(|e| e.to_string())
    }

    /// Starts a sleeping container and returns the node it is on.
    fn sleeper(&self, args: &[&str]) -> Result<String, String> {
        let mut all = vec!["run", "-d", "--stop-signal", "KILL"];
        all.extend(args);
        all.extend(["busybox", "sleep", "600"]);
        let id = self.docker(&all)?;
        self.docker(&["inspect", "-f", "{{.Node.Name}}", &id])
    }
}

#[test]
fn containers_of_a_bridge_are_together_and_find_each_other() {
    let cluster = Cluster::start();
    cluster.docker(&["network", "create", "app"]).unwrap();
    let home = cluster
        .sleeper(&["--network", "app", "--name", "first"])
        .unwrap();
    for _ in 0..3 {
        assert_eq!(cluster.sleeper(&["--network", "app"]).unwrap(), home);
    }
    let ping = [
        "run",
        "--rm",
        "--network",
        "app",
        "busybox",
        "ping",
        "-c",
        "1",
        "first",
    ];
    cluster.docker(&ping).unwrap();
    let error = cluster.docker(&["network", "create", "app"]).unwrap_err();
    assert!(
        error.contains("network with name app already exists"),
        "{error}"
    );
    let error = cluster.docker(&["network", "rm", "app"]).unwrap_err();
    assert!(error.contains("has active endpoints"), "{error}");
    let seen = cluster
        .docker(&["network", "inspect", "-f", "{{len .Containers}}", "app"])
        .unwrap();
    assert_eq!(seen, "4");
}

#[test]
fn a_volume_keeps_its_containers_at_home() {
    let cluster = Cluster::start();
    cluster.docker(&["volume", "create", "data"]).unwrap();
    let home = cluster.sleeper(&["-v", "data:/data"]).unwrap();
    let mount = "type=volume,source=data,target=/data";
    assert_eq!(cluster.sleeper(&["--mount", mount]).unwrap(), home);
    let holders = ["node0", "node1", "node2"]
        .into_iter()
        .filter(|n| cluster.on(n, &["volume", "inspect", "data"]).is_ok());
    assert_eq!(holders.collect::<Vec<_>>(), [home.as_str()]);
    // Asking for another node is refused with the reason.
    let other = if home == "node0" { "node1" } else { "node0" };
    let wish = format!("constraint:node=={other}");
    let error = cluster
        .sleeper(&["-v", "data:/data", "-e", &wish])
        .unwrap_err();
    assert!(
        error.contains(&format!("volume data is on {home}")),
        "{error}"
    );
}

#[test]
fn things_on_two_nodes_cannot_be_used_together() {
    let cluster = Cluster::start();
    cluster
        .docker(&["network", "create", "node0/left"])
        .unwrap();
    cluster
        .docker(&["volume", "create", "node1/right"])
        .unwrap();
    assert!(cluster.on("node0", &["network", "inspect", "left"]).is_ok());
    assert!(cluster.on("node1", &["volume", "inspect", "right"]).is_ok());
    let error = cluster
        .sleeper(&["--network", "left", "-v", "right:/data"])
        .unwrap_err();
    assert!(error.contains("network left is on node0"), "{error}");
    assert!(error.contains("volume right is on node1"), "{error}");
    assert_eq!(
        cluster.sleeper(&["--network", "node0/left"]).unwrap(),
        "node0"
    );
    assert_eq!(
        cluster.sleeper(&["-v", "node1/right:/data"]).unwrap(),
        "node1"
    );
}

#[test]
fn a_volume_that_two_nodes_have_must_be_named_with_its_node() {
    let cluster = Cluster::start();
    for node in ["node0", "node2"] {
        cluster.on(node, &["volume", "create", "twin"]).unwrap();
    }
    let seen = || cluster.docker(&["volume", "ls", "-q"]).unwrap();
    crate::support::lab::eventually(std::time::Duration::from_secs(20), || {
        match seen().lines().count() {
            2 => Ok(()),
            _ => Err(seen()),
        }
    })
    .unwrap();
    let error = cluster.sleeper(&["-v", "twin:/data"]).unwrap_err();
    assert!(
        error.contains("node0") && error.contains("node2"),
        "{error}"
    );
    assert_eq!(
        cluster.sleeper(&["-v", "node2/twin:/data"]).unwrap(),
        "node2"
    );
}

#[test]
fn containers_follow_those_they_depend_on() {
    let cluster = Cluster::start();
    let home = cluster.sleeper(&["--name", "db", "-v", "/kept"]).unwrap();
    for args in [
        ["--volumes-from", "db"],
        ["--link", "db:database"],
        ["--network", "container:db"],
        ["--pid", "container:db"],
    ] {
        assert_eq!(cluster.sleeper(&args).unwrap(), home, "{args:?}");
    }
}

#[test]
fn a_container_joins_and_leaves_networks_of_its_node_only() {
    let cluster = Cluster::start();
    let home = cluster.sleeper(&["--name", "web"]).unwrap();
    let away = if home == "node0" { "node1" } else { "node0" };
    cluster
        .docker(&["network", "create", &format!("{home}/near")])
        .unwrap();
    cluster
        .docker(&["network", "create", &format!("{away}/far")])
        .unwrap();
    cluster
        .docker(&["network", "connect", "near", "web"])
        .unwrap();
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    assert_eq!(
        cluster.docker(&["inspect", "-f", networks, "web"]).unwrap(),
        "bridge near"
    );
    let error = cluster
        .docker(&["network", "connect", "far", "web"])
        .unwrap_err();
    assert!(
        error.contains("does not reach from node to node"),
        "{error}"
    );
    cluster
        .docker(&["network", "disconnect", "near", "web"])
        .unwrap();
    assert_eq!(
        cluster.docker(&["inspect", "-f", networks, "web"]).unwrap(),
        "bridge"
    );
    cluster.docker(&["network", "rm", "near", "far"]).unwrap();
}

#[test]
fn objects_are_named_with_their_node() {
    let cluster = Cluster::start();
    cluster.docker(&["network", "create", "node1/net"]).unwrap();
    cluster.docker(&["volume", "create", "node2/vol"]).unwrap();
    let same = |kind: &str, format: &str, node: &str, name: &str| {
        let qualified = format!("{node}/{name}");
        let named = cluster.docker(&[kind, "inspect", "-f", format, &qualified]);
        let plain = cluster.on(node, &[kind, "inspect", "-f", format, name]);
        assert_eq!(named.unwrap(), plain.unwrap());
    };
    same("network", "{{.Id}}", "node1", "net");
    same("volume", "{{.Mountpoint}}", "node2", "vol");
    let gone = |result: Result<String, String>| assert!(result.is_err(), "{result:?}");
    gone(cluster.docker(&["network", "inspect", "node0/net"]));
    gone(cluster.docker(&["volume", "inspect", "node0/vol"]));
    cluster.docker(&["network", "rm", "node1/net"]).unwrap();
    cluster.docker(&["volume", "rm", "node2/vol"]).unwrap();
    gone(cluster.on("node1", &["network", "inspect", "net"]));
    gone(cluster.on("node2", &["volume", "inspect", "vol"]));
}

#[test]
fn refusals_have_the_status_of_an_engines() {
    let cluster = Cluster::start();
    let caller = Caller::new(cluster.flotilla.addr());
    let network = |name: &str| caller.post_json("/networks/create", &json!({"Name": name}));
    let volume = |name: &str| caller.post_json("/volumes/create", &json!({"Name": name}));
    network("node0/left").expect(201);
    volume("node1/right").expect(201);
    network("left").expect(409);
    network("bridge").expect(403);
    volume("right").expect(201);
    let create = |name: &str, host: Value| {
        let body = json!({"HostConfig": host});
        caller.create(name, &body)
    };
    let user = create("user", json!({"NetworkMode": "left"})).expect(201);
    let start = format!("/containers/{}/start", user.id());
    caller.post(&start).expect(204);
    caller.delete("/networks/left").expect(403);
    let both = json!({"NetworkMode": "left", "Binds": ["right:/data"]});
    create("", both).expect(409);
    let binds = json!({"Binds": ["right:/data"]});
    let away = json!({"HostConfig": binds, "Env": ["constraint:node==node2"]});
    caller.create("", &away).expect(409);
    create("keeper", binds).expect(201);
    caller.delete("/volumes/right").expect(409);
    network("node1/far").expect(201);
    let connect = |name: &str| {
        let body = json!({"Container": "user"});
        caller.post_json(&format!("/networks/{name}/connect"), &body)
    };
    connect("far").expect(409);
    connect("nothing").expect(404);
    caller.delete("/networks/nothing").expect(404);
    caller.delete("/volumes/nothing").expect(404);
    caller.delete("/volumes/nothing?force=1").expect(204);
    caller.delete("/containers/user?force=1").expect(204);
    caller.delete("/networks/left").expect(204);
}

#[test]
fn volumes_without_a_name_and_of_two_nodes_are_told_apart() {
    let cluster = Cluster::start();
    let caller = Caller::new(cluster.flotilla.addr());
    let made: Vec<String> = (0..3)
        .map(|_| {
            let made = caller.post_json("/volumes/create", &json!({})).expect(201);
            made.json()["Name"].as_str().unwrap().to_owned()
        })
        .collect();
    for name in &made {
        assert_eq!(name.len(), 64, "the engine names it");
        let found = caller.get(&format!("/volumes/{name}")).expect(200);
        assert_eq!(found.json()["Name"], **name);
        caller.delete(&format!("/volumes/{name}")).expect(204);
    }
    for node in ["node0", "node2"] {
        let name = format!("{node}/twin");
        let body = json!({"Name": name, "Labels": {"of": node}});
        caller.post_json("/volumes/create", &body).expect(201);
    }
    let words = "volume twin is ambiguous: it is on node0, node2; say which as node0/twin";
    let inspect = caller.get("/volumes/twin").expect(409);
    assert_eq!(inspect.message(), words);
    for query in ["", "?force=1"] {
        let refused = caller.delete(&format!("/volumes/twin{query}")).expect(409);
        assert_eq!(refused.message(), words);
    }
    let create = caller.post_json("/volumes/create", &json!({"Name": "twin"}));
    assert_eq!(create.expect(409).message(), words);
    let of = |name: &str| caller.get(&format!("/volumes/{name}")).expect(200).json();
    assert_eq!(of("node2/twin")["Labels"]["of"], "node2");
    caller.get("/volumes/node1/twin").expect(404);
    caller.delete("/volumes/node2/twin").expect(204);
    // One is left, and its name is enough.
    assert_eq!(of("twin")["Labels"]["of"], "node0");
    caller.delete("/volumes/twin").expect(204);
    caller.get("/volumes/twin").expect(404);
}

#[test]
fn a_body_that_is_empty_leaves_all_fields_out() {
    let cluster = Cluster::start();
    // Of no type either, as curl sends it.
    let post = |path: &str| call_with(cluster.flotilla.addr(), "POST", path, &[], b"");
    let made = post("/v1.41/volumes/create");
    assert_eq!(made.status(), 201, "{}", made.text());
    let name = made.json()["Name"].as_str().unwrap().to_owned();
    assert_eq!(name.len(), 64, "the engine names it");
    let caller = Caller::new(cluster.flotilla.addr());
    caller.delete(&format!("/volumes/{name}")).expect(204);
    let refused = post("/v1.41/networks/create");
    // 20.10 has another status for it.
    assert!([400, 500].contains(&refused.status()), "{}", refused.text());
    assert!(
        refused.message().contains("invalid name"),
        "{}",
        refused.text()
    );
}

#[test]
fn networks_are_joined_and_left_by_their_name_with_the_node() {
    let cluster = Cluster::start();
    let caller = Caller::new(cluster.flotilla.addr());
    caller.run_on("node1", "web");
    for node in ["node0", "node1"] {
        let body = json!({"Name": format!("{node}/net")});
        caller.post_json("/networks/create", &body).expect(201);
    }
    let change = |network: &str, verb: &str, container: &str| {
        let body = json!({"Container": container});
        caller.post_json(&format!("/networks/{network}/{verb}"), &body)
    };
    let networks = || {
        let web = caller.get("/containers/web/json").expect(200).json();
        web["NetworkSettings"]["Networks"]
            .as_object()
            .unwrap()
            .len()
    };
    let far = change("node0/net", "connect", "web").expect(409).message();
    assert!(far.contains("does not reach from node to node"), "{far}");
    change("node1/net", "connect", "node1/web").expect(200);
    assert_eq!(networks(), 2);
    change("node1/net", "disconnect", "node1/web").expect(200);
    assert_eq!(networks(), 1);
    // On the container's own node there is one of that name.
    change("net", "connect", "web").expect(200);
    assert_eq!(networks(), 2);
}

#[test]
fn links_on_a_network_are_a_reason_to_be_together() {
    let cluster = Cluster::start();
    let caller = Caller::new(cluster.flotilla.addr());
    caller.run_on("node2", "db");
    for name in ["db", "node2/db"] {
        let endpoint = json!({"Links": [format!("{name}:database")]});
        let body = json!({"NetworkingConfig": {"EndpointsConfig": {"bridge": endpoint}}});
        let id = caller.create("", &body).expect(201).id();
        let made = caller.get(&format!("/containers/{id}/json")).expect(200);
        assert_eq!(made.json()["Node"]["Name"], "node2");
        let mut away = on("node0");
        away["NetworkingConfig"] = body["NetworkingConfig"].clone();
        let refused = caller.create("", &away).expect(409).message();
        assert!(refused.contains("--link="), "{refused}");
    }
}
