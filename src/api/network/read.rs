//! Lists from memory and inspects from the home node.

use super::list;
use crate::api::call::{Answer, Call, chunked};
use crate::cluster::resolve;

/// Lists networks of all nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let filters = list::parse(&call.query)?;
    let rows = list::select(&call.members().view, &filters)?;
    Ok(chunked(list::render(rows)))
}

/// Inspects a network on its home node.
pub(in crate::api) async fn inspect(call: Call) -> Answer {
    let found = resolve::network(&call.members(), &call.id)?;
    let object = format!("network {}", found.object.name);
    let found = found.reachable(&object, "")?;
    let path = format!("/networks/{}", found.object.id);
    call.forward(&found.engine, &path).await
}
