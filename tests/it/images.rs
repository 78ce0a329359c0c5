//! Images over nodes: pulled, pushed, loaded, tagged and removed everywhere, told of as one.

use std::process::Command;

use serde_json::Value;

use crate::support::caller::Caller;
use crate::support::clients::Clients;
use crate::support::flotilla::Flotilla;
use crate::support::http::call;
use crate::support::images::{has, id_on};
use crate::support::lab::{EngineSpec, Lab, Release, Spec, output};

/// Runs the docker CLI through Flotilla and returns what it prints.
fn docker(flotilla: &Flotilla, lab: &Lab, args: &[&str]) -> Result<String, String> {
    let mut docker = flotilla.clients(lab).docker();
    output(docker.args(args)).map_err(|e| e.to_string())
}

/// Puts an image into the lab's registry under a new name, and takes the name off the engines again.
fn pushed(flotilla: &Flotilla, lab: &Lab, name: &str) -> String {
    let image = format!("{}/{name}:1", lab.registry().unwrap());
    docker(flotilla, lab, &["tag", "busybox", &image]).unwrap();
    let told = docker(flotilla, lab, &["push", &image]).unwrap();
    assert!(told.contains("1: digest: sha256:"), "{told}");
    docker(flotilla, lab, &["rmi", &image]).unwrap();
    image
}

#[test]
fn a_pull_reaches_all_nodes_and_shows_a_row_for_each() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let image = pushed(&flotilla, &lab, "pulled");
    for engine in lab.engines() {
        assert!(!has(engine, &image), "{} still has {image}", engine.name());
    }
    let (repository, tag) = image.rsplit_once(':').unwrap();
    let url = format!(
        "http://{}/images/create?fromImage={repository}&tag={tag}",
        flotilla.addr()
    );
    let told = output(Command::new("curl").args(["-sSN", "-X", "POST", &url])).unwrap();
    for engine in lab.engines() {
        let row = format!("\"id\":\"{}\"", engine.name());
        assert!(told.contains(&row), "no row for {}: {told}", engine.name());
        assert!(has(engine, &image), "{} lacks {image}", engine.name());
    }
    // The first line is as one engine says it, before there are rows.
    let mut lines = told.lines();
    let first = lines.next().unwrap();
    let opening = format!(r#"{{"status":"Pulling from pulled","id":"{tag}"}}"#);
    assert_eq!(first, opening);
    for row in lines.filter(|l| l.contains("\"id\"")) {
        assert!(
            row.contains("\"progressDetail\""),
            "the CLI would not redraw {row}"
        );
    }
    let last = told.trim_end().lines().last().unwrap();
    assert!(
        last.contains("Status: ") && last.contains(" for "),
        "{last}"
    );
}

#[test]
fn a_pull_of_nothing_fails_as_from_an_engine() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let image = format!("{}/nothing:here", lab.registry().unwrap());
    let through = docker(&flotilla, &lab, &["pull", &image]).unwrap_err();
    let direct = output(lab.engine("node1").docker().args(["pull", &image]))
        .unwrap_err()
        .to_string();
    let words = |text: &str| text.contains("manifest unknown") || text.contains("not found");
    assert!(words(&through) && words(&direct), "{through}\n{direct}");
}

#[test]
fn what_the_registry_gives_to_some_is_copied_to_the_others() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let image = pushed(&flotilla, &lab, "partly");
    refuse_registry(&lab, "node1");
    let (repository, tag) = image.rsplit_once(':').unwrap();
    let url = format!(
        "http://{}/images/create?fromImage={repository}&tag={tag}",
        flotilla.addr()
    );
    let told = output(Command::new("curl").args(["-sSN", "-X", "POST", &url])).unwrap();
    let row = |line: &str| line.contains("Copying from node") && line.contains("\"id\":\"node1\"");
    assert!(told.lines().any(row), "{told}");
    assert!(!told.contains("errorDetail"), "{told}");
    let last = told.trim_end().lines().last().unwrap();
    assert!(
        last.contains("Status: Downloaded newer image for "),
        "{told}"
    );
    assert!(lab.engines().iter().all(|e| has(e, &image)));
    let none = format!("{}/partly:none", lab.registry().unwrap());
    docker(&flotilla, &lab, &["pull", &none]).unwrap_err();
}

/// Cuts an engine's machine off the registry.
fn refuse_registry(lab: &Lab, node: &str) {
    let port = lab.registry().unwrap().rsplit(':').next().unwrap();
    let rule = ["-I", "OUTPUT", "-p", "tcp", "--dport", port, "-j", "REJECT"];
    let mut iptables = lab.engine(node).on_machine("/usr/sbin/iptables");
    output(iptables.args(rule).args(["--reject-with", "tcp-reset"])).unwrap();
}

#[test]
fn what_all_engines_refuse_is_refused_as_by_one() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let registry = lab.registry().unwrap();
    let answers = |path: &str| {
        let addrs = [
            flotilla.addr().to_owned(),
            lab.engine("node0").address(),
            lab.engine("node1").address(),
        ];
        addrs.map(|addr| {
            let answer = Caller::new(addr).post(path);
            (answer.status, answer.message())
        })
    };
    for (query, status) in [
        ("fromImage=Not%20A%20Name&tag=1".to_owned(), 400),
        (format!("fromImage={registry}/nothing&tag=1"), 404),
        ("fromImage=127.0.0.1:1/app&tag=1".to_owned(), 500),
    ] {
        let [ours, old, new] = answers(&format!("/images/create?{query}"));
        assert_eq!(ours.0, old.0, "{query}: {ours:?} {old:?}");
        assert_eq!(ours.0, status, "{query}: {ours:?}");
        match old.1 == new.1 {
            true => assert_eq!(ours.1, new.1),
            // What differs is told of both.
            false => assert!(
                ours.1.contains(&old.1) && ours.1.contains(&new.1),
                "{ours:?}"
            ),
        }
    }
}

#[test]
fn tags_and_removals_happen_on_all_nodes_and_are_told_once() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    docker(&flotilla, &lab, &["tag", "busybox", "app:1"]).unwrap();
    assert!(lab.engines().iter().all(|e| has(e, "app:1")));
    let rows = docker(
        &flotilla,
        &lab,
        &["images", "--format", "{{.Repository}}:{{.Tag}}"],
    )
    .unwrap();
    assert_eq!(rows.lines().filter(|l| *l == "app:1").count(), 1, "{rows}");
    assert_eq!(
        docker(&flotilla, &lab, &["rmi", "app:1"]).unwrap(),
        "Untagged: app:1"
    );
    assert!(!lab.engines().iter().any(|e| has(e, "app:1")));
    let error = docker(&flotilla, &lab, &["rmi", "app:1"]).unwrap_err();
    assert!(error.contains("No such image: app:1"), "{error}");
}

#[test]
fn a_load_reaches_all_nodes_without_the_archive_in_memory() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    // An image with 64 MiB that do not compress, made on one engine past Flotilla.
    let node = lab.engine("node2");
    let fill = "head -c 67108864 /dev/urandom > /big";
    output(
        node.docker()
            .args(["run", "--name", "maker", "busybox", "sh", "-c", fill]),
    )
    .unwrap();
    output(node.docker().args(["commit", "maker", "big:1"])).unwrap();
    let archive = lab.folder().join("big.tar");
    output(
        node.docker()
            .args(["save", "-o"])
            .arg(&archive)
            .arg("big:1"),
    )
    .unwrap();
    output(node.docker().args(["rmi", "big:1"])).unwrap();
    let before = flotilla.peak_kb();
    let told = docker(&flotilla, &lab, &["load", "-i", archive.to_str().unwrap()]).unwrap();
    assert_eq!(told.matches("Loaded image: big:1").count(), 1, "{told}");
    assert!(lab.engines().iter().all(|e| has(e, "big:1")));
    let grown = flotilla.peak_kb() - before;
    assert!(
        grown < 48 << 10,
        "memory grew by {grown} kB while 64 MiB passed"
    );
}

/// Runs a command to its end and returns its code and the last three lines that it printed.
fn ended(command: &mut Command) -> (Option<i32>, Vec<String>) {
    let ran = command.output().unwrap();
    let out = String::from_utf8_lossy(&ran.stdout).into_owned();
    let err = String::from_utf8_lossy(&ran.stderr).into_owned();
    let text = if ran.status.success() { out } else { err };
    let lines = text.trim_end().lines().rev().take(3);
    let mut last: Vec<String> = lines.map(str::to_owned).collect();
    last.reverse();
    (ran.status.code(), last)
}

#[test]
fn a_pull_ends_in_the_words_and_with_the_code_of_one_engine() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let image = pushed(&flotilla, &lab, "worded");
    let through = flotilla.clients(&lab);
    let straight = Clients::new(format!("tcp://{}", lab.engine("node1").address()), &lab);
    let missing = format!("{}/worded:none", lab.registry().unwrap());
    for old in [false, true] {
        let docker = |clients: &Clients<'_>| match old {
            false => clients.docker(),
            true => clients.docker_20(),
        };
        let (code, last) = ended(docker(&through).args(["pull", &image]));
        assert_eq!(code, Some(0));
        assert!(last[0].starts_with("Digest: sha256:"), "{last:?}");
        let new = format!("Status: Downloaded newer image for {image}");
        assert_eq!(last[1..], [new, image.clone()]);
        let again = ended(docker(&through).args(["pull", &image]));
        assert_eq!(again, ended(docker(&straight).args(["pull", &image])));
        let same = format!("Status: Image is up to date for {image}");
        assert_eq!(again.1[1], same);
        let none = ended(docker(&through).args(["pull", &missing]));
        assert_eq!(none, ended(docker(&straight).args(["pull", &missing])));
        assert_eq!(none.0, Some(1));
        docker_ok(&flotilla, &lab, &["rmi", &image]);
    }
}

#[test]
fn an_image_in_use_is_refused_as_by_one_engine_and_stays_everywhere() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    docker_ok(&flotilla, &lab, &["tag", "busybox", "used:1"]);
    docker_ok(&flotilla, &lab, &["rmi", "busybox"]);
    let run = ["run", "-d", "--name", "user", "--stop-signal", "KILL"];
    let wish = ["-e", "constraint:node==node1", "used:1", "sleep", "600"];
    docker_ok(&flotilla, &lab, &[&run[..], &wish].concat());
    let straight = Clients::new(format!("tcp://{}", lab.engine("node1").address()), &lab);
    let same = |args: &[&str]| {
        let through = ended(flotilla.clients(&lab).docker().args(args));
        let direct = ended(straight.docker().args(args));
        assert_eq!(through, direct, "{args:?}");
        assert_eq!(through.0, Some(1));
        assert!(lab.engines().iter().all(|e| has(e, "used:1")), "{args:?}");
    };
    same(&["rmi", "used:1"]);
    docker_ok(&flotilla, &lab, &["stop", "user"]);
    same(&["rmi", "used:1"]);
    docker_ok(&flotilla, &lab, &["rm", "user"]);
    docker_ok(&flotilla, &lab, &["rmi", "used:1"]);
    assert!(!lab.engines().iter().any(|e| has(e, "used:1")));
}

#[test]
fn two_images_are_saved_in_one_archive() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    docker_ok(&flotilla, &lab, &["tag", "busybox", "one:1"]);
    docker_ok(&flotilla, &lab, &["tag", "busybox", "two:2"]);
    let archive = lab.folder().join("two.tar");
    let path = archive.to_str().unwrap();
    docker_ok(&flotilla, &lab, &["save", "-o", path, "one:1", "two:2"]);
    docker_ok(&flotilla, &lab, &["rmi", "one:1", "two:2"]);
    let node2 = lab.engine("node2");
    output(node2.docker().args(["load", "-i", path])).unwrap();
    assert!(["one:1", "two:2"].iter().all(|image| has(node2, image)));
}

#[test]
fn images_go_to_one_node_or_to_all_as_is_asked_for() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let both = Flotilla::before(&lab);
    let image = pushed(&both, &lab, "spread");
    let archive = lab.folder().join("rootfs.tar");
    let container = output(lab.engine("node0").docker().args(["create", "busybox"])).unwrap();
    let export = ["export", container.trim(), "-o", archive.to_str().unwrap()];
    output(lab.engine("node0").docker().args(export)).unwrap();
    for (spread, nodes) in [("on-demand", 1), ("everywhere", 3)] {
        let flotilla = Flotilla::start(lab.folder(), &["--image-spread", spread], &lab.addresses());
        flotilla.wait_for_nodes(3);
        let holders = |name: &str| -> Vec<_> {
            lab.engines()
                .iter()
                .filter_map(|e| id_on(e, name))
                .collect()
        };
        docker_ok(&flotilla, &lab, &["pull", &image]);
        assert_eq!(holders(&image).len(), nodes, "{spread}");
        docker_ok(&flotilla, &lab, &["rmi", &image]);
        let name = format!("imported:{spread}");
        let told = docker(
            &flotilla,
            &lab,
            &["import", archive.to_str().unwrap(), &name],
        )
        .unwrap();
        let ids = holders(&name);
        assert_eq!(ids.len(), nodes, "{spread}");
        assert!(ids.iter().all(|id| *id == told.trim()), "{told} {ids:?}");
    }
}

#[test]
fn sizes_and_manifests_are_asked_of_the_engines() {
    let containerd =
        EngineSpec::new("node1", Release::V28).arg("--feature=containerd-snapshotter=true");
    let lab = Lab::start(&Spec::with([
        EngineSpec::new("node0", Release::V28),
        containerd,
    ]))
    .unwrap();
    let flotilla = Flotilla::before(&lab);
    let list = |query: &str| {
        call(
            flotilla.addr(),
            "GET",
            &format!("/v1.51/images/json{query}"),
        )
        .json()
    };
    let all = |list: &Value, test: &dyn Fn(&Value) -> bool| {
        let rows = list.as_array().unwrap();
        !rows.is_empty() && rows.iter().all(test)
    };
    let unknown = |row: &Value| row["SharedSize"] == -1 && row["Manifests"].is_null();
    assert!(all(&list(""), &unknown), "{}", list(""));
    let sizes = list("?shared-size=1");
    assert!(
        all(&sizes, &|row| row["SharedSize"].as_i64().unwrap() >= 0),
        "{sizes}"
    );
    let manifests = list("?manifests=1");
    let of = |node: &str| {
        let rows = manifests.as_array().unwrap().iter();
        rows.filter(|row| row["Nodes"][0] == node)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(of("node1")[0]["Manifests"].is_array(), "{manifests}");
    assert!(of("node0")[0]["Manifests"].is_null(), "{manifests}");
}

/// Runs the docker CLI through Flotilla; it must succeed.
fn docker_ok(flotilla: &Flotilla, lab: &Lab, args: &[&str]) {
    docker(flotilla, lab, args).unwrap();
}
