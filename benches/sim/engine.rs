//! One simulated engine: its containers, its events, and what ails it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::broadcast;

use super::documents;

/// Events that a slow reader may be behind.
const BEHIND: usize = 4096;

/// What ails an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ill {
    /// Nothing.
    Well,
    /// It takes connections and answers nothing.
    Hung,
    /// Every answer comes so much later.
    Late(Duration),
}

impl Ill {
    /// Reads `well`, `hung`, `late:500`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "well" => Some(Self::Well),
            "hung" => Some(Self::Hung),
            text => {
                let millis = text.strip_prefix("late:")?.parse().ok()?;
                Some(Self::Late(Duration::from_millis(millis)))
            }
        }
    }
}

/// One container.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) labels: serde_json::Value,
    pub(crate) host: serde_json::Value,
    pub(crate) env: serde_json::Value,
    pub(crate) running: bool,
    pub(crate) created: i64,
}

/// One engine.
#[derive(Debug)]
pub(crate) struct Engine {
    index: usize,
    containers: Mutex<BTreeMap<String, Container>>,
    events: broadcast::Sender<Bytes>,
    /// Milliseconds, or -1 for hung.
    ill: AtomicI64,
    made: AtomicU64,
    /// How many requests it was sent.
    pub(crate) requests: AtomicU64,
}

impl Engine {
    /// Makes an engine with so many running containers.
    pub(crate) fn new(index: usize, containers: usize) -> Self {
        let engine = Self {
            index,
            containers: Mutex::default(),
            events: broadcast::channel(BEHIND).0,
            ill: AtomicI64::new(0),
            made: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        };
        for number in 0..containers {
            let body = serde_json::json!({
                "Image": "busybox:latest",
                "Labels": {
                    "tier": if number % 2 == 0 { "front" } else { "back" },
                    "app": format!("app{}", number % 10),
                },
                "HostConfig": {"Memory": 64 << 20, "CpuShares": 0},
            });
            let id = engine.create(&format!("c{index}-{number}"), &body).unwrap();
            engine.set_running(&id, true);
        }
        engine
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn name(&self) -> String {
        format!("sim{}", self.index)
    }

    /// Returns the engine's own ID.
    pub(crate) fn id(&self) -> String {
        format!("51300000-0000-4000-8000-{:012x}", self.index)
    }

    pub(crate) fn ill(&self) -> Ill {
        match self.ill.load(Ordering::Relaxed) {
            0 => Ill::Well,
            late if late > 0 => Ill::Late(Duration::from_millis(late.unsigned_abs())),
            _ => Ill::Hung,
        }
    }

    pub(crate) fn fall(&self, ill: Ill) {
        let millis = match ill {
            Ill::Well => 0,
            Ill::Hung => -1,
            Ill::Late(by) => i64::try_from(by.as_millis()).unwrap(),
        };
        self.ill.store(millis, Ordering::Relaxed);
    }

    /// Returns the events from now on.
    pub(crate) fn events(&self) -> broadcast::Receiver<Bytes> {
        self.events.subscribe()
    }

    /// Makes a container; `None` when the name is taken.
    pub(crate) fn create(&self, name: &str, body: &serde_json::Value) -> Option<String> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let id = format!(
            "{:08x}{number:08x}{:048x}",
            self.index.wrapping_mul(0x9e37_79b9) as u32,
            self.index
        );
        let name = match name {
            "" => format!("made{number}-{}", self.index),
            name => name.to_owned(),
        };
        let container = Container {
            id: id.clone(),
            name,
            image: body["Image"].as_str().unwrap_or("busybox").to_owned(),
            labels: body["Labels"].clone(),
            host: body["HostConfig"].clone(),
            env: body["Env"].clone(),
            running: false,
            created: i64::try_from(seconds().as_secs()).unwrap(),
        };
        let mut containers = self.lock();
        if containers.values().any(|c| c.name == container.name) {
            return None;
        }
        containers.insert(id.clone(), container.clone());
        drop(containers);
        self.tell("create", &container);
        Some(id)
    }

    /// Starts or stops a container; tells whether it is there.
    pub(crate) fn set_running(&self, key: &str, running: bool) -> bool {
        let Some(container) = self.find(key) else {
            return false;
        };
        let mut containers = self.lock();
        let Some(own) = containers.get_mut(&container.id) else {
            return false;
        };
        own.running = running;
        drop(containers);
        match running {
            true => self.tell("start", &container),
            false => self.tell("die", &container),
        }
        true
    }

    /// Removes a container; tells whether it was there.
    pub(crate) fn remove(&self, key: &str) -> bool {
        let Some(container) = self.find(key) else {
            return false;
        };
        let removed = self.lock().remove(&container.id);
        if removed.is_some() {
            self.tell("destroy", &container);
        }
        removed.is_some()
    }

    /// Finds a container by ID, prefix or name.
    pub(crate) fn find(&self, key: &str) -> Option<Container> {
        let containers = self.lock();
        let known = containers.get(key);
        let known = known.or_else(|| {
            let mut after = containers.range(key.to_owned()..);
            after
                .next()
                .filter(|(id, _)| id.starts_with(key))
                .map(|(_, c)| c)
        });
        let known = known.or_else(|| {
            containers
                .values()
                .find(|c| c.name == key.trim_start_matches('/'))
        });
        known.cloned()
    }

    /// Returns all containers.
    pub(crate) fn containers(&self) -> Vec<Container> {
        self.lock().values().cloned().collect()
    }

    fn tell(&self, action: &str, container: &Container) {
        // Nobody may be listening.
        let _ = self.events.send(documents::event(action, container));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Container>> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time since 1970.
pub(crate) fn seconds() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
