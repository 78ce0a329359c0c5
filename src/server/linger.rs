//! The end of a connection: what its client still sends is taken and thrown away for a while.
//!
//! A socket that is closed while bytes wait in it is reset, and a reset takes from the client what it has not read yet:
//! the very answer that refuses what it is sending (RFC 9112 §9.6). Clients that send a body whole before they read
//! would see nothing but a broken connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::net::io::Io;

/// How long a client may send nothing; one that has read the answer closes long before.
const SILENCE: Duration = Duration::from_secs(2);
/// How long it may go on at all.
const LIMIT: Duration = Duration::from_secs(30);
/// The most bytes that are taken.
const MOST: usize = 1 << 30;
/// Bytes taken at once.
const CHUNK: usize = 16 << 10;

/// Ends our half of a connection and waits for the client to end its own, within bounds and not beyond `stop`.
pub(super) async fn end(mut io: Io, stop: &CancellationToken) {
    let ended = async {
        // It fails when the client is gone already; over TLS it waits for one that no longer reads.
        if io.shutdown().await.is_ok() {
            drain(&mut io).await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(LIMIT, ended) => {}
        () = stop.cancelled() => {}
    }
}

/// Reads until the client ends, is silent for long, or has sent more than anything is worth.
async fn drain(io: &mut Io) {
    let (mut chunk, mut left) = (vec![0; CHUNK], MOST);
    while let Ok(Ok(taken @ 1..)) = tokio::time::timeout(SILENCE, io.read(&mut chunk)).await {
        left = match left.checked_sub(taken) {
            Some(left) => left,
            None => return,
        };
    }
}
