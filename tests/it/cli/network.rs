//! `docker network`.

use super::{BOTH, Stage, ran};

/// A container that stays and ends at once when told.
const SLEEP: [&str; 5] = ["--stop-signal", "KILL", "busybox", "sleep", "600"];

#[test]
fn a_network_is_made_listed_and_removed() {
    let stage = Stage::set("netlist");
    for cli in BOTH {
        let docker = |args: &[&str]| stage.quiet(cli, args);
        let net = stage.name(&format!("{cli:?}"));
        let id = docker(&["network", "create", "--label", "t1=net", &net]);
        let inspect = ["network", "inspect", "-f", "{{.Id}} {{.Labels.t1}}", &net];
        assert_eq!(docker(&inspect), format!("{id} net"));
        let filter = format!("name={net}");
        let format = "{{.ID}} {{.Driver}}";
        let mut list = vec!["network", "ls", "--no-trunc", "--format", format];
        list.extend(["--filter", &filter]);
        assert_eq!(docker(&list), format!("{id} bridge"));
        assert_eq!(docker(&["network", "rm", &net]), net);
        assert_eq!(docker(&list), "");
    }
}

#[test]
fn containers_of_a_network_are_on_its_node_and_find_each_other() {
    let stage = Stage::set("netuse");
    for cli in BOTH {
        let docker = |args: &[&str]| stage.quiet(cli, args);
        let net = stage.name(&format!("{cli:?}"));
        let (one, two) = (format!("{net}-one"), format!("{net}-two"));
        docker(&["network", "create", &net]);
        let run = ["run", "-d", "--name", &one, "--network", &net];
        docker(&[&run[..], &SLEEP].concat());
        let ping = [
            "run",
            "--rm",
            "--network",
            &net,
            "busybox",
            "ping",
            "-c1",
            &one,
        ];
        assert!(docker(&ping).contains("1 packets received"));
        let near = format!("affinity:container=={one}");
        let run = ["run", "-d", "--name", &two, "-e", &near];
        docker(&[&run[..], &SLEEP].concat());
        docker(&["network", "connect", "--alias", "other", &net, &two]);
        docker(&["exec", &one, "ping", "-c", "1", "other"]);
        let count = ["network", "inspect", "-f", "{{len .Containers}}", &net];
        assert_eq!(docker(&count), "2");
        docker(&["network", "disconnect", &net, &two]);
        assert_eq!(docker(&count), "1");
        let busy = ran(stage.docker(cli).args(["network", "rm", &net]), b"");
        assert_eq!(busy.code, Some(1));
        assert!(busy.err.contains("has active endpoints"), "{busy:?}");
    }
}

#[test]
fn network_errors_are_those_of_one_engine() {
    let stage = Stage::set("neterr");
    let name = stage.name("c");
    stage.sleeper("node1", &name, &[]);
    for cli in BOTH {
        for args in [
            &["network", "inspect", "nosuchnetwork"][..],
            &["network", "rm", "nosuchnetwork"],
            &["network", "rm", "bridge"],
            &["network", "connect", "nosuchnetwork", &name],
            &["network", "connect", "bridge", "nosuchcontainer"],
            &["network", "create", "bridge"],
            &["network", "ls", "--filter", "nosuch=1"],
        ] {
            assert_eq!(stage.same(cli, "node1", args).code, Some(1), "{args:?}");
        }
    }
}
