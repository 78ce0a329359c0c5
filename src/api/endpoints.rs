//! What the transparency tests need to know of the table of routes: that no endpoint goes without a test.

use http::Method;

use super::route::{self, Class, ROUTES};

/// Returns method and path of each endpoint of the Engine API that is served.
pub fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_engines = |r: &&route::Route| !matches!(r.class, Class::Refused | Class::Own);
    let served = ROUTES.iter().filter(of_engines);
    served.map(|route| (route.method, route.path))
}

/// Returns the API version, as minor number, that brought the endpoint of a path without version; `None` when there is
/// no such endpoint.
pub fn since(method: &str, path: &str) -> Option<u16> {
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    Some(route::find(&method, path)?.0.since)
}

/// Returns the path, as [`endpoints`] writes it, of the endpoint that serves a path without version.
pub fn endpoint_of(method: &str, path: &str) -> Option<&'static str> {
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    Some(route::find(&method, path)?.0.path)
}
