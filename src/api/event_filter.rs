//! Which events a client of `GET /events` sees.
//!
//! An engine ignores filters it does not know here, and so do we: an event too many deletes nothing.

use crate::model::event::Event;
use crate::model::image::{familiar, without_tag};

use super::filters::Filters;

/// Filters that name an object, by the start of its ID or of its name.
const OBJECTS: [&str; 8] = [
    "config",
    "container",
    "daemon",
    "network",
    "plugin",
    "secret",
    "service",
    "volume",
];

/// The first API whose clients are told that an image was created.
const IMAGE_CREATE: u16 = 46;

/// The filters of one client.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    filters: Filters,
    /// The API that the client speaks, as minor number.
    api: u16,
    /// Whether actions are compared by their start: as soon as one of these is asked for, whose events carry details.
    detailed: bool,
}

impl EventFilter {
    /// Takes over the filters of a client that speaks API 1.`api`.
    pub fn new(filters: &Filters, api: u16) -> Self {
        let detailed = |value| matches!(value, "health_status" | "exec_create" | "exec_start");
        Self {
            detailed: filters.values("event").any(detailed),
            filters: filters.clone(),
            api,
        }
    }

    /// Tells whether the client sees the event.
    pub fn matches(&self, event: &Event) -> bool {
        let filters = &self.filters;
        let action = match self.detailed {
            true => filters.prefixes("event", &event.action),
            false => filters.exact("event", &event.action),
        };
        let too_new =
            self.api < IMAGE_CREATE && (&*event.kind, &*event.action) == ("image", "create");
        let label = |name: &str| event.attributes.get(name).map(String::as_str);
        action
            && !too_new
            && filters.exact("type", &event.kind)
            && filters.exact("scope", &event.scope)
            && OBJECTS.iter().all(|kind| self.has_object(kind, event))
            && self.has_node(event)
            && self.has_image(event)
            && filters.labels("label", label)
    }

    /// Looks for the object in any event, whatever its type, as engines do; `node0/web` is `web` on node0.
    fn has_object(&self, kind: &str, event: &Event) -> bool {
        let name = attribute(event, "name");
        if self.filters.prefixes(kind, &event.actor) || self.filters.prefixes(kind, name) {
            return true;
        }
        let qualified = format!("{}/{name}", attribute(event, "node.name"));
        self.filters
            .values(kind)
            .any(|v| v.contains('/') && qualified.starts_with(v))
    }

    /// Looks for the node the event came from, by name, ID or address, or for a swarm-mode node the event is about.
    fn has_node(&self, event: &Event) -> bool {
        let about = event.kind == "node"
            && (self.filters.prefixes("node", &event.actor)
                || self.filters.prefixes("node", attribute(event, "name")));
        let from = ["node.name", "node.id", "node.addr"];
        about
            || self.filters.exact("node", &event.node)
            || from
                .iter()
                .any(|key| self.filters.exact("node", attribute(event, key)))
    }

    /// Looks for the image of an image's or a container's event, with or without its tag.
    fn has_image(&self, event: &Event) -> bool {
        let key = if event.kind == "image" {
            "name"
        } else {
            "image"
        };
        let name = attribute(event, key);
        [
            event.actor.as_str(),
            name,
            repository(&event.actor),
            repository(name),
        ]
        .into_iter()
        .any(|candidate| self.filters.exact("image", candidate))
    }
}

/// Returns an attribute; empty when the event has none of that name.
fn attribute<'e>(event: &'e Event, name: &str) -> &'e str {
    event.attributes.get(name).map_or("", String::as_str)
}

/// Returns the repository of a reference as users write it; an ID stays as it is.
fn repository(reference: &str) -> &str {
    if reference.starts_with("sha256:") {
        return reference;
    }
    let named = reference
        .split_once('@')
        .map_or(reference, |(named, _)| named);
    without_tag(familiar(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event of `kind` on node0.
    fn event(kind: &str, action: &str, actor: &str, attributes: &[(&str, &str)]) -> Event {
        let own = [("node.name", "node0"), ("node.id", "ID0")];
        Event {
            node: "10.0.0.1:2375".into(),
            kind: kind.into(),
            action: action.into(),
            actor: actor.into(),
            attributes: attributes
                .iter()
                .chain(&own)
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            scope: "local".into(),
            ..Event::default()
        }
    }

    /// The start of a container on node0.
    fn start() -> Event {
        event(
            "container",
            "start",
            "9cf1d6",
            &[
                ("name", "web"),
                ("image", "reg:5000/a/b:1"),
                ("tier", "front"),
            ],
        )
    }

    /// Fails unless each filter has its expected effect on its event.
    fn check(cases: &[(&str, &Event, bool)]) {
        for (filters, event, expected) in cases {
            let filter = EventFilter::new(&Filters::parse(filters).unwrap(), 51);
            let action = &event.action;
            assert_eq!(filter.matches(event), *expected, "{filters} {action}");
        }
    }

    #[test]
    fn containers_and_actions_are_found_as_on_an_engine() {
        let start = start();
        let exec = event(
            "container",
            "exec_create: sh -c true",
            "9cf1d6",
            &[("name", "web")],
        );
        let health = event(
            "container",
            "health_status: healthy",
            "9cf1d6",
            &[("name", "web")],
        );
        check(&[
            ("{}", &start, true),
            (r#"{"unknown":["x"]}"#, &start, true),
            (r#"{"type":["container"]}"#, &start, true),
            (r#"{"type":["image"]}"#, &start, false),
            (r#"{"container":["web"]}"#, &start, true),
            (r#"{"container":["w"]}"#, &start, true),
            (r#"{"container":["9cf"]}"#, &start, true),
            (r#"{"container":["eb"]}"#, &start, false),
            (r#"{"container":["node0/web"]}"#, &start, true),
            (r#"{"container":["node1/web"]}"#, &start, false),
            (r#"{"event":["start"]}"#, &start, true),
            (r#"{"event":["star"]}"#, &start, false),
            (r#"{"event":["exec_create"]}"#, &exec, true),
            (r#"{"event":["exec_create: sh -c true"]}"#, &exec, true),
            (r#"{"event":["exec_create: sh"]}"#, &exec, false),
            (r#"{"event":["health_status"]}"#, &health, true),
            (r#"{"event":["health_status: healthy"]}"#, &health, true),
            (r#"{"event":["health_status: unhealthy"]}"#, &health, false),
        ]);
    }

    #[test]
    fn images_networks_and_labels_are_found_as_on_an_engine() {
        let start = start();
        let pull = event("image", "pull", "busybox:latest", &[("name", "busybox")]);
        let connect = event(
            "network",
            "connect",
            "7394",
            &[("name", "n1"), ("type", "bridge")],
        );
        check(&[
            (r#"{"image":["reg:5000/a/b:1"]}"#, &start, true),
            (r#"{"image":["reg:5000/a/b"]}"#, &start, true),
            (r#"{"image":["a/b"]}"#, &start, false),
            (r#"{"image":["busybox"]}"#, &pull, true),
            (r#"{"image":["busybox:latest"]}"#, &pull, true),
            (r#"{"network":["n1"]}"#, &connect, true),
            (r#"{"network":["7394"]}"#, &connect, true),
            (r#"{"volume":["n2"]}"#, &connect, false),
            (r#"{"scope":["swarm"]}"#, &start, false),
            (r#"{"label":["tier=front"]}"#, &start, true),
            (r#"{"label":["tier"]}"#, &start, true),
            (r#"{"label":["tier=back"]}"#, &start, false),
            (r#"{"node":["node0"]}"#, &start, true),
            (r#"{"node":["ID0"]}"#, &start, true),
            (r#"{"node":["10.0.0.1:2375"]}"#, &start, true),
            (r#"{"node":["node"]}"#, &start, false),
        ]);
    }

    #[test]
    fn older_clients_are_not_told_that_an_image_was_created() {
        let create = event("image", "create", "sha256:ab", &[("name", "x:1")]);
        let tag = event("image", "tag", "sha256:ab", &[("name", "x:1")]);
        for (api, expected) in [(41, false), (45, false), (46, true)] {
            let filter = EventFilter::new(&Filters::default(), api);
            assert_eq!(filter.matches(&create), expected, "{api}");
            assert!(filter.matches(&tag) && filter.matches(&start()));
        }
    }

    #[test]
    fn nodes_of_swarm_mode_are_found_by_their_start() {
        let update = event("node", "update", "abcdef", &[("name", "worker-1")]);
        for (value, expected) in [("worker", true), ("abc", true), ("x", false)] {
            let mut filters = Filters::default();
            filters.insert("node", value);
            assert_eq!(
                EventFilter::new(&filters, 51).matches(&update),
                expected,
                "{value}"
            );
        }
    }
}
