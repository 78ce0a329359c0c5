//! Renames: the new name must be free on every node.

use std::sync::Arc;
use std::time::Duration;

use super::owner;
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::api::holding::{self, Held};
use crate::cluster;
use crate::engine::{self, Engine, Refresh};
use crate::model::Manners;

/// How long one look for an outcome may take.
const LOOK: Duration = Duration::from_secs(3);

/// Renames a container; the name is held until lists show it.
pub(in crate::api) async fn rename(call: Call) -> Answer {
    let found = owner::owner(&call)?;
    let path = owner::path_on_engine(&call, &found.object);
    let cluster = call.api.cluster.clone();
    let asked = call.query.text("name");
    let name = asked.strip_prefix('/').unwrap_or(asked).to_owned();
    // An empty or unchanged name is left to the engine to refuse, in its own words. Classic took the latter for taken.
    let own = found.object.names.contains(&name) && !cluster.manners().is_classic();
    let reservation = match name.is_empty() || own {
        true => None,
        false => {
            let held = cluster.reservations().reserve_name(&cluster, &name);
            Some(held.map_err(|error| taken(error, cluster.manners()))?)
        }
    };
    let id = Arc::clone(&found.object.id);
    let held = Held {
        reservation,
        shows: Refresh::Container(Arc::clone(&id)),
    };
    let look = move |engine| is_called(engine, Arc::clone(&id), name.clone());
    holding::forward(call, found.engine, path, held, look).await
}

/// Tells whether a container has the name now.
async fn is_called(engine: Engine, id: Arc<str>, name: String) -> Result<bool, engine::Error> {
    let path = format!("/containers/{id}/json");
    let inspect = match engine.client().get(&path, LOOK).await {
        // It is gone, and with it every name that it had.
        Err(error) if error.status() == Some(http::StatusCode::NOT_FOUND) => return Ok(true),
        inspect => inspect?,
    };
    let inspect: serde_json::Value = serde_json::from_slice(&inspect).unwrap_or_default();
    Ok(inspect["Name"] == format!("/{name}"))
}

/// Says that a name is not free as engines do for renames; classic says the same as of creates.
fn taken(error: cluster::Error, manners: Manners) -> Error {
    match error {
        error if manners.is_classic() => error.into(),
        error @ (cluster::Error::NameTaken { .. } | cluster::Error::NameReserved { .. }) => {
            Error::Conflict(format!("Error when allocating new name: {error}"))
        }
        error => error.into(),
    }
}
