//! What can go wrong between two sockets.

use std::path::PathBuf;
use std::time::Duration;

use super::Failure;
use super::addr::Addr;

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
    /// An engine could not be connected to.
    #[error("cannot connect to {addr}: {source}")]
    Dial {
        /// The engine's address.
        addr: Addr,
        /// Why.
        source: Failure,
    },
    /// A client's TLS handshake failed.
    #[error("TLS handshake: {0}")]
    Handshake(std::io::Error),
    /// A client's TLS handshake took too long.
    #[error("no TLS handshake within {}", humantime::format_duration(*.0))]
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
