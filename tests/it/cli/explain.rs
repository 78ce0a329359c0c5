//! `flotilla explain`: the real CLI reads the line, the same code decides, and nothing is created.

use serde_json::json;

use super::{BOTH, Ran, Stage};
use crate::support::caller::{Caller, names_on};

/// Explains a line of one of the clients.
fn explain(stage: &Stage, cli: super::Cli, line: &[&str]) -> Ran {
    let docker = stage.docker(cli);
    let docker = docker.get_program().to_str().unwrap();
    let args = [&["explain", "--", docker], line].concat();
    stage.own(&args)
}

/// Asserts that no engine has a container, a network or a volume of the test.
fn nothing_was_made(stage: &Stage) {
    for engine in stage.lab.engines() {
        let word = format!("{}-", stage.word);
        let made = names_on(engine).into_iter().filter(|n| n.contains(&word));
        assert_eq!(made.count(), 0, "on {}", engine.name());
        for list in ["/networks", "/volumes"] {
            let all = engine.ask(list).unwrap().to_string();
            assert!(!all.contains(&word), "{list} of {}: {all}", engine.name());
        }
    }
}

#[test]
fn any_run_or_create_line_is_explained_and_makes_nothing() {
    let stage = Stage::set("explainrun");
    for cli in BOTH {
        for (number, verb) in [&["run", "-d", "--rm"][..], &["container", "create"]]
            .iter()
            .enumerate()
        {
            let name = stage.name(&format!("{cli:?}{number}").to_lowercase());
            let volume = format!("{}:/data", stage.name("volume"));
            let flags = [
                "--name",
                &name,
                "-p",
                "127.0.0.1::80/udp",
                "--memory=64m",
                "--pull",
                "always",
                "-v",
                &volume,
                "--ulimit",
                "nofile=64",
                "-econstraint:node==node2",
                "--entrypoint",
                "sh",
                "busybox",
                "-c",
                "echo -e constraint:node==node1",
            ];
            let told = explain(&stage, cli, &[*verb, &flags[..]].concat());
            assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{told:?}");
            let head = format!("{name} (image busybox) would go to node2; nothing was created\n");
            assert!(told.out.contains(&head), "{told:?}");
            assert!(told.out.contains("\n  node2  chosen   memory "), "{told:?}");
            nothing_was_made(&stage);
            // A dry run is a decision like another.
            let again = stage.own(&["why", &name]);
            assert!(again.out.contains(&head), "{again:?}");
        }
    }
}

#[test]
fn what_the_create_would_be_refused_for_the_explanation_fails_with() {
    let stage = Stage::set("explainno");
    let name = stage.name("taken");
    for cli in BOTH {
        let told = explain(&stage, cli, &["run", "-m", "100g", "busybox", "true"]);
        assert_eq!(told.code, Some(1), "{told:?}");
        let why = "flotilla: no node can take this container (3 looked at): 3 lack memory (asks 100 GiB, best: ";
        assert!(told.err.starts_with(why), "{told:?}");
        assert!(
            told.out
                .contains("no node can take a container of busybox\n"),
            "{told:?}"
        );
        assert!(
            told.out
                .contains("\n  node0  refused  resources: lacks memory (asks 100 GiB, "),
            "{told:?}"
        );
    }
    stage.sleeper("node1", &name, &[]);
    let told = explain(&stage, BOTH[0], &["run", "--name", &name, "busybox"]);
    let why = format!("flotilla: Conflict. The container name \"/{name}\" is already in use");
    assert!(told.err.starts_with(&why), "{told:?}");
}

#[test]
fn other_lines_change_nothing_and_say_so() {
    let stage = Stage::set("explainother");
    let network = stage.name("net");
    for cli in BOTH {
        let told = explain(&stage, cli, &["network", "create", &network]);
        assert_eq!(told.code, Some(1), "{told:?}");
        let why = "flotilla: that line creates no container; docker says: ";
        assert!(told.err.starts_with(why), "{told:?}");
        assert!(
            told.err.contains("flotilla explain changes nothing"),
            "{told:?}"
        );
        assert_eq!(explain(&stage, cli, &["run", "--nonsense"]).code, Some(1));
        // A line that names its own host would be carried out there.
        let host = stage.flotilla.docker_host();
        let name = stage.name("straight");
        let line = ["-H", &host, "run", "-d", "--name", &name, "busybox", "true"];
        let told = explain(&stage, cli, &line);
        assert_eq!(told.code, Some(1), "{told:?}");
        let line = [
            "--context",
            "default",
            "run",
            "-d",
            "--name",
            &name,
            "busybox",
            "true",
        ];
        assert_eq!(explain(&stage, cli, &line).code, Some(1));
    }
    nothing_was_made(&stage);
    let shell = stage.own(&["explain", "--", "sh", "-c", "true"]);
    assert!(
        shell.err.contains("only lines of the docker CLI"),
        "{shell:?}"
    );
    let local = stage.own(&["explain", "--", "docker", "login"]);
    assert!(
        local.err.contains("only lines of the docker CLI"),
        "{local:?}"
    );
    let none = stage.own(&["explain", "--", "/nowhere/docker", "run", "busybox"]);
    assert!(none.err.contains("is not installed here"), "{none:?}");
    assert!(
        none.err.contains("flotilla explain --json FILE"),
        "{none:?}"
    );
}

#[test]
fn a_body_is_explained_without_the_docker_cli() {
    let stage = Stage::set("explainbody");
    let name = stage.name("body");
    let body = json!({"Image": "busybox", "Env": ["constraint:zone==b"]});
    let file = stage.lab.folder().join(format!("{name}.json"));
    std::fs::write(&file, body.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let told = stage.own(&[
        "explain", "--json", file, "--name", &name, "--format", "json",
    ]);
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{told:?}");
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        (&told["Outcome"], &told["Node"]),
        (&json!("explained"), &json!("node1"))
    );
    assert_eq!(told["Container"]["Name"], json!(name));
    nothing_was_made(&stage);
    // What a create would be refused for by its form, so is this.
    let caller = Caller::new(stage.flotilla.addr());
    let bad = json!({"Image": "busybox", "Env": ["constraint:zone"]});
    let answer = caller.post_json("/flotilla/explain", &bad).expect(400);
    assert!(answer.message().contains("One of operator"), "{answer:?}");
}

#[test]
fn a_plain_engine_is_told_from_flotilla() {
    let stage = Stage::set("explainplain");
    let engine = format!("tcp://{}", stage.lab.engine("node0").address());
    let told = stage.own(&["why", "--host", &engine]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(
        told.err.contains("is no Flotilla, or one that is older"),
        "{told:?}"
    );
}
