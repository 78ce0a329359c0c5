//! What can go wrong between two sockets.

use std::path::PathBuf;
use std::time::Duration;

/// A failure of addresses, sockets or certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text is no address.
    #[error("{text}: {why}")]
    Address {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An address has a scheme that is not served.
    #[error("unsupported protocol: \"{0}\"")]
    Protocol(String),
    /// A connection could not be made.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A connection or handshake took too long.
    #[error("no connection within {}", humantime::format_duration(*.0))]
    Slow(Duration),
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}: {source}{hint}")]
    Bind {
        /// The address.
        addr: String,
        /// Why.
        source: std::io::Error,
        /// What to do, or empty.
        hint: &'static str,
    },
    /// A file of certificates or keys is not what it should be.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Certificates and keys do not fit together.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}
