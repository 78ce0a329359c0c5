//! Classic Swarm's way to answer, for clients that were written for it (`--compat classic`).
//!
//! Here answers get its statuses and words, once for all endpoints. Where it did something else than we do, that is
//! decided where it is done; `docs/compat-classic.md` lists all of it.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::de::Error as _;

use super::bad_filter::BadFilter as F;
use super::call::{Answer, Call, no_content, whole};
use super::error::Error;
use super::filters::Filters;
use super::list::ListError;
use super::route::Route;
use crate::cluster;
use crate::cluster::error::Kind;
use crate::cluster::spec::BadSpec;
use crate::engine;
use crate::model::Manners;
use crate::model::event::Event;
use crate::model::image::{familiar, with_tag};
use crate::model::raw::{Object, quote};
use crate::net::body::{self, Body};
use crate::scheduler::wishes::BadWish;

/// The API version that it announced, as minor number.
pub(super) const API: u16 = 40;
/// The most bytes of an answer that are read to be changed.
const ANSWER_LIMIT: usize = 1 << 20;
/// How long what follows a head may take; engines send both at once.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// What its own client put before what an engine said, so that the docker CLI shows it twice.
const PREFIX: &str = "Error response from daemon: ";

/// The calls that it made itself, where others passed on the client's: it gave every refusal of an engine as a fault.
const CALLS: &[(&str, &str)] = &[
    ("POST", "/containers/create"),
    ("GET", "/containers/{}/json"),
    ("POST", "/containers/{}/start"),
    ("POST", "/containers/{}/rename"),
    ("POST", "/containers/{}/exec"),
    ("DELETE", "/containers/{}"),
    ("POST", "/images/{}/tag"),
    ("DELETE", "/images/{}"),
    ("POST", "/networks/create"),
    ("POST", "/networks/{}/disconnect"),
    ("DELETE", "/networks/{}"),
    ("POST", "/volumes/create"),
    ("DELETE", "/volumes/{}"),
];

/// The filters that classic had.
const FILTERS: [&str; 7] = [
    "health",
    "port",
    "containerslots",
    "dependency",
    "affinity",
    "constraint",
    "whitelist",
];

/// Tells whether a filter is shown; some are ours alone.
pub(super) fn knows(filter: &str, manners: Manners) -> bool {
    !manners.is_classic() || FILTERS.contains(&filter)
}

/// Returns the path that an older name of an endpoint means.
pub(super) fn path(path: String) -> String {
    match path.as_str() {
        "/containers/ps" => "/containers/json".to_owned(),
        _ => path,
    }
}

/// Writes an event as classic did, which said of which node it is in two more places.
pub(super) fn event(event: &Event) -> Bytes {
    let attribute = |key: &str| event.attributes.get(key).map_or("", String::as_str);
    let Ok(mut told) = std::str::from_utf8(&event.json)
        .map_err(serde_json::Error::custom)
        .and_then(Object::parse)
    else {
        return event.json.clone();
    };
    let from: String = told.decode("from").unwrap_or_default();
    let name = attribute("node.name");
    let from = format!("{from} node:{name}");
    told.set("from", quote(from.trim_start()));
    let node = serde_json::json!({
        "Name": name,
        "Id": attribute("node.id"),
        "Addr": attribute("node.addr"),
        "Ip": attribute("node.ip"),
    });
    told.set("node", node.to_string());
    told.to_json().into()
}

/// Runs the handler, and answers as classic would have.
pub(super) async fn answer(route: &Route, call: Call) -> Answer {
    let id = call.id.clone();
    let filters = call.query.text("filters").to_owned();
    let answer = match (route.run)(call).await {
        Ok(answer) => answer,
        Err(error) => {
            let error = bad_filter(route, &filters, error);
            return Err(in_its_words(route, &id, error));
        }
    };
    let (status, called) = (answer.status(), (route.method, route.path));
    match called {
        ("POST", "/containers/create") if status.is_success() => {
            let (head, created) = answer.into_parts();
            let text = read(created).await?;
            let id = std::str::from_utf8(&text).ok().and_then(only_id);
            Ok(whole(
                head.status,
                head.headers,
                id.map_or(text, Into::into),
            ))
        }
        ("POST", "/containers/{}/start") if status == StatusCode::NOT_MODIFIED => {
            Ok(no_content(StatusCode::NO_CONTENT))
        }
        _ if CALLS.contains(&called) && (status.is_client_error() || status.is_server_error()) => {
            let message = engine::client::message(&read(answer.into_body()).await?);
            Err(match called {
                // It looked at the command itself.
                (_, "/containers/{}/exec") if status == StatusCode::BAD_REQUEST => {
                    Error::Bad(message)
                }
                (_, "/networks/{}/disconnect") => Error::NotFound(format!("{PREFIX}{message}")),
                _ => Error::Fault(format!("{PREFIX}{message}")),
            })
        }
        _ => Ok(answer),
    }
}

/// Reads a short answer, or the error of an engine, which may hang after the head.
async fn read(answer: Body) -> Result<Bytes, Error> {
    match tokio::time::timeout(ANSWER_DEADLINE, body::read(answer, ANSWER_LIMIT)).await {
        Ok(text) => Ok(text?),
        Err(_) => Err(Error::Fault(
            "an engine began an answer and does not end it".to_owned(),
        )),
    }
}

/// Leaves of the answer to a create what classic told of it.
fn only_id(text: &str) -> Option<String> {
    let id: String = Object::parse(text.trim()).ok()?.decode("Id")?;
    Some(format!("{{\"Id\":\"{id}\"}}\n"))
}

/// Says which filter of a list of images or networks is bad, all of which it refused in one form.
fn bad_filter(route: &Route, filters: &str, error: Error) -> Error {
    let invalid = |what: &str| Error::Bad(format!("Invalid filter: 'type'='{what}'"));
    match (route.path, error) {
        (
            "/networks",
            Error::Filter(F::NetworkType(kind))
            | Error::List(ListError::Filter(F::NetworkType(kind))),
        ) => invalid(&kind),
        (
            "/images/json",
            Error::Filter(F::Values { key, .. })
            | Error::List(ListError::Filter(F::Values { key, .. })),
        ) => invalid(key),
        ("/images/json", Error::List(ListError::NoSuchImage(name))) => {
            let filters = Filters::parse(filters).unwrap_or_default();
            let asked = ["before", "since"].into_iter().flat_map(|key| {
                let values = filters.values(key);
                values.map(move |value| (key, value))
            });
            let means = |value: &str| value == name || with_tag(familiar(value)) == name;
            let mut asked = asked.filter(|(_, value)| means(value));
            let (key, value) = asked.next().unwrap_or(("before", &name));
            Error::Bad(format!(
                "Invalid filter: 'type'='{key}': no such image found: '{value}'"
            ))
        }
        (_, error) => error,
    }
}

/// Makes the error that classic would have told.
fn in_its_words(route: &Route, id: &str, error: Error) -> Error {
    use cluster::Error as E;
    let own = kind(route);
    match error {
        Error::Cluster(E::NotFound { kind, name } | E::Unheard { kind, name, .. }) => {
            Error::NotFound(missing(route, kind, &name))
        }
        // It took what is not unique for nothing.
        Error::Cluster(E::AmbiguousName { .. } | E::AmbiguousPrefix { .. }) => {
            Error::NotFound(missing(route, own, id))
        }
        Error::Cluster(E::NameTaken { name, .. } | E::NameReserved { name, .. }) => {
            Error::Conflict(format!(
                "Conflict: The name {name} is already assigned. You have to delete (or rename) that container to be able to assign {name} to a container again."
            ))
        }
        Error::Cluster(E::Refused(refused) | E::Unplaced { refused, .. }) => {
            Error::Fault(refused.in_classics_words())
        }
        Error::Cluster(E::Waited { error, .. }) => in_its_words(route, id, Error::Cluster(*error)),
        Error::Cluster(E::Unreachable { node, .. }) if own == Kind::Container => {
            Error::Fault(format!("Container {id} running on unhealthy node {node}"))
        }
        // What an engine would have refused.
        Error::Conflict(text) | Error::Cluster(E::Conflict(text))
            if route.path == "/networks/{}/disconnect" =>
        {
            Error::NotFound(text)
        }
        Error::Time(error) if route.path == "/events" => Error::Bad(error.to_string()),
        Error::Spec(BadSpec::Wish(BadWish::Expression { kind, source })) => {
            Error::Fault(format!("error from {kind} filter: {source}"))
        }
        Error::Cluster(E::Image { reason, .. }) => Error::Fault(format!("{PREFIX}{reason}")),
        Error::Engine(engine::Error::Status { message, .. })
        | Error::Cluster(E::Engine(engine::Error::Status { message, .. })) => {
            Error::Fault(format!("{PREFIX}{message}"))
        }
        // A swarm-mode cluster that is not there is no fault.
        error @ (Error::NoSwarm | Error::NoSwarmTwice(_) | Error::NotInSwarm) => error,
        error if is_fault(route, &error) => Error::Fault(error.to_string()),
        error => error,
    }
}

/// Tells whether classic took an error for a fault of its own, whoever's it was.
fn is_fault(route: &Route, error: &Error) -> bool {
    let own = match (route.method, route.path) {
        ("POST", "/containers/create") => !matches!(
            error,
            Error::Spec(BadSpec::Json(_)) | Error::Bad(_) | Error::Body(_)
        ),
        ("GET", "/containers/json") => error.status() != StatusCode::NOT_FOUND,
        ("POST", "/networks/create" | "/volumes/create") => matches!(error, Error::Conflict(_)),
        _ => false,
    };
    own || error.status().is_server_error()
}

/// Returns the kind of object that an endpoint is about.
fn kind(route: &Route) -> Kind {
    match route.path.split('/').nth(1) {
        Some("images") => Kind::Image,
        Some("networks") => Kind::Network,
        Some("volumes") => Kind::Volume,
        Some("exec") => Kind::Exec,
        _ => Kind::Container,
    }
}

/// Says that something is not there, as each endpoint of classic did.
fn missing(route: &Route, kind: Kind, name: &str) -> String {
    match (kind, route.method, route.path) {
        (Kind::Container, "DELETE", _) => format!("Container {name} not found"),
        (
            Kind::Container,
            _,
            "/containers/{}/json" | "/containers/{}/start" | "/containers/{}/exec",
        ) => {
            format!("No such container {name}")
        }
        (Kind::Container, ..) => format!("No such container: {name}"),
        (Kind::Exec, ..) => format!("Exec {name} not found"),
        (kind, "DELETE", _) if kind != Kind::Network => format!("No such {kind} {name}"),
        (kind, ..) => format!("No such {kind}: {name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::route;
    use super::super::timestamp::BadTime;
    use super::*;
    use crate::scheduler::wishes;

    /// What an endpoint of classic says of a failure, with the status.
    fn told(method: &str, path: &str, error: Error) -> (u16, String) {
        let (route, id) = route::find(&method.parse().unwrap(), path).unwrap();
        let error = in_its_words(route, &id, error);
        (error.status().as_u16(), error.to_string())
    }

    #[test]
    fn what_is_not_there_is_told_in_the_words_of_each_endpoint() {
        for (method, path, kind, expected) in [
            (
                "POST",
                "/containers/x/stop",
                Kind::Container,
                "No such container: x",
            ),
            (
                "GET",
                "/containers/x/json",
                Kind::Container,
                "No such container x",
            ),
            (
                "POST",
                "/containers/x/start",
                Kind::Container,
                "No such container x",
            ),
            (
                "POST",
                "/containers/x/exec",
                Kind::Container,
                "No such container x",
            ),
            (
                "DELETE",
                "/containers/x",
                Kind::Container,
                "Container x not found",
            ),
            ("GET", "/exec/x/json", Kind::Exec, "Exec x not found"),
            ("GET", "/images/x/json", Kind::Image, "No such image: x"),
            ("DELETE", "/images/x", Kind::Image, "No such image x"),
            ("GET", "/networks/x", Kind::Network, "No such network: x"),
            ("DELETE", "/volumes/x", Kind::Volume, "No such volume x"),
        ] {
            let name = "x".to_owned();
            let error = Error::Cluster(cluster::Error::NotFound { kind, name });
            assert_eq!(told(method, path, error), (404, expected.to_owned()));
        }
    }

    #[test]
    fn what_is_not_unique_is_not_there() {
        let error = || cluster::Error::AmbiguousPrefix {
            prefix: "ab".into(),
        };
        let (status, text) = told("GET", "/networks/ab", Error::Cluster(error()));
        assert_eq!((status, text.as_str()), (404, "No such network: ab"));
    }

    #[test]
    fn creates_fail_with_500_but_for_taken_names_and_bad_json() {
        let create = |error| told("POST", "/containers/create", error);
        let taken = cluster::Error::NameTaken {
            name: "web".into(),
            id: "1".into(),
        };
        let (status, text) = create(taken.into());
        assert_eq!(status, 409);
        assert!(text.starts_with("Conflict: The name web is already assigned. You"));
        assert_eq!(create(Error::Spec(BadSpec::Empty)).0, 500);
        assert_eq!(create(Error::Bad("x".into())).0, 400);
        let full = crate::scheduler::Refused::NoNodes;
        assert_eq!(create(cluster::Error::Refused(full).into()).0, 500);
    }

    #[test]
    fn what_is_elsewhere_or_cannot_be_read_has_its_own_statuses() {
        let conflict = Error::Conflict("web is on node1".into());
        let text = "web is on node1".to_owned();
        assert_eq!(
            told("POST", "/networks/n/disconnect", conflict),
            (404, text)
        );
        let late = BadTime::Unreadable("abc".into());
        assert_eq!(told("GET", "/events", Error::Time(late)).0, 400);
        let env = ["constraint:no expression".to_owned()];
        let wish = wishes::extract(&env, &BTreeMap::new()).unwrap_err();
        let wish = Error::Spec(BadSpec::Wish(wish));
        let (status, text) = told("POST", "/containers/create", wish);
        assert_eq!(status, 500);
        assert!(text.starts_with("error from constraint filter: "), "{text}");
    }

    #[test]
    fn a_bad_filter_is_named_in_one_form() {
        let told = |path: &str, filters: &str, error: ListError| {
            let (route, _) = route::find(&http::Method::GET, path).unwrap();
            let error = bad_filter(route, filters, Error::List(error));
            (error.status().as_u16(), error.to_string())
        };
        let kind = F::NetworkType("x".into()).into();
        let expected = (400, "Invalid filter: 'type'='x'".to_owned());
        assert_eq!(told("/networks", "", kind), expected);
        let values = vec!["x".to_owned()];
        let dangling = F::Values {
            key: "dangling",
            values,
        };
        let expected = (400, "Invalid filter: 'type'='dangling'".to_owned());
        assert_eq!(told("/images/json", "", dangling.into()), expected);
        let filters = r#"{"before":["known"],"since":["gone"]}"#;
        let gone = ListError::NoSuchImage("gone:latest".into());
        let text = "Invalid filter: 'type'='since': no such image found: 'gone'";
        assert_eq!(told("/images/json", filters, gone), (400, text.to_owned()));
    }

    #[test]
    fn an_event_says_three_times_which_node_it_is_of() {
        let marks = [
            ("name", "n0"),
            ("id", "E|h:1"),
            ("addr", "h:1"),
            ("ip", "::1"),
        ];
        let marks = marks.map(|(k, v)| (format!("node.{k}"), v.to_owned()));
        let told = event(&Event {
            attributes: marks.into(),
            json: r#"{"status":"start","from":"busybox","x":1.50}"#.into(),
            ..Event::default()
        });
        assert_eq!(
            told,
            r#"{"status":"start","from":"busybox node:n0","x":1.50,"node":{"Name":"n0","Id":"E|h:1","Addr":"h:1","Ip":"::1"}}"#
        );
    }

    #[test]
    fn a_create_is_answered_with_the_id_alone() {
        let text = only_id("{\"Id\":\"ab\",\"Warnings\":[\"x\"]}\n").unwrap();
        assert_eq!(text, "{\"Id\":\"ab\"}\n");
    }
}
