//! Who waits, who is served first, and how a wait ends.

use serde_json::json;
use tokio::task::JoinHandle;

use super::*;
use crate::cluster::reservation::Reservation;
use crate::cluster::spec::Spec;
use crate::cluster::{Decisions, Queue};
use crate::engine::Feed;
use crate::model::{Health, Manners, Resources};
use crate::scheduler::Scheduler;

/// How long creates wait here.
const PATIENCE: Duration = Duration::from_secs(60);

/// One node, with 1000 bytes of memory, and the token that stops.
struct Ground {
    cluster: Cluster,
    publish: watch::Sender<Arc<Members>>,
    stop: CancellationToken,
}

/// A create under way: what it got, or the error.
type Running = JoinHandle<Result<Reservation, String>>;

impl Ground {
    fn prepare() -> Self {
        let stop = CancellationToken::new();
        let (publish, members) = watch::channel(Arc::new(with_memory(1000)));
        let scheduler = Scheduler::new("spread", None, Manners::Engine).unwrap();
        let cluster = Cluster::new(members, scheduler, Feed::new(1), Decisions::default());
        let cluster = cluster.with_queue(Queue::new(PATIENCE, stop.clone()));
        Self {
            cluster,
            publish,
            stop,
        }
    }

    fn read(&self, name: &str, memory: i64, port: Option<u16>, env: &[&str]) -> Create {
        let mut host = json!({ "Memory": memory });
        if let Some(port) = port {
            host["PortBindings"] = json!({"80/tcp": [{"HostPort": port.to_string()}]});
        }
        let body = json!({"Image": "busybox", "Env": env, "HostConfig": host}).to_string();
        let members = self.cluster.members();
        let spec = Spec::read(body.as_bytes(), Some(name), &members, Manners::Engine).unwrap();
        Create {
            spec,
            query: String::new(),
            headers: http::HeaderMap::new(),
            retries: 0,
            api: 41,
        }
    }

    /// Lets a create begin, and gets it as far as it comes without news.
    async fn begin(&self, create: Create, gone: &CancellationToken) -> Running {
        let (cluster, gone) = (self.cluster.clone(), gone.clone());
        let running = tokio::spawn(async move {
            let mut trace = Trace::new(&cluster, &create.spec);
            let mut wait = Wait::new(&cluster, &create, Some(gone));
            let (_, chosen) = wait.choose(&cluster, &create, false, &mut trace).await;
            match chosen {
                Ok(chosen) => Ok(chosen.unwrap().reservation),
                Err(error) => Err(wait.told(error).to_string()),
            }
        });
        pause().await;
        running
    }

    async fn ask(&self, name: &str, memory: i64) -> Running {
        let create = self.read(name, memory, None, &[]);
        self.begin(create, &CancellationToken::new()).await
    }

    /// Returns the names of those that wait.
    fn waiting(&self) -> Vec<String> {
        let all = self.cluster.queue().waiting().into_iter();
        all.filter_map(|f| f.decision.request.name.clone())
            .collect()
    }
}

fn with_memory(memory_bytes: i64) -> Members {
    let node = Node {
        key: "a:2375".into(),
        name: "a".to_owned(),
        health: Health::Healthy,
        capacity: Resources {
            nano_cpus: 4 * Resources::NANO_PER_CPU,
            memory_bytes,
        },
        ..Node::default()
    };
    Members {
        view: ClusterView::new(vec![Arc::new(node)]),
        ..Members::default()
    }
}

/// Lets everything happen that needs no news.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Returns what a create got that must have ended.
async fn ended(running: Running) -> Result<Reservation, String> {
    assert!(running.is_finished(), "it goes on");
    running.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn room_that_is_given_back_goes_to_who_came_first() {
    let ground = Ground::prepare();
    let first = ended(ground.ask("first", 900).await).await.unwrap();
    let big = ground.ask("big", 800).await;
    let small = ground.ask("small", 100).await;
    let late = ground.ask("late", 200).await;
    // There is room for the small one, and it is not taken past the big one.
    assert_eq!(ground.waiting(), ["big", "small", "late"]);
    let told = ground.cluster.queue().waiting();
    let outcome = &told[1].decision.outcome;
    let Outcome::Waiting { ahead: 1, message } = outcome else {
        panic!("{outcome:?}");
    };
    let why = "is kept for big, which has waited longer (a)";
    assert!(message.contains(why), "{message}");
    drop(first);
    pause().await;
    let (big, small) = (ended(big).await.unwrap(), ended(small).await.unwrap());
    assert_eq!(ground.waiting(), ["late"]);
    drop(small);
    pause().await;
    let late = ended(late).await.unwrap();
    assert!(ground.waiting().is_empty());
    drop((big, late));
}

#[tokio::test(start_paused = true)]
async fn who_wants_something_else_does_not_wait_for_others() {
    let ground = Ground::prepare();
    let never = CancellationToken::new();
    let web = ground.read("web", 100, Some(80), &[]);
    let web = ended(ground.begin(web, &never).await).await.unwrap();
    let next = ground.read("next", 100, Some(80), &[]);
    let next = ground.begin(next, &never).await;
    // Enough is left for the one that waits for the port.
    let other = ended(ground.ask("other", 700).await).await.unwrap();
    let greedy = ground.ask("greedy", 150).await;
    assert_eq!(ground.waiting(), ["next", "greedy"]);
    drop(web);
    pause().await;
    assert!(ended(next).await.is_ok());
    assert_eq!(ended(greedy).await.map(drop), Ok(()));
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_view_with_more_room_is_enough() {
    let ground = Ground::prepare();
    let first = ended(ground.ask("first", 900).await).await.unwrap();
    let second = ground.ask("second", 900).await;
    ground.publish.send_replace(Arc::new(with_memory(2000)));
    pause().await;
    assert!(ended(second).await.is_ok());
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn each_end_of_a_wait_is_told() {
    let ground = Ground::prepare();
    let first = ended(ground.ask("first", 900).await).await.unwrap();
    let (gone, never) = (CancellationToken::new(), CancellationToken::new());
    let (slow, left) = (
        ground.ask("slow", 900).await,
        ground.read("left", 900, None, &[]),
    );
    let left = ground.begin(left, &gone).await;
    // What can never be is not waited for, nor where somebody does not want to.
    let huge = ended(ground.ask("huge", 1001).await).await.unwrap_err();
    let unwilling = ground.read("unwilling", 900, None, &["queue:timeout==0s"]);
    let unwilling = ended(ground.begin(unwilling, &never).await).await;
    let unwilling = unwilling.unwrap_err();
    for told in [&huge, &unwilling] {
        assert!(told.starts_with("no node can take") && !told.contains("waited"));
    }
    let short = ground.read("short", 900, None, &["queue:timeout==5s"]);
    let short = ground.begin(short, &never).await;
    assert_eq!(ground.waiting(), ["slow", "left", "short"]);
    gone.cancel();
    pause().await;
    let told = ended(left).await.unwrap_err();
    assert!(told.contains("; its client went away after 0."), "{told}");
    assert_eq!(ground.waiting(), ["slow", "short"]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let told = ended(short).await.unwrap_err();
    let why = "1 lacks memory (asks 900 B, best: 100 B free on a)";
    assert!(told.contains(why), "{told}");
    assert!(told.ends_with("; it waited 5.0 s for room"), "{told}");
    let last = ground.ask("last", 900).await;
    ground.publish.send_replace(Arc::new(with_memory(100)));
    pause().await;
    for hopeless in [slow, last] {
        let told = ended(hopeless).await.unwrap_err();
        assert!(told.ends_with("until none could come"), "{told}");
    }
    ground.publish.send_replace(Arc::new(with_memory(1000)));
    let last = ground.ask("last", 900).await;
    ground.stop.cancel();
    pause().await;
    let told = ended(last).await.unwrap_err();
    assert!(told.ends_with("for room, and Flotilla stops"), "{told}");
    assert!(ground.waiting().is_empty());
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn the_queue_has_an_end() {
    let ground = Ground::prepare();
    let first = ended(ground.ask("first", 950).await).await.unwrap();
    let request = Arc::new(Request::default());
    let places: Vec<_> =
        std::iter::repeat_with(|| ground.cluster.queue().join(&request, &Arc::default()))
            .take(LENGTH)
            .collect();
    assert!(places.iter().all(Option::is_some));
    let told = ended(ground.ask("more", 100).await).await.unwrap_err();
    assert!(told.contains("as 256 others do: try again later"), "{told}");
    drop((places, first));
    assert!(ended(ground.ask("more", 100).await).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_tells_who_would_wait() {
    let ground = Ground::prepare();
    let first = ended(ground.ask("first", 900).await).await.unwrap();
    let waits = ground.ask("waits", 900).await;
    let told = async |memory: i64| {
        let create = ground.read("asked", memory, None, &[]);
        let decision = crate::cluster::choose::explain(&ground.cluster, &create);
        let decision = decision.await.unwrap();
        match &decision.outcome {
            Outcome::Refused(message) => message.clone(),
            outcome => panic!("{outcome:?}"),
        }
    };
    let waiting = "; it would wait for room for up to 60s, 1 before it";
    assert!(
        told(50)
            .await
            .contains("kept for waits, which has waited longer")
    );
    assert!(told(50).await.ends_with(waiting) && told(500).await.ends_with(waiting));
    assert!(!told(1001).await.contains("would wait"));
    drop((first, waits));
}
