//! The command line: what can be asked for, checked, and carried out.
//!
//! Invariant: whoever asks for something that is not there is told so; nothing is silently left out.

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;

mod args;
mod certs;
mod error;
mod explain;
mod manage;
mod overlay;
mod placement;
mod rehearsal;
mod remote;
mod settings;
mod simulate;
mod strategy;
#[cfg(test)]
mod tests;
mod told;
mod why;

pub use args::Cli;
pub use error::{DurationError, Error};

use crate::discovery;
use crate::model::duration;
use crate::telemetry::{self, Format, Level};
use args::{Command, Create, Join, List};

/// Flags that are on or off; Go's form `--tls=true` is understood for them.
const SWITCHES: [&str; 10] = [
    "--debug",
    "--experimental",
    "--tls",
    "--tlsverify",
    "--cors",
    "--api-enable-cors",
    "--replication",
    "--replicate-networks",
    "--refresh-on-node-filter",
    "--allow-unauthenticated-tcp",
];

/// Reads the process's arguments; help, version and wrong usage end the process here.
pub fn parse() -> Cli {
    Cli::parse_from(switches(std::env::args_os()))
}

impl Cli {
    /// Starts logging as asked for.
    ///
    /// # Errors
    /// The level, the format or `RUST_LOG` makes no sense.
    pub fn start_logs(&self) -> Result<(), Error> {
        let level = match (&self.global.log_level, self.global.debug) {
            (Some(level), _) => level.parse()?,
            (None, true) => Level::Debug,
            (None, false) => Level::Info,
        };
        let format: Format = self.global.log_format.parse()?;
        Ok(telemetry::start(level, format)?)
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// What the user is shown, on one line.
    pub async fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Manage(manage) => {
                let config = settings::config(&self.global, &manage)?;
                Ok(Box::pin(crate::run(config)).await?)
            }
            Command::List(list) => list.run().await,
            Command::Join(join) => Err(join.refuse()),
            Command::Certs(certs) => certs.run(),
            Command::Overlay(overlay) => Box::pin(overlay.run()).await,
            Command::Why(why) => why.run().await,
            Command::Explain(explain) => Box::pin(explain.run()).await,
            Command::Strategy(strategy) => strategy.run().await,
            Command::Simulate(simulate) => simulate.run(),
            Command::Differences => {
                // Nobody is left to tell when stdout is closed.
                let _ = write!(std::io::stdout(), "{}", crate::api::differences());
                Ok(())
            }
            Command::Create(create) => Err(create.refuse()),
        }
    }
}

/// Shows why a command failed.
pub fn show(error: &Error) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(std::io::stderr(), "flotilla: {error}");
}

impl List {
    /// Prints the first set that discovery reports.
    async fn run(self) -> Result<(), Error> {
        let url = self.discovery.url("list", "list")?;
        let timeout = settings::positive("--timeout", &self.timeout)?;
        let options = discovery::Options {
            heartbeat: timeout,
            options: self.discovery.options()?,
        };
        let members = discovery::first(&url, &options, timeout).await?;
        let mut out = std::io::stdout().lock();
        for member in members {
            writeln!(out, "{member}")?;
        }
        Ok(out.flush()?)
    }
}

impl Join {
    /// Says why nothing is registered; classic's checks come first.
    fn refuse(&self) -> Error {
        self.check()
            .err()
            .unwrap_or(Error::Value("not implemented in this discovery service"))
    }

    /// Makes the checks that need no store.
    fn check(&self) -> Result<(), Error> {
        let url = self.discovery.url("join", "join")?;
        let options = self.discovery.options()?;
        match self.advertise.as_deref() {
            None | Some("") => return Err(Error::Value("missing mandatory --advertise flag")),
            Some(advertise) => settings::advertisable(advertise)?,
        }
        let heartbeat = settings::heartbeat(&self.heartbeat)?;
        let ttl = settings::duration("--ttl", &self.ttl)?.not_negative();
        if ttl.is_none_or(|ttl| ttl <= heartbeat) {
            return Err(Error::Value(
                "--ttl must be strictly superior to the heartbeat value",
            ));
        }
        let delay = settings::duration("--delay", &self.delay)?.not_negative();
        delay.ok_or(Error::Value("--delay should not be a negative number"))?;
        discovery::open(&url, &discovery::Options { heartbeat, options })?;
        Ok(())
    }
}

impl Create {
    /// Says why there is no token.
    fn refuse(&self) -> Error {
        Error::Value(match self.rest.is_empty() {
            true => {
                "the hosted token service is gone since 2019, so no token can be made: list the engines (nodes://host:port,…) or keep them in a file (file:///path)"
            }
            false => "the `create` command takes no arguments",
        })
    }
}

/// Turns `--tls=true` into `--tls` and leaves `--tls=false` out, as Go's programs are called.
fn switches(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut options = true;
    let kept = args.filter_map(|arg| {
        options &= arg != "--";
        let Some((name, value)) = arg.to_str().and_then(|text| text.split_once('=')) else {
            return Some(arg);
        };
        match value {
            _ if !options || !SWITCHES.contains(&name) => Some(arg),
            "true" | "TRUE" | "True" | "t" | "T" | "1" => Some(name.into()),
            "false" | "FALSE" | "False" | "f" | "F" | "0" => None,
            _ => Some(arg),
        }
    });
    kept.collect()
}
