//! Bodies that say of themselves that they are forms.

use http::header;
use http::request::Parts;
use hyper::body::Body as _;

use super::error::Error;
use super::route::Route;
use crate::net::body::Body;

/// What reads a body as JSON, so that an engine refuses the type of an empty one too. Where the engine itself gets the
/// call it says so itself.
const JSON: &[&str] = &[
    "/containers/create",
    "/networks/create",
    "/networks/{}/connect",
    "/networks/{}/disconnect",
    "/volumes/create",
    "/nodes/{}/update",
];

/// Refuses form bodies: engines let them override the query, so what is judged here would not be what is done there. An
/// empty one overrides nothing.
///
/// # Errors
/// There is one, or may be.
pub(super) fn refuse(route: &Route, head: &Parts, body: &Body) -> Result<(), Error> {
    let kind = head.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or_default();
    let is_form = kind
        .to_ascii_lowercase()
        .starts_with("application/x-www-form-urlencoded");
    let is_json = JSON.contains(&route.path) || route.path.starts_with("/swarm");
    if is_form && (is_json || !body.is_end_stream()) {
        return Err(Error::Bad(format!(
            "unsupported Content-Type header ({kind}): must be 'application/json'"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::{Method, Request};

    use super::*;
    use crate::api::route;
    use crate::net::body;

    #[test]
    fn an_empty_form_is_refused_where_json_is_read() {
        for (path, body, expected) in [
            ("/containers/a/start", body::empty(), true),
            ("/containers/a/rename", body::empty(), true),
            ("/containers/a/rename", body::full("name=b"), false),
            ("/containers/create", body::empty(), false),
            ("/networks/a/connect", body::empty(), false),
            ("/swarm/leave", body::empty(), false),
        ] {
            let form = "application/x-www-form-urlencoded; charset=utf-8";
            let request = Request::builder().header(header::CONTENT_TYPE, form);
            let (head, ()) = request.body(()).unwrap().into_parts();
            let (route, _) = route::find(&Method::POST, path).unwrap();
            assert_eq!(refuse(route, &head, &body).is_ok(), expected, "{path}");
        }
    }
}
