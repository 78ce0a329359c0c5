//! One type for every kind of connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{client, server};

/// A connection; its write half can be shut down while the read half goes on, over TLS too.
#[derive(Debug)]
pub enum Io {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A local socket.
    Unix(UnixStream),
    /// TLS, we are the client.
    ToTls(Box<client::TlsStream<TcpStream>>),
    /// TLS, we are the server.
    FromTls(Box<server::TlsStream<TcpStream>>),
}

impl Connection for Io {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Calls one method on whatever the connection is.
macro_rules! each {
    ($self:expr, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Io::Tcp($io) => $call,
            Io::Unix($io) => $call,
            Io::ToTls($io) => $call,
            Io::FromTls($io) => $call,
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(each!(self, io => Pin::new(io).poll_read(cx, buf)));
        Poll::Ready(match read {
            // A peer that closes TCP without TLS's goodbye has ended its stream all the same.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            read => read,
        })
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(io) => io.is_write_vectored(),
            Self::Unix(io) => io.is_write_vectored(),
            Self::ToTls(io) => io.is_write_vectored(),
            Self::FromTls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::net::testing::{files, made, meet};

    /// Returns two sides of each kind of connection.
    async fn pairs() -> Vec<(Io, Io)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (accepted, _) = listener.accept().await.unwrap();
        let (left, right) = UnixStream::pair().unwrap();
        vec![
            (Io::Tcp(dialled.unwrap()), Io::Tcp(accepted)),
            (Io::Unix(left), Io::Unix(right)),
            over_tls().await,
        ]
    }

    /// Returns two sides of a connection with TLS.
    async fn over_tls() -> (Io, Io) {
        let directory = made(&["127.0.0.1"]);
        let server = files(directory.path(), "server");
        let client = files(directory.path(), "client");
        let (dialled, served) = meet(&server, &client, "127.0.0.1").await;
        (dialled.unwrap(), served.unwrap().into_io())
    }

    /// Ends one half, then the other.
    async fn converse(one: &mut Io, other: &mut Io) {
        let mut read = String::new();
        one.write_all(b"question").await.unwrap();
        one.shutdown().await.unwrap();
        other.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "question", "{other:?}");
        other.write_all(b"answer").await.unwrap();
        other.shutdown().await.unwrap();
        read.clear();
        one.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "answer", "{one:?}");
    }

    #[tokio::test]
    async fn each_half_ends_by_itself() {
        for (mut left, mut right) in pairs().await {
            assert!(left.is_write_vectored() && right.is_write_vectored());
            converse(&mut left, &mut right).await;
        }
        for (mut left, mut right) in pairs().await {
            converse(&mut right, &mut left).await;
        }
    }

    #[tokio::test]
    async fn tls_that_ends_without_goodbye_has_ended() {
        let (mut client, mut server) = over_tls().await;
        client.write_all(b"last words").await.unwrap();
        client.flush().await.unwrap();
        let Io::ToTls(stream) = client else {
            panic!("{client:?} is not TLS");
        };
        // TCP is ended under TLS, which gets no chance to say so.
        let (mut tcp, _) = stream.into_inner();
        tcp.shutdown().await.unwrap();
        let mut read = String::new();
        server.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "last words");
    }
}
