//! What builds start from: images that only one node has, and no registry.

use crate::builds::{context, holders, run, start, ways};
use crate::support::caller::Caller;
use crate::support::images::wait_for;
use crate::support::lab::output;

#[test]
fn a_build_goes_where_its_client_built_last() {
    let (lab, flotilla) = start();
    for (way, build) in ways(&lab, &flotilla) {
        if way == "buildx" {
            // All its builds are on one node.
            continue;
        }
        for node in ["node0", "node1", "node2"] {
            let (base, next) = (format!("{way}-base-{node}"), format!("{way}-next-{node}"));
            let built = context("FROM busybox\nCOPY word /word\n", &base);
            let wish = format!("constraint:node=={node}");
            let args = ["-t", &base, "--build-arg", &wish];
            run(build().args(args).arg(built.path()));
            let built = context(&format!("FROM {base}\nRUN cat /word\n"), "");
            run(build().args(["-t", &next]).arg(built.path()));
            assert_eq!(holders(&lab, &next), [node], "{way}");
        }
    }
}

#[test]
fn what_a_classic_build_starts_from_is_brought_from_another_node() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    for (way, build) in ways(&lab, &flotilla) {
        if !way.starts_with("classic") {
            continue;
        }
        for (maker, builder) in [("node1", "node2"), ("node2", "node0")] {
            let maker = lab.engine(maker);
            let names = ["base", "tool"].map(|kind| format!("{kind}-{way}-{builder}"));
            for name in names.each_ref().map(String::as_str) {
                let write = format!("echo {name} > /{}", &name[..4]);
                let make = ["run", "--name", name, "busybox", "sh", "-c", &write];
                output(maker.docker().args(make)).unwrap();
                output(maker.docker().args(["commit", name, name])).unwrap();
                wait_for(&caller, name);
            }
            let [base, tool] = &names;
            let script = format!(
                "ARG FROM={base}\nFROM $FROM AS one\nCOPY --from={tool} /tool /tool\n\
                 FROM one\nRUN cat /base /tool\n"
            );
            let built = context(&script, way);
            let wish = format!("constraint:node=={builder}");
            let mut build = build();
            if builder == "node0" {
                // The context comes by gzip then.
                build.arg("--compress");
            }
            let said = run(build.args(["--build-arg", &wish]).arg(built.path()));
            assert!(said.contains(base) && said.contains(tool), "{said}");
            assert!(holders(&lab, base).contains(&builder.to_owned()));
        }
    }
}

#[test]
fn a_classic_build_goes_where_its_base_is() {
    let (lab, flotilla) = start();
    let caller = Caller::new(flotilla.addr());
    for engine in lab.engines() {
        let (base, image) = (
            format!("only-{}", engine.name()),
            format!("of-{}", engine.name()),
        );
        output(engine.docker().args(["tag", "busybox", &base])).unwrap();
        wait_for(&caller, &base);
        let built = context(&format!("FROM {base}\nRUN echo {base} > /n\n"), "");
        let mut docker = flotilla.clients(&lab).docker_20();
        docker.env("DOCKER_BUILDKIT", "0");
        run(docker.args(["build", "-t", &image]).arg(built.path()));
        assert_eq!(holders(&lab, &image), [engine.name()]);
        assert_eq!(holders(&lab, &base), [engine.name()]);
    }
}
