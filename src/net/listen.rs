//! Sockets that clients connect to.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    tls: Option<ServerTls>,
    addr: Addr,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix { socket: UnixListener, _file: Remove },
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

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
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
            hint: match addr {
                Addr::Tcp { port: 2375, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                    ": is Docker already running on this machine? Try using a different port"
                }
                _ => "",
            },
            source,
        };
        let (socket, addr, tls) = match addr {
            Addr::Unix(path) => (bind_unix(path).await.map_err(failed)?, addr.clone(), None),
            Addr::Tcp { host, port } => {
                let host = if host.is_empty() { "0.0.0.0" } else { host };
                let socket = TcpListener::bind((host, *port)).await.map_err(failed)?;
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
    pub async fn accept(&self) -> Accepted {
        loop {
            let accepted = match &self.socket {
                Socket::Tcp(socket) => match socket.accept().await {
                    Ok((tcp, peer)) => {
                        dial::tune(&tcp).map(|()| (Stream::Tcp(tcp), peer.to_string()))
                    }
                    Err(e) => Err(e),
                },
                Socket::Unix { socket, .. } => socket
                    .accept()
                    .await
                    .map(|(unix, _)| (Stream::Unix(unix), self.addr.to_string())),
            };
            match accepted {
                Ok((stream, peer)) => {
                    return Accepted {
                        stream,
                        tls: self.tls.clone(),
                        peer,
                    };
                }
                Err(error) => {
                    tracing::warn!(addr = %self.addr, %error, "cannot accept a connection");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
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

/// Listens on a path; the file of a socket that nobody answers on is removed first.
async fn bind_unix(path: &Path) -> io::Result<Socket> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        let dead = found.file_type().is_socket() && UnixStream::connect(path).await.is_err();
        if !dead {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(Socket::Unix {
        socket,
        _file: Remove(path.to_owned()),
    })
}
