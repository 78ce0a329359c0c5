//! What can go wrong with a lab.

use std::fmt::{self, Debug, Display, Formatter};
use std::io;
use std::path::PathBuf;

/// A failure of the lab, told in one sentence, by `unwrap` too.
#[derive(thiserror::Error)]
pub(crate) enum Error {
    /// The machine lacks something that the lab needs.
    #[error("the lab of real engines needs {0}")]
    Missing(String),
    /// A command did not succeed.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command line.
        command: String,
        /// What it wrote to its standard error, or its exit status.
        said: String,
    },
    /// A file or process could not be used.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// What was used.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// An engine or the registry ended or did not get ready in time.
    #[error("{name} is not ready: {why}; its log ends: {log}")]
    NotReady {
        /// The engine's name, or `registry`.
        name: String,
        /// What was seen last.
        why: String,
        /// The last lines of its log.
        log: String,
    },
    /// An engine did not answer a call as it should.
    #[error("{name} answered {call} wrongly: {said}")]
    Answer {
        /// The engine's name.
        name: String,
        /// Method and path of the call.
        call: String,
        /// What was seen instead.
        said: String,
    },
}

impl Error {
    /// Returns a function that says which file or process an I/O failure was about.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

impl Debug for Error {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, out)
    }
}
