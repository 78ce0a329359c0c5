//! Connections to engines, made within a deadline.

use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::Error;
use super::addr::Addr;
use super::io::Io;
use super::tls::ClientTls;

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
    /// Refused, unreachable, too slow, or its certificate is not what it must be.
    pub async fn connect(&self, addr: &Addr) -> Result<Io, Error> {
        tokio::time::timeout(self.deadline, self.dial(addr))
            .await
            .map_err(|_| Error::Slow(self.deadline))?
    }

    async fn dial(&self, addr: &Addr) -> Result<Io, Error> {
        let (host, port) = match addr {
            Addr::Unix(path) => return Ok(Io::Unix(UnixStream::connect(path).await?)),
            Addr::Tcp { host, port } => (host, *port),
        };
        let tcp = TcpStream::connect((host.as_str(), port)).await?;
        tune(&tcp)?;
        let Some(tls) = &self.tls else {
            return Ok(Io::Tcp(tcp));
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| Error::Address {
            text: host.clone(),
            why: "not a name that a certificate can hold",
        })?;
        let connector = TlsConnector::from(tls.config());
        let stream = connector.connect(name, tcp).await?;
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
