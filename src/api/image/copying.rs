//! Copies between nodes that a client watches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::cluster::supply::Source;
use crate::cluster::{Cluster, Error, transfer};
use crate::engine::Engine;

/// How often a row tells how far a copy is.
const ROWS: Duration = Duration::from_secs(1);

/// Copies an image to an engine and tells, at once and now and then, what `row` makes of the bytes that have moved.
///
/// # Errors
/// As [`transfer::copy`].
pub(super) async fn copy<T>(
    cluster: &Cluster,
    engine: &Engine,
    source: &Source,
    tell: &mpsc::Sender<T>,
    row: impl Fn(u64) -> Option<T>,
) -> Result<(), Error> {
    let moved = Arc::default();
    let copying = transfer::copy(cluster, engine, source, &moved);
    tokio::pin!(copying);
    loop {
        if let Some(row) = row(moved.load(Ordering::Relaxed)) {
            // Nobody listens any more when the client is gone.
            let _ = tell.send(row).await;
        }
        tokio::select! {
            result = &mut copying => return result,
            () = tokio::time::sleep(ROWS) => {}
        }
    }
}

/// Writes the row of a copy to a node.
pub(super) fn row(from: &str, to: &str, bytes: u64) -> Bytes {
    let row = serde_json::json!({
        "status": format!("Copying from {from}"),
        "progressDetail": {"current": bytes},
        "id": to,
    });
    row.to_string().into()
}
