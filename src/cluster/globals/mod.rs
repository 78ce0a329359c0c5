//! Containers that have a copy on every other node that could take one, nodes that come later included.
//!
//! One task keeps the copies right; it looks again when a node changes. Invariant: everything about a set is in labels of
//! its containers, so that it outlives Flotilla. A label beside says of which container they are: an image that is made
//! out of one has them too, and so has all that comes of the image. Several Flotillas may do this side by side: what a
//! copy is called follows from its node, and an engine has no two containers of one name.

mod plan;
mod recipe;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use http::{Method, StatusCode};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use self::plan::{First, Noted, Step, What};
pub use self::recipe::keep;
use self::recipe::{Copy, Kept};
use super::create::create;
use super::spec::BadSpec;
use super::{Cluster, Error, Members};
use crate::engine::backoff::Backoff;
use crate::engine::{self, Engine, Refresh};
use crate::model::{Container, Node};
use crate::scheduler::{Request, Required};

/// The label with the ID of the container that one is a copy of.
const COPY_LABEL: &str = "com.docker.swarm.copy-of";
/// The label with the ID of that container's engine, which alone can say that it is gone.
const ENGINE_LABEL: &str = "com.docker.swarm.copy-of.engine";
/// The label with the copy's own identity.
const COPY_ID_LABEL: &str = "com.docker.swarm.copy-of.id";
/// The label that keeps how copies are made.
const RECIPE_LABEL: &str = "com.docker.swarm.copies";
/// The label with the identity of the container that has copies.
const FIRST_ID_LABEL: &str = "com.docker.swarm.copies.id";
/// How long the task rests between two looks, whatever happens.
const PACE: Duration = Duration::from_millis(250);
/// How long it waits for something to happen.
const IDLE: Duration = Duration::from_secs(60);
/// Copies that are seen to at once, and how many of them may be made: pulls take long.
const AT_ONCE: usize = 8;
const MADE_AT_ONCE: usize = 6;
/// The first and the longest wait before something is done again on a node for a set.
const AGAIN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(120);
/// How long an engine may take to tell of a container.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);
/// How long an engine may take to change one.
const CHANGE_DEADLINE: Duration = Duration::from_secs(60);
/// How long a change that was asked of the first may take on a copy: a stop waits as long as its user says.
const FOLLOW_DEADLINE: Duration = Duration::from_secs(600);
/// How long the answer to that change waits for the copies.
const FOLLOW_PATIENCE: Duration = Duration::from_secs(30);

/// Why a copy is not as it should be.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// What keeps how it is made cannot be read.
    #[error("its label {RECIPE_LABEL} cannot be read")]
    Recipe,
    /// It cannot be asked for.
    #[error(transparent)]
    Spec(#[from] BadSpec),
    /// It cannot be placed.
    #[error(transparent)]
    Place(#[from] Error),
    /// Its engine refuses to create it.
    #[error("{0}")]
    Refused(String),
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

/// A node, by key, and the set, by the ID of its first container.
type Key = (Arc<str>, Arc<str>);

/// When something is done again, which may have failed or have been in vain.
#[derive(Debug)]
struct Rest {
    until: Instant,
    backoff: Backoff,
}

/// What the task knows from one look to the next; nothing that it could not learn again.
#[derive(Debug, Default)]
struct Keeper {
    noted: HashMap<Arc<str>, Noted>,
    kept: HashMap<Arc<str>, Arc<Kept>>,
    rests: HashMap<Key, Rest>,
    busy: HashMap<Id, Key>,
    running: JoinSet<Result<Option<Kept>, Failed>>,
}

/// Keeps the copies right, for ever.
pub async fn run(cluster: Cluster) {
    cluster.settled().await;
    let mut members = cluster.members.clone();
    let mut keeper = Keeper::default();
    loop {
        let now = Arc::clone(&members.borrow_and_update());
        let wake = keeper.look(&cluster, &now);
        tokio::select! {
            changed = members.changed() => if changed.is_err() {
                return;
            },
            Some(ended) = keeper.running.join_next_with_id() => keeper.ended(ended),
            () = tokio::time::sleep_until(wake) => {}
        }
        // Whatever else happens meanwhile is seen at the next look.
        tokio::time::sleep(PACE).await;
    }
}

impl Keeper {
    /// Begins what is to be done, and returns when to look again if nothing happens.
    fn look(&mut self, cluster: &Cluster, members: &Arc<Members>) -> Instant {
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.ended(ended);
        }
        let noted = self.note(members);
        if noted.iter().all(Noted::is_empty) {
            // As in most clusters, however many nodes change however often.
            return Instant::now() + IDLE;
        }
        let firsts = plan::firsts(&noted);
        self.kept.retain(|set, _| firsts.contains_key(set));
        let asked = firsts.iter().filter_map(|(set, first)| {
            let create = self.kept.get(set)?;
            let create = create.create(members, cluster.manners(), None);
            let create = create.inspect_err(|error| {
                tracing::debug!(container = first.container.name(), %error, "no copies can be made");
            });
            Some((Arc::clone(set), create.ok()?.spec.request))
        });
        let requests: HashMap<Arc<str>, Arc<Request>> = asked.collect();
        let scheduler = cluster.scheduler();
        let wants = |first: &First, node: &Node| {
            let request = requests.get(&first.container.id);
            request.is_some_and(|request| scheduler.admits(request, node).is_ok())
        };
        let steps = plan::plan(&noted, &firsts, wants);
        let now = Instant::now();
        self.rests.retain(|_, rest| now < rest.until + SELDOM);
        let unknown = firsts
            .iter()
            .filter(|(set, f)| f.is_running() && !self.kept.contains_key(*set));
        let reads: Vec<_> = unknown.map(|(_, first)| first.clone()).collect();
        for first in reads {
            self.read(members, &noted, &first);
        }
        for step in steps {
            let first = firsts.get(&step.set);
            self.begin(cluster, members, step, first);
        }
        let rests = self.rests.values().map(|rest| rest.until);
        let next = rests.filter(|until| *until > now).min();
        next.unwrap_or(now + IDLE).min(now + IDLE)
    }

    /// Notes what is of interest on the nodes; of those that are as they were it is known.
    fn note(&mut self, members: &Members) -> Vec<Noted> {
        let before = std::mem::take(&mut self.noted);
        let nodes = members.view.nodes().iter();
        let noted = nodes.map(|node| {
            let same = before.get(&node.key);
            let same = same.filter(|noted| Arc::ptr_eq(&noted.node, node));
            same.cloned().unwrap_or_else(|| Noted::of(node))
        });
        let noted: Vec<_> = noted.collect();
        let by_key = noted.iter().map(|n| (Arc::clone(&n.node.key), n.clone()));
        self.noted = by_key.collect();
        noted
    }

    /// Tells whether something may be begun on a node for a set.
    fn is_free(&self, key: &Key, most: usize) -> bool {
        let rests = self.rests.get(key);
        let rests = rests.is_some_and(|rest| Instant::now() < rest.until);
        let busy = || self.busy.values().any(|other| other == key);
        self.busy.len() < most && !rests && !busy()
    }

    /// Begins to read how the copies of a set are made.
    fn read(&mut self, members: &Members, noted: &[Noted], first: &First) {
        let set = &first.container.id;
        let Some((node, id)) = plan::source(noted, first) else {
            return;
        };
        let key = (Arc::clone(&node), Arc::clone(set));
        let engine = members.engine(&node).cloned();
        if let (true, Some(engine)) = (self.is_free(&key, AT_ONCE), engine) {
            let reading = async move {
                let path = format!("/containers/{id}/json");
                let told = engine.client().get(&path, LOOK_DEADLINE).await?;
                Kept::read(&told).map(Some).ok_or(Failed::Recipe)
            };
            let task = self.running.spawn(reading);
            self.busy.insert(task.id(), key);
        }
    }

    /// Begins a step, unless too much is under way or its time has not come.
    fn begin(&mut self, cluster: &Cluster, members: &Members, step: Step, first: Option<&First>) {
        let key = (Arc::clone(&step.node), Arc::clone(&step.set));
        let most = match step.what {
            What::Make => MADE_AT_ONCE,
            What::Start(_) | What::Remove(..) => AT_ONCE,
        };
        let engine = members.engine(&step.node).cloned();
        let (true, Some(engine)) = (self.is_free(&key, most), engine) else {
            return;
        };
        let cluster = cluster.clone();
        let done = match (step.what, first, self.kept.get(&step.set)) {
            (What::Make, Some(first), Some(kept)) => {
                let (first, kept) = (first.clone(), Arc::clone(kept));
                self.running.spawn(async move {
                    make(&cluster, &engine, &first, &kept).await.map(|()| None)
                })
            }
            (What::Make, ..) => return,
            (What::Start(id), ..) => self
                .running
                .spawn(async move { start(&cluster, &engine, &id).await.map(|()| None) }),
            (What::Remove(id, homes), ..) => self.running.spawn(async move {
                let gone = is_gone(&cluster, &step.set, &homes).await?;
                match gone {
                    true => remove(&cluster, &engine, &id).await.map(|()| None),
                    false => Ok(None),
                }
            }),
        };
        self.busy.insert(done.id(), key);
    }

    /// Takes note of what has ended, and lets its node rest for a while.
    fn ended(&mut self, ended: Result<(Id, Result<Option<Kept>, Failed>), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(error) => (error.id(), None),
        };
        let Some(key) = self.busy.remove(&id) else {
            return;
        };
        let (node, set) = &key;
        match outcome {
            Some(Ok(Some(kept))) => {
                self.kept.insert(Arc::clone(set), Arc::new(kept));
                return;
            }
            Some(Ok(None)) => {}
            Some(Err(error)) => {
                tracing::warn!(%node, copy_of = %set, %error, "a copy is not as it should be")
            }
            None => tracing::error!(%node, copy_of = %set, "seeing to a copy was broken off"),
        }
        let rest = self.rests.entry(key).or_insert_with(|| Rest {
            until: Instant::now(),
            backoff: Backoff::new(AGAIN, SELDOM),
        });
        rest.until = Instant::now() + rest.backoff.wait();
    }
}

/// Makes a copy on a node and starts it.
async fn make(
    cluster: &Cluster,
    engine: &Engine,
    first: &First,
    kept: &Kept,
) -> Result<(), Failed> {
    if !still_runs(cluster, first).await? {
        return Ok(());
    }
    let (members, node) = (cluster.members(), engine.node());
    let name = first.container.name();
    let copy = Copy {
        name: format!("{name}-{}", fit(&node.name)),
        first: Arc::clone(&first.container.id),
        engine: first.node.engine_id.clone(),
        place: Required {
            node: Arc::clone(&node.key),
            reason: format!("this copy of {name} is for {}", node.name),
        },
    };
    let create_copy = kept.create(&members, cluster.manners(), Some(&copy))?;
    let answer = create(cluster.clone(), create_copy, None).await?;
    let Some(id) = answer.container() else {
        return Err(Failed::Refused(answer.message()));
    };
    tracing::info!(node = %node.name, copy_of = name, name = copy.name, "copy made");
    // Stopped or removed meanwhile: what is left is seen to at the next look.
    match still_runs(cluster, first).await? {
        true => start(cluster, engine, &id.into()).await,
        false => Ok(()),
    }
}

/// Tells whether the first of a set runs: as its engine says, of which lists may lag behind, or as it was last known.
async fn still_runs(cluster: &Cluster, first: &First) -> Result<bool, Failed> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inspect {
        state: State,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct State {
        running: bool,
    }
    let members = cluster.members();
    let mut healthy = members.healthy();
    let Some((_, engine)) = healthy.find(|(node, _)| node.key == first.node.key) else {
        return Ok(first.is_running());
    };
    let path = format!("/containers/{}/json", first.container.id);
    match engine.client().get(&path, LOOK_DEADLINE).await {
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(false),
        Err(error) => Err(error.into()),
        Ok(told) => {
            let told = serde_json::from_slice::<Inspect>(&told);
            Ok(told.is_ok_and(|inspect| inspect.state.running))
        }
    }
}

/// Writes the name of a node so that it can be in that of a container.
fn fit(node: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let fitting = node.chars().map(|c| if fits(c) { c } else { '-' });
    fitting.collect()
}

/// Changes a copy; the view shows what became of it, whether the engine obeyed or not.
async fn change(
    cluster: &Cluster,
    engine: &Engine,
    id: &Arc<str>,
    (method, what): (Method, &str),
) -> Result<(), engine::Error> {
    let path = format!("/containers/{id}{what}");
    let client = engine.client();
    let changed = client.call(method, &path, None, CHANGE_DEADLINE).await;
    let container = Refresh::Container(Arc::clone(id));
    cluster.refresh(engine, container).await;
    changed.map(drop)
}

/// Starts a copy.
async fn start(cluster: &Cluster, engine: &Engine, id: &Arc<str>) -> Result<(), Failed> {
    Ok(change(cluster, engine, id, (Method::POST, "/start")).await?)
}

/// Removes a copy; its volumes stay, as those of the first do.
async fn remove(cluster: &Cluster, engine: &Engine, id: &Arc<str>) -> Result<(), Failed> {
    let removed = change(cluster, engine, id, (Method::DELETE, "?force=1")).await;
    match removed {
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => {
            tracing::info!(node = %engine.client().key(), container = %id, "copy removed");
            Ok(())
        }
    }
}

/// Tells whether all of some nodes say that a container is not there: what lists show may be of before it came.
async fn is_gone(cluster: &Cluster, id: &str, homes: &[Arc<str>]) -> Result<bool, Failed> {
    let (members, path) = (cluster.members(), format!("/containers/{id}/json"));
    for home in homes {
        let Some(engine) = members.engine(home) else {
            return Ok(false);
        };
        match engine.client().get(&path, LOOK_DEADLINE).await {
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// Tells whether a container has copies.
pub fn has_copies(container: &Container) -> bool {
    plan::is_first(container)
}

/// Does to the copies of a container what was done to it: `what` is what follows its ID in the path, and its query.
/// Returns when it is done, or else soon; copies on nodes that do not answer are left as they are.
pub async fn follow(cluster: &Cluster, first: &str, method: Method, what: String) {
    let members = cluster.members();
    let copies = members.healthy().flat_map(|(node, engine)| {
        let own = node.containers.iter();
        let own = own.filter(|c| plan::copy_of(c) == Some(first));
        own.map(|copy| (engine.clone(), Arc::clone(&copy.id)))
    });
    let copies: Vec<_> = copies.collect();
    let cluster = cluster.clone();
    let all = stream::iter(copies).for_each_concurrent(AT_ONCE, move |(engine, id)| {
        let (cluster, method) = (cluster.clone(), method.clone());
        let path = format!("/containers/{id}{what}");
        async move {
            let client = engine.client();
            let asked = client.call(method, &path, None, FOLLOW_DEADLINE);
            let done = tokio::select! {
                done = asked => done.map(drop).map_err(|error| error.to_string()),
                reason = engine.silent() => Err(reason),
            };
            match done {
                Ok(()) => drop(cluster.refresh(&engine, Refresh::Container(id)).await),
                Err(reason) => tracing::warn!(container = %id, reason, "a copy does not follow"),
            }
        }
    });
    // Goes on when nobody waits any more.
    let _ = tokio::time::timeout(FOLLOW_PATIENCE, tokio::spawn(all)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_name_fits_into_that_of_a_container() {
        assert_eq!(fit("db-1.example.org"), "db-1.example.org");
        assert_eq!(fit("(unknown) ü"), "-unknown---");
    }
}
