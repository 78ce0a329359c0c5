//! Reading lists and objects from an engine: which calls, in what order, how many at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::StatusCode;
use serde_json::value::RawValue;

use super::inventory::Found;
use super::{Client, Error};
use crate::model::event::Event;
use crate::model::{Image, Network, Plugin, Volume};

/// Inspects that run at once on one engine.
const INSPECTS: usize = 8;
/// Inspects in a row that may be late before the engine is asked whether it answers anything.
const MANY_LATE: usize = 32;
/// What is then waited for each of the others: an engine that starts hundreds of containers at once is not to be waited
/// for hundreds of times.
const SHORT: Duration = Duration::from_millis(250);
/// How many deadlines an engine has for an inspect that is late: as many, and it is at work on the container.
const AT_WORK: u32 = 5;
/// Containers asked for in one list: a filter names each with some 70 bytes, and a request target has 64 KiB.
const NAMED: usize = 256;

/// Containers as the engine told them.
#[derive(Default)]
pub(crate) struct Details {
    /// Those that it told in time.
    pub(crate) found: Vec<Found>,
    /// Those that it is at work on: it answers once that is done.
    pub(crate) late: Vec<LateInspect>,
}

/// An inspect that goes on.
pub(crate) struct LateInspect {
    /// The container's ID.
    pub(crate) id: Arc<str>,
    /// Its entry in the list.
    pub(crate) entry: String,
    /// The answer that is waited for.
    pub(crate) asked: Asked,
}

/// The answer to an inspect that is under way.
pub(crate) type Asked = BoxFuture<'static, Result<Bytes, Error>>;

/// What comes of one inspect.
enum Inspected {
    Found(Found),
    Gone,
    Late(LateInspect),
}

/// How long each inspect of a list is waited for; inspects that run at once share it.
struct Patience(AtomicU64);

impl Patience {
    fn new(patience: Duration) -> Self {
        Self(AtomicU64::new(millis(patience)))
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn shorten(&self) {
        self.0.fetch_min(millis(SHORT), Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads objects from one engine with one API version.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    client: Client,
    api: u16,
    deadline: Duration,
}

impl Fetch {
    /// Makes a reader that speaks API 1.`api` and gives each call `deadline`.
    pub(crate) fn new(client: Client, api: u16, deadline: Duration) -> Self {
        Self {
            client,
            api,
            deadline,
        }
    }

    /// Reads all containers: one list, then their details in parallel, each waited for with this patience.
    pub(crate) async fn containers(&self, patience: Duration) -> Result<Details, Error> {
        let list = self.get("/containers/json?all=1").await?;
        let mut details = Details::default();
        self.with_details(&list, patience, &mut details).await?;
        Ok(details)
    }

    /// Reads these containers as [`Fetch::containers`] does; one that is gone is missing in the answer.
    pub(crate) async fn some(
        &self,
        ids: &[Arc<str>],
        patience: Duration,
    ) -> Result<Details, Error> {
        let mut details = Details::default();
        for path in lists_of(ids) {
            let list = self.get(&path).await?;
            self.with_details(&list, patience, &mut details).await?;
        }
        Ok(details)
    }

    /// Reads all images, intermediate ones marked; what `known` has not, also what is in it. At `first`, to an engine
    /// whose clock is ahead by so many nanoseconds, also when they were tagged.
    pub(crate) async fn images(
        &self,
        known: &[Image],
        first: Option<i64>,
    ) -> Result<Vec<Image>, Error> {
        let (all, shown) = tokio::join!(self.get("/images/json?all=1"), self.get("/images/json"));
        let (all, shown) = (all?, shown?);
        let images = super::inventory::images(&all, &shown);
        let mut images = images.map_err(|e| self.bad("/images/json", &e))?;
        let known: HashMap<&str, u64> = known
            .iter()
            .filter_map(|image| Some((image.id.as_str(), image.content?)))
            .collect();
        for image in &mut images {
            image.content = known.get(image.id.as_str()).copied();
        }
        let new = images.iter_mut();
        let new = new.filter(|image| image.content.is_none() && !image.intermediate);
        let inspects: Vec<_> = new.map(|image| self.look_into(image, first)).collect();
        stream::iter(inspects)
            .buffer_unordered(INSPECTS)
            .try_collect::<()>()
            .await?;
        Ok(images)
    }

    /// Notes what is in an image and, at `first`, when it was tagged.
    async fn look_into(&self, image: &mut Image, first: Option<i64>) -> Result<(), Error> {
        let text = match self.get(&format!("/images/{}/json", image.id)).await {
            Ok(text) => text,
            // Removed since the list, or damaged, which must not keep the whole engine out.
            Err(e) if e.status().is_some() => return Ok(()),
            Err(e) => return Err(e),
        };
        image.content = super::inventory::content(&text);
        if let Some(skew) = first {
            let at = super::inventory::last_tagged(&text, skew);
            let tags = image.tags.iter();
            image.moved = tags.filter_map(|tag| Some((tag.clone(), at?))).collect();
            // A pull leaves a digest, a tag or a build a time; a load, as of a copy, neither.
            image.copied = at.is_none() && image.digests.is_empty();
        }
        Ok(())
    }

    /// Reads all networks.
    pub(crate) async fn networks(&self) -> Result<Vec<Network>, Error> {
        let list = self.get("/networks").await?;
        super::inventory::networks(&list).map_err(|e| self.bad("/networks", &e))
    }

    /// Reads all volumes.
    pub(crate) async fn volumes(&self) -> Result<Vec<Volume>, Error> {
        let list = self.get("/volumes").await?;
        super::inventory::volumes(&list).map_err(|e| self.bad("/volumes", &e))
    }

    /// Reads the events that the engine remembers from `since` on, by its clock, which is `skew` before ours.
    pub(crate) async fn past(&self, skew: i64, since: i64) -> Result<Vec<Event>, Error> {
        let (client, api) = (&self.client, self.api);
        super::events::past(client, api, skew, since, i64::MAX, self.deadline).await
    }

    /// Reads all managed plugins; an engine may be built without them.
    pub(crate) async fn plugins(&self) -> Result<Vec<Plugin>, Error> {
        match self.get("/plugins").await {
            Err(error) if error.status().is_some() => Ok(Vec::new()),
            list => super::inventory::plugins(&list?).map_err(|e| self.bad("/plugins", &e)),
        }
    }

    /// Inspects every container of a list; the first failure ends it, so that a hung engine costs few deadlines. One that
    /// is late does not: an engine answers for a container that it starts or clears up after only when that is done. Many
    /// that are late in a row are no failure either, as long as the engine answers a list meanwhile.
    async fn with_details(
        &self,
        list: &Bytes,
        patience: Duration,
        details: &mut Details,
    ) -> Result<(), Error> {
        let entries = entries(list).map_err(|e| self.bad("/containers/json", &e))?;
        let patience = Patience::new(patience);
        let entries = entries.into_iter();
        let inspects = entries.map(|(id, entry)| self.inspect(id, entry, &patience));
        let inspects: Vec<_> = inspects.collect();
        let mut inspects = stream::iter(inspects).buffer_unordered(INSPECTS);
        let mut late_in_a_row = 0;
        while let Some(inspected) = inspects.next().await {
            match inspected? {
                Inspected::Late(late) => details.late.push(late),
                Inspected::Found(found) => {
                    details.found.push(found);
                    late_in_a_row = 0;
                    continue;
                }
                // Removed between the list and the inspect.
                Inspected::Gone => continue,
            }
            late_in_a_row += 1;
            if late_in_a_row == MANY_LATE {
                self.get("/containers/json?limit=1").await?;
                patience.shorten();
                late_in_a_row = 0;
            }
        }
        Ok(())
    }

    /// Inspects one container.
    async fn inspect(
        &self,
        id: String,
        entry: String,
        patience: &Patience,
    ) -> Result<Inspected, Error> {
        let (mut fetch, path) = (self.clone(), format!("/containers/{id}/json"));
        fetch.deadline *= AT_WORK;
        let mut asked: Asked = Box::pin(async move { fetch.get(&path).await });
        match tokio::time::timeout(patience.now(), &mut asked).await {
            Ok(Ok(inspect)) => Ok(Inspected::Found(Found { entry, inspect })),
            Ok(Err(e)) if e.status() == Some(StatusCode::NOT_FOUND) => Ok(Inspected::Gone),
            Ok(Err(e)) => Err(e),
            Err(_) => Ok(Inspected::Late(LateInspect {
                id: id.into(),
                entry,
                asked,
            })),
        }
    }

    async fn get(&self, path: &str) -> Result<Bytes, Error> {
        self.client
            .get(&format!("/v1.{}{path}", self.api), self.deadline)
            .await
    }

    fn bad(&self, path: &str, error: &serde_json::Error) -> Error {
        self.client.answer(format!("{path}: {error}"))
    }
}

/// Returns the paths of lists that together have these containers and no others.
fn lists_of(ids: &[Arc<str>]) -> impl Iterator<Item = String> {
    ids.chunks(NAMED).map(|ids| {
        let filter = serde_json::json!({ "id": ids }).to_string();
        let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        format!("/containers/json?all=1&filters={filter}")
    })
}

/// Cuts a container list into its entries with their IDs.
fn entries(list: &Bytes) -> serde_json::Result<Vec<(String, String)>> {
    #[derive(serde::Deserialize)]
    struct Identity {
        #[serde(rename = "Id")]
        id: String,
    }
    let raw: Vec<&RawValue> = serde_json::from_slice(list)?;
    raw.into_iter()
        .map(|entry| {
            let Identity { id } = serde_json::from_str(entry.get())?;
            Ok((id, entry.get().to_owned()))
        })
        .collect()
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
