//! Which API version answers name (W15), and which requests are taken when it changes.

use std::time::Duration;

use super::Container;
use crate::support::flotilla::Flotilla;
use crate::support::http::{Wire, call, call_json};
use crate::support::lab::{Lab, Release, Spec, eventually};

/// A version that no engine of the lab has as its newest.
const SHOWN: &str = "1.43";
/// The body of a login at a registry that is not there.
const LOGIN: &str = r#"{"username":"u","password":"p","serveraddress":"127.0.0.1:1"}"#;
/// The body of a create that an engine refuses.
const WRONG: &str =
    r#"{"Image":"busybox","HostConfig":{"Memory":1},"Env":["constraint:node==node1"]}"#;

/// Returns the version that an answer names.
fn named(flotilla: &Flotilla, method: &str, path: &str, body: &str) -> (u16, Option<String>) {
    let head = call_json(flotilla.addr(), method, path, body).head;
    (head.status, head.header("api-version").map(str::to_owned))
}

#[test]
fn w15_each_answer_names_the_version_that_is_advertised_and_not_the_engines() {
    let lab = Lab::shared().unwrap();
    let args = ["--api-version", SHOWN];
    let flotilla = Flotilla::with(lab, &args);
    let on_new = r#","Env":["constraint:node==node1"]"#;
    let container = Container::run(&flotilla, "w15", "exec sleep 600", on_new);
    let image = format!("{}-image", container.name);
    let commit = format!("/commit?container={}&repo={image}", container.name);
    let of_image = format!(r#"{{"Image":"{image}"}}"#);
    let made = format!("/containers/create?name={image}");
    let tag = "/images/busybox/tag?repo=NOT-A-NAME".to_owned();
    let remove = format!("/images/{image}");
    for (method, path, body, status) in [
        ("GET", "/_ping".to_owned(), "", 200),
        ("GET", "/containers/json".to_owned(), "", 200),
        ("GET", container.path("json"), "", 200),
        ("GET", container.path("stats?stream=0"), "", 200),
        ("GET", "/containers/none/json".to_owned(), "", 404),
        ("POST", commit, "", 201),
        ("POST", made, &of_image, 201),
        ("POST", "/containers/create".to_owned(), WRONG, 400),
        ("POST", tag, "", 500),
        ("DELETE", remove.clone(), "", 409),
        ("DELETE", format!("/containers/{image}"), "", 204),
        ("DELETE", remove, "", 200),
        ("GET", "/plugins".to_owned(), "", 200),
        ("GET", "/plugins/none/json".to_owned(), "", 404),
        ("GET", "/networks/bridge".to_owned(), "", 200),
        ("GET", "/system/df".to_owned(), "", 200),
        ("POST", "/auth".to_owned(), LOGIN, 500),
        (
            "GET",
            // 20.10 says 500, which is why a newer one is asked too.
            "/images/search?term=127.0.0.1:1/x".to_owned(),
            "",
            400,
        ),
        (
            "GET",
            "/distribution/127.0.0.1:1/x/json".to_owned(),
            "",
            500,
        ),
        (
            "POST",
            "/containers/prune?filters={\"label\":[\"w15\"]}".to_owned(),
            "",
            200,
        ),
    ] {
        let found = named(&flotilla, method, &path, body);
        assert_eq!(found, (status, Some(SHOWN.to_owned())), "{method} {path}");
    }
    streams_name_what_an_engines_do(&flotilla, &container);
}

/// Checks that the 101 of an attach names no version, and an exec's does.
fn streams_name_what_an_engines_do(flotilla: &Flotilla, container: &Container<'_>) {
    let exec = r#"{"Cmd":["true"],"AttachStdout":true}"#;
    let exec = call_json(flotilla.addr(), "POST", &container.path("exec"), exec).json();
    let exec = format!("/exec/{}/start", exec["Id"].as_str().unwrap());
    for (path, body, version) in [
        (container.path("attach?stream=1&stdout=1"), "", None),
        (exec, r#"{"Detach":false}"#, Some(SHOWN)),
    ] {
        let mut wire = Wire::connect(flotilla.addr());
        let headers = [
            "Connection: Upgrade",
            "Upgrade: tcp",
            "Content-Type: application/json",
        ];
        wire.request("POST", &path, &headers, body.as_bytes());
        let head = wire.head();
        assert_eq!(
            (head.status, head.header("api-version")),
            (101, version),
            "{path}"
        );
    }
}

#[test]
fn a_version_that_clients_agreed_on_is_served_when_an_older_engine_comes() {
    let lab = Lab::start(&Spec::of(&[Release::V28, Release::V20])).unwrap();
    let old = lab.engine("node1");
    old.kill().unwrap();
    let flotilla = Flotilla::start(lab.folder(), &[], &lab.addresses());
    flotilla.wait_for_nodes(1);
    let advertised = || {
        let head = call(flotilla.addr(), "HEAD", "/_ping").head;
        head.header("api-version").unwrap().to_owned()
    };
    let list = |version: &str| {
        let path = format!("/v{version}/containers/json?all=1");
        call(flotilla.addr(), "GET", &path).status()
    };
    assert_eq!(advertised(), "1.51");
    old.restart().unwrap();
    flotilla.wait_for_nodes(2);
    assert_eq!(advertised(), "1.41");
    assert_eq!((list("1.51"), list("1.52")), (200, 400));
    // Its going away changes nothing: it will be back.
    old.kill().unwrap();
    eventually(Duration::from_secs(60), || {
        let info = flotilla.get("/info")?;
        match info.contains("\"Unhealthy\"") {
            true => Ok(()),
            false => Err(info),
        }
    })
    .unwrap();
    assert_eq!(advertised(), "1.41");
}
