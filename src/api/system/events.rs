//! `GET /events`: what happens on all nodes, as one stream.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, Response, header};
use tokio::time::Instant;

use super::event_form::Form;
use crate::api::call::{Answer, Call};
use crate::api::classic;
use crate::api::event_filter::EventFilter;
use crate::api::filters::Filters;
use crate::api::timestamp::Window;
use crate::cluster::events::Reader;
use crate::model::Manners;
use crate::model::event::Event;
use crate::net::body::{self, BodyError};

/// Streams events: history from `since`, then live ones, to `until` or the client's end.
pub(in crate::api) async fn stream(call: Call) -> Answer {
    let manners = call.api.cluster.manners();
    let now = jiff::Timestamp::now();
    let window = Window::parse(&call.query, now)?;
    let filters = Filters::parse(call.query.text("filters"))?;
    let filter = EventFilter::new(&filters, call.version);
    let nano = |t: jiff::Timestamp| i64::try_from(t.as_nanosecond()).unwrap_or(i64::MAX);
    let (since, until) = (window.since.map(nano), window.until.map(nano));
    // As an engine: an end in the past tells what is remembered and ends.
    let since = since.or_else(|| until.filter(|u| *u <= nano(now)).map(|_| 0));
    let wait = window
        .until
        .map(|u| std::time::Duration::try_from(u.duration_since(now)).unwrap_or_default());
    let deadline = wait.map(|w| Instant::now() + w);
    let form = Form::choose(call.version, &call.head.headers);
    let (cluster, scope) = (call.api.cluster.clone(), call.scope.clone());
    let of_nodes = {
        let cluster = cluster.clone();
        // What is of a whole swarm-mode cluster comes from whichever manager tells it first.
        move |event: &Event| event.scope == "swarm" || scope.sees(&cluster, &event.node)
    };
    let meant = Arc::new(move |event: &Event| filter.matches(event) && of_nodes(event));
    let reader = Reader::open(&cluster);
    // The head goes out at once (wire rule W11): an engine's history may take its time.
    let reader = async move {
        match since {
            None => reader,
            Some(since) => reader.with_history(&cluster, since, until).await,
        }
    };
    let events = stream::once(reader)
        .flat_map(move |reader| told(reader, Arc::clone(&meant), form, deadline, manners));
    let mut answer = Response::new(body::stream(events));
    let kind = HeaderValue::from_static(form.media_type());
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(answer)
}

/// Tells the events that are `meant`, one a line, until `deadline` or the end of the reader.
fn told(
    reader: Reader,
    meant: Arc<impl Fn(&Event) -> bool + Send + Sync>,
    form: Form,
    deadline: Option<Instant>,
    manners: Manners,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    stream::unfold((reader, meant), move |(mut reader, meant)| async move {
        loop {
            let event = match deadline {
                None => reader.next().await?,
                Some(at) => match reader.next_past() {
                    Some(event) => event,
                    // What is ready now happened after an end that is past.
                    None if at <= Instant::now() => return None,
                    None => tokio::time::timeout_at(at, reader.next()).await.ok()??,
                },
            };
            if meant(&event) {
                let json = match manners {
                    Manners::Engine => event.json.clone(),
                    Manners::Classic => classic::event(&event),
                };
                return Some((Ok(form.write(&json)), (reader, meant)));
            }
        }
    })
}
