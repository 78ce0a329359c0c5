//! What a container takes of its node, and what it shares with another: `--cpus`, `--ipc`.

use super::{BOTH, Stage, ran};
use crate::support::caller::Caller;

#[test]
fn cpus_are_limited_on_the_engine_and_promised_once() {
    let stage = Stage::set("limitcpus");
    for (node, cli) in ["node0", "node1"].into_iter().zip(BOTH) {
        let name = stage.name(node);
        stage.sleeper(node, &name, &["--cpus", "0.5"]);
        let seen = stage.same(
            cli,
            node,
            &["inspect", "-f", "{{.HostConfig.NanoCpus}}", &name],
        );
        assert_eq!(seen.out, "500000000\n");
        let info = Caller::new(stage.flotilla.addr()).get("/info").expect(200);
        let rows = info.json()["SystemStatus"].as_array().unwrap().clone();
        let mut of_node = rows.iter().skip_while(|row| row[0] != format!(" {node}"));
        let cpus = of_node.find(|row| row[0] == "  └ Reserved CPUs").unwrap();
        assert!(
            !cpus[1].as_str().unwrap().starts_with("0 /"),
            "{node}: {cpus}"
        );
        // More than any machine has.
        let wish = format!("constraint:node=={node}");
        let args = [
            "run", "--rm", "--cpus", "9999", "-e", &wish, "busybox", "true",
        ];
        let refused = ran(stage.docker(cli).args(args), b"");
        assert_eq!(refused.code, Some(125), "{refused:?}");
        assert!(
            refused.err.contains("1 lacks CPUs (asks 9999"),
            "{refused:?}"
        );
    }
}

#[test]
fn ipc_of_another_container_is_that_of_its_node() {
    let stage = Stage::set("limitipc");
    for node in ["node0", "node1", "node2"] {
        for cli in BOTH {
            let name = stage.name(&format!("{node}-{cli:?}"));
            stage.sleeper(node, &name, &["--ipc", "shareable"]);
            stage.ok(&["exec", &name, "sh", "-c", "echo shared > /dev/shm/note"]);
            // No wish but the other container.
            let ipc = format!("container:{name}");
            let reader = format!("{name}-reader");
            let run = ["run", "--name", &reader, "--ipc", &ipc, "busybox"];
            let run = [&run[..], &["cat", "/dev/shm/note"]].concat();
            assert_eq!(stage.quiet(cli, &run), "shared", "{node}");
            let format = "{{index .Config.Labels \"com.docker.swarm.node.name\"}}";
            assert_eq!(stage.quiet(cli, &["inspect", "-f", format, &reader]), node);
            // Nowhere else, even for who insists.
            let other = if node == "node2" { "node0" } else { "node2" };
            let wish = format!("constraint:node=={other}");
            let run = ["run", "--rm", "--ipc", &ipc, "-e", &wish, "busybox", "true"];
            let refused = ran(stage.docker(cli).args(run), b"");
            assert_eq!(refused.code, Some(125), "{refused:?}");
            assert!(refused.err.contains(&name), "{refused:?}");
        }
    }
}
