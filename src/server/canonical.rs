//! Request targets that engines accept and hyper's `Uri` refuses (wire rule W7): raw `"`, `{`, `|` and the like.
//!
//! They are percent-encoded on their way in, in the first line of each request and nowhere else. Where a line starts
//! is known from the connection's side: after a request whose body has ended there can only be another request. What
//! is lost: a client that pipelines such targets before the previous answer gets hyper's 400, and targets of more than
//! 64 KiB (an engine takes 1 MiB) get 414.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes read at once while a request line is looked through.
const CHUNK: usize = 8 << 10;

/// Says that the next bytes of a connection are a request line.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Opens the gate: the request before has ended.
    pub(super) fn expect_request(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A connection whose request lines are made canonical while they are read.
#[derive(Debug)]
pub(super) struct Canonical<I> {
    inner: I,
    gate: Gate,
    ready: BytesMut,
}

impl<I> Canonical<I> {
    /// Wraps a fresh connection.
    pub(super) fn new(inner: I) -> (Self, Gate) {
        let gate = Gate(Arc::new(AtomicBool::new(true)));
        let canonical = Self {
            inner,
            gate: gate.clone(),
            ready: BytesMut::new(),
        };
        (canonical, gate)
    }

    /// Gives the connection back, with bytes that were read and not yet handed out.
    pub(super) fn into_inner(self) -> (I, BytesMut) {
        (self.inner, self.ready)
    }

    /// Encodes what is part of a request line, and closes the gate at its end.
    fn take(&mut self, data: &[u8]) {
        let end = data.iter().position(|b| *b == b'\n');
        let (line, rest) = data.split_at(end.map_or(data.len(), |at| at + 1));
        for byte in line {
            match byte {
                b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => {
                    self.ready
                        .extend_from_slice(format!("%{byte:02X}").as_bytes());
                }
                byte => self.ready.extend_from_slice(&[*byte]),
            }
        }
        self.ready.extend_from_slice(rest);
        if end.is_some() {
            self.gate.0.store(false, Ordering::Release);
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Canonical<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ready.is_empty() {
            if !self.gate.0.load(Ordering::Acquire) {
                return Pin::new(&mut self.inner).poll_read(cx, buf);
            }
            let mut chunk = [0; CHUNK];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
            self.take(read.filled());
        }
        let n = self.ready.len().min(buf.remaining());
        buf.put_slice(&self.ready[..n]);
        self.ready.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Canonical<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn through(parts: &[&[u8]]) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let (mut canonical, _) = Canonical::new(server);
        for part in parts {
            client.write_all(part).await.unwrap();
        }
        drop(client);
        let mut all = Vec::new();
        canonical.read_to_end(&mut all).await.unwrap();
        all
    }

    #[tokio::test]
    async fn the_request_line_is_encoded_and_nothing_else() {
        let sent = b"GET /x?filters={\"a\":[\"b\"]} HTTP/1.1\r\nX: {\"\r\n\r\n{\"body\"}";
        let want = b"GET /x?filters=%7B%22a%22:[%22b%22]%7D HTTP/1.1\r\nX: {\"\r\n\r\n{\"body\"}";
        assert_eq!(through(&[sent]).await, want);
        assert_eq!(through(&[&sent[..20], &sent[20..]]).await, want);
    }

    #[tokio::test]
    async fn bytes_pass_as_they_are_until_a_request_is_expected_again() {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let (mut canonical, gate) = Canonical::new(server);
        let mut buf = [0; 64];
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let n = canonical.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], b"GET / HTTP/1.1\r\n\r\n");
        client.write_all(b"GET /{ x\r\n").await.unwrap();
        let n = canonical.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], b"GET /{ x\r\n");
        gate.expect_request();
        client.write_all(b"GET /{ x\r\n").await.unwrap();
        let n = canonical.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], b"GET /%7B x\r\n");
    }
}
