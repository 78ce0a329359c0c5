//! Commands that change a container or ask how it is.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::{BOTH, Cli, Ran, Stage, ran};
use crate::support::caller::Caller;

#[test]
fn top_port_and_stats_are_those_of_the_engine() {
    let stage = Stage::set("statetop");
    for node in ["node0", "node1"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &["-p", "80", "-p", "53/udp"]);
        for cli in BOTH {
            let top = stage.same(cli, node, &["top", &name, "-o", "pid,args"]);
            assert!(top.out.contains("sleep 600"), "{top:?}");
            let format = "{{.Name}} {{.PIDs}}";
            let stats = ["stats", "--no-stream", "--format", format, &name];
            assert_eq!(
                stage.same(cli, node, &stats),
                Ran::wrote(&format!("{name} 1\n"))
            );
            let none = stage.same(cli, node, &["port", &name, "81"]);
            assert_eq!(none.code, Some(1));
            // The node's address stands where the engine says all addresses.
            let port = ran(stage.docker(cli).args(["port", &name, "80"]), b"");
            let theirs = ran(stage.straight(cli, node).args(["port", &name, "80"]), b"");
            let number = theirs
                .out
                .lines()
                .next()
                .unwrap()
                .rsplit(':')
                .next()
                .unwrap();
            let ip = stage.lab.engine(node).ip();
            let want = format!("{ip}:{number}");
            assert_eq!(port.out.lines().next(), Some(want.as_str()), "{theirs:?}");
            let all = |docker: &mut Command| {
                let said = ran(docker.args(["port", &name]), b"").out;
                let lines = said.lines().filter(|l| !l.contains("::"));
                let mut lines: Vec<String> = lines.map(|l| l.replace("0.0.0.0", ip)).collect();
                lines.sort();
                lines
            };
            let ours = all(&mut stage.docker(cli));
            assert_eq!(ours, all(&mut stage.straight(cli, node)));
            assert_eq!(ours.len(), 2, "{ours:?}");
        }
    }
}

#[test]
fn stats_go_on_until_the_client_leaves() {
    let stage = Stage::set("statestream");
    let name = stage.name("c");
    stage.sleeper("node1", &name, &[]);
    let caller = Caller::new(stage.flotilla.addr());
    let samples = caller.open(&format!("/containers/{name}/stats?stream=1"));
    let read = |line: Result<String, std::io::Error>| {
        let sample: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        sample["read"].as_str().unwrap().to_owned()
    };
    let read: Vec<String> = samples.lines().take(3).map(read).collect();
    assert!(read[0] < read[1] && read[1] < read[2], "{read:?}");
    for cli in BOTH {
        let mut stats = stage.docker(cli);
        stats.args(["stats", "--format", "{{.Name}}", &name]);
        let mut stats = stats.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(stats.stdout.take().unwrap()).lines();
        let shown = lines.map_while(Result::ok).filter(|l| l.contains(&name));
        assert_eq!(shown.take(4).count(), 4);
        stats.kill().unwrap();
        stats.wait().unwrap();
    }
}

#[test]
fn wait_gives_the_exit_code() {
    let stage = Stage::set("statewait");
    for cli in BOTH {
        let name = stage.name(&format!("{cli:?}"));
        let run = ["run", "-d", "--name", &name, "busybox"];
        stage.ok(&[
            &run[..],
            &["sh", "-c", "until [ -e /go ]; do usleep 9000; done; exit 9"],
        ]
        .concat());
        let wait = stage
            .docker(cli)
            .args(["wait", &name])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        stage.ok(&["exec", &name, "touch", "/go"]);
        let waited = wait.wait_with_output().unwrap();
        assert_eq!(waited.stdout, b"9\n");
        // Once more, now that it has ended.
        let again = ran(stage.docker(cli).args(["wait", &name]), b"");
        assert_eq!(again, Ran::wrote("9\n"));
    }
}

#[test]
fn wait_for_several_gives_each_code_in_order() {
    let stage = Stage::set("statewaits");
    let names = ["node2", "node0", "node1"].map(|node| {
        let name = stage.name(node);
        let wish = format!("constraint:node=={node}");
        let code = format!("exit {}", 3 + node.len() + usize::from(node == "node0"));
        stage.ok(&[
            "run", "-d", "--name", &name, "-e", &wish, "busybox", "sh", "-c", &code,
        ]);
        name
    });
    for cli in BOTH {
        let mut wait = stage.docker(cli);
        let waited = ran(wait.arg("wait").args(&names), b"");
        assert_eq!(waited, Ran::wrote("8\n9\n8\n"));
        let missing = ran(
            stage
                .docker(cli)
                .args(["wait", &names[0], "nosuchcontainer"]),
            b"",
        );
        assert_eq!((missing.code, missing.out.as_str()), (Some(1), "8\n"));
    }
}

#[test]
fn start_a_shows_the_output_and_ends_with_the_code() {
    let stage = Stage::set("stateattach");
    for node in ["node0", "node1"] {
        let name = stage.name(node);
        let wish = format!("constraint:node=={node}");
        let create = ["create", "--name", &name, "-e", &wish, "busybox"];
        let script = "echo out; echo err >&2; exit 4";
        stage.ok(&[&create[..], &["sh", "-c", script]].concat());
        for cli in BOTH {
            let seen = stage.same(cli, node, &["start", "-a", &name]);
            assert_eq!(
                (seen.code, seen.out.as_str(), seen.err.as_str()),
                (Some(4), "out\n", "err\n"),
                "{node} {cli:?}"
            );
            let none = stage.same(cli, node, &["start", "-a", "nosuchcontainer"]);
            assert_eq!(none.code, Some(1));
        }
    }
}

#[test]
fn rename_conflicts_are_told_as_by_one_engine() {
    let stage = Stage::set("staterename");
    let (one, two, three) = (stage.name("one"), stage.name("two"), stage.name("three"));
    stage.sleeper("node1", &one, &[]);
    let id = stage.sleeper("node1", &two, &[]);
    let far = stage.sleeper("node2", &three, &[]);
    for cli in BOTH {
        let seen = stage.same(cli, "node1", &["rename", &one, &two]);
        assert!(seen.code == Some(1) && seen.err.contains(&id), "{seen:?}");
        let itself = stage.same(cli, "node1", &["rename", &one, &one]);
        assert_eq!(itself.code, Some(1));
        let none = stage.same(cli, "node1", &["rename", "nosuchcontainer", "other"]);
        assert_eq!(none.code, Some(1));
        // A name on another node is taken too, which one engine cannot know.
        let other = ran(stage.docker(cli).args(["rename", &one, &three]), b"");
        let text = seen.err.replace(&two, &three).replace(&id, &far);
        assert_eq!((other.code, other.err), (Some(1), text));
    }
    stage.ok(&["rename", &one, &stage.name("four")]);
    let gone = stage.ran(&["inspect", "--type", "container", &one]);
    assert_eq!(gone.code, Some(1));
    stage.ok(&["inspect", &stage.name("four")]);
}

#[test]
fn a_container_goes_through_its_states() {
    let stage = Stage::set("stateall");
    for node in ["node0", "node2"] {
        let name = stage.name(node);
        stage.sleeper(node, &name, &[]);
        let filter = format!("name=^/{name}$");
        let state = || stage.ok(&["ps", "-a", "--filter", &filter, "--format", "{{.State}}"]);
        for (command, then) in [
            (&["pause"][..], "paused"),
            (&["unpause"], "running"),
            (&["restart", "-t", "0"], "running"),
            (&["stop", "-t", "0"], "exited"),
            (&["stop"], "exited"),
            (&["start"], "running"),
            (&["start"], "running"),
            (&["kill"], "exited"),
        ] {
            let said = stage.ok(&[command, &[&name]].concat());
            // A list shows it at once.
            assert_eq!(
                (said, state().as_str()),
                (name.clone(), then),
                "{command:?}"
            );
        }
        for cli in BOTH {
            for refused in [&["kill"][..], &["unpause"], &["pause"]] {
                let seen = stage.same(cli, node, &[refused, &[&name]].concat());
                assert_eq!(seen.code, Some(1), "{seen:?}");
            }
        }
    }
    for command in [
        "kill", "pause", "unpause", "stop", "start", "restart", "top", "wait", "rm", "diff",
        "port", "export",
    ] {
        let seen = stage.same(Cli::V28, "node1", &[command, "nosuchcontainer"]);
        assert_eq!(seen.code, Some(1), "{command} {seen:?}");
    }
}

#[test]
fn update_changes_what_inspect_shows() {
    let stage = Stage::set("stateupdate");
    for cli in BOTH {
        for node in ["node0", "node1"] {
            let name = stage.name(&format!("{cli:?}-{node}"));
            stage.sleeper(node, &name, &[]);
            let limits = ["--memory", "64m", "--memory-swap", "64m"];
            let more = ["--cpu-shares", "512", "--restart", "on-failure:3"];
            let args = [&["update"][..], &limits, &more, &[&name]].concat();
            assert_eq!(stage.quiet(cli, &args), name);
            let format = "{{with .HostConfig}}{{.Memory}} {{.CpuShares}} {{.RestartPolicy.MaximumRetryCount}}{{end}}";
            let seen = stage.same(cli, node, &["inspect", "-f", format, &name]);
            assert_eq!(seen, Ran::wrote("67108864 512 3\n"));
            let bad = stage.same(cli, node, &["update", "--memory", "1", &name]);
            assert_eq!(bad.code, Some(1));
            let none = stage.same(cli, node, &["update", "--memory", "64m", "nosuch"]);
            assert_eq!(none.code, Some(1));
        }
    }
}

#[test]
fn rm_f_removes_several_on_several_nodes() {
    let stage = Stage::set("staterm");
    let names: Vec<String> = ["node0", "node1", "node2"].map(|n| stage.name(n)).into();
    for (node, name) in ["node0", "node1", "node2"].into_iter().zip(&names) {
        stage.sleeper(node, name, &[]);
    }
    let running = stage.same(Cli::V28, "node1", &["rm", &names[1]]);
    assert!(
        running.code == Some(1) && running.err.contains(&names[1]),
        "{running:?}"
    );
    let mut args = vec!["rm", "-f"];
    args.extend(names.iter().map(String::as_str));
    let said = stage.ok(&args);
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    assert_eq!(said, names);
    let filter = format!("name={}", stage.name(""));
    assert_eq!(stage.ok(&["ps", "-aq", "--filter", &filter]), "");
}

#[test]
fn rm_link_takes_away_the_link_alone() {
    let stage = Stage::set("statelink");
    let (store, web) = (stage.name("store"), stage.name("web"));
    stage.sleeper("node1", &store, &[]);
    stage.sleeper("node1", &web, &["--link", &format!("{store}:db")]);
    let link = format!("{web}/db");
    assert_eq!(stage.ok(&["rm", "--link", &link]), link);
    let again = stage.same(Cli::V28, "node1", &["rm", "--link", &link]);
    assert!(again.err.contains("No such container"), "{again:?}");
    for name in [&store, &web] {
        let running = stage.ok(&["inspect", "-f", "{{.State.Running}}", name]);
        assert_eq!(running, "true");
    }
}
