//! Creating and removing volumes.

use std::sync::Arc;

use http::StatusCode;

use crate::api::call::{Answer, Call, no_content};
use crate::api::error::Error;
use crate::api::home;
use crate::cluster;
use crate::cluster::resolve;
use crate::engine::Refresh;
use crate::model::raw::{Object, quote};
use crate::net::body;

/// Creates a volume on its home node; one that exists is answered by its engine, as engines do.
pub(in crate::api) async fn create(mut call: Call) -> Answer {
    let text = call.read_body().await?;
    let text = match String::from_utf8_lossy(&text).into_owned() {
        empty if empty.trim().is_empty() => "{}".to_owned(),
        text => text,
    };
    let mut asked =
        Object::parse_first(&text).map_err(|e| Error::Bad(format!("invalid JSON: {e}")))?;
    let members = call.members();
    let name: String = asked.decode("Name").unwrap_or_default();
    let existing = match name.is_empty() {
        true => None,
        false => match resolve::volume(&members, &name) {
            Ok(found) => Some(found.reachable(&format!("volume {name}"), "")?),
            Err(cluster::Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        },
    };
    let held = match name.is_empty() {
        true => None,
        false => Some(
            call.api
                .cluster
                .reservations()
                .reserve_object("volume", &name)
                .ok_or_else(|| {
                    Error::Conflict(format!("volume {name} is being created; try again"))
                })?,
        ),
    };
    let engine = match (existing, resolve::qualified(&members, &name)) {
        (Some(found), _) => {
            asked.set_folded("Name", quote(&found.object.name));
            found.engine
        }
        (None, Some((node, plain))) => {
            asked.set_folded("Name", quote(plain));
            home::engine(&members, &Arc::clone(node))?.1
        }
        (None, None) => {
            home::choose(
                &call.api.cluster,
                &members,
                &asked.decode("Labels").unwrap_or_default(),
            )?
            .1
        }
    };
    call.head.headers.remove(http::header::CONTENT_LENGTH);
    call.body = body::full(asked.to_json());
    let cluster = call.api.cluster.clone();
    let answer = call.forward(&engine, "/volumes/create").await?;
    if answer.status() == StatusCode::CREATED {
        cluster.refresh(&engine, Refresh::Volumes).await;
    }
    drop(held);
    Ok(answer)
}

/// Removes a volume from its home node.
pub(in crate::api) async fn remove(call: Call) -> Answer {
    let found = match resolve::volume(&call.members(), &call.id) {
        // As an engine: what is forced away may as well not be there.
        Err(cluster::Error::NotFound { .. }) if call.query.flag("force") => {
            return Ok(no_content(StatusCode::NO_CONTENT));
        }
        found => found?,
    };
    let object = format!("volume {}", found.object.name);
    let found = found.reachable(&object, "")?;
    let cluster = call.api.cluster.clone();
    let path = format!("/volumes/{}", found.object.name);
    let answer = call.forward(&found.engine, &path).await?;
    if answer.status().is_success() {
        cluster.refresh(&found.engine, Refresh::Volumes).await;
    }
    Ok(answer)
}
