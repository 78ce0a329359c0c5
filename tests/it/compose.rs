//! `docker compose` on three nodes as on one engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::clients::{needs, patiently};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

/// Three services, two networks, a volume, a health check and a published port.
const PROJECT: &str = r#"
services:
  db:
    image: busybox
    stop_signal: KILL
    command: sh -c 'touch /data/ready; exec sleep 600'
    volumes: [data:/data]
    networks: [back]
    healthcheck: {test: ["CMD", "test", "-f", "/data/ready"], interval: 1s}
  web:
    image: busybox
    stop_signal: KILL
    command: sh -c 'mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www'
    depends_on: {db: {condition: service_healthy}}
    networks: [back, front]
    ports: ["18080:80"]
  side:
    image: busybox
    stop_signal: KILL
    command: sh -c 'echo side is up; exec sleep 600'
    networks: [front]
volumes: {data: {}}
networks: {back: {}, front: {}}
"#;

/// Writes the project into a folder, whose name becomes the project's.
fn project(lab: &Lab, name: &str) -> PathBuf {
    let folder = lab.folder().join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("compose.yaml"), PROJECT).unwrap();
    folder
}

/// Runs `docker compose ARGS` in the project's folder and returns what it prints.
fn compose(flotilla: &Flotilla, lab: &Lab, folder: &Path, args: &[&str]) -> String {
    let mut command: Command = flotilla.clients(lab).compose().unwrap();
    output(command.arg("--project-directory").arg(folder).args(args)).unwrap()
}

/// Checks that engines have nothing but what they bring by themselves.
pub(crate) fn nothing_is_left(lab: &Lab) {
    for engine in lab.engines() {
        let containers = engine.ask("/containers/json?all=1").unwrap();
        assert_eq!(containers, serde_json::json!([]));
        let volumes = engine.ask("/volumes").unwrap();
        let count = volumes["Volumes"].as_array().map_or(0, Vec::len);
        assert_eq!(count, 0, "{volumes}");
        let networks = engine.ask("/networks").unwrap();
        assert_eq!(networks.as_array().unwrap().len(), 3, "{networks}");
    }
}

#[test]
fn a_project_lives_and_leaves_nothing_behind_on_any_engine() {
    needs!("plugins");
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let folder = project(&lab, "shop");
    let run = |args: &[&str]| compose(&flotilla, &lab, &folder, args);

    run(&["up", "-d"]);
    let services = run(&["ps", "--services"]);
    let mut services: Vec<&str> = services.lines().collect();
    services.sort_unstable();
    assert_eq!(services, ["db", "side", "web"]);
    assert!(run(&["ps"]).contains("(healthy)"));
    let logs = || match run(&["logs", "side"]) {
        told if told.contains("side is up") => Ok(()),
        told => Err(told),
    };
    eventually(Duration::from_secs(30), logs).unwrap();
    // By name over the project's network, which means that both are on one node.
    let fetch = patiently("wget -qO- http://web/");
    let fetched = run(&["exec", "-T", "db", "sh", "-c", &fetch]);
    assert_eq!(fetched, "served");

    run(&["up", "-d", "--scale", "side=3"]);
    let ids = run(&["ps", "-q"]);
    assert_eq!(ids.lines().count(), 5);
    let started = || -> Vec<String> {
        let inspect = |id: &str| flotilla.get(&format!("/containers/{id}/json")).unwrap();
        let all = ids.lines().map(inspect);
        let all = all.map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
        all.map(|c| c["State"]["StartedAt"].to_string()).collect()
    };
    let before = started();
    run(&["restart", "-t", "0"]);
    let after = started();
    let mut pairs = before.iter().zip(&after);
    assert!(pairs.all(|(b, a)| b < a), "{before:?} {after:?}");
    run(&["up", "-d", "--scale", "side=3"]);
    assert_eq!(
        sorted(&run(&["ps", "-q"])),
        sorted(&ids),
        "a second up made containers again"
    );
    assert_eq!(run(&["run", "--rm", "-T", "side", "echo", "once"]), "once");

    run(&["down", "-v", "-t", "0"]);
    nothing_is_left(&lab);
}

#[test]
fn the_published_port_answers_where_docker_says_it_does() {
    needs!("plugins");
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let folder = project(&lab, "port");
    let run = |args: &[&str]| compose(&flotilla, &lab, &folder, args);
    run(&["up", "-d"]);
    let address = run(&["port", "web", "80"]);
    let url = format!("http://{}/", address.trim());
    // The server may not listen yet, and a port that is mapped takes connections before it does.
    let patience = "-sS --retry 30 --retry-delay 1 --retry-all-errors";
    let page = output(Command::new("curl").args(patience.split(' ')).arg(&url));
    assert_eq!(page.unwrap(), "served", "{url}");
}

#[test]
fn a_second_up_says_that_all_is_running() {
    needs!("plugins");
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let folder = project(&lab, "twice");
    compose(&flotilla, &lab, &folder, &["up", "-d"]);
    let mut again: Command = flotilla.clients(&lab).compose().unwrap();
    again.args(["--progress", "plain", "--project-directory"]);
    let again = again.arg(&folder).args(["up", "-d"]).output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    for service in ["db", "web", "side"] {
        let running = format!("Container twice-{service}-1  Running");
        assert!(said.contains(&running), "{said}");
    }
    assert!(
        again.status.success() && !said.contains("Recreate"),
        "{said}"
    );
}

#[test]
fn a_service_that_changed_takes_its_own_port_and_room() {
    needs!("plugins");
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let folder = lab.folder().join("change");
    fs::create_dir_all(&folder).unwrap();
    let memory = lab.engines()[0].ask("/info").unwrap()["MemTotal"].as_u64();
    // More than half of a node: two do not fit.
    let memory = memory.unwrap() / 10 * 6;
    let write = |word: &str| {
        let text = format!(
            "services:\n  web:\n    image: busybox\n    stop_signal: KILL\n    command: sh -c 'mkdir /www; echo {word} > /www/index.html; exec httpd -f -h /www'\n    mem_limit: {memory}\n    ports: [\"18084:80\"]\n"
        );
        fs::write(folder.join("compose.yaml"), text).unwrap();
    };
    let run = |args: &[&str]| compose(&flotilla, &lab, &folder, args);
    for word in ["first", "second"] {
        write(word);
        run(&["up", "-d"]);
        let fetch = patiently("wget -qO- http://127.0.0.1/");
        let got = run(&["exec", "-T", "web", "sh", "-c", &fetch]);
        assert_eq!(got, word);
    }
    assert_eq!(run(&["ps", "-aq"]).lines().count(), 1);
}

#[test]
fn two_projects_live_side_by_side() {
    needs!("plugins");
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let folders = [("left", "18081:80"), ("right", "18082:80")].map(|(name, port)| {
        let folder = project(&lab, name);
        let text = PROJECT.replace("18080:80", port);
        fs::write(folder.join("compose.yaml"), text).unwrap();
        folder
    });
    let run = |at: usize, args: &[&str]| compose(&flotilla, &lab, &folders[at], args);
    std::thread::scope(|scope| {
        for at in 0..2 {
            scope.spawn(move || run(at, &["up", "-d"]));
        }
    });
    let check = |at: usize, project: &str| {
        let listed = run(at, &["ps", "--format", "{{.Name}}"]);
        let expected = ["db", "side", "web"].map(|s| format!("{project}-{s}-1"));
        assert_eq!(sorted(&listed), expected);
    };
    check(0, "left");
    check(1, "right");
    run(0, &["down", "-v", "-t", "0"]);
    check(1, "right");
    let fetch = patiently("wget -qO- http://web/");
    let fetch = ["exec", "-T", "db", "sh", "-c", &fetch];
    assert_eq!(run(1, &fetch), "served");
    assert_eq!(run(0, &["ps", "-aq"]), "");
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines
}
