//! Creates: read whole, understood, placed.

use http::{HeaderMap, header};
use tokio_util::sync::CancellationToken;

use crate::api::call::{Answer, Call, whole};
use crate::api::error::Error;
use crate::cluster::create::{Create, create as place};
use crate::cluster::globals;
use crate::cluster::spec::Spec;

/// Creates a container on the node that placement chooses.
pub(in crate::api) async fn create(call: Call) -> Answer {
    let cluster = call.api.cluster.clone();
    let create = read(call).await?;
    // Runs to its end even when the client goes away: half a create is worse than one that nobody waits for. Unless it
    // is none yet, and waits for room.
    let gone = CancellationToken::new();
    let _leaves = gone.clone().drop_guard();
    let running = tokio::spawn(async move {
        // What a tunnel has just built is in no list yet.
        cluster.after_tunnels().await;
        place(cluster, create, Some(gone)).await
    });
    let answer = running
        .await
        .map_err(|e| Error::Internal(e.to_string()))??;
    Ok(whole(answer.status, answer.headers, answer.body))
}

/// Reads the create that a call asks for.
pub(in crate::api) async fn read(mut call: Call) -> Result<Create, Error> {
    check_type(&call.head.headers)?;
    let body = call.read_body().await?;
    let name = Some(call.query.text("name")).filter(|n| !n.is_empty());
    let name = name.map(|n| n.strip_prefix('/').unwrap_or(n).to_owned());
    let manners = call.api.cluster.manners();
    let members = call.members();
    let mut spec = Spec::read(&body, name.as_deref(), &members, manners)?;
    let wished = call.wish.read()?.constraints;
    spec.wish(wished.clone());
    spec.ask_platform(call.query.text("platform"), &members);
    let query = without_name(call.raw_query());
    let mut headers = call.head.headers;
    crate::proxy::headers::strip_hop_by_hop(&mut headers);
    for name in [header::HOST, header::CONTENT_LENGTH, header::EXPECT] {
        headers.remove(name);
    }
    let mut create = Create {
        spec,
        query,
        headers,
        retries: call.api.settings.create_retry,
        api: call.version,
    };
    globals::keep(&mut create, &body, &wished)?;
    Ok(create)
}

/// Demands JSON, in the engine's words.
fn check_type(headers: &HeaderMap) -> Result<(), Error> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or_default();
    let bare = kind.split(';').next().unwrap_or_default().trim();
    if bare.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let message = match kind {
        "" => "missing Content-Type header: must be 'application/json'".to_owned(),
        kind => format!("unsupported Content-Type header ({kind}): must be 'application/json'"),
    };
    Err(Error::Bad(message))
}

/// Returns the query without its `name`, each part after an `&`.
fn without_name(query: &str) -> String {
    let parts = query.split('&').filter(|p| !p.is_empty());
    parts
        .filter(|p| *p != "name" && !p.starts_with("name="))
        .map(|p| format!("&{p}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_taken_out_of_the_query() {
        assert_eq!(without_name("name=web&platform=linux"), "&platform=linux");
        assert_eq!(
            without_name("platform=&rename=x&name="),
            "&platform=&rename=x"
        );
        assert_eq!(without_name(""), "");
    }

    #[test]
    fn a_body_that_is_not_json_is_refused_in_the_engines_words() {
        let mut headers = HeaderMap::new();
        assert!(check_type(&headers).is_err());
        headers.insert(
            "content-type",
            "Application/JSON; charset=utf-8".parse().unwrap(),
        );
        assert!(check_type(&headers).is_ok());
        headers.insert("content-type", "text/plain".parse().unwrap());
        assert_eq!(
            check_type(&headers).unwrap_err().to_string(),
            "unsupported Content-Type header (text/plain): must be 'application/json'"
        );
    }
}
