//! Renames: the new name must be free on every node.

use std::sync::Arc;

use super::owner;
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster;
use crate::engine::Refresh;

/// Renames a container; the name is held until lists show it.
pub(in crate::api) async fn rename(call: Call) -> Answer {
    let found = owner::owner(&call)?;
    let path = owner::path_on_engine(&call, &found.object);
    let cluster = call.api.cluster.clone();
    let asked = call.query.text("name");
    let name = asked.strip_prefix('/').unwrap_or(asked).to_owned();
    // An empty or unchanged name is left to the engine to refuse, in its own words.
    let own = found.object.names.contains(&name);
    let held = match name.is_empty() || own {
        true => None,
        false => {
            Some((cluster.reservations().reserve_name(&cluster, &name)).map_err(in_engines_words)?)
        }
    };
    let answer = call.forward(&found.engine, &path).await?;
    if answer.status().is_success() {
        let what = Refresh::Container(Arc::clone(&found.object.id));
        cluster.refresh(&found.engine, what).await;
    }
    drop(held);
    Ok(answer)
}

/// Says of a name that is taken what engines say of it when they rename.
fn in_engines_words(error: cluster::Error) -> Error {
    match error {
        cluster::Error::NameTaken { .. } => {
            Error::Conflict(format!("Error when allocating new name: {error}"))
        }
        other => other.into(),
    }
}
