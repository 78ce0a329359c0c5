//! Changes that give out a name: they go on when their client leaves, and the name is held until it is known whether it
//! was given out.

use super::call::{Answer, Call};
use super::error::Error;
use crate::cluster::reservation::Reservation;
use crate::cluster::settle;
use crate::engine::{self, Engine, Refresh};
use crate::net::body;

/// A name that is held while an engine gives it out.
pub(super) struct Held {
    /// The promise; none where nothing new is given out.
    pub(super) reservation: Option<Reservation>,
    /// What lists are to show of it.
    pub(super) shows: Refresh,
}

/// Sends a call to an engine, and lets go of the name once lists show the outcome. When the answer is lost, `look` tells
/// whether the engine has done it.
///
/// # Errors
/// As [`Call::forward`].
pub(super) async fn forward<F>(
    mut call: Call,
    engine: Engine,
    path: String,
    held: Held,
    look: impl Fn(Engine) -> F + Send + Sync + 'static,
) -> Answer
where
    F: Future<Output = Result<bool, engine::Error>> + Send,
{
    // Nothing of the request may depend on its client any more.
    let text = call.read_body().await?;
    call.body = body::full(text);
    let going = tokio::spawn(async move {
        let cluster = call.api.cluster.clone();
        let answer = call.forward(&engine, &path).await;
        let lost = match &answer {
            Err(Error::Engine(error)) if !error.is_unsent() => Some(error.to_string()),
            Err(_) => None,
            Ok(said) if !said.status().is_success() => None,
            Ok(_) if cluster.refresh(&engine, held.shows.clone()).await => return answer,
            Ok(_) => Some("it is done, and lists do not show it yet".to_owned()),
        };
        if let Some(error) = lost {
            tracing::warn!(node = %engine.client().key(), path, error, "outcome of a change is unknown");
            tokio::spawn(async move {
                let looking = || {
                    let answer = look(engine.clone());
                    async { answer.await.map(|done| done.then_some(())) }
                };
                let done = settle::outcome(looking).await.is_some();
                let show = || cluster.refresh(&engine, held.shows.clone());
                settle::shown(show, || cluster.is_member(&engine)).await;
                drop(held.reservation);
                tracing::info!(node = %engine.client().key(), path, done, "outcome of a change settled");
            });
        }
        answer
    });
    going.await.map_err(|e| Error::Internal(e.to_string()))?
}
