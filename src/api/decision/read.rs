//! Lists and looks at decisions that are kept.

use serde_json::Value;

use super::form;
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster::decision::{Decision, Id};
use crate::cluster::decisions::Found;
use crate::cluster::resolve;

/// Lists the decisions that creates wait for, then the last ones; newest first.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let waiting = call.api.cluster.queue().waiting();
    let kept = call.api.cluster.decisions().list();
    let waiting = waiting.iter().rev().map(|found| &found.decision);
    let rows: Vec<Value> = waiting.chain(&kept).map(|d| form::row(d)).collect();
    Ok(form::answer(&Value::from(rows)))
}

/// Tells one decision node by node.
pub(in crate::api) async fn inspect(call: Call) -> Answer {
    let found = find(&call)?;
    Ok(form::answer(&form::whole(&found)))
}

/// Finds the decision that a user means: by its number, or by a container in any way that containers are named.
fn find(call: &Call) -> Result<Found, Error> {
    let (reference, decisions) = (&call.id, call.api.cluster.decisions());
    let waiting = call.api.cluster.queue().waiting().into_iter();
    let mut waiting = waiting.rev();
    let is_meant = |d: &Decision| d.id.to_string() == *reference || d.is_about(reference);
    if let Some(found) = waiting.find(|found| is_meant(&found.decision)) {
        return Ok(found);
    }
    if let Ok(id) = reference.parse::<Id>()
        && let Some(found) = decisions.newest(|d| d.id == id)
    {
        return Ok(found);
    }
    let limit = decisions.limit();
    let members = call.members();
    if let Ok(located) = resolve::container(&members, reference) {
        let id = &*located.object.id;
        let found = decisions.newest(|d| d.container() == Some(id));
        return found.ok_or_else(|| {
            Error::NotFound(format!(
                "container {reference} is on {}, but the decision that put it there is not kept: only the last {limit} since Flotilla's start are",
                located.node.name
            ))
        });
    }
    // Those too that never came to be, or are gone.
    let found = decisions.newest(|d| d.is_about(reference));
    found.ok_or_else(|| {
        Error::NotFound(format!(
            "no container and no decision {reference}: only the last {limit} decisions since Flotilla's start are kept"
        ))
    })
}
