//! `flotilla explain`: where a container would be placed, and why; nothing is created.
//!
//! No flag of the docker CLI is read here: the CLI itself is run before an endpoint that takes its create.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::process::Command;

use super::Error;
use super::rehearsal::Rehearsal;
use super::remote::ask;
use super::why::Show;

/// How long an answer may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);
/// How long the docker CLI may take to ask for its container.
const REHEARSED: Duration = Duration::from_secs(120);
/// The most bytes of a body, as Flotilla takes them.
const LIMIT: u64 = 64 << 20;
/// Where the docker CLI reads that it is to talk to another place, or in another way.
const VARIABLES: [&str; 4] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
];

/// Flags of `flotilla explain`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  flotilla explain -- docker run -d -m 2g -e constraint:zone==eu nginx\n  flotilla explain --json create.json --name web"
)]
pub(super) struct Explain {
    /// The body of a create, as JSON, in place of a command line: a file, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    json: Option<PathBuf>,
    /// The name that the container of --json would have
    #[arg(long, requires = "json", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    show: Show,
    /// Any docker run or docker create line, after --
    #[arg(last = true, value_name = "docker run …")]
    command: Vec<OsString>,
}

impl Explain {
    /// Asks and prints; a refusal is an error, as it would be to the create.
    pub(super) async fn run(self) -> Result<(), Error> {
        let decisions = match (&self.json, self.command.as_slice()) {
            (Some(file), _) => vec![self.of_body(file).await?],
            (None, []) => {
                return Err(Error::Value(
                    "say what to explain: flotilla explain -- docker run …, or --json FILE",
                ));
            }
            (None, [program, args @ ..]) => self.of_command(program, args).await?,
        };
        for decision in &decisions {
            self.show.print(decision)?;
        }
        let refused = decisions.iter().find(|d| d["Outcome"] == "refused");
        match refused.and_then(|d| d["Message"].as_str()) {
            Some(message) => Err(Error::Named(message.to_owned())),
            None => Ok(()),
        }
    }

    /// Explains a create by its body.
    async fn of_body(&self, file: &Path) -> Result<Value, Error> {
        let body = read(file).map_err(|e| Error::Named(format!("{}: {e}", file.display())))?;
        let client = self.show.remote.client()?;
        let name = self.name.as_deref().unwrap_or_default();
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let path = format!("/flotilla/explain?name={name}");
        ask(&client, Method::POST, &path, Some(body), DEADLINE).await
    }

    /// Explains what a docker command line would create.
    async fn of_command(&self, program: &OsStr, args: &[OsString]) -> Result<Vec<Value>, Error> {
        let name = Path::new(program).file_name().unwrap_or_default();
        let creates = |word: &OsString| word == "run" || word == "create";
        // Others may do what no engine is asked for, and so cannot be kept from it.
        if name != "docker" || !args.iter().any(creates) {
            return Err(Error::Value(
                "only lines of the docker CLI are understood: flotilla explain -- docker run …",
            ));
        }
        let rehearsal = Rehearsal::open(self.show.remote.client()?).await?;
        let mut command = Command::new(program);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        // As an argument: the CLI refuses a line that names another host or context beside it.
        command.arg("--host").arg(rehearsal.host()).args(args);
        // What it reads before it asks for a container it may read: `-it` looks whether this is a terminal.
        command.stdin(Stdio::inherit()).stdout(Stdio::null());
        command.stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(|e| missing(program, &e))?;
        let ended = async {
            tokio::select! {
                ended = child.wait_with_output() => ended,
                never = rehearsal.serve() => match never {},
            }
        };
        let ended = tokio::time::timeout(REHEARSED, ended).await;
        let ended = ended.map_err(|_| {
            let name = name.to_string_lossy();
            Error::Named(format!(
                "{name} did not ask for a container in {REHEARSED:?}"
            ))
        })??;
        let decisions = rehearsal.decisions()?;
        if decisions.is_empty() {
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            return Err(Error::Named(match said.as_str() {
                "" => "that line creates no container".to_owned(),
                said => format!("that line creates no container; docker says: {said}"),
            }));
        }
        Ok(decisions)
    }
}

/// Reads a body from a file, or from the standard input.
fn read(file: &Path) -> io::Result<Bytes> {
    let mut body = Vec::new();
    match file == Path::new("-") {
        true => io::stdin().lock().take(LIMIT).read_to_end(&mut body)?,
        false => std::fs::File::open(file)?
            .take(LIMIT)
            .read_to_end(&mut body)?,
    };
    Ok(body.into())
}

/// Says that the docker CLI cannot be run.
fn missing(program: &OsStr, error: &io::Error) -> Error {
    let program = program.to_string_lossy();
    Error::Named(match error.kind() {
        io::ErrorKind::NotFound => format!(
            "{program} is not installed here, and it is what reads the line: give the body of the create in its place (flotilla explain --json FILE)"
        ),
        _ => format!("cannot run {program}: {error}"),
    })
}
