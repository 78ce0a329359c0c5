//! Creating and removing volumes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;

use super::everywhere;
use crate::api::call::{Answer, Call, no_content, object, text};
use crate::api::error::Error;
use crate::api::holding::{self, Held};
use crate::api::home;
use crate::cluster::reservation::Reservation;
use crate::cluster::{self, Members, resolve};
use crate::engine::{self, Engine, Refresh};
use crate::model::plugin::Kind;
use crate::model::raw::{Object, quote};
use crate::model::{Container, Node, Volume};
use crate::scheduler::Request;

/// How often a home is looked for while others make and remove the volume.
const ROUNDS: usize = 8;
/// How long one look for an outcome may take.
const LOOK: Duration = Duration::from_secs(3);

/// Creates a volume on its home node; one that exists is answered by its engine, as engines do.
pub(in crate::api) async fn create(mut call: Call) -> Answer {
    let text = text(&mut call).await?;
    let mut asked = object(&text, "volume.CreateOptions")?;
    let members = call.members();
    let name: String = asked.decode("Name").unwrap_or_default();
    if call.api.cluster.manners().is_classic() && resolve::qualified(&members, &name).is_none() {
        return everywhere::create(call, &members, asked).await;
    }
    let (engine, reservation, name) = home(&call, &asked)?;
    asked.set_folded("Name", quote(&name));
    call.set_body(asked.to_json());
    let held = Held {
        reservation,
        shows: Refresh::Volumes,
    };
    let look = move |engine| exists(engine, name.clone());
    holding::forward(call, engine, "/volumes/create".to_owned(), held, look).await
}

/// Finds the engine that is to make a volume, or has it, and what it calls it. Of several that are asked for the same
/// volume at once all go to one engine, which answers them alike.
fn home(call: &Call, asked: &Object<'_>) -> Result<(Engine, Option<Reservation>, String), Error> {
    let name: String = asked.decode("Name").unwrap_or_default();
    let choose = |members: &Members| {
        let labels = asked.decode("Labels").unwrap_or_default();
        let driver: String = asked.decode("Driver").unwrap_or_default();
        home::choose_with(&call.api.cluster, members, &labels, Kind::Volume, &driver)
    };
    if name.is_empty() {
        return Ok((choose(&call.members())?.1, None, name));
    }
    let mut members = call.api.cluster.members();
    match resolve::volume(&members, &name) {
        Ok(found) => {
            let found = found.reachable(&format!("volume {name}"), "")?;
            home::meant(call, &found.node)?;
            return Ok((found.engine, None, found.object.name));
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    if let Some((node, plain)) = resolve::qualified(&members, &name) {
        home::meant(call, node)?;
        return Ok((home::engine(&members, node)?.1, None, plain.to_owned()));
    }
    let mut node = choose(&call.members())?.0;
    for _ in 0..ROUNDS {
        let reserved =
            call.api
                .cluster
                .reservations()
                .reserve_home(&call.api.cluster, &name, &node.key);
        members = call.api.cluster.members();
        match reserved {
            Ok(held) => return Ok((home::engine(&members, &node)?.1, Some(held), name)),
            // Made or being made there since the look.
            Err(home) => {
                let home = members.view.by_key(&home);
                node = Arc::clone(home.ok_or(cluster::Error::NoHealthyNode)?);
                home::meant(call, &node)?;
            }
        }
    }
    Err(Error::Conflict(format!(
        "volume {name} is being created and removed by others; try again"
    )))
}

/// Tells whether an engine has a volume.
async fn exists(engine: Engine, name: String) -> Result<bool, engine::Error> {
    let path = format!("/volumes/{name}");
    match engine.client().get(&path, LOOK).await {
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(false),
        found => found.map(|_| true),
    }
}

/// Removes a volume from its home node; one that all nodes see only when none of them uses it.
pub(in crate::api) async fn remove(call: Call) -> Answer {
    if call.api.cluster.manners().is_classic()
        && let Some(holders) = everywhere::holders(&call.members(), &call.id)
    {
        return everywhere::remove(call, holders).await;
    }
    let found = match resolve::volume(&call.members(), &call.id) {
        // As an engine: what is forced away may as well not be there.
        Err(error) if error.is_not_found() && call.query.flag("force") => {
            return Ok(no_content(StatusCode::NO_CONTENT));
        }
        found => found?,
    };
    let object = format!("volume {}", found.object.name);
    let found = found.reachable(&object, "")?;
    let cluster = call.api.cluster.clone();
    let path = format!("/volumes/{}", found.object.name);
    let volume = found.object;
    if volume.is_shared() {
        // Its engine knows of its own containers only.
        let users = users(&cluster, &volume);
        if !users.is_empty() {
            return Err(Error::Conflict(format!(
                "remove {}: volume is in use - [{}]",
                volume.name,
                users.join(", ")
            )));
        }
    }
    let answer = call.forward(&found.engine, &path).await?;
    if answer.status().is_success() {
        let members = cluster.members();
        let has = |node: &Node| node.volumes.iter().any(|v| volume.is_also(v));
        let having = members.healthy().filter(|(node, engine)| {
            engine.client().key() == found.engine.client().key() || has(node)
        });
        join_all(having.map(|(_, engine)| cluster.refresh(engine, Refresh::Volumes))).await;
    }
    Ok(answer)
}

/// Returns the containers that have a volume mounted, on whichever node and in whatever state, those that are being
/// created among them.
fn users(cluster: &cluster::Cluster, volume: &Volume) -> Vec<String> {
    let members = cluster.members();
    let mut users = Vec::new();
    for node in members.view.nodes() {
        // A node may have another one of that name, of its own.
        let mut named = node.volumes.iter().filter(|v| v.name == volume.name);
        if named.any(|v| !volume.is_also(v)) {
            continue;
        }
        let node = cluster.reservations().ahead(node, &Request::default());
        let uses = |c: &&Arc<Container>| {
            let mut mounts = c.mounts.iter();
            mounts.any(|m| m.kind == "volume" && m.name == volume.name)
        };
        users.extend(
            node.containers
                .iter()
                .filter(uses)
                .map(|c| c.id.to_string()),
        );
    }
    users
}
