//! The task that owns one engine's state: it probes, lists, follows events and publishes.
//!
//! Two helpers do the waiting so that nothing blocks the owner: one asks every few seconds whether the engine
//! answers, one follows its events. The owner reads anew what they report and publishes an immutable node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{FutureExt, OptionFuture};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep_until;
use tokio_util::task::AbortOnDropHandle;

use super::breaker::Breaker;
use super::events::{self, News};
use super::feed::Feed;
use super::fetch::{Details, Fetch, LateInspect};
use super::gap::Account;
use super::inventory::{Found, Inventory};
use super::late::Late;
use super::load;
use super::probe::{API_NEWEST, spoken};
use super::pulse::Pulse;
use super::rounds::{self, Answered};
use super::stale::{Pending, when};
use super::{Client, Command, Engine, Error, Refresh, Settings};
use crate::model::event::Event;
use crate::model::{Health, Node};

/// Messages taken at once before the state is read anew.
const BATCH: usize = 1024;
/// How long an engine may take to inspect a container before the others go on without it.
const BUSY: Duration = Duration::from_secs(1);

/// Starts watching an engine; the watch ends when the handle that comes with it is dropped.
pub fn start(client: Client, settings: Settings, feed: Feed) -> (Engine, AbortOnDropHandle<()>) {
    let pulse = Pulse::new(settings.failures, settings.slow_after);
    let key = Arc::clone(client.key());
    let mut inventory = Inventory::new(key, settings.overcommit, settings.manners);
    let (publish, node) = watch::channel(Arc::new(inventory.freeze(&pulse, None)));
    let (commands, told) = mpsc::channel(256);
    let engine = Engine {
        client: client.clone(),
        node,
        commands,
    };
    let monitor = Monitor {
        client,
        settings,
        inventory,
        pulse,
        breaker: Breaker::new(),
        publish,
        feed,
        stream: None,
        api: Arc::default(),
        account: Account::default(),
        reopen: Arc::default(),
        pending: Pending::default(),
        late: Late::default(),
    };
    let task = AbortOnDropHandle::new(tokio::spawn(monitor.run(told)));
    (engine, task)
}

/// The owner of one engine's state.
struct Monitor {
    client: Client,
    settings: Settings,
    inventory: Inventory,
    pulse: Pulse,
    breaker: Breaker,
    publish: watch::Sender<Arc<Node>>,
    feed: Feed,
    stream: Option<AbortOnDropHandle<()>>,
    /// The version that the stream is opened with, as minor number.
    api: Arc<AtomicU16>,
    account: Account,
    reopen: Arc<Notify>,
    pending: Pending,
    late: Late,
}

impl Monitor {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let (tell, mut news) = mpsc::channel(BATCH);
        let (report, mut reports) = mpsc::channel(16);
        let poke = Arc::new(Notify::new());
        let (client, settings) = (self.client.clone(), self.settings.clone());
        let rounds = rounds::run(client, settings, Arc::clone(&poke), report);
        let _rounds = AbortOnDropHandle::new(tokio::spawn(rounds));
        let (measured, mut loads) = mpsc::channel(1);
        let (node, wanted) = (self.publish.subscribe(), self.settings.measure.clone());
        let measure = load::run(self.client.clone(), node, wanted, measured);
        let _measure = AbortOnDropHandle::new(tokio::spawn(measure));
        let mut resync = Box::pin(tokio::time::sleep(self.until_resync()));
        loop {
            let settle_at = self.account.settle_at();
            tokio::select! {
                Some(result) = reports.recv() => self.take_report(result, &tell),
                Some(told) = news.recv() => self.take_news(told, &poke),
                Some(command) = commands.recv() => self.take_command(command, &poke),
                () = &mut resync => {
                    self.pending.everything = true;
                    resync = Box::pin(tokio::time::sleep(self.until_resync()));
                }
                (id, answered) = self.late.next() => self.take_late(id, answered),
                Some(load) = loads.recv() => {
                    self.inventory.load = load;
                    self.pending.changed = true;
                }
                Some(()) = OptionFuture::from(settle_at.map(sleep_until)) => {
                    self.account.settle(self.inventory.containers());
                }
            }
            for _ in 0..BATCH {
                if let Ok(told) = news.try_recv() {
                    self.take_news(told, &poke);
                } else if let Ok(command) = commands.try_recv() {
                    self.take_command(command, &poke);
                } else if let Ok(result) = reports.try_recv() {
                    self.take_report(result, &tell);
                } else if let Some((id, answered)) = self.late.next().now_or_never() {
                    self.take_late(id, answered);
                } else {
                    break;
                }
            }
            let read = Box::pin(self.catch_up()).await.unwrap_or_else(|error| {
                self.fail(&error);
                self.pending.everything = true;
                poke.notify_one();
                false
            });
            if !read && self.is_given_up() {
                // Dropping them tells the waiting that nothing could be read.
                self.pending.waiting.clear();
            }
            self.publish(read);
            self.restore_orders().await;
        }
    }

    /// Writes again what was ordered of the node, when the volume that carried it was cleared away on the engine.
    async fn restore_orders(&mut self) {
        let Some(orders) = self.inventory.lost_orders() else {
            return;
        };
        let Ok(carrier) = orders.carrier() else {
            return;
        };
        let (path, body) = ("/volumes/create", carrier.to_string().into());
        let create = self.client.call(
            http::Method::POST,
            path,
            Some(body),
            self.settings.call_deadline,
        );
        match create.await {
            Ok(_) => {
                tracing::info!(node = %self.client.key(), name = self.inventory.name(), "orders written again");
            }
            // The next list shows that they are still missing.
            Err(error) => {
                tracing::warn!(node = %self.client.key(), %error, "orders could not be written again");
            }
        }
        self.inventory.forget_loss();
    }

    /// Returns how long to wait before everything is read anew.
    fn until_resync(&self) -> Duration {
        let (min, max) = (self.settings.refresh.start(), self.settings.refresh.end());
        *min + max.saturating_sub(*min).mul_f64(fastrand::f64())
    }

    /// Takes the result of a probe.
    fn take_report(&mut self, result: Result<Answered, Error>, tell: &mpsc::Sender<News>) {
        self.pending.changed |= self.breaker.tick(Instant::now());
        let Answered { facts, took, ip } = match result {
            Ok(answered) => answered,
            Err(error) => return self.fail(&error),
        };
        let api = spoken(facts.api_min, facts.api_max);
        let moved = self.inventory.api_max() != facts.api_max;
        let (failures, word) = (self.pulse.failures(), self.pulse.health().word());
        self.pending.changed |= failures > 0 || self.inventory.facts().is_news(&facts);
        self.inventory.set_facts(facts);
        // Containers taken in before it was known are shown with it after the next full read.
        self.pending.everything |= ip.is_some_and(|ip| self.inventory.set_ip(ip));
        self.api.store(api, Ordering::Relaxed);
        if self.stream.is_none() {
            let (api, reopen) = (Arc::clone(&self.api), Arc::clone(&self.reopen));
            let follow = events::follow(self.client.clone(), api, tell.clone(), reopen);
            self.stream = Some(AbortOnDropHandle::new(tokio::spawn(follow)));
        } else if moved {
            self.reopen.notify_one();
        }
        if self.pulse.answered(took) && *self.pulse.health() != Health::New {
            self.pending.everything = true;
            self.reopen.notify_one();
        }
        let now = self.pulse.health();
        // How slow a slow one is is shown.
        self.pending.changed |= matches!(now, Health::Slow { .. });
        let now = now.word();
        if word != now {
            self.pending.changed = true;
            tracing::info!(node = %self.client.key(), name = self.inventory.name(), ?took, "engine was {word}, is {now}");
        }
    }

    /// Counts a failure; enough of them in a row make the engine unhealthy.
    fn fail(&mut self, error: &Error) {
        let unhealthy = self.pulse.failed(error);
        self.pending.changed = true;
        let (node, failures) = (self.client.key(), self.pulse.failures());
        tracing::debug!(%node, failures, %error, "engine did not answer");
        if unhealthy {
            self.account
                .tell_own(events::of_engine("engine_disconnect"));
            tracing::warn!(%node, name = self.inventory.name(), %error, "engine unhealthy");
        }
    }

    /// Takes what the event stream tells.
    fn take_news(&mut self, news: News, poke: &Notify) {
        match news {
            News::Opened => {
                self.account.opened(self.inventory.containers());
                self.pending.everything = true;
            }
            News::Lost => poke.notify_one(),
            News::Event(event) => {
                let (inventory, breaker) = (&mut self.inventory, &mut self.breaker);
                self.pending.mark(&event, inventory, breaker);
                self.account.take(event);
            }
        }
    }

    /// Takes the end of an inspect that was late.
    fn take_late(&mut self, id: Arc<str>, answered: bool) {
        self.pending.containers.insert(id);
        self.pending.answered |= answered;
    }

    /// Takes what a request tells.
    fn take_command(&mut self, command: Command, poke: &Notify) {
        let order = match command {
            Command::Read(order) => order,
            Command::Tagged(tag) => return self.inventory.tagged(&tag),
            Command::Suspect => return poke.notify_one(),
            Command::Kept(entry) => {
                self.pending.changed |= self.inventory.hear(entry);
                return;
            }
            Command::Copying(copy, tag, moved_at) => {
                self.inventory.copied.insert(copy, tag, moved_at);
                return;
            }
            Command::Copied(copy, tag) => {
                self.inventory.copied.remove(copy, &tag);
                return;
            }
            Command::Created(Ok(())) => {
                self.pending.changed |= self.breaker.worked();
                return;
            }
            Command::Created(Err(reason)) => {
                tracing::warn!(node = %self.client.key(), name = self.inventory.name(), reason, "engine cannot create");
                self.breaker.failed(reason, Instant::now());
                self.pending.changed = true;
                return;
            }
        };
        self.pending.order(order);
    }

    /// Tells whether there is no sense in waiting for the engine: it has not answered yet, or no longer does.
    fn is_given_up(&self) -> bool {
        let failing = self.pulse.failures() > 0 && !self.pulse.health().is_healthy();
        self.inventory.api_max() == 0 || failing
    }

    /// Reads anew what is stale; tells whether it did, since an engine that fails is left alone until it answers a probe.
    async fn catch_up(&mut self) -> Result<bool, Error> {
        let asked = std::mem::take(&mut self.pending.asked);
        let failing = self.pulse.failures() > 0;
        // Whoever asks has just been answered by the engine: one missed probe must not make what it did invisible.
        if self.is_given_up() || failing && !asked {
            return Ok(false);
        }
        let deadline = match failing {
            true => self.settings.probe_deadline,
            false => self.settings.call_deadline,
        };
        let api = self.inventory.api_max().min(API_NEWEST);
        let fetch = Fetch::new(self.client.clone(), api, deadline);
        let patience = match std::mem::take(&mut self.pending.answered) {
            true => deadline / 2,
            false => BUSY.min(deadline / 2),
        };
        if self.pending.everything {
            return self.read_everything(&fetch, patience).await.map(|()| true);
        }
        // One that is late is read again once it was inspected.
        let stale = self.pending.containers.iter();
        let ids: Vec<Arc<str>> = stale.filter(|id| !self.late.has(id)).cloned().collect();
        let (containers, images, networks, volumes, plugins) = tokio::try_join!(
            when(!ids.is_empty(), fetch.some(&ids, patience)),
            when(
                self.pending.images,
                fetch.images(self.inventory.images(), None)
            ),
            when(self.pending.networks, fetch.networks()),
            when(self.pending.volumes, fetch.volumes()),
            when(self.pending.plugins, fetch.plugins()),
        )?;
        let any = containers.is_some() || images.is_some() || networks.is_some();
        self.pending.changed |= any || volumes.is_some() || plugins.is_some();
        // Before the containers on them, which are told by what these are copies of.
        if let Some(networks) = networks {
            self.inventory.set_networks(networks);
            self.pending.networks = false;
        }
        if let Some(details) = containers {
            self.take_in(&fetch, patience, ids, details).await?;
        }
        if let Some(images) = images {
            self.inventory.set_images(images);
            self.pending.images = false;
        }
        if let Some(volumes) = volumes {
            self.inventory.set_volumes(volumes);
            self.pending.volumes = false;
        }
        if let Some(plugins) = plugins {
            self.inventory.set_plugins(plugins);
            self.pending.plugins = false;
        }
        self.inventory.touch();
        Ok(true)
    }

    /// Takes in what was read of these containers, and reads those whose names changed with that.
    async fn take_in(
        &mut self,
        fetch: &Fetch,
        patience: Duration,
        mut ids: Vec<Arc<str>>,
        details: Details,
    ) -> Result<(), Error> {
        let found = self.with_new(details.found, &details.late)?;
        self.late.take(&ids, details.late);
        ids.retain(|id| !self.late.has(id));
        let mut linked = self.update(&ids, &found)?;
        self.pending.containers = linked.iter().cloned().collect();
        if !linked.is_empty() {
            let details = fetch.some(&linked, patience).await?;
            let found = self.with_new(details.found, &details.late)?;
            self.late.take(&linked, details.late);
            linked.retain(|id| !self.late.has(id));
            self.update(&linked, &found)?;
            self.pending.containers.clear();
        }
        Ok(())
    }

    /// Takes in what was read of these containers; returns others that are to be read too.
    fn update(&mut self, ids: &[Arc<str>], found: &[Found]) -> Result<Vec<Arc<str>>, Error> {
        let updated = self.inventory.update_containers(ids, found);
        updated.map_err(|e| self.client.answer(e.to_string()))
    }

    /// Lists all, and takes the engine in.
    async fn read_everything(&mut self, fetch: &Fetch, patience: Duration) -> Result<(), Error> {
        let skew = self.inventory.facts().skew_nano();
        let listed_at = events::now().saturating_add(skew);
        // Later moves of tags are seen as they happen.
        let first = (!self.inventory.is_read()).then_some(skew);
        // Of one that is not known yet little can be shown meanwhile.
        let patience = first.map_or(patience, |_| self.settings.call_deadline / 2);
        let turn = match first {
            Some(_) => self.settings.turn_to_read().await,
            None => None,
        };
        let (containers, images, networks, volumes, plugins) = tokio::try_join!(
            fetch.containers(patience),
            fetch.images(self.inventory.images(), first),
            fetch.networks(),
            fetch.volumes(),
            fetch.plugins(),
        )?;
        if turn.is_some() {
            // What all containers needed at once is far more than what comes next.
            self.client.rest();
        }
        drop(turn);
        self.inventory.set_networks(networks);
        self.replace(containers)?;
        self.inventory.set_images(images);
        self.inventory.set_volumes(volumes);
        self.inventory.set_plugins(plugins);
        self.inventory.read();
        let pending = &mut self.pending;
        (pending.everything, pending.changed) = (false, true);
        (pending.images, pending.networks) = (false, false);
        (pending.volumes, pending.plugins) = (false, false);
        pending.containers.clear();
        if self.account.wants_past() {
            let past = self.past(fetch).await;
            let containers = self.inventory.containers();
            self.account.resume(past, containers, listed_at);
        }
        let is_new = *self.pulse.health() == Health::New
            || matches!(self.pulse.health(), Health::Pending(_));
        if self.pulse.taken_in() {
            let action = match is_new {
                true => "engine_connect",
                false => "engine_reconnect",
            };
            self.account.tell_own(events::of_engine(action));
            tracing::info!(node = %self.client.key(), name = self.inventory.name(), "engine healthy");
        }
        Ok(())
    }

    /// Replaces all containers; those that are late stay as they were, or are as listed.
    fn replace(&mut self, details: Details) -> Result<(), Error> {
        let found = self.with_new(details.found, &details.late)?;
        self.late = Late::default();
        self.late.take(&[], details.late);
        let late = &self.late;
        let set = self.inventory.set_containers(&found, |id| late.has(id));
        set.map_err(|e| self.client.answer(e.to_string()))
    }

    /// Adds the late containers that are not known yet, as they are listed: their names are taken all the same.
    fn with_new(&self, mut found: Vec<Found>, late: &[LateInspect]) -> Result<Vec<Found>, Error> {
        for new in late.iter().filter(|l| !self.inventory.has_container(&l.id)) {
            let listed = Found::listed(new.entry.clone());
            found.push(listed.map_err(|e| self.client.answer(e.to_string()))?);
        }
        Ok(found)
    }

    /// Reads what the engine told while no one listened.
    async fn past(&mut self, fetch: &Fetch) -> Vec<Event> {
        let Some(since) = self.account.since() else {
            return Vec::new();
        };
        match fetch.past(self.inventory.facts().skew_nano(), since).await {
            Ok(past) => past,
            Err(error) => {
                tracing::warn!(node = %self.client.key(), %error, "no event history; what lists show is told instead");
                Vec::new()
            }
        }
    }

    /// Publishes what changed, then answers who waited, if all was `read`, and tells the events: a reader of an event
    /// finds it in lists.
    fn publish(&mut self, read: bool) {
        if self.pending.changed {
            self.pending.changed = false;
            let node = self.inventory.freeze(&self.pulse, self.breaker.trouble());
            self.publish.send_replace(Arc::new(node));
        }
        let node = Arc::clone(&self.publish.borrow());
        let late = |what: &Refresh| matches!(what, Refresh::Container(id) if self.late.has(id));
        let waiting = std::mem::take(&mut self.pending.waiting).into_iter();
        let (done, stay): (Vec<_>, Vec<_>) = waiting.partition(|o| read && !late(&o.what));
        for order in done {
            // Who gave up waiting needs no answer.
            let _ = order.done.send(node.revision);
        }
        let heard = stay.into_iter().filter(|order| !order.done.is_closed());
        self.pending.waiting = heard.collect();
        for mut event in self.account.told.drain(..) {
            if events::decorate(&mut event, &node) {
                self.feed.tell(event, node.facts.skew_nano());
            }
        }
    }
}
