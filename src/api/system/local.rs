//! Endpoints answered here: ping, version, info, and what is refused.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::{info, ping, version};
use crate::api::build;
use crate::api::call::{Answer, Call, json};
use crate::api::error::Error;
use crate::api::node;
use crate::net::body;

/// Answers a ping without asking any engine: it comes before every command of the docker CLI.
pub(in crate::api) async fn ping(call: Call) -> Answer {
    build::note(&call);
    let about = call.api.about();
    let bytes = match call.head.method {
        Method::HEAD => "",
        _ => ping::BODY,
    };
    let mut answer = Response::new(body::full(bytes));
    for (name, value) in ping::headers(&call.members().view, &about) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(name, value);
        }
    }
    if call.head.method == Method::HEAD {
        let zero = HeaderValue::from_static("0");
        answer.headers_mut().insert(header::CONTENT_LENGTH, zero);
    }
    Ok(answer)
}

/// Tells the versions of Flotilla and of every node.
pub(in crate::api) async fn version(call: Call) -> Answer {
    let told = version::version(&call.members().view, &call.api.about());
    Ok(json(StatusCode::OK, format!("{told}\n")))
}

/// Tells of the cluster as of one engine.
pub(in crate::api) async fn info(call: Call) -> Answer {
    let now = jiff::Timestamp::now();
    let mut told = info::info(&call.members().view, &call.api.about(), call.version, now);
    if call.api.settings.experimental {
        told["ExperimentalBuild"] = true.into();
    }
    let manners = call.api.cluster.manners();
    let is_plain = !manners.is_classic() && told["Swarm"]["LocalNodeState"] == "inactive";
    if is_plain && is_cli(&call.head.headers) {
        // `docker node ps` lists the tasks of this node, and without one refuses that it "is not found in /info". Other
        // clients, as Portainer, would take the engine for one in swarm mode.
        told["Swarm"]["NodeID"] = node::ALL.into();
    }
    Ok(json(StatusCode::OK, format!("{told}\n")))
}

/// Tells whether the docker CLI asks.
fn is_cli(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT);
    agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Docker-Client/"))
}

/// Refuses as if there were no such route.
pub(in crate::api) async fn no_route(_: Call) -> Answer {
    Err(Error::NoRoute)
}
