//! What a command line can get wrong; the texts are classic's where classic has one.

use super::duration;
use crate::{discovery, net, telemetry};

/// Why a command cannot be carried out; shown on stderr, exit code 1.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value is not allowed, said in one fixed sentence.
    #[error("{0}")]
    Value(&'static str),
    /// A value is not allowed, said in a sentence that names it.
    #[error("{0}")]
    Named(String),
    /// A strategy is not known.
    #[error(transparent)]
    Strategy(#[from] crate::scheduler::strategy::Unknown),
    /// A flag takes a duration and got something else.
    #[error("invalid {flag}: {source}")]
    Duration {
        /// The flag.
        flag: &'static str,
        /// What is wrong.
        source: DurationError,
    },
    /// No discovery was given.
    #[error("discovery required to {purpose} a cluster. See 'flotilla {command} --help'.")]
    NoDiscovery {
        /// What the cluster was wanted for.
        purpose: &'static str,
        /// The command.
        command: &'static str,
    },
    /// A part of classic that is not there so far.
    #[error("{0} is not built yet")]
    NotBuilt(&'static str),
    /// A listener that anybody can reach has no protection.
    #[error(
        "refusing to listen on {0} without client certificates, as whoever reaches it controls every engine: add --tlsverify with --tlscacert, --tlscert and --tlskey, or accept the risk with --allow-unauthenticated-tcp"
    )]
    Unauthenticated(String),
    /// Members cannot be found.
    #[error(transparent)]
    Discovery(#[from] discovery::Error),
    /// An address or a certificate is wrong.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// Certificates cannot be made.
    #[error(transparent)]
    Certs(#[from] net::certs::Error),
    /// Logging cannot start.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// Output cannot be written.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
    /// The proxy ended.
    #[error(transparent)]
    Run(#[from] crate::RunError),
}

/// Why a text is no duration, as one sentence.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DurationError(#[from] duration::Error);
