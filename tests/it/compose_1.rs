//! compose 1.29, which is docker-py: it lists forty times, connects networks after the create, and asks `/info`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::compose::nothing_is_left;
use crate::support::clients::{needs, patiently};
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, Spec, eventually, output};

const PROJECT: &str = r#"
version: "2.4"
services:
  db:
    image: busybox
    stop_signal: KILL
    command: sh -c 'touch /data/ready; exec sleep 600'
    volumes: [data:/data]
    networks: [back]
    healthcheck: {test: ["CMD", "test", "-f", "/data/ready"], interval: 1s}
  web:
    build: .
    image: shop-web
    stop_signal: KILL
    command: httpd -f -p 80 -h /www
    depends_on: {db: {condition: service_healthy}}
    links: ["db:store"]
    networks: [back, front]
    ports: ["18083:80"]
  side:
    image: busybox
    stop_signal: KILL
    command: sh -c 'echo side is up; exec sleep 600'
    network_mode: service:web
    volumes_from: [db]
volumes: {data: {}}
networks: {back: {}, front: {}}
"#;

/// Writes the project into a folder, whose name becomes the project's.
fn project(lab: &Lab, page: &str) -> PathBuf {
    let folder = lab.folder().join("shop");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("docker-compose.yml"), PROJECT).unwrap();
    let dockerfile = format!("FROM busybox\nRUN mkdir /www && echo {page} > /www/index.html\n");
    fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    folder
}

#[test]
fn a_project_of_compose_1_lives_and_leaves_nothing_behind() {
    needs!("compose-1");
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let folder = project(&lab, "served");
    let run = |args: &[&str]| {
        let mut compose = flotilla.clients(&lab).compose_1().unwrap();
        output(compose.args(args).current_dir(&folder)).unwrap()
    };
    run(&["build"]);
    run(&["up", "-d"]);
    let listed = run(&["ps"]);
    assert!(listed.contains("Up (healthy)"), "{listed}");
    assert_eq!(listed.matches(" Up").count(), 3, "{listed}");
    let logs = || match run(&["logs", "side"]) {
        told if told.contains("side is up") => Ok(()),
        told => Err(told),
    };
    eventually(Duration::from_secs(30), logs).unwrap();
    let fetch = |from: &str, url: &str| {
        let script = patiently(&format!("wget -qO- {url}"));
        run(&["exec", "-T", from, "sh", "-c", &script])
    };
    assert_eq!(fetch("db", "http://web/"), "served");
    // It shares the network of one service and the volume of another.
    assert_eq!(fetch("side", "http://127.0.0.1/"), "served");
    run(&["exec", "-T", "side", "test", "-f", "/data/ready"]);
    run(&["exec", "-T", "web", "ping", "-c1", "-W5", "store"]);

    let ids = run(&["ps", "-q"]);
    run(&["up", "-d"]);
    assert_eq!(run(&["ps", "-q"]), ids, "a second up made containers again");
    project(&lab, "again");
    run(&["up", "-d", "--build"]);
    assert_eq!(fetch("db", "http://web/"), "again");
    run(&["up", "-d", "--scale", "db=2"]);
    run(&["restart", "-t", "0"]);
    assert_eq!(run(&["ps", "-q"]).lines().count(), 4);
    assert_eq!(run(&["run", "--rm", "-T", "db", "echo", "once"]), "once");

    run(&["down", "-v", "-t", "0"]);
    nothing_is_left(&lab);
}
