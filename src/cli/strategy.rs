//! `flotilla strategy`: by which strategy nodes are chosen, and by which from now on.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::json;

use super::Error;
use super::remote::{Remote, ask};

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Flags of `flotilla strategy`.
#[derive(Args, Debug)]
#[command(
    after_help = "The change holds until Flotilla ends; flotilla manage --strategy says with what it begins.\n\nExamples:\n  flotilla strategy                      # which it is\n  flotilla strategy binpack              # from now on\n  flotilla strategy 'spread*2+locality'  # a mix: twice as much weight on room as on the image"
)]
pub(super) struct Strategy {
    /// The new one, named as for flotilla manage --strategy; none prints which it is
    #[arg(value_name = "STRATEGY")]
    strategy: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Strategy {
    /// Asks or tells, and prints which it is then.
    pub(super) async fn run(self) -> Result<(), Error> {
        let client = self.remote.client()?;
        let (method, body) = match &self.strategy {
            None => (Method::GET, None),
            Some(name) => (
                Method::POST,
                Some(json!({"Strategy": name}).to_string().into()),
            ),
        };
        let answer = ask(&client, method, "/flotilla/strategy", body, DEADLINE).await?;
        let strategy = answer["Strategy"].as_str().unwrap_or_default();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{strategy}")?;
        Ok(out.flush()?)
    }
}
