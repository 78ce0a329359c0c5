//! Calls that any healthy engine can answer, because they are about registries.

use http::StatusCode;

use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster;
use crate::engine::Engine;
use crate::net::body;

/// Forwards to the first healthy engine.
pub(in crate::api) async fn forward(call: Call) -> Answer {
    let (engine, path) = (first(&call)?, call.path.clone());
    call.forward(&engine, &path).await
}

/// Checks credentials on the first engine that can be reached; "wrong password" is an answer and is not asked twice.
pub(in crate::api) async fn auth(mut call: Call) -> Answer {
    let text = call.read_body().await?;
    let members = call.members();
    let engines: Vec<Engine> = members.healthy().map(|(_, e)| e.clone()).collect();
    let mut last = Err(Error::Cluster(cluster::Error::NoHealthyNode));
    call.head.headers.remove(http::header::CONTENT_LENGTH);
    for engine in engines {
        let query = call.raw_query().to_owned();
        let target = crate::proxy::target::versioned(&engine, call.version, "/auth", &query);
        let again = (call.head.clone(), body::full(text.clone()));
        last = crate::proxy::forward(&engine, again.0, again.1, &target)
            .await
            .map_err(Error::from);
        if last.as_ref().is_ok_and(|a| !a.status().is_server_error()) {
            break;
        }
    }
    last
}

/// Asks one healthy engine after the other until one has the object; the last answer counts when none has.
pub(in crate::api) async fn first_that_has(call: Call) -> Answer {
    let members = call.members();
    let mut last = Err(Error::Cluster(cluster::Error::NoHealthyNode));
    for (_, engine) in members.healthy() {
        let target =
            crate::proxy::target::versioned(engine, call.version, &call.path, call.raw_query());
        last = crate::proxy::forward(engine, call.head.clone(), body::empty(), &target)
            .await
            .map_err(Error::from);
        if last
            .as_ref()
            .is_ok_and(|a| a.status() != StatusCode::NOT_FOUND)
        {
            break;
        }
    }
    last
}

/// Returns the first healthy engine.
fn first(call: &Call) -> Result<Engine, Error> {
    let members = call.members();
    let first = members.healthy().next().map(|(_, engine)| engine.clone());
    first.ok_or(Error::Cluster(cluster::Error::NoHealthyNode))
}
