//! The one body type of requests and responses on their way through.
//!
//! Invariant: a body is a stream; nothing here collects one without a limit.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming, SizeHint};

/// What can go wrong while a body is read.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body of any origin.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Returns a body of known length.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Returns a body without bytes.
pub fn empty() -> Body {
    full(Bytes::new())
}

/// Returns a body of unknown length made of the chunks of `stream`.
pub fn stream<S>(stream: S) -> Body
where
    S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
{
    StreamBody::new(futures_util::StreamExt::map(stream, |chunk| {
        chunk.map(Frame::data)
    }))
    .boxed_unsync()
}

/// Returns what the other side sends, as it comes.
pub fn incoming(body: Incoming) -> Body {
    body.map_err(Into::into).boxed_unsync()
}

/// Reads a body whole, up to `limit` bytes.
///
/// # Errors
/// The body is longer ([`ReadError::TooLong`]), or its sender broke off.
pub async fn read(mut body: Body, limit: usize) -> Result<Bytes, ReadError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ReadError::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limit {
            return Err(ReadError::TooLong { limit });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Why a body could not be read whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has more bytes than are accepted.
    #[error("body is longer than {limit} bytes")]
    TooLong {
        /// The most that is accepted.
        limit: usize,
    },
    /// Its sender broke off.
    #[error("body was cut short")]
    Broken(#[source] BodyError),
}

/// A body that runs `at_end` once, when its last byte was taken; not when it is dropped before.
pub struct WithEnd<F: FnOnce()> {
    inner: Body,
    at_end: Option<F>,
}

impl<F: FnOnce()> std::fmt::Debug for WithEnd<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithEnd").finish_non_exhaustive()
    }
}

impl<F: FnOnce()> WithEnd<F> {
    /// Wraps `inner`.
    pub fn new(inner: Body, at_end: F) -> Self {
        Self {
            inner,
            at_end: Some(at_end),
        }
    }
}

impl<F: FnOnce() + Unpin> hyper::body::Body for WithEnd<F> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if (frame.is_none() || self.inner.is_end_stream())
            && let Some(at_end) = self.at_end.take()
        {
            at_end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
