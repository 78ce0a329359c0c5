//! `docker run` of an image that no node has: the client pulls it through Flotilla and creates again.

use std::process::Command;

use crate::support::flotilla::Flotilla;
use crate::support::images::has;
use crate::support::lab::{Lab, Spec, output};

/// Runs a command to its end and returns its exit code and what it wrote.
fn ended(command: &mut Command) -> (Option<i32>, String, String) {
    let ended = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        ended.status.code(),
        text(&ended.stdout),
        text(&ended.stderr),
    )
}

#[test]
fn a_run_of_an_image_that_only_the_registry_has_pulls_it_and_runs() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let image = format!("{}/tools/hello:1", lab.registry().unwrap());
    let from = lab.engine("node0");
    output(from.docker().args(["tag", "busybox", &image])).unwrap();
    output(from.docker().args(["push", &image])).unwrap();
    output(from.docker().args(["rmi", &image])).unwrap();
    let flotilla = Flotilla::before(&lab);
    let clients = flotilla.clients(&lab);
    for mut docker in [clients.docker(), clients.docker_20()] {
        assert!(!lab.engines().iter().any(|e| has(e, &image)));
        docker.args(["run", "--rm", &image, "echo", "hello"]);
        let (code, out, err) = ended(&mut docker);
        assert_eq!((code, out.as_str()), (Some(0), "hello\n"), "{err}");
        let missing = format!("Unable to find image '{image}' locally\n");
        assert!(err.starts_with(&missing), "{err}");
        let downloaded = format!("Status: Downloaded newer image for {image}\n");
        assert!(err.ends_with(&downloaded), "{err}");
        for engine in lab.engines() {
            assert!(has(engine, &image), "{} lacks it", engine.name());
        }
        // Nothing is pulled that is there.
        let again = ended(&mut docker);
        assert_eq!(again, (Some(0), "hello\n".to_owned(), String::new()));
        output(clients.docker().args(["rmi", &image])).unwrap();
    }
}

#[test]
fn a_run_of_an_image_that_nobody_has_fails_as_on_one_engine() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let clients = flotilla.clients(&lab);
    let straight = format!("tcp://{}", lab.engine("node1").address());
    let straight = crate::support::clients::Clients::new(straight, &lab);
    let image = format!("{}/tools/none:1", lab.registry().unwrap());
    for (mut ours, mut theirs) in [
        (clients.docker(), straight.docker()),
        (clients.docker_20(), straight.docker_20()),
    ] {
        let run = ["run", "--rm", &image, "true"];
        // Their versions of the API differ, and nothing else.
        for docker in [&mut ours, &mut theirs] {
            docker.args(run).env("DOCKER_API_VERSION", "1.41");
        }
        let (ours, theirs) = (ended(&mut ours), ended(&mut theirs));
        assert_eq!(ours, theirs, "Flotilla, then node1");
        assert_eq!(ours.0, Some(125), "{ours:?}");
    }
}
