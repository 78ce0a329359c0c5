//! A request's body on loan to its handler: what the handler leaves of it comes back and is read to its end.
//!
//! The next request of the connection starts where the body ends, so that is where its line is expected. Read here and
//! not left to hyper, which reads what is left at a time that nobody else knows.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::canonical::Gate;
use crate::net::body::{self, Body, BodyError};

/// The most that is read of a body that nobody wants, as Go's servers do; above that the connection is closed.
const LEFT_OVER: u64 = 256 << 10;
/// How long it may take to come. The answer waits for it, so a client that does not send is not waited for.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// Where a lent body is.
#[derive(Debug, Default)]
enum State {
    /// The handler has it.
    #[default]
    Lent,
    /// Its last byte was taken.
    Ended,
    /// The handler has put it down before its end.
    Back(Incoming),
    /// It goes on although the answer is there; the gate opens at its end.
    Late(Gate),
    /// It goes on and nothing follows it.
    Lost,
}

/// One request's body, as the connection keeps track of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Loan(Arc<Mutex<State>>);

impl Loan {
    /// Lends a body out.
    pub(super) fn lend(&self, incoming: Incoming) -> Body {
        if incoming.is_end_stream() {
            *self.lock() = State::Ended;
            return body::empty();
        }
        let (incoming, loan) = (Some(incoming), self.clone());
        Lent { incoming, loan }.boxed_unsync()
    }

    /// Opens the gate for the next request, after the answer to this one was made; `false` when there can be none.
    /// With `ask_for_more` unset nothing is read that has not come: reading would ask the client to send it.
    pub(super) async fn settle(&self, gate: Gate, ask_for_more: bool) -> bool {
        let back = {
            let mut state = self.lock();
            match std::mem::replace(&mut *state, State::Lost) {
                State::Back(incoming) => incoming,
                State::Ended => {
                    gate.expect_request();
                    return true;
                }
                State::Lent | State::Late(_) => {
                    *state = State::Late(gate);
                    return true;
                }
                State::Lost => return false,
            }
        };
        let read = async { ask_for_more && drained(back).await };
        let ended = tokio::time::timeout(ON_ITS_WAY, read).await == Ok(true);
        if ended {
            gate.expect_request();
        }
        ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a body to its end unless it is too long for that.
async fn drained(mut incoming: Incoming) -> bool {
    let mut left = LEFT_OVER;
    if incoming.size_hint().lower() > left {
        return false;
    }
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else { return false };
        let taken = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(taken as u64) else {
            return false;
        };
        left = rest;
    }
    true
}

/// What the handler gets.
struct Lent {
    incoming: Option<Incoming>,
    loan: Loan,
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
        let ended = match &frame {
            None => true,
            Some(Ok(_)) => incoming.is_end_stream(),
            // The client is gone or talks nonsense: nothing it sends is a request.
            Some(Err(_)) => false,
        };
        if ended {
            self.incoming = None;
            let mut state = self.loan.lock();
            if let State::Late(gate) = std::mem::replace(&mut *state, State::Ended) {
                gate.expect_request();
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        let incoming = self.incoming.as_ref();
        incoming.is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let incoming = self.incoming.as_ref();
        incoming.map_or_else(|| SizeHint::with_exact(0), hyper::body::Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take() else {
            return;
        };
        let mut state = self.loan.lock();
        *state = match std::mem::take(&mut *state) {
            State::Lent => State::Back(incoming),
            // Too late to be read here: hyper closes the connection, or reads what it has of it.
            _ => State::Lost,
        };
    }
}
