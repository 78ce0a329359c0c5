//! The docker CLI, 28 and 20.10, before Flotilla: what a user sees is what one engine shows.
//!
//! Each test has its own Flotilla on the shared lab, and a word of its own that the names of its objects begin with.

mod copy;
mod detach;
mod exec;
mod explain;
mod image;
mod inspect;
mod limits;
mod list;
mod live;
mod logs;
mod network;
mod place;
mod run;
mod state;
mod terminal;
mod volume;
mod why;

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use crate::support::clients::Clients;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Lab, output};

/// The releases of the docker CLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cli {
    /// 28.
    V28,
    /// 20.10.
    V20,
}

/// Both releases.
const BOTH: [Cli; 2] = [Cli::V28, Cli::V20];

/// What a command wrote, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// One test's Flotilla before the shared lab; dropping it removes what has the test's word in its name.
#[derive(Debug)]
struct Stage {
    lab: &'static Lab,
    flotilla: Flotilla,
    word: &'static str,
}

impl Stage {
    /// Starts a Flotilla; `word` is unique to the test.
    fn set(word: &'static str) -> Self {
        Self::set_with(word, &[])
    }

    /// Starts a Flotilla with more flags.
    fn set_with(word: &'static str, args: &[&str]) -> Self {
        let lab = Lab::shared().unwrap();
        let flotilla = Flotilla::with(lab, args);
        Self {
            lab,
            flotilla,
            word,
        }
    }

    /// Returns a name that no other test uses.
    fn name(&self, rest: &str) -> String {
        format!("{}-{rest}", self.word)
    }

    /// Returns a CLI aimed at Flotilla.
    fn docker(&self, cli: Cli) -> Command {
        of(&self.flotilla.clients(self.lab), cli)
    }

    /// Returns a CLI aimed at one engine, at the API version that the oldest engine of the lab speaks.
    fn straight(&self, cli: Cli, node: &str) -> Command {
        let host = format!("tcp://{}", self.lab.engine(node).address());
        let mut docker = of(&Clients::new(host, self.lab), cli);
        docker.env("DOCKER_API_VERSION", "1.41");
        docker
    }

    /// Runs CLI 28 through Flotilla and returns its output.
    ///
    /// # Panics
    /// When it does not end with 0.
    fn ok(&self, args: &[&str]) -> String {
        output(self.docker(Cli::V28).args(args)).unwrap()
    }

    /// Runs a CLI through Flotilla and returns its output without the last line's end.
    ///
    /// # Panics
    /// When it does not end with 0, or writes to its standard error.
    fn quiet(&self, cli: Cli, args: &[&str]) -> String {
        let seen = ran(self.docker(cli).args(args), b"");
        assert_eq!((seen.code, seen.err.as_str()), (Some(0), ""), "{args:?}");
        seen.out.trim_end().to_owned()
    }

    /// Runs CLI 28 through Flotilla to its end, whichever that is.
    fn ran(&self, args: &[&str]) -> Ran {
        ran(self.docker(Cli::V28).args(args), b"")
    }

    /// Runs one of Flotilla's own commands against the running one.
    fn own(&self, args: &[&str]) -> Ran {
        let mut flotilla = Command::new(env!("CARGO_BIN_EXE_flotilla"));
        for variable in ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "RUST_LOG"] {
            flotilla.env_remove(variable);
        }
        flotilla
            .env("DOCKER_HOST", self.flotilla.docker_host())
            .env("DOCKER_CONFIG", self.lab.docker_config());
        ran(flotilla.args(args), b"")
    }

    /// Starts a container that sleeps on a node and returns its ID.
    fn sleeper(&self, node: &str, name: &str, more: &[&str]) -> String {
        let constraint = format!("constraint:node=={node}");
        let mut args = vec!["run", "-d", "--name", name, "--stop-signal", "KILL"];
        args.extend(["-e", &constraint]);
        args.extend(more);
        args.extend(["busybox", "sleep", "600"]);
        self.ok(&args)
    }

    /// Runs a command that changes nothing through Flotilla and straight on the engine, asserts that both said the
    /// same, and returns it.
    fn same(&self, cli: Cli, node: &str, args: &[&str]) -> Ran {
        self.same_fed(cli, node, args, b"")
    }

    /// Does the same with bytes for the standard input.
    fn same_fed(&self, cli: Cli, node: &str, args: &[&str], input: &[u8]) -> Ran {
        let ours = ran(self.docker(cli).args(args), input);
        let theirs = ran(self.straight(cli, node).args(args), input);
        assert_eq!(ours, theirs, "{cli:?} {args:?}: Flotilla, then {node}");
        ours
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for engine in self.lab.engines() {
            let filter = format!("name={}-", self.word);
            for (kind, remove) in [
                ("container", &["rm", "-fv"][..]),
                ("network", &["network", "rm"]),
                ("volume", &["volume", "rm"]),
            ] {
                let all = if kind == "container" { "-aq" } else { "-q" };
                let list = output(engine.docker().args([kind, "ls", all, "--filter", &filter]));
                let list = list.unwrap_or_default();
                if !list.is_empty() {
                    // A failure of the test itself is what is to be seen.
                    let _ = output(engine.docker().args(remove).args(list.lines()));
                }
            }
        }
    }
}

impl Ran {
    /// Returns what a command that succeeded and wrote only this to its standard output looks like.
    fn wrote(out: &str) -> Self {
        Self {
            code: Some(0),
            out: out.to_owned(),
            err: String::new(),
        }
    }
}

/// Returns the client of that release.
fn of(clients: &Clients<'_>, cli: Cli) -> Command {
    match cli {
        Cli::V28 => clients.docker(),
        Cli::V20 => clients.docker_20(),
    }
}

/// Runs a command to its end with these bytes on its standard input, which then ends.
fn ran(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let ended = thread::scope(|scope| {
        scope.spawn(move || {
            // The command need not read it all.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    });
    Ran {
        code: ended.status.code(),
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        err: without_race(&String::from_utf8_lossy(&ended.stderr)),
    }
}

/// Drops the line by which CLI 20.10 now and then tells, on an engine too, that it stopped waiting for a container that
/// could not be started.
fn without_race(said: &str) -> String {
    let lines = said.split_inclusive('\n');
    lines
        .filter(|l| !l.contains("error waiting for container: context canceled"))
        .collect()
}
