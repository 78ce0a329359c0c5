//! Why an engine could not be connected to, in sentences that a user can act on.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rustls::{CertificateError, Error as Tls};

/// Why there is no connection. It is the innermost cause and says all there is to say but the address.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The machine answered, and nothing listens at the port or socket.
    #[error("connection refused")]
    Refused,
    /// There is no file where a socket should be.
    #[error("no such socket")]
    NoSocket,
    /// Connection and TLS handshake took too long.
    #[error("timed out after {}", humantime::format_duration(*.0))]
    Slow(Duration),
    /// The kernel gave up earlier than we.
    #[error("timed out")]
    Unanswered,
    /// The other side shows a certificate that is not accepted.
    #[error("certificate problem: {0}")]
    Certificate(String),
    /// The other side understands no TLS.
    #[error("no TLS is spoken there: is it the engine's plain port?")]
    Plain,
    /// The other side ended the TLS handshake, as it does when it refuses our certificate.
    #[error("TLS refused by the other side: {0}")]
    Tls(String),
    /// The host is no name that a certificate can hold.
    #[error("not a name that a certificate can hold")]
    Name,
    /// Anything else the system says, such as a name that has no address.
    #[error("{0}")]
    Io(io::Error),
}

impl Failure {
    /// Reads what making a connection or a handshake returned.
    pub(super) fn of(error: io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<Tls>()) {
            return Self::of_tls(tls);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::NotFound => Self::NoSocket,
            io::ErrorKind::TimedOut => Self::Unanswered,
            io::ErrorKind::UnexpectedEof => Self::Tls("connection closed".to_owned()),
            _ => Self::Io(error),
        }
    }

    /// Reads what a TLS handshake returned.
    fn of_tls(error: &Tls) -> Self {
        match error {
            Tls::InvalidCertificate(why) => Self::Certificate(certificate(why)),
            Tls::InvalidMessage(_) => Self::Plain,
            other => Self::Tls(other.to_string()),
        }
    }
}

/// Says what is wrong with a certificate.
fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            match presented.is_empty() {
                true => format!(
                    "it holds no name (subjectAltName), so it is not valid for {expected}: make it again with that name"
                ),
                false => format!(
                    "it is not valid for {expected}, only for {}",
                    names(presented)
                ),
            }
        }
        E::UnknownIssuer => {
            "it was signed by an authority that --tlscacert does not hold".to_owned()
        }
        E::ExpiredContext { not_after, .. } => format!("it expired at {}", moment(*not_after)),
        E::NotValidYetContext { not_before, .. } => format!(
            "it is not valid before {}: is a clock wrong?",
            moment(*not_before)
        ),
        E::InvalidPurposeContext { .. } | E::InvalidPurpose => {
            "its extended key usage does not allow it to be a server's".to_owned()
        }
        other if format!("{other:?}").contains("UnsupportedCertVersion") => {
            "it is an X.509 v1 certificate, which TLS refuses: make it again with extensions"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Lists the names of a certificate as they are typed: rustls gives `DnsName("a")` and `IpAddress(10.0.0.1)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, i)| i.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

/// Shows a time of certificates.
fn moment(time: rustls::pki_types::UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let moment = seconds.and_then(|s| Timestamp::from_second(s).ok());
    moment.map_or_else(
        || "a time out of range".to_owned(),
        |moment| moment.to_string(),
    )
}
