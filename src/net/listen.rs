//! Sockets that clients connect to.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::addr::Addr;
use super::io::Io;
use super::tls::{self, ServerTls};
use super::{Error, dial};

/// How long a client may take for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long accepting rests when the process has no file descriptors left.
const REST: Duration = Duration::from_millis(100);
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    tls: Option<ServerTls>,
    addr: Addr,
}

/// The kinds of sockets.
#[derive(Debug)]
enum Socket {
    /// Plain TCP, whether or not TLS goes over it.
    Tcp(TcpListener),
    /// A local socket. Its file goes first: once nobody answered, the next program could have put its own there.
    Unix { _file: Remove, socket: UnixListener },
}

/// Removes a socket's file at the end.
#[derive(Debug)]
struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        // Somebody may have removed it before.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A connection that has arrived; its TLS handshake is still to come.
#[derive(Debug)]
pub struct Accepted {
    stream: Stream,
    tls: Option<ServerTls>,
    peer: String,
}

/// The kinds of connections before their TLS handshake.
#[derive(Debug)]
enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a local socket.
    Unix(UnixStream),
}

/// A connection ready for requests.
#[derive(Debug)]
pub struct Connected {
    io: Io,
    peer: String,
    subject: Option<String>,
}

impl Listener {
    /// Listens at `addr`; TLS applies to TCP only, a local socket is guarded by its permissions.
    ///
    /// # Errors
    /// The address is taken, not ours, or not to be had.
    pub async fn bind(addr: &Addr, tls: Option<ServerTls>) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::Bind {
            addr: addr.to_string(),
            hint: hint(addr, source.kind()),
            source,
        };
        let (socket, addr, tls) = match addr {
            Addr::Unix(path) => (bind_unix(path).await.map_err(failed)?, addr.clone(), None),
            Addr::Tcp { host, port } => {
                let socket = bind_tcp(host, *port).await.map_err(failed)?;
                let local = socket.local_addr().map_err(failed)?;
                let addr = Addr::Tcp {
                    host: local.ip().to_string(),
                    port: local.port(),
                };
                (Socket::Tcp(socket), addr, tls)
            }
        };
        Ok(Self { socket, tls, addr })
    }

    /// Returns where it listens; a port 0 has become a real one.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// Waits for the next connection. Running out of file descriptors pauses it and never ends it.
    ///
    /// # Cancel safety
    /// Dropping the future loses no connection.
    pub async fn accept(&self) -> Accepted {
        loop {
            match self.next().await {
                Ok((stream, peer)) => {
                    return Accepted {
                        stream,
                        tls: self.tls.clone(),
                        peer,
                    };
                }
                // The one client has gone before its turn; the next may be waiting.
                Err(error) if is_gone(&error) => {
                    tracing::debug!(addr = %self.addr, %error, "client gone before it was accepted");
                }
                Err(error) => {
                    tracing::warn!(addr = %self.addr, %error, "cannot accept a connection");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Takes the next connection and names its other side.
    async fn next(&self) -> io::Result<(Stream, String)> {
        match &self.socket {
            Socket::Tcp(socket) => {
                let (tcp, peer) = socket.accept().await?;
                // On a socket of both families, IPv4 comes dressed as IPv6.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                if let Err(error) = dial::tune(&tcp) {
                    tracing::debug!(%peer, %error, "connection not tuned");
                }
                Ok((Stream::Tcp(tcp), peer.to_string()))
            }
            Socket::Unix { socket, .. } => {
                let (unix, _) = socket.accept().await?;
                Ok((Stream::Unix(unix), self.addr.to_string()))
            }
        }
    }
}

/// Tells whether an error is that of one connection and not of accepting.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::ConnectionAborted | E::ConnectionReset | E::ConnectionRefused
    )
}

impl Accepted {
    /// Returns who has connected.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Does the TLS handshake, when there is one to do.
    ///
    /// # Errors
    /// The client is too slow, speaks no TLS, or shows no certificate that is accepted.
    pub async fn handshake(self) -> Result<Connected, Error> {
        let (peer, mut subject) = (self.peer, None);
        let io = match (self.stream, self.tls) {
            (Stream::Unix(unix), _) => Io::Unix(unix),
            (Stream::Tcp(tcp), None) => Io::Tcp(tcp),
            (Stream::Tcp(tcp), Some(tls)) => {
                let acceptor = TlsAcceptor::from(tls.config());
                let stream = tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp))
                    .await
                    .map_err(|_| Error::Slow(HANDSHAKE))?
                    .map_err(Error::Handshake)?;
                subject = tls::subject(stream.get_ref().1.peer_certificates());
                Io::FromTls(Box::new(stream))
            }
        };
        Ok(Connected { io, peer, subject })
    }
}

impl Connected {
    /// Returns who has connected.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Returns the subject of the client's certificate.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Returns the connection.
    pub fn into_io(self) -> Io {
        self.io
    }
}

/// Returns what may help when an address cannot be listened on; classic's words.
fn hint(addr: &Addr, kind: io::ErrorKind) -> &'static str {
    match (addr, kind) {
        (Addr::Tcp { port: 2375, .. }, io::ErrorKind::AddrInUse) => {
            ": is Docker already running on this machine? Try using a different port"
        }
        _ => "",
    }
}

/// Listens on TCP; no host means all interfaces, of IPv6 too where the machine has it.
async fn bind_tcp(host: &str, port: u16) -> io::Result<TcpListener> {
    if !host.is_empty() {
        return TcpListener::bind((host, port)).await;
    }
    match bind_both(port) {
        // Without IPv6 the errors are many; with it, these two are final.
        Err(e) if !is_final(&e) => TcpListener::bind(("0.0.0.0", port)).await,
        bound => bound,
    }
}

/// Tells whether no other address would do better.
fn is_final(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(error.kind(), E::AddrInUse | E::PermissionDenied)
}

/// Listens on all interfaces of both families with one socket.
fn bind_both(port: u16) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Listens on a path; the file of a socket that nobody answers on is removed first.
async fn bind_unix(path: &Path) -> io::Result<Socket> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            let what = "the file is not a socket, and is left alone";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        // Only a refusal proves it dead: one that may not be asked, or has no room left, is somebody's.
        match UnixStream::connect(path).await {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            Ok(_) | Err(_) => {
                let what = "the socket belongs to a program that runs";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
            }
        }
    }
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = Remove(path.to_owned());
    // Nobody can connect before it listens, so nobody comes in with the wider mode it was made with.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(Socket::Unix {
        _file: file,
        socket: UnixListener::from_std(socket.into())?,
    })
}

#[cfg(test)]
#[path = "listen_tests.rs"]
mod tests;
