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

/// How long the kernel lets sent bytes go unacknowledged before it gives a connection up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// How long a silent connection is left alone before the kernel asks whether the other side is still there.
const QUIET: Duration = Duration::from_secs(20);

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

/// Sends small writes at once, and notices a dead peer under an idle stream.
pub(super) fn tune(tcp: &TcpStream) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    let keepalive = TcpKeepalive::new()
        .with_time(QUIET)
        .with_interval(QUIET / 2)
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
