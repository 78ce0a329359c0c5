//! The one body type of requests and responses on their way through.
//!
//! Invariant: a body is a stream; nothing here collects one without a limit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

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

/// How much of a body that nobody wants is still taken from its sender, and for how long.
const LINGER: (usize, Duration) = (4 << 20, Duration::from_secs(5));

/// A client's body that runs `at_end` once, when its last byte was taken.
///
/// When it is dropped before, the rest is taken all the same, within [`LINGER`]: a client that is answered while it
/// still sends reads the answer only if its connection is not closed under it (wire rule W19).
pub struct WithEnd<F: FnOnce() + Send + Unpin + 'static> {
    inner: Body,
    at_end: Option<F>,
}

impl<F: FnOnce() + Send + Unpin + 'static> Drop for WithEnd<F> {
    fn drop(&mut self) {
        let Some(at_end) = self.at_end.take() else {
            return;
        };
        let rest = std::mem::replace(&mut self.inner, empty());
        // There is nobody to read on when the program ends.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (limit, time) = LINGER;
            runtime.spawn(async move {
                if let Ok(Ok(())) = tokio::time::timeout(time, discard(rest, limit)).await {
                    at_end();
                }
            });
        }
    }
}

/// Takes a body to its end and forgets it.
async fn discard(mut body: Body, limit: usize) -> Result<(), ReadError> {
    let mut taken = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(ReadError::Broken)?;
        taken += frame.data_ref().map_or(0, Bytes::len);
        if taken > limit {
            return Err(ReadError::TooLong { limit });
        }
    }
    Ok(())
}

impl<F: FnOnce() + Send + Unpin + 'static> std::fmt::Debug for WithEnd<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithEnd").finish_non_exhaustive()
    }
}

impl<F: FnOnce() + Send + Unpin + 'static> WithEnd<F> {
    /// Wraps `inner`.
    pub fn new(inner: Body, at_end: F) -> Self {
        Self {
            inner,
            at_end: Some(at_end),
        }
    }
}

impl<F: FnOnce() + Send + Unpin + 'static> hyper::body::Body for WithEnd<F> {
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
