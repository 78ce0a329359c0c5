//! `flotilla why`: where a container was placed, and why; without one, the last decisions.

use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::Method;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Error;
use super::remote::{Remote, ask};
use super::told;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Flags of `flotilla why`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  flotilla why              # the last decisions\n  flotilla why web          # a container, by name, node/name, ID or prefix\n  flotilla why 3f2a1c       # a decision, by the number that the error of a create names"
)]
pub(super) struct Why {
    /// A container or the number of a decision; none lists the last decisions
    #[arg(value_name = "CONTAINER|DECISION")]
    what: Option<String>,
    #[command(flatten)]
    show: Show,
}

/// Whom to ask, and how to show what it says.
#[derive(Args, Debug)]
pub(super) struct Show {
    #[command(flatten)]
    pub(super) remote: Remote,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// How something is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// As Flotilla's API gives it
    Json,
}

impl Why {
    /// Asks and prints.
    pub(super) async fn run(self) -> Result<(), Error> {
        let client = self.show.remote.client()?;
        let path = match &self.what {
            None => "/flotilla/decisions".to_owned(),
            Some(what) => {
                let what = what.trim_start_matches('/');
                let what = utf8_percent_encode(what, NON_ALPHANUMERIC);
                format!("/flotilla/decisions/{what}")
            }
        };
        let answer = ask(&client, Method::GET, &path, None, DEADLINE).await?;
        self.show.print(&answer)
    }
}

impl Show {
    /// Prints a decision, or a list of them.
    pub(super) fn print(&self, value: &Value) -> Result<(), Error> {
        let text = match (self.format, value) {
            (Format::Json, value) => format!("{value:#}\n"),
            (Format::Text, Value::Array(list)) => told::list(list, Timestamp::now()),
            (Format::Text, decision) => told::decision(decision, Timestamp::now()),
        };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}
