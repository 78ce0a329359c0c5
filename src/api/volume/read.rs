//! Lists from memory and inspects from the home node.

use super::{everywhere, list};
use crate::api::call::{Answer, Call, chunked};
use crate::api::warning;
use crate::cluster::resolve;

/// Lists volumes of all nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let filters = list::parse(&call.query)?;
    let manners = call.api.cluster.manners();
    let members = call.members();
    let rows = list::select(&members.view, &filters, manners)?;
    let list = chunked(list::render(rows));
    Ok(warning::of_away(list, &members, manners))
}

/// Inspects a volume on its home node; in classic, where all nodes have it, on the first that answers.
pub(in crate::api) async fn inspect(mut call: Call) -> Answer {
    if call.api.cluster.manners().is_classic()
        && let Some(holders) = everywhere::holders(&call.members(), &call.id)
        && let Some((node, _)) = holders.iter().find(|(n, _)| n.health.is_healthy())
    {
        call.id = format!("{}/{}", node.name, call.id);
    }
    let found = resolve::volume(&call.members(), &call.id)?;
    let object = format!("volume {}", found.object.name);
    let found = found.reachable(&object, "")?;
    let path = format!("/volumes/{}", found.object.name);
    call.forward(&found.engine, &path).await
}
