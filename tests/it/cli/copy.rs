//! `docker cp`, `diff`, `export`.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use super::{BOTH, Ran, Stage, ran};

/// Returns the names in a tar archive.
fn names_in(archive: &[u8]) -> Vec<String> {
    let mut tar = Command::new("tar")
        .arg("t")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = tar.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(archive).unwrap());
        let out = tar.wait_with_output().unwrap();
        assert!(out.status.success());
        let names = String::from_utf8(out.stdout).unwrap();
        names.lines().map(str::to_owned).collect()
    })
}

#[test]
fn cp_takes_files_and_folders_both_ways() {
    let stage = Stage::set("cpboth");
    let root = tempfile::tempdir().unwrap();
    let path = |rest: &str| root.path().join(rest).display().to_string();
    fs::create_dir_all(path("folder/deep")).unwrap();
    fs::write(path("file"), "abc\n").unwrap();
    fs::write(path("folder/deep/bulk"), vec![7; 5 << 20]).unwrap();
    for node in ["node0", "node2"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &[]);
        for cli in BOTH {
            let cp = |from: &str, to: &str| {
                let seen = ran(stage.docker(cli).args(["cp", from, to]), b"");
                assert_eq!(seen.code, Some(0), "{seen:?}");
            };
            cp(&path("file"), &format!("{name}:/tmp/"));
            assert_eq!(stage.ok(&["exec", &name, "cat", "/tmp/file"]), "abc");
            cp(&path("folder"), &format!("{name}:/tmp/{cli:?}"));
            let back = path(&format!("{node}-{cli:?}"));
            cp(&format!("{name}:/tmp/{cli:?}"), &back);
            let bulk = fs::read(format!("{back}/deep/bulk")).unwrap();
            assert!(bulk == vec![7; 5 << 20]);
            cp(&format!("{name}:/tmp/file"), &path("again"));
            assert_eq!(fs::read_to_string(path("again")).unwrap(), "abc\n");
        }
    }
}

#[test]
fn cp_streams_archives_both_ways() {
    let stage = Stage::set("cptar");
    let name = stage.name("c");
    stage.sleeper("node1", &name, &[]);
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("piped"), "abc\n").unwrap();
    let archive = Command::new("tar")
        .args(["c", "piped"])
        .current_dir(root.path())
        .output()
        .unwrap();
    for cli in BOTH {
        stage.ok(&["exec", &name, "rm", "-f", "/root/piped"]);
        let mut docker = stage.docker(cli);
        let seen = ran(
            docker.args(["cp", "-", &format!("{name}:/root")]),
            &archive.stdout,
        );
        assert_eq!(seen.code, Some(0), "{seen:?}");
        assert_eq!(stage.ok(&["exec", &name, "cat", "/root/piped"]), "abc");
        let mut docker = stage.docker(cli);
        let out = docker
            .args(["cp", &format!("{name}:/root/piped"), "-"])
            .output()
            .unwrap();
        assert_eq!(names_in(&out.stdout), ["piped"]);
    }
}

#[test]
fn cp_fails_as_on_one_engine() {
    let stage = Stage::set("cpfails");
    let file = stage.lab.folder().join("cpfails");
    fs::write(&file, "abc\n").unwrap();
    let file = file.display().to_string();
    for node in ["node0", "node1"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &[]);
        for cli in BOTH {
            let none = stage.same(cli, node, &["cp", &format!("{name}:/nosuch"), "-"]);
            assert_eq!(none.code, Some(1));
            assert!(none.err.contains(&name), "{none:?}");
            let mut into = stage.docker(cli);
            let into = ran(
                into.args(["cp", &file, &format!("{name}:/nosuch/folder/")]),
                b"",
            );
            assert_eq!(into.code, Some(1));
            assert!(into.err.contains("no such directory"), "{into:?}");
            let gone = stage.same(cli, node, &["cp", "nosuchcontainer:/etc", "-"]);
            assert_eq!(gone.code, Some(1));
        }
    }
}

#[test]
fn diff_and_export_show_what_was_written() {
    let stage = Stage::set("cpdiff");
    for node in ["node0", "node1"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &[]);
        stage.ok(&["exec", &name, "touch", "/tmp/new"]);
        for cli in BOTH {
            let diff = stage.same(cli, node, &["diff", &name]);
            assert_eq!(diff, Ran::wrote("C /tmp\nA /tmp/new\n"));
            let out = stage.docker(cli).args(["export", &name]).output().unwrap();
            let names = names_in(&out.stdout);
            assert!(names.iter().any(|n| n == "tmp/new"), "{names:?}");
            assert!(names.iter().any(|n| n == "bin/busybox"), "{names:?}");
        }
    }
}
