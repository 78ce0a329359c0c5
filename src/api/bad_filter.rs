//! What is wrong with a filter, in the words of the newest engine.

use super::query::{BadQuery, go_quote};

/// Why filters are refused, in the words of the newest engine; shown to the client as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// The parameter is not the JSON of either form.
    #[error("invalid filter")]
    Unparsable,
    /// This list has no filter of that name.
    #[error("invalid filter '{0}'")]
    Unknown(String),
    /// The values of a boolean filter contradict each other or are no booleans.
    #[error("invalid filter '{key}=[{}]'", values.join(" "))]
    Values {
        /// The filter.
        key: &'static str,
        /// What was given.
        values: Vec<String>,
    },
    /// No container is ever in that state.
    #[error(
        "invalid filter 'status={0}': invalid value for state ({0}): must be one of created, running, paused, \
         restarting, removing, exited, dead"
    )]
    Status(String),
    /// There is no such health.
    #[error(
        "invalid filter 'health={0}': invalid value for health ({0}): must be one of none, starting, healthy, unhealthy"
    )]
    Health(String),
    /// An exit code is no number.
    #[error("invalid filter 'exited={value}': {source}")]
    Exited {
        /// What was given.
        value: String,
        /// What is wrong with it.
        source: BadQuery,
    },
    /// A port is given with an address or a second port. Engines answer 500.
    #[error("filter for '{key}' should not contain ':': {value}")]
    PortColon {
        /// `publish` or `expose`.
        key: &'static str,
        /// What was given.
        value: String,
    },
    /// A port or a range of ports cannot be read. Engines answer 500.
    #[error("error while looking up for {key} {value}: {reason}")]
    Port {
        /// `publish` or `expose`.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A shell pattern is broken. Engines answer 500.
    #[error("syntax error in pattern")]
    Pattern,
    /// A time cannot be read. Engines answer 500.
    #[error("failed to parse value as time or duration: {}", go_quote(.0))]
    Time(String),
    /// The networks' `dangling` is no boolean.
    #[error(
        "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")"
    )]
    NetworkDangling,
    /// The networks' `dangling` is given twice.
    #[error("got more than one value for filter key \"dangling\"")]
    NetworkDanglingTwice,
    /// A type of network that does not exist. Engines answer 500.
    #[error("invalid filter: 'type'='{0}'")]
    NetworkType(String),
}
