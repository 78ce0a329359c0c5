//! Image stores of two kinds, which give one image two IDs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::copies::Scene;
use crate::support::caller::{Caller, encoded, on};
use crate::support::clients::needs;
use crate::support::flotilla::Flotilla;
use crate::support::images::id_on;
use crate::support::lab::{EngineSpec, Release, Spec, eventually, output};

/// Two engines: node0 with a graph driver, node1 with containerd's store.
fn scene() -> Scene {
    let graphs = EngineSpec::new("node0", Release::V28);
    let containerd =
        EngineSpec::new("node1", Release::V28).arg("--feature=containerd-snapshotter=true");
    Scene::start(&Spec::with([graphs, containerd]))
}

/// Returns the ID that the docker CLI is told.
fn told(scene: &Scene, image: &str) -> String {
    let inspect = ["image", "inspect", "-f", "{{.Id}}", image];
    scene.docker(&inspect).unwrap()
}

/// Starts Flotilla anew.
fn restart(scene: &mut Scene) {
    scene.flotilla.kill();
    scene.flotilla = Flotilla::before(&scene.lab);
}

/// Returns how many copies were made since Flotilla started.
fn copies(scene: &Scene) -> usize {
    scene.flotilla.log().matches("copying an image").count()
}

/// Writes an archive with `app:latest`, built in 1970 as by a reproducible build; its one layer holds the text.
fn archive(scene: &Scene, text: &str) -> PathBuf {
    let folder = scene.lab.folder().join(text);
    fs::create_dir_all(&folder).unwrap();
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let script = format!(
        r#"echo {text} >mark && tar -cf layer.tar mark && id=$(sha256sum layer.tar | cut -d' ' -f1)
        at=1970-01-01T00:00:00Z
        echo '{{"architecture":"{arch}","os":"linux","created":"'$at'","config":{{"Cmd":["/mark"]}},
            "rootfs":{{"type":"layers","diff_ids":["sha256:'$id'"]}},"history":[{{"created":"'$at'"}}]}}' >config.json
        echo '[{{"Config":"config.json","RepoTags":["app:latest"],"Layers":["layer.tar"]}}]' >manifest.json
        tar -cf image.tar manifest.json config.json layer.tar"#
    );
    output(
        Command::new("sh")
            .args(["-ec", &script])
            .current_dir(&folder),
    )
    .unwrap();
    folder.join("image.tar")
}

#[test]
fn an_image_is_one_in_stores_of_two_kinds() {
    let mut scene = scene();
    for (maker, other) in [("node0", "node1"), ("node1", "node0")] {
        let image = format!("app:{maker}");
        scene.build(maker, &image, maker);
        let id = told(&scene, &image);
        let before = copies(&scene);
        let constraint = format!("constraint:node=={other}");
        let run = |image: &str| {
            let args = ["run", "--rm", "-e", &constraint, image, "cat", "/mark"];
            scene.docker(&args).unwrap()
        };
        assert_eq!(run(&image), maker);
        assert_eq!(run(&image), maker);
        let ids = [maker, other].map(|n| id_on(scene.lab.engine(n), &image).unwrap());
        assert_ne!(ids[0], ids[1], "the stores are of one kind");
        // By the ID that only the other store has, whole and short.
        assert_eq!(run(&id), maker);
        assert_eq!(run(&id[7..19]), maker);
        assert_eq!(copies(&scene), before + 1);
        assert_eq!(told(&scene, &image), id);
    }
    let before = ["app:node0", "app:node1"].map(|image| told(&scene, image));
    restart(&mut scene);
    let after = ["app:node0", "app:node1"].map(|image| told(&scene, image));
    assert_eq!(before, after);
    for node in ["node0", "node1"] {
        for image in ["app:node0", "app:node1"] {
            let body = json!({"Image": image, "Env": [format!("constraint:node=={node}")]});
            let caller = Caller::new(scene.flotilla.addr());
            caller.create("", &body).expect(201);
        }
    }
    assert_eq!(copies(&scene), 0);
}

#[test]
fn an_untagged_image_is_copied_to_a_store_of_another_kind_by_its_id() {
    let scene = scene();
    for (maker, other) in [("node0", "node1"), ("node1", "node0")] {
        scene.build(maker, "app", maker);
        let id = told(&scene, "app");
        scene.build(maker, "app", "newer");
        let constraint = format!("constraint:node=={other}");
        let args = ["run", "--rm", "-e", &constraint, &id, "cat", "/mark"];
        assert_eq!(scene.docker(&args).unwrap(), maker);
        scene.docker(&["rmi", "app"]).unwrap();
    }
}

#[test]
fn an_id_of_either_store_means_the_image_on_both_nodes() {
    let scene = scene();
    let engines = ["node0", "node1"].map(|node| scene.lab.engine(node));
    for (maker, other) in [("node0", "node1"), ("node1", "node0")] {
        for asked in ["node0", "node1"] {
            scene.build(maker, "app:1", maker);
            let constraint = format!("constraint:node=={other}");
            let run = ["run", "--rm", "-e", &constraint, "app:1", "true"];
            scene.docker(&run).unwrap();
            let ids = engines.map(|engine| id_on(engine, "app:1").unwrap());
            assert_ne!(ids[0], ids[1], "the stores are of one kind");
            let id = id_on(scene.lab.engine(asked), "app:1").unwrap();
            for (id, tag) in [(&*id, "whole"), (&id[7..19], "short")] {
                let tag = format!("app:{tag}");
                scene.docker(&["tag", id, &tag]).unwrap();
                assert_eq!(engines.map(|e| id_on(e, &tag)), ids.clone().map(Some));
                scene.docker(&["rmi", &tag]).unwrap();
            }
            scene.docker(&["rmi", &id]).unwrap();
            assert_eq!(engines.map(|e| id_on(e, "app:1")), [None, None]);
        }
    }
}

#[test]
fn containers_of_an_image_are_found_by_its_id_of_either_store() {
    let scene = scene();
    scene.build("node0", "app:1", "x");
    for node in ["node0", "node1"] {
        let constraint = format!("constraint:node=={node}");
        let run = ["run", "--name", node, "-e", &constraint, "app:1", "true"];
        scene.docker(&run).unwrap();
    }
    let ids = ["node0", "node1"].map(|n| id_on(scene.lab.engine(n), "app:1").unwrap());
    assert_ne!(ids[0], ids[1], "the stores are of one kind");
    let of = |ancestor: &str| {
        let filters = encoded(&json!({"ancestor": [ancestor]}));
        let path = format!("/containers/json?all=1&filters={filters}");
        let list = scene.caller.get(&path).expect(200).json();
        let list = list.as_array().cloned().unwrap_or_default();
        let nodes = list
            .iter()
            .map(|c| c["Names"][0].as_str().unwrap().to_owned());
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort();
        nodes
    };
    for ancestor in ids.iter().flat_map(|id| [&**id, &id[7..], &id[7..19]]) {
        assert_eq!(of(ancestor), ["/node0", "/node1"], "{ancestor}");
    }
    assert!(of("app:2").is_empty() && of(&"0".repeat(64)).is_empty());
}

#[test]
fn an_image_is_told_of_by_the_id_of_a_store_that_does_not_answer() {
    for (maker, other) in [("node0", "node1"), ("node1", "node0")] {
        let scene = scene();
        scene.build(maker, "app:1", maker);
        let id = told(&scene, "app:1");
        let constraint = format!("constraint:node=={other}");
        let run = |image: &str| {
            let args = ["run", "--rm", "-e", &constraint, image, "cat", "/mark"];
            scene.docker(&args).unwrap()
        };
        assert_eq!(run("app:1"), maker);
        scene.lab.engine(maker).kill().unwrap();
        scene.flotilla.wait_for_nodes(1);
        let own = id_on(scene.lab.engine(other), "app:1").unwrap();
        assert_ne!(own, id, "the stores are of one kind");
        let archive = scene.lab.folder().join("app.tar");
        let path = archive.to_str().unwrap();
        for id in [&*id, &id[7..19]] {
            assert_eq!(told(&scene, id), own);
            scene.docker(&["history", id]).unwrap();
            for more in [&[][..], &["busybox"]] {
                let save = ["save", "-o", path, id];
                scene.docker(&[&save[..], more].concat()).unwrap();
            }
            assert_eq!(run(id), maker);
        }
    }
}

#[test]
fn an_image_is_mounted_by_an_id_that_only_the_other_store_has() {
    needs!("cli-28");
    let scene = scene();
    if let Some(why) = scene.lab.skipped() {
        println!("no image can be mounted: {why}");
        return;
    }
    for (maker, other) in [("node0", "node1"), ("node1", "node0")] {
        let image = format!("files:{maker}");
        scene.build(maker, &image, maker);
        let id = id_on(scene.lab.engine(maker), &image).unwrap();
        for id in [&*id, &id[7..19]] {
            let mount = format!("type=image,source={id},target=/files");
            let constraint = format!("constraint:node=={other}");
            let run = ["run", "--rm", "-e", &constraint, "--mount", &mount];
            let cat = ["busybox", "cat", "/files/mark"];
            let mut docker = scene.flotilla.clients(&scene.lab).docker_28().unwrap();
            let said = output(docker.args(run).args(cat)).unwrap();
            assert_eq!(said.trim(), maker);
        }
    }
}

#[test]
fn builds_of_one_time_and_name_are_not_taken_for_one() {
    let scene = scene();
    let load = |node: &str, text: &str| {
        let archive = archive(&scene, text);
        let engine = scene.lab.engine(node);
        output(engine.docker().arg("load").arg("-i").arg(archive)).unwrap();
        let layers = || {
            let told = scene.caller.get("/images/app/json").json();
            let on = engine.ask("/images/app/json").unwrap();
            let (told, on) = (&told["RootFS"]["Layers"], &on["RootFS"]["Layers"]);
            if told == on {
                Ok(on.clone())
            } else {
                Err(told.clone())
            }
        };
        eventually(Duration::from_secs(20), layers).unwrap()
    };
    let old = load("node1", "old");
    let new = load("node0", "new");
    assert_ne!(old, new);
    let mut body = json!({"Image": "app"});
    body["Env"] = on("node1")["Env"].clone();
    scene.caller.create("", &body).expect(201);
    let on_node1 = scene.lab.engine("node1").ask("/images/app/json").unwrap();
    assert_eq!(on_node1["RootFS"]["Layers"], new);
    // The same content is not copied again.
    scene.caller.create("", &body).expect(201);
    assert_eq!(copies(&scene), 1);
}

#[test]
fn compose_leaves_containers_of_an_image_in_two_stores_alone() {
    needs!("plugins");
    let mut scene = scene();
    for maker in ["node0", "node1"] {
        scene.build(maker, maker, maker);
        let folder = scene.lab.folder().join(format!("of-{maker}"));
        fs::create_dir_all(&folder).unwrap();
        let service = |node: &str| {
            format!(
                "  on-{node}:\n    image: {maker}\n    stop_signal: KILL\n    command: sleep 600\n    \
                 environment: ['constraint:node=={node}']\n    network_mode: none\n"
            )
        };
        let text = format!("services:\n{}{}", service("node0"), service("node1"));
        fs::write(folder.join("compose.yaml"), text).unwrap();
        let up = |scene: &Scene| {
            let run = |args: &[&str]| {
                let mut compose = scene.flotilla.clients(&scene.lab).compose().unwrap();
                output(compose.arg("--project-directory").arg(&folder).args(args)).unwrap()
            };
            run(&["up", "-d"]);
            let ids = run(&["ps", "-q"]);
            let mut ids: Vec<String> = ids.lines().map(str::to_owned).collect();
            ids.sort();
            ids
        };
        let first = up(&scene);
        assert_eq!(first.len(), 2);
        assert_eq!(up(&scene), first);
        restart(&mut scene);
        assert_eq!(up(&scene), first);
    }
}
