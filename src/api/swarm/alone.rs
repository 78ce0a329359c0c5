//! `docker swarm init --force-new-cluster`: a manager that has lost the others goes on alone, with what it knows.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::membership::{is_active, listen, post, refused, shown};
use crate::api::call::{Answer, Call, json as answer};
use crate::api::error::Error;
use crate::api::route::Class;
use crate::api::wish::Scope;
use crate::cluster::Members;
use crate::engine::Engine;
use crate::model::Node;

/// Tells whether a call is for a manager that is in a cluster: without one, engines take it for any other.
pub(super) fn is_meant(asked: &Value, members: &Members) -> bool {
    let mut healthy = members.healthy();
    asked["ForceNewCluster"] == true && healthy.any(|(node, _)| node.is_in_swarm())
}

/// Has one manager go on alone: the one that the header wishes for, or at whose address the cluster is to be found, or
/// else the only one that is left. What others there are keeps as it is.
///
/// # Errors
/// It is not clear which, or none of those meant is a manager.
pub(super) async fn go_on(call: Call, mut asked: Value) -> Answer {
    let cluster = call.api.cluster.clone();
    // What an engine is told by a header is of no other endpoint of swarm mode.
    let scope = Scope::of(Class::Owner, &call.wish, &cluster)?;
    let (node, engine) = choose(&scope.members(&cluster), &asked)?;
    listen(&mut asked, &node);
    let made = post(&engine, "/swarm/init", &asked).await;
    let id = made.map_err(refused)?;
    shown(&cluster, &engine, |n| is_active(n) && n.is_manager()).await;
    tracing::warn!(node = %node.name, "swarm-mode cluster goes on with one manager");
    Ok(answer(StatusCode::OK, id))
}

/// Chooses the manager.
fn choose(members: &Members, asked: &Value) -> Result<(Arc<Node>, Engine), Error> {
    let managers = members.healthy().filter(|(node, _)| node.is_manager());
    let mut managers: Vec<_> = managers.collect();
    let addrs = ["AdvertiseAddr", "ListenAddr"].map(|key| host(&asked[key]));
    if let Some(addr) = addrs.into_iter().flatten().next() {
        managers.retain(|(node, _)| node.ip == addr || node.name == addr);
        if managers.is_empty() {
            return Err(Error::Bad(format!(
                "no manager that answers has the address {addr}"
            )));
        }
    }
    match managers.as_slice() {
        [] => Err(Error::NoSwarm),
        [(node, engine)] => Ok((Arc::clone(node), (*engine).clone())),
        several => {
            let names: Vec<&str> = several.iter().map(|(n, _)| n.name.as_str()).collect();
            Err(Error::Conflict(format!(
                "{} are managers and answer: say by --advertise-addr which of them is to go on alone",
                names.join(", ")
            )))
        }
    }
}

/// Returns the host of an address that means one machine.
fn host(addr: &Value) -> Option<&str> {
    let text = addr.as_str()?;
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => text,
    };
    Some(host).filter(|host| !matches!(*host, "" | "0.0.0.0" | "[::]" | "::"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_of_all_means_none() {
        for (addr, expected) in [
            (json!("10.0.0.1"), Some("10.0.0.1")),
            (json!("10.0.0.1:2377"), Some("10.0.0.1")),
            (json!("0.0.0.0:2377"), None),
            (json!(":2377"), None),
            (json!(""), None),
            (Value::Null, None),
        ] {
            assert_eq!(host(&addr), expected, "{addr}");
        }
    }
}
