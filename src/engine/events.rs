//! One engine's event stream: resumed where it broke, told to the monitor in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::Request;
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::sync::{Notify, mpsc};

use super::backoff::Backoff;
use super::{Client, Error};
use crate::model::Node;
use crate::model::event::Event;
use crate::model::raw::{Object, quote};
use crate::net::body;

/// The type of events of the cluster itself, by classic's name.
pub(crate) const CLUSTER: &str = "swarm";
/// How far an engine's present may be from what we take it for: what its clock was seen to differ by is measured over the
/// network.
const CLOCK_MARGIN_NANO: i64 = 200_000_000;
/// The longest event that is read; an event holds all labels of its object.
const EVENT_LIMIT: usize = 32 << 20;

/// What the stream tells its monitor.
#[derive(Debug)]
pub(crate) enum News {
    /// The stream is open: whatever happens from now on is told, so that a listing made now misses nothing.
    Opened,
    /// Something happened.
    Event(Event),
    /// The stream broke; it is being opened again.
    Lost,
}

/// Follows the events of one engine until the monitor stops listening, with the API 1.`api` of the moment.
///
/// `reopen` makes it follow on a new connection at once: one that lived through an outage may stay silent for long.
pub(crate) async fn follow(
    client: Client,
    api: Arc<AtomicU16>,
    news: mpsc::Sender<News>,
    reopen: Arc<Notify>,
) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(4));
    while !news.is_closed() {
        let minor = api.load(Ordering::Relaxed);
        let ended = tokio::select! {
            ended = one_stream(&client, minor, &news, &mut backoff) => ended,
            () = reopen.notified() => continue,
        };
        match ended {
            Ok(()) => {}
            Err(error) => tracing::debug!(node = %client.key(), %error, "event stream lost"),
        }
        if news.send(News::Lost).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.wait()) => {}
            () = reopen.notified() => {}
        }
    }
}

/// Opens the stream and tells its events until it ends.
///
/// # Cancel safety
/// What is lost is in the history that is read once the next stream is open.
async fn one_stream(
    client: &Client,
    api: u16,
    news: &mpsc::Sender<News>,
    backoff: &mut Backoff,
) -> Result<(), Error> {
    let mut request = Request::new(body::empty());
    *request.uri_mut() = client.uri(&format!("/v1.{api}/events"))?;
    let opening = tokio::time::timeout(Duration::from_secs(10), client.send(request));
    let answer = opening.await.map_err(|_| Error::Timeout {
        node: client.key().to_string(),
        after: Duration::from_secs(10),
    })??;
    if answer.status() != http::StatusCode::OK {
        return Err(client.answer(format!("/events: {}", answer.status())));
    }
    backoff.reset();
    if news.send(News::Opened).await.is_err() {
        return Ok(());
    }
    let mut lines = Lines::default();
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| client.broken(e.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        lines.push(&data);
        while let Some(line) = lines.next_line() {
            let event = parse(&line).map_err(|e| client.answer(format!("/events: {e}")))?;
            if news.send(News::Event(event)).await.is_err() {
                return Ok(());
            }
        }
        if lines.0.len() > EVENT_LIMIT {
            return Err(client.answer("/events: an event of more than 32 MiB"));
        }
    }
    Ok(())
}

/// Reads the events an engine remembers (its last 256) from `since` to `until` or now, in nanoseconds since the Unix
/// epoch by our clock, and says on them which node they are of.
///
/// # Errors
/// The engine does not answer within `deadline`, or not as its API promises.
pub async fn history(
    engine: &super::Engine,
    node: &Node,
    since: i64,
    until: Option<i64>,
    deadline: Duration,
) -> Result<Vec<Event>, Error> {
    let skew = node.facts.skew_nano();
    let (since, until) = by_clock(skew, since, until);
    let api = node.facts.api_max.min(super::probe::API_NEWEST);
    let mut events = past(engine.client(), api, skew, since, until, deadline).await?;
    events.retain_mut(|event| decorate(event, node));
    Ok(events)
}

/// Turns a time of our clock into one of a clock that is `skew` before it.
fn by_clock(skew: i64, since: i64, until: Option<i64>) -> (i64, i64) {
    let moved = |nano: i64| nano.saturating_add(skew);
    (moved(since), until.map_or(i64::MAX, moved))
}

/// Reads the events an engine remembers from `since` to `until` at most, both by its own clock, which is `skew` before
/// ours.
///
/// # Errors
/// The engine does not answer within `deadline`, or not as its API promises.
pub(crate) async fn past(
    client: &Client,
    api: u16,
    skew: i64,
    since: i64,
    until: i64,
    deadline: Duration,
) -> Result<Vec<Event>, Error> {
    let seconds = |nano: i64| format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    // An end that is not past would keep the stream open; one by another clock than the engine's would cut it short.
    let until = until.min(now() + CLOCK_MARGIN_NANO + skew);
    let (since, until) = (seconds(since.max(0)), seconds(until.max(0)));
    let path = format!("/v1.{api}/events?since={since}&until={until}");
    let mut lines = Lines::default();
    lines.push(&client.get(&path, deadline).await?);
    lines.push(b"\n");
    let mut events = Vec::new();
    while let Some(line) = lines.next_line() {
        events.push(parse(&line).map_err(|e| client.answer(format!("/events: {e}")))?);
    }
    Ok(events)
}

/// Returns the time by our clock, in nanoseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// Makes an event of the cluster itself, by classic's name: an engine came, went or came back.
pub(crate) fn of_engine(action: &str) -> Event {
    let at = now();
    let json = serde_json::json!({
        "status": action,
        "from": "swarm",
        "Type": CLUSTER,
        "Action": action,
        "Actor": {"ID": "", "Attributes": {}},
        "scope": "swarm",
        "time": at / 1_000_000_000,
        "timeNano": at,
    });
    Event {
        kind: CLUSTER.to_owned(),
        action: action.to_owned(),
        scope: "swarm".to_owned(),
        time_nano: at,
        made_up: true,
        json: json.to_string().into(),
        ..Event::default()
    }
}

/// Bytes cut into lines.
#[derive(Debug, Default)]
struct Lines(BytesMut);

impl Lines {
    fn push(&mut self, data: &[u8]) {
        self.0.extend_from_slice(data);
    }

    /// Takes the next non-empty whole line.
    fn next_line(&mut self) -> Option<Bytes> {
        loop {
            let end = self.0.iter().position(|b| *b == b'\n')?;
            let line = self.0.split_to(end).freeze();
            self.0.advance(1);
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Some(line);
            }
        }
    }
}

/// Reads one event; its node is not yet known.
pub(crate) fn parse(json: &Bytes) -> serde_json::Result<Event> {
    #[derive(Deserialize)]
    struct Told {
        #[serde(default, rename = "Type")]
        kind: String,
        #[serde(default, rename = "Action")]
        action: String,
        #[serde(default, rename = "Actor")]
        actor: Actor,
        #[serde(default)]
        scope: String,
        #[serde(default, rename = "timeNano")]
        time_nano: i64,
    }
    #[derive(Default, Deserialize)]
    struct Actor {
        #[serde(default, rename = "ID")]
        id: String,
        #[serde(default, rename = "Attributes")]
        attributes: Option<BTreeMap<String, String>>,
    }
    let told: Told = serde_json::from_slice(json)?;
    Ok(Event {
        node: Arc::from(""),
        kind: told.kind,
        action: told.action,
        actor: told.actor.id,
        attributes: told.actor.attributes.unwrap_or_default(),
        scope: told.scope,
        time_nano: told.time_nano,
        made_up: false,
        json: json.clone(),
    })
}

/// Says on the event which node it is of, by classic's attribute names, and of a network's copy which network it is.
/// Tells whether it is for clients: that a copy comes or goes is not.
#[must_use]
pub(crate) fn decorate(event: &mut Event, node: &Node) -> bool {
    event.node = Arc::clone(&node.key);
    let copies = &node.network_copies;
    if event.kind == "network"
        && let Some(id) = copies.of(&event.actor)
    {
        if matches!(&*event.action, "create" | "destroy" | "remove") {
            return false;
        }
        let told = std::str::from_utf8(&event.json).map(|text| copies.told(text).into_owned());
        event.json = told.map_or_else(|_| event.json.clone(), Bytes::from);
        event.actor = id.to_owned();
    }
    let marks = [
        ("node.name", node.name.as_str()),
        ("node.id", &node.id()),
        ("node.addr", &node.key),
        ("node.ip", &node.ip),
    ]
    .map(|(key, value)| (key, value.to_owned()));
    if let Some(json) = std::str::from_utf8(&event.json)
        .ok()
        .and_then(|text| with_attributes(text, &marks))
    {
        event.json = json.into();
    }
    let own = marks.map(|(key, value)| (key.to_owned(), value));
    event.attributes.extend(own);
    true
}

/// Adds attributes to the event's actor; everything else stays as it came.
fn with_attributes(text: &str, marks: &[(&str, String)]) -> Option<String> {
    let mut event = Object::parse(text).ok()?;
    let actor_text = event.get("Actor").unwrap_or("{}").to_owned();
    let mut actor = Object::parse(&actor_text).ok()?;
    let attributes_text = match actor.get("Attributes") {
        None | Some("null") => "{}".to_owned(),
        Some(text) => text.to_owned(),
    };
    let mut attributes = Object::parse(&attributes_text).ok()?;
    for (key, value) in marks {
        attributes.set(key, quote(value));
    }
    actor.set("Attributes", attributes.to_json());
    event.set("Actor", actor.to_json());
    Some(event.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_asked_by_its_own_clock() {
        assert_eq!(by_clock(0, 100, Some(200)), (100, 200));
        assert_eq!(by_clock(-30, 100, Some(200)), (70, 170));
        assert_eq!(by_clock(5, 100, None), (105, i64::MAX));
    }

    #[test]
    fn lines_may_come_in_any_pieces() {
        let mut lines = Lines::default();
        lines.push(b"{\"a\"");
        assert_eq!(lines.next_line(), None);
        lines.push(b":1}\n\n{\"b\":2}\n{");
        assert_eq!(lines.next_line().unwrap(), "{\"a\":1}");
        assert_eq!(lines.next_line().unwrap(), "{\"b\":2}");
        assert_eq!(lines.next_line(), None);
    }

    #[test]
    fn an_event_says_which_node_it_is_of_and_keeps_the_rest() {
        let json = Bytes::from_static(
            br#"{"status":"start","new":1.0,"Type":"container","Action":"start","Actor":{"ID":"c1","Attributes":{"image":"x"}},"timeNano":5}"#,
        );
        let mut event = parse(&json).unwrap();
        let node = Node {
            key: "h:1".into(),
            name: "node0".into(),
            engine_id: "E".into(),
            ip: "10.0.0.1".into(),
            ..Node::default()
        };
        assert!(decorate(&mut event, &node));
        assert_eq!(
            std::str::from_utf8(&event.json).unwrap(),
            r#"{"status":"start","new":1.0,"Type":"container","Action":"start","Actor":{"ID":"c1","Attributes":{"image":"x","node.name":"node0","node.id":"E|h:1","node.addr":"h:1","node.ip":"10.0.0.1"}},"timeNano":5}"#
        );
        assert_eq!(event.attributes["node.name"], "node0");
    }
}
