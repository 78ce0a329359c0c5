//! What can go wrong with one engine.

use std::time::Duration;

use http::StatusCode;

/// A failure of one call to one engine.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be made, so the engine never saw the request: a retry elsewhere is safe.
    #[error("{node}: cannot connect: {reason}")]
    Connect {
        /// The engine's address.
        node: String,
        /// What the network said.
        reason: String,
    },
    /// The engine took the request and did not answer in time: the outcome is unknown.
    #[error("{node} did not answer within {}", humantime::format_duration(*after))]
    Timeout {
        /// The engine's address.
        node: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke before the answer was complete: the outcome is unknown.
    #[error("{node}: connection lost before the answer: {reason}")]
    Broken {
        /// The engine's address.
        node: String,
        /// What the network said.
        reason: String,
    },
    /// The engine took the request and then stopped answering anything: the outcome is unknown.
    #[error("{node} took the request and has not answered it; {reason}{outcome}")]
    Lost {
        /// The engine's address.
        node: String,
        /// Why it counts as unhealthy.
        reason: String,
        /// `; whether it was carried out is unknown`, or empty when it changes nothing.
        outcome: &'static str,
    },
    /// The engine answers, and a pull of it stands still.
    #[error("{node} has said nothing of its pulls for {}", humantime::format_duration(*after))]
    Stalled {
        /// The engine's address.
        node: String,
        /// How long was waited.
        after: Duration,
    },
    /// The engine answered with an error status.
    #[error("{node}: {message}")]
    Status {
        /// The engine's address.
        node: String,
        /// Its status.
        status: StatusCode,
        /// Its message.
        message: String,
    },
    /// The engine told of a failure at the end of its progress.
    #[error("{node}: {message}")]
    Told {
        /// The engine's address.
        node: String,
        /// Its message.
        message: String,
    },
    /// The engine answered with something that is not what its API promises.
    #[error("{node}: unexpected answer: {what}")]
    Answer {
        /// The engine's address.
        node: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    /// Tells whether the engine can not have seen the request.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }

    /// Returns the engine's own words where there are any.
    pub fn words(&self) -> String {
        match self {
            Self::Status { message, .. } | Self::Told { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    /// Returns the status when the engine itself refused.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Returns the innermost cause of an error: the sentence a user can act on.
pub(crate) fn root(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
