//! The strategy: which it is, and another from now on.

use serde_json::{Value, json};

use super::form;
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster::Cluster;

/// Tells the strategy by which nodes are chosen.
pub(in crate::api) async fn inspect(call: Call) -> Answer {
    Ok(form::answer(&told(&call.api.cluster)))
}

/// Chooses by another strategy from now on; what is being decided is decided by the one before.
pub(in crate::api) async fn change(mut call: Call) -> Answer {
    let text = call.read_body().await?;
    let wanted: Value =
        serde_json::from_slice(&text).map_err(|e| Error::Bad(format!("invalid JSON: {e}")))?;
    let Some(wanted) = wanted["Strategy"].as_str() else {
        let message = "a body of {\"Strategy\": \"name\"} is expected";
        return Err(Error::Bad(message.to_owned()));
    };
    let cluster = &call.api.cluster;
    let switched = cluster.switch_strategy(wanted);
    switched.map_err(|unknown| Error::Bad(unknown.to_string()))?;
    tracing::info!(strategy = %cluster.scheduler().strategy_name(), by = call.peer.addr, subject = ?call.peer.subject, "strategy switched");
    Ok(form::answer(&told(cluster)))
}

fn told(cluster: &Cluster) -> Value {
    json!({"Strategy": cluster.scheduler().strategy_name()})
}
