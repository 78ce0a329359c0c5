//! Calls that any healthy engine can answer, because they are about registries.
//!
//! What an engine says of a registry is an answer ("wrong password" is not asked twice); an engine that cannot be reached
//! or fails is none, and the next one is asked. When three have failed, it is the registry that does not answer.

use http::{Method, StatusCode, header};

use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster;
use crate::net::body;
use crate::proxy::{self, target};

/// Engines whose failures are enough.
const FAILURES: usize = 3;

/// Asks one healthy engine after the other until one has an answer, or enough of them have failed.
pub(in crate::api) async fn forward(call: Call) -> Answer {
    one_by_one(call, FAILURES, |status| status.is_server_error()).await
}

/// Asks one healthy engine after the other until one has the object; the last answer counts when none has.
pub(in crate::api) async fn first_that_has(call: Call) -> Answer {
    let goes_on = |status: StatusCode| status == StatusCode::NOT_FOUND || status.is_server_error();
    one_by_one(call, usize::MAX, goes_on).await
}

/// Sends the call to the healthy engines in their order while `goes_on` says that the answer is not the last, until so
/// many have answered.
async fn one_by_one(mut call: Call, most: usize, goes_on: impl Fn(StatusCode) -> bool) -> Answer {
    let text = call.read_body().await?;
    call.head.headers.remove(header::CONTENT_LENGTH);
    let members = call.members();
    let mut last = Err(Error::Cluster(cluster::Error::NoHealthyNode));
    let mut answers = 0;
    for (_, engine) in members.healthy() {
        let target = target::versioned(engine, call.version, &call.path, call.raw_query());
        let part = match call.head.method {
            Method::GET | Method::HEAD => body::empty(),
            _ => body::full(text.clone()),
        };
        let now = proxy::forward(engine, call.head.clone(), part, &target).await;
        answers += usize::from(now.is_ok());
        last = match (last, now) {
            // What an engine said says more than that another could not be reached.
            (Ok(said), Err(_)) => Ok(said),
            (_, now) => now.map_err(Error::from),
        };
        let said = last.as_ref().is_ok_and(|answer| !goes_on(answer.status()));
        if said || answers >= most {
            break;
        }
    }
    last
}
