//! Execs: made on the container's engine, found again by their ID.

use http::StatusCode;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::Api;
use super::call::{Answer, Call, whole};
use super::container::owner;
use super::error::Error;
use crate::cluster::error::Kind;
use crate::cluster::{self, Members, absent, resolve};
use crate::engine::Engine;

/// The most bytes of an engine's answer to an exec's creation.
const ANSWER_LIMIT: usize = 1 << 20;
/// How long an engine may take to say whether an exec is its own.
const LOOK_DEADLINE: std::time::Duration = std::time::Duration::from_secs(5);

/// Creates an exec and remembers where.
pub(super) async fn create(call: Call) -> Answer {
    #[derive(serde::Deserialize)]
    struct Created {
        #[serde(rename = "Id")]
        id: String,
    }
    let found = owner::owner(&call)?;
    let path = owner::path_on_engine(&call, &found.object);
    let cluster = call.api.cluster.clone();
    let answer = call.forward(&found.engine, &path).await?;
    if answer.status() != StatusCode::CREATED {
        return Ok(answer);
    }
    let (head, incoming) = answer.into_parts();
    let text = found.engine.read(incoming, ANSWER_LIMIT).await?;
    if let Ok(created) = serde_json::from_slice::<Created>(&text) {
        cluster.execs().remember(&created.id, &found.node.key);
    }
    Ok(whole(head.status, head.headers, text))
}

/// Starts an exec; its streams take the connection over, unless it is detached.
pub(super) async fn start(call: Call) -> Answer {
    let engine = owner_of(&call.api, &call.members(), &call.id).await?;
    let path = call.path.clone();
    call.hijack(&engine, &path).await
}

/// Forwards a call about an exec.
pub(super) async fn read(call: Call) -> Answer {
    let engine = owner_of(&call.api, &call.members(), &call.id).await?;
    let path = call.path.clone();
    call.forward(&engine, &path).await
}

/// Finds the engine of an exec: remembered, or else asked for.
async fn owner_of(api: &Api, members: &Members, id: &str) -> Result<Engine, Error> {
    let execs = api.cluster.execs();
    if let Some(key) = execs.owner(id)
        && let Some(found) = resolve::on_node(members, &key, ())
    {
        let object = format!("exec instance \"{id}\"");
        return Ok(found.reachable(&object, "")?.engine);
    }
    let full = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let mut asked: FuturesUnordered<_> = members
        .healthy()
        // Engines take no prefixes of exec IDs, so nothing else can be one.
        .filter(|_| full)
        .map(|(node, engine)| {
            let path = format!("/exec/{}/json", id);
            async move {
                let found = engine.client().get(&path, LOOK_DEADLINE).await;
                found.map(|_| (node, engine))
            }
        })
        .collect();
    let mut silent = None;
    while let Some(found) = asked.next().await {
        match found {
            Ok((node, engine)) => {
                execs.remember(id, &node.key);
                return Ok(engine.clone());
            }
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {}
            Err(error) => silent = Some(error),
        }
    }
    // Only who was asked and has it not makes it none.
    Err(Error::Cluster(match silent {
        Some(error) => error.into(),
        None if full => absent::unasked(members, Kind::Exec, id),
        None => cluster::Error::NotFound {
            kind: Kind::Exec,
            name: id.to_owned(),
        },
    }))
}
