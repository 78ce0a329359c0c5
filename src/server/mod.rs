//! Accepting connections and serving requests on them, with limits and deadlines.

mod canonical;
mod connection;
mod linger;
mod loan;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::Api;
use crate::net::listen::Listener;

/// How long connections may go on after the order to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Serves the API on all listeners until `stop`, then lets what runs end, for at most ten seconds.
pub async fn serve(listeners: Vec<Listener>, api: Arc<Api>, stop: CancellationToken) {
    let tracker = TaskTracker::new();
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let task = accept(listener, Arc::clone(&api), stop.clone(), tracker.clone());
            tokio::spawn(task)
        })
        .collect();
    stop.cancelled().await;
    for task in accepting {
        // A listener that failed has said so.
        let _ = task.await;
    }
    tracker.close();
    if tokio::time::timeout(GRACE, tracker.wait()).await.is_err() {
        tracing::warn!(open = tracker.len(), "connections still open at the end");
    }
}

/// Accepts connections for ever; each is served by a task of its own, TLS handshake included.
async fn accept(listener: Listener, api: Arc<Api>, stop: CancellationToken, tracker: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (api, stop) = (Arc::clone(&api), stop.clone());
        tracker.spawn(async move {
            let peer = accepted.peer().to_owned();
            match accepted.handshake().await {
                Ok(connected) => connection::serve(connected, api, stop).await,
                Err(error) => tracing::info!(peer, %error, "connection refused"),
            }
        });
    }
}
