//! Prunes: every node clears up what it itself does not use.
//!
//! What several nodes share is safe: engines prune volumes of the driver `local` alone, and networks of a swarm-mode
//! cluster only at a manager that knows all tasks on them.

use std::collections::HashSet;

use http::StatusCode;
use serde_json::{Value, json};

use super::broadcast::{self, Asked};
use super::call::{self, Answer, Call};
use super::filters::Filters;
use super::network::replicated;
use super::warning::warn;
use crate::cluster::Members;
use crate::engine::Refresh;
use crate::model::network::REPLICATE_LABEL;
use crate::model::orders::{ORDERS_LABEL, Orders};
use crate::model::{Network, Node};

/// The API version that tells anonymous volumes from named ones when pruning.
const ANONYMOUS: u16 = 42;

/// Removes stopped containers.
pub(super) async fn containers(call: Call) -> Answer {
    allowed(&call, &["label", "label!", "until"])?;
    plain(call, Refresh::All).await
}

/// Removes images that nothing uses on their node.
pub(super) async fn images(call: Call) -> Answer {
    allowed(&call, &["dangling", "label", "label!", "until"])?;
    plain(call, Refresh::Images).await
}

/// Removes networks that nothing uses.
pub(super) async fn networks(call: Call) -> Answer {
    let mut filters = allowed(&call, &["label", "label!", "until"])?;
    let asked = Asked::from(call);
    // Engines spare what has all the labels that are not to be: one more would have them spare less than was asked.
    let by_us = filters.contains("label!") && has_replicated(&asked.api.cluster.members());
    let wanted = filters.clone();
    filters.insert("label!", REPLICATE_LABEL);
    let ours = filters.to_json();
    let ours: String = form_urlencoded::byte_serialize(ours.as_bytes()).collect();
    let query = |_: &Node| {
        Ok(match wanted.contains("label!") {
            true => asked.query.clone(),
            false => format!("filters={ours}"),
        })
    };
    let meant = |network: &Network| by_us || network.labels.contains_key(REPLICATE_LABEL);
    let done = match by_us {
        true => Vec::new(),
        false => asked.all(query, Some(Refresh::Networks)).await?,
    };
    let (gone, failed) = replicated::prune(&asked, &wanted, meant).await?;
    let with_ours = |sum: &mut Value| {
        once(sum);
        match sum["NetworksDeleted"].as_array_mut() {
            Some(all) => all.extend(gone.into_iter().map(Value::from)),
            None if gone.is_empty() => {}
            None => sum["NetworksDeleted"] = gone.into(),
        }
    };
    let mut answer = match by_us {
        true => {
            let mut sum = json!({ "NetworksDeleted": null });
            with_ours(&mut sum);
            call::json(StatusCode::OK, format!("{sum}\n"))
        }
        false => broadcast::merged(done, with_ours)?,
    };
    warn(&mut answer, &failed);
    Ok(answer)
}

/// Tells whether there are networks that are on several nodes without reaching over them.
fn has_replicated(members: &Members) -> bool {
    let mut nodes = members.view.nodes().iter();
    nodes.any(|node| node.networks.iter().any(Network::is_replicated))
}

/// Removes build caches.
pub(super) async fn builds(call: Call) -> Answer {
    plain(call, Refresh::Images).await
}

/// Removes volumes that nothing uses, but for the ones in which nodes keep what was ordered of them. An engine spares
/// only what has all the labels that `label!` names: next to a user's, ours would take away what they want kept, so such
/// a prune may take ours, which are then written again.
pub(super) async fn volumes(call: Call) -> Answer {
    let mut filters = allowed(&call, &["all", "label", "label!"])?;
    if !filters.contains("label!") {
        filters.insert("label!", ORDERS_LABEL);
    }
    let named_too = filters.flag("all")? == Some(true);
    let (ours, old) = (filters.to_json(), filters.without("all").to_json());
    let asked = Asked::from(call);
    let version = asked.version;
    let query = |node: &Node| {
        let knows = node.facts.api_max >= ANONYMOUS;
        if !knows && version >= ANONYMOUS && !named_too {
            // It would take named ones too.
            return Err("this engine cannot tell anonymous volumes from named ones (API 1.42); prune with --all, or with a client of API 1.41".to_owned());
        }
        let filters = if knows { &ours } else { &old };
        let filters: String = form_urlencoded::byte_serialize(filters.as_bytes()).collect();
        Ok(format!("filters={filters}"))
    };
    let done = asked.all(query, Some(Refresh::Volumes)).await?;
    broadcast::merged(done, |sum| {
        once(sum);
        if let Some(Value::Array(names)) = sum.get_mut("VolumesDeleted") {
            names.retain(|name| !name.as_str().is_some_and(Orders::are_named));
        }
    })
}

/// Refuses filters that engines do not know here.
fn allowed(call: &Call, names: &[&str]) -> Result<Filters, super::error::Error> {
    let filters = Filters::parse(call.query.text("filters"))?;
    filters.validate(names)?;
    Ok(filters)
}

/// Asks every node the same.
async fn plain(call: Call, then: Refresh) -> Answer {
    let asked = Asked::from(call);
    run(&asked, |_| Ok(asked.query.clone()), then).await
}

/// Asks all nodes and makes one answer of theirs.
async fn run(
    asked: &Asked,
    query: impl Fn(&Node) -> Result<String, String>,
    then: Refresh,
) -> Answer {
    let done = asked.all(query, Some(then)).await?;
    broadcast::merged(done, once)
}

/// Leaves of equal rows one: the same image is untagged on many nodes.
fn once(sum: &mut Value) {
    let rows = sum.as_object_mut().into_iter().flatten();
    for (_, list) in rows {
        if let Value::Array(rows) = list {
            let mut seen = HashSet::new();
            rows.retain(|row| seen.insert(row.to_string()));
        }
    }
}
