//! What `BuildKit` asks its client for while it builds: secrets, and the keys of an agent.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::builds::{context, run, start, ways};
use crate::support::lab::{eventually, output};

#[test]
fn a_secret_reaches_a_build_through_the_tunnel() {
    let (lab, flotilla) = start();
    let built = context(
        "FROM busybox\n\
         RUN --mount=type=secret,id=s grep -q hush /run/secrets/s && touch /seen\n",
        "",
    );
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "hush").unwrap();
    for (way, build) in ways(&lab, &flotilla) {
        if way.starts_with("classic") {
            continue;
        }
        let mut build = build();
        build.args(["-t", way, "--secret"]);
        build.arg(format!("id=s,src={}", secret.display()));
        run(build.arg(built.path()));
        let mut docker = flotilla.clients(&lab).docker_20();
        output(docker.args(["run", "--rm", way, "ls", "/seen"])).unwrap();
    }
}

/// A running `ssh-agent`; it ends when this is dropped.
struct Agent {
    child: Child,
    socket: String,
}

impl Agent {
    /// Starts one with a key of this comment.
    fn start(folder: &Path, comment: &str) -> Self {
        let path = |name: &str| folder.join(name).display().to_string();
        let (socket, key) = (path("agent"), path("key"));
        let keygen = ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", &key];
        run(Command::new("ssh-keygen").args(keygen));
        let child = Command::new("ssh-agent")
            .args(["-D", "-a", &socket])
            .spawn();
        let agent = Self {
            child: child.unwrap(),
            socket,
        };
        let add = || output(agent.ssh_add().arg(&key));
        eventually(Duration::from_secs(20), add).unwrap();
        agent
    }

    /// Returns an `ssh-add` that talks to it.
    fn ssh_add(&self) -> Command {
        let mut command = Command::new("ssh-add");
        command.env("SSH_AUTH_SOCK", &self.socket);
        command
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a program of this machine below `root`, with the libraries that it is linked to.
fn bring(program: &str, root: &Path) {
    let linked = output(Command::new("ldd").arg(program)).unwrap();
    let libraries = linked
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for file in libraries.chain([program]) {
        let to = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
}

#[test]
fn a_build_asks_the_clients_ssh_agent_for_its_keys() {
    let (lab, flotilla) = start();
    let script = "FROM busybox\nCOPY root /\nRUN --mount=type=ssh ssh-add -L > /keys\n";
    let built = context(script, "");
    bring("/usr/bin/ssh-add", &built.path().join("root"));
    for (way, build) in ways(&lab, &flotilla) {
        if way.starts_with("classic") {
            continue;
        }
        // A key of its own, so that no cached step answers for the agent.
        let outside = tempfile::tempdir().unwrap();
        let agent = Agent::start(outside.path(), way);
        let mut build = build();
        build.args(["--no-cache", "-t", way, "--ssh"]);
        build.arg(format!("default={}", agent.socket));
        run(build.arg(built.path()));
        let mut docker = flotilla.clients(&lab).docker_20();
        let keys = output(docker.args(["run", "--rm", way, "cat", "/keys"])).unwrap();
        assert!(
            keys.starts_with("ssh-ed25519 ") && keys.ends_with(way),
            "{keys}"
        );
        assert_eq!(keys, output(agent.ssh_add().arg("-L")).unwrap());
    }
}
