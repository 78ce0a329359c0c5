//! Connections to engines, made within a deadline.

use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::addr::Addr;
use super::io::Io;
use super::tls::ClientTls;
use super::{Error, Failure};

/// How long a silent connection is left alone before the kernel asks whether the other side is still there.
const QUIET: Duration = Duration::from_secs(20);
/// How often it asks, and how many times in vain before it gives the connection up.
const ASKED: (Duration, u32) = (Duration::from_secs(10), 3);

/// How engines are dialled.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// What is presented to and asked of engines on TCP; `None` means plain TCP.
    pub tls: Option<ClientTls>,
    /// How long a connection, TLS handshake included, may take.
    pub deadline: Duration,
}

impl Dialer {
    /// Connects to an engine.
    ///
    /// # Errors
    /// [`Error::Dial`]: refused, unreachable, too slow, or its certificate is not what it must be.
    ///
    /// # Cancel safety
    /// Dropping the future closes what was opened.
    pub async fn connect(&self, addr: &Addr) -> Result<Io, Error> {
        let dialled = tokio::time::timeout(self.deadline, self.dial(addr)).await;
        dialled
            .unwrap_or(Err(Failure::Slow(self.deadline)))
            .map_err(|source| Error::Dial {
                addr: addr.clone(),
                source,
            })
    }

    /// Connects without a deadline.
    async fn dial(&self, addr: &Addr) -> Result<Io, Failure> {
        let (host, port) = match addr {
            Addr::Unix(path) => {
                let unix = UnixStream::connect(path).await.map_err(Failure::of)?;
                return Ok(Io::Unix(unix));
            }
            Addr::Tcp { host, port } => (host, *port),
        };
        let tcp = TcpStream::connect((host.as_str(), port))
            .await
            .map_err(Failure::of)?;
        tune(&tcp).map_err(Failure::of)?;
        let Some(tls) = &self.tls else {
            return Ok(Io::Tcp(tcp));
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| Failure::Name)?;
        let connector = TlsConnector::from(tls.config());
        let stream = connector.connect(name, tcp).await.map_err(Failure::of)?;
        Ok(Io::ToTls(Box::new(stream)))
    }
}

/// Sends small writes at once, and notices a dead peer under an idle stream within a minute.
///
/// There is no `TCP_USER_TIMEOUT`: it also ends the stream of a peer that lives and does not read for a while. Bytes on
/// their way to a dead peer are given up by TCP's own count of retries; what waits for an engine's answer ends with the
/// engine's health, long before.
pub(super) fn tune(tcp: &TcpStream) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let (interval, retries) = ASKED;
    let keepalive = TcpKeepalive::new()
        .with_time(QUIET)
        .with_interval(interval)
        .with_retries(retries);
    SockRef::from(tcp).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
