//! Tunnels between clients and `BuildKit`: opaque HTTP/2 inside an upgraded connection.

use http::header;

use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::api::system::any;
use crate::cluster::builds::Part;
use crate::engine::{Engine, Refresh};

use super::start::PATIENCE;
use super::{place, wish};

/// The header that names a session.
const SESSION: &str = "x-docker-expose-session-uuid";

/// Opens a tunnel to the node of this client's builds.
pub(in crate::api) async fn grpc(mut call: Call) -> Answer {
    if !call.head.headers.contains_key(header::UPGRADE) {
        // Refused in the engine's words.
        return any::forward(call).await;
    }
    wish::recall(&mut call);
    let members = call.members();
    let node = place::of_client(&call, &members)?;
    let engine = place::engine(&members, &node.key)?;
    let slot = call.slot.clone();
    let (builds, client) = (call.api.cluster.builds().clone(), place::client(&call));
    let tunnel = builds.tunnel(&client, &node.key);
    builds.put(Part::Last(client), &node.key);
    let path = call.path.clone();
    let answer = call.hijack(&engine, &path).await?;
    if slot.is_taken_over() {
        slot.keep(Box::new((tunnel, Built(engine))));
    }
    Ok(answer)
}

/// What a tunnel may have built: looked for when the tunnel ends, since 20.10 tells no event of it.
struct Built(Engine);

impl Drop for Built {
    fn drop(&mut self) {
        self.0.reread(Refresh::Images);
    }
}

/// Opens the tunnel through which an engine asks a client for files and secrets of a build.
///
/// A build of the CLI's own names its session, and may come a moment later. One of buildx names it inside a tunnel of
/// the same client, so it is where that is.
pub(in crate::api) async fn session(mut call: Call) -> Answer {
    let id = call.head.headers.get(SESSION);
    let id = id.and_then(|v| v.to_str().ok()).map(str::to_owned);
    if id.is_none() && call.api.cluster.manners().is_classic() {
        return Err(Error::Bad("no session ID provided".to_owned()));
    }
    let (Some(id), true) = (id, call.head.headers.contains_key(header::UPGRADE)) else {
        return any::forward(call).await;
    };
    wish::recall(&mut call);
    // Refused before it waits for a build, which is refused too.
    call.wish.read()?;
    let builds = call.api.cluster.builds().clone();
    let part = Part::Session(id);
    let by_tunnel = builds.has_tunnel(&place::client(&call));
    let known = match by_tunnel {
        true => builds.place(&part),
        false => builds.expect(&part, PATIENCE).await,
    };
    let members = call.members();
    let key = match known {
        Some(key) => key,
        None => {
            let node = place::of_client(&call, &members)?;
            builds.pin(&[part], &node.key)
        }
    };
    let engine = place::engine(&members, &key)?;
    let path = call.path.clone();
    call.hijack(&engine, &path).await
}
