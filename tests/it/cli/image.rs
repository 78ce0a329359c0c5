//! Images: commit, save, load, import, tag, history, rmi.

use super::{BOTH, Cli, Stage, ran};
use crate::support::lab::{Cache, output};

/// Returns the ID that the engine has for an image; empty when it has none.
fn on(stage: &Stage, node: &str, image: &str) -> String {
    let mut docker = stage.lab.engine(node).docker();
    output(docker.args(["images", "-q", "--no-trunc", image])).unwrap()
}

#[test]
fn an_image_is_committed_saved_loaded_and_run_everywhere() {
    let stage = Stage::set("imgsave");
    let (name, image) = (stage.name("c"), "imgsave:1");
    stage.sleeper("node1", &name, &[]);
    stage.ok(&["exec", &name, "touch", "/committed"]);
    for cli in BOTH {
        let mut commit = stage.docker(cli);
        commit.args(["commit", "-c", "CMD [\"ls\", \"/committed\"]", &name, image]);
        let id = output(&mut commit).unwrap();
        assert_eq!(on(&stage, "node1", image), id);
        assert_eq!(stage.ok(&["images", "-q", "--no-trunc", image]), id);
        // It runs at once, on the one node that has it.
        assert_eq!(stage.ok(&["run", "--rm", image]), "/committed");
        let archive = stage
            .docker(cli)
            .args(["save", image])
            .output()
            .unwrap()
            .stdout;
        stage.ok(&["rmi", image]);
        assert_eq!(stage.ok(&["images", "-q", image]), "");
        let loaded = ran(stage.docker(cli).arg("load"), &archive);
        assert_eq!(loaded.code, Some(0), "{loaded:?}");
        assert!(loaded.out.contains("Loaded image: imgsave:1"), "{loaded:?}");
        for node in ["node0", "node1", "node2"] {
            assert_eq!(on(&stage, node, image), id);
            let constraint = format!("constraint:node=={node}");
            let run = ["run", "--rm", "-e", &constraint, image];
            assert_eq!(stage.ok(&run), "/committed");
        }
        let history = stage.same(cli, "node1", &["history", "-q", "--no-trunc", image]);
        assert_eq!(history.code, Some(0));
        stage.ok(&["rmi", image]);
        for node in ["node0", "node1", "node2"] {
            assert_eq!(on(&stage, node, image), "");
        }
    }
}

#[test]
fn a_load_shows_a_row_for_each_node() {
    let stage = Stage::set("imgrows");
    let file = stage.lab.folder().join("imgrows.tar");
    let file = file.display().to_string();
    stage.ok(&["tag", "busybox", "imgrows:1"]);
    stage.ok(&["save", "-o", &file, "imgrows:1"]);
    for cli in BOTH {
        stage.ok(&["rmi", "imgrows:1"]);
        // Progress is shown on terminals only.
        let seen = stage.on_terminal(cli, &["load", "-i", &file], &[]);
        assert_eq!(seen.code, Some(0), "{seen:?}");
        for node in ["node0", "node1", "node2"] {
            let row = format!("{node}: ");
            assert!(seen.out.contains(&row), "no row of {node}: {seen:?}");
            assert!(!on(&stage, node, "imgrows:1").is_empty());
        }
        let told = seen.out.matches("Loaded image: imgrows:1").count();
        assert_eq!(told, 1, "{seen:?}");
    }
    stage.ok(&["rmi", "imgrows:1"]);
}

#[test]
fn a_tag_is_set_and_removed_on_all_nodes() {
    let stage = Stage::set("imgtag");
    for cli in BOTH {
        let tagged = ran(stage.docker(cli).args(["tag", "busybox", "imgtag:a"]), b"");
        assert_eq!(tagged.code, Some(0), "{tagged:?}");
        let listed = stage.ok(&["images", "--format", "{{.Repository}}:{{.Tag}}", "imgtag"]);
        assert_eq!(listed, "imgtag:a");
        for node in ["node0", "node1", "node2"] {
            assert!(!on(&stage, node, "imgtag:a").is_empty());
        }
        let removed = ran(stage.docker(cli).args(["rmi", "imgtag:a"]), b"");
        assert_eq!(
            (removed.code, removed.out.as_str()),
            (Some(0), "Untagged: imgtag:a\n")
        );
        for node in ["node0", "node1", "node2"] {
            assert_eq!(on(&stage, node, "imgtag:a"), "");
        }
    }
}

#[test]
fn an_imported_archive_is_an_image() {
    let stage = Stage::set("imgimport");
    let root = Cache::locate().busybox_root().display().to_string();
    for cli in BOTH {
        let mut docker = stage.docker(cli);
        docker.args([
            "import",
            "-c",
            "CMD [\"echo\", \"imported\"]",
            &root,
            "imgimport:1",
        ]);
        let id = output(&mut docker).unwrap();
        assert_eq!(stage.ok(&["images", "-q", "--no-trunc", "imgimport"]), id);
        assert_eq!(stage.ok(&["run", "--rm", "imgimport:1"]), "imported");
        stage.ok(&["rmi", "imgimport:1"]);
    }
}

#[test]
fn image_errors_are_those_of_one_engine() {
    let stage = Stage::set("imgerr");
    for cli in BOTH {
        for args in [
            &["rmi", "nosuchimage"][..],
            &["history", "nosuchimage"],
            &["tag", "nosuchimage", "other"],
            &["tag", "busybox", "B@D"],
            &["save", "nosuchimage", "-o", "/dev/null"],
            &["image", "inspect", "nosuchimage"],
            &["commit", "nosuchcontainer", "other"],
            &["images", "--filter", "nosuch=1"],
        ] {
            assert_eq!(stage.same(cli, "node1", args).code, Some(1), "{args:?}");
        }
    }
    let history = stage.same(Cli::V28, "node1", &["history", "busybox"]);
    assert_eq!(history.code, Some(0));
}
