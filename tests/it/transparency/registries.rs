//! The table's rows of what comes from registries and archives: images, plugins, builds.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::row::{Row, Same};
use super::{Side, run_rows};
use crate::support::flotilla::Flotilla;
use crate::support::hub;
use crate::support::lab::{Lab, Release, Spec, output, skip};
use crate::support::plugin;

const TAR: &[&str] = &["Content-Type: application/x-tar"];
/// Nobody is logged in.
const NOBODY: &[&str] = &["X-Registry-Auth: e30="];

/// The rows.
pub(super) const ROWS: &[Row] = &[
    Row::of(&[200], "POST", "/auth")
        .json(r#"{"serveraddress":"{registry}","username":"u","password":"p"}"#),
    Row::of(&[200], "GET", "/images/search?term={hub}/x"),
    // An image goes, comes back twice, and is saved and loaded.
    Row::of(
        &[201],
        "POST",
        "/images/busybox/tag?repo={registry}/@-a&tag=1",
    ),
    Row::of(&[200], "POST", "/images/{registry}/@-a/push?tag=1")
        .with(NOBODY)
        .same(Same::Last),
    Row::of(&[200], "GET", "/distribution/{registry}/@-a:1/json"),
    Row::of(&[200], "DELETE", "/images/{registry}/@-a:1"),
    Row::of(
        &[200],
        "POST",
        "/images/create?fromImage={registry}/@-a&tag=1",
    )
    .with(NOBODY)
    .same(Same::Last),
    Row::of(&[200], "GET", "/images/{registry}/@-a:1/json"),
    Row::of(
        &[200],
        "POST",
        "/images/create?fromImage={registry}/@-a&tag=1",
    )
    .with(NOBODY)
    .same(Same::Last),
    Row::of(&[200], "DELETE", "/images/{registry}/@-a:1"),
    Row::of(&[200], "POST", "/images/load?quiet=1")
        .with(TAR)
        .bytes(b"{saved}")
        .same(Same::Last),
    Row::of(&[200], "GET", "/images/@-saved:1/history"),
    Row::of(&[200], "DELETE", "/images/@-saved:1"),
    // Builds.
    Row::of(&[200], "POST", "/build?t=@-built")
        .with(TAR)
        .bytes(b"{context}"),
    Row::of(&[200], "POST", "/build?t=@-built&q=1")
        .with(TAR)
        .bytes(b"{context}"),
    Row::of(&[200], "GET", "/images/@-built/json"),
    Row::of(&[200], "DELETE", "/images/@-built"),
    // Plugins.
    Row::of(&[204], "POST", "/plugins/create?name={registry}/@-p:1")
        .with(TAR)
        .bytes(b"{plugin}"),
    Row::of(&[200], "GET", "/plugins/{registry}/@-p:1/json"),
    Row::of(&[204], "POST", "/plugins/{registry}/@-p:1/set").json(r#"["DEBUG=1"]"#),
    Row::of(&[200], "POST", "/plugins/{registry}/@-p:1/push")
        .with(NOBODY)
        .same(Same::Last),
    Row::of(
        &[200],
        "POST",
        "/plugins/{registry}/@-p:1/enable?timeout=30",
    ),
    Row::of(&[200], "GET", "/plugins?filters={\"enabled\":[\"true\"]}"),
    Row::of(&[200], "POST", "/plugins/{registry}/@-p:1/disable"),
    Row::of(&[200], "DELETE", "/plugins/{registry}/@-p:1"),
    Row::of(&[200], "GET", "/plugins/privileges?remote={registry}/@-p:1"),
    Row::of(
        &[200],
        "POST",
        "/plugins/pull?remote={registry}/@-p:1&name={registry}/@-p:1",
    )
    .json("{privileges}")
    .same(Same::Last)
    .many(Same::Head, "engines of two releases end it otherwise"),
    Row::of(
        &[200],
        "POST",
        "/plugins/{registry}/@-p:1/upgrade?remote={registry}/@-p:1",
    )
    .json("{privileges}")
    .same(Same::Last)
    .many(Same::Head, "engines of two releases end it otherwise"),
    Row::of(&[200], "DELETE", "/plugins/{registry}/@-p:1?force=1"),
];

/// What the plugin asks for.
const PRIVILEGES: &str =
    r#"[{"Name":"network","Value":["none"]},{"Name":"mount","Value":["/usr"]}]"#;

/// Makes an archive of what is in a folder.
fn archive(folder: &Path, entries: &[&str]) -> Vec<u8> {
    let mut tar = Command::new("tar");
    let tar = tar.arg("-C").arg(folder).arg("-c").args(entries);
    tar.output().unwrap().stdout
}

/// Makes the side of this letter with its own archives.
fn side(lab: &Lab, hub: &str, addr: &str, letter: char) -> Side {
    let mut side = Side::new(addr, letter, Some(41));
    let folder = tempfile::tempdir().unwrap();
    let dockerfile = format!("FROM busybox\nLABEL by={}-words\n", side.prefix);
    fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    let context = archive(folder.path(), &["Dockerfile"]);
    let folder = tempfile::tempdir().unwrap();
    plugin::write(folder.path(), &format!("{}-words", side.prefix));
    let plugin = archive(folder.path(), &["config.json", "rootfs"]);
    let image = format!("{}-saved:1", side.prefix);
    let saved = lab.folder().join(&image);
    let docker = |args: &[&str]| output(lab.engines()[0].docker().args(args)).unwrap();
    docker(&["tag", "busybox", &image]);
    docker(&["save", "-o", saved.to_str().unwrap(), &image]);
    docker(&["rmi", &image]);
    side.bodies = vec![
        ("{saved}", fs::read(saved).unwrap()),
        ("{context}", context),
        ("{plugin}", plugin),
    ];
    side.words = vec![
        ("{registry}", lab.registry().unwrap().to_owned()),
        ("{hub}", hub.to_owned()),
        ("{privileges}", PRIVILEGES.to_owned()),
    ];
    side
}

/// Runs the rows on the first of these engines, and through Flotilla before all.
fn compare_all(releases: &[Release]) {
    let spec = Spec::of(releases).registry();
    let lab = Lab::start(&spec.args("--insecure-registry=172.31.0.0/16")).unwrap();
    if let Some(skipped) = lab.skipped() {
        skip(skipped);
        return;
    }
    let newest = ["--api-version", "1.51"];
    let flotilla = Flotilla::start(lab.folder(), &newest, &lab.addresses());
    flotilla.wait_for_nodes(releases.len());
    let hub = hub::index(&lab);
    let mut direct = side(&lab, &hub, &lab.engines()[0].address(), 'd');
    let mut through = side(&lab, &hub, flotilla.addr(), 'f');
    run_rows(ROWS, releases.len(), &mut direct, &mut through);
}

#[test]
fn what_comes_from_registries_comes_the_same_through_flotilla() {
    compare_all(&[Release::V28]);
}

#[test]
fn what_comes_from_registries_comes_the_same_of_a_mixed_cluster() {
    compare_all(&[Release::V28, Release::V20, Release::V28]);
}
