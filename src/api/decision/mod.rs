//! Flotilla's own endpoints: where containers were placed, and why; where one would be.
//!
//! They are on the Docker port, under a name that no engine uses, because whoever may create containers there may know
//! why they went where they went, and has shown a certificate already.

mod form;
pub(super) mod read;
pub(super) mod strategy;

use crate::api::call::{Answer, Call};
use crate::api::container::create;
use crate::cluster::choose;
use crate::cluster::decisions::Found;

/// Decides on a create as if it were one, and creates nothing.
pub(super) async fn explain(call: Call) -> Answer {
    let cluster = call.api.cluster.clone();
    let create = create::read(call).await?;
    cluster.after_tunnels().await;
    let decision = choose::explain(&cluster, &create).await?;
    let id = decision.id;
    let found = cluster.decisions().newest(|d| d.id == id);
    // As many may have come since as are kept.
    let found = found.unwrap_or(Found {
        decision,
        picture: None,
    });
    Ok(form::answer(&form::whole(&found)))
}
