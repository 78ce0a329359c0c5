//! Lists from memory and inspects from the home node.

use super::list;
use crate::api::call::{Answer, Call, chunked};
use crate::cluster::resolve;

/// Lists volumes of all nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let filters = list::parse(&call.query)?;
    let rows = list::select(&call.members().view, &filters)?;
    Ok(chunked(list::render(rows)))
}

/// Inspects a volume on its home node.
pub(in crate::api) async fn inspect(call: Call) -> Answer {
    let found = resolve::volume(&call.members(), &call.id)?;
    let object = format!("volume {}", found.object.name);
    let found = found.reachable(&object, "")?;
    let path = format!("/volumes/{}", found.object.name);
    call.forward(&found.engine, &path).await
}
