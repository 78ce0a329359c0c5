//! `GET /system/df`: the disk usage of all nodes, added up.
//!
//! Engines walk their whole store for it, so each does it once for all who ask the same while it is at another question,
//! and one that takes too long is left out and named in a `Warning` header.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::df_form::Wish;
use crate::api::at_once;
use crate::api::broadcast::{self, Asked, Done, Said};
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster;
use crate::cluster::flight::Flights;
use crate::engine::{self, Engine};
use crate::model::orders::ORDERS_LABEL;
use crate::net::body;
use crate::proxy::target;

/// How long an engine may take, the questions before this one included.
const DEADLINE: Duration = Duration::from_secs(60);

/// Where a volume's node stands until all are together.
const NODE: &str = "flotilla.node";

/// A question: node, the version it is asked with, and what.
type Question = (Arc<str>, u16, String);

/// Questions under way; clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Usage {
    flights: Flights<Question, Result<Said, engine::Error>>,
    /// Whose turn it is at each engine: 20.10 refuses a second question while it works on one.
    turns: Arc<Mutex<HashMap<Arc<str>, Turn>>>,
}

/// Held by the one question that an engine works on.
type Turn = Arc<tokio::sync::Mutex<()>>;

impl Usage {
    /// Does `work` for all who ask the same before it is sent, once the node's questions before it are done: what is
    /// sent already may miss what its client has just done.
    async fn ask<F>(
        &self,
        question: Question,
        work: impl FnOnce() -> F,
    ) -> Result<Said, engine::Error>
    where
        F: Future<Output = Result<Said, engine::Error>> + Send + 'static,
    {
        let node = Arc::clone(&question.0);
        let turn = self.turn(&node);
        let late = engine::Error::Timeout {
            node: node.to_string(),
            after: DEADLINE,
        };
        let (flights, own) = (self.flights.clone(), question.clone());
        // Goes on when its askers leave: 20.10 counts on, and refuses the next question meanwhile.
        let flight = |_| {
            let work = work();
            async move {
                let work = async {
                    let _turn = turn.lock().await;
                    flights.close(&own);
                    work.await
                };
                let said = tokio::time::timeout(DEADLINE, work).await;
                said.unwrap_or(Err(late))
            }
        };
        let outcome = self.flights.join(question, flight).await;
        outcome.unwrap_or_else(|| {
            Err(engine::Error::Broken {
                node: node.to_string(),
                reason: "the question was broken off".to_owned(),
            })
        })
    }

    fn turn(&self, node: &Arc<str>) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Of nodes that nobody asks now nothing is kept: they may be gone for good.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(Arc::clone(node)).or_default())
    }
}

/// Adds up what all nodes use.
pub(in crate::api) async fn df(call: Call) -> Answer {
    let members = call.members();
    let wish = Arc::new(Wish::parse(&call.query, call.version)?);
    let mut asked = Asked::from(call);
    asked.version = wish.api();
    let work = members.view.nodes().iter().map(|node| {
        let (asked, wish) = (asked.clone(), Arc::clone(&wish));
        let engine = members.engine(&node.key).cloned();
        async move {
            let engine = engine.filter(|_| node.health.is_healthy());
            let away = || engine::Error::Connect {
                node: node.key.to_string(),
                reason: node.health.reason().unwrap_or("not asked yet").to_owned(),
            };
            let result = match engine {
                Some(engine) => once(asked, &wish, engine).await,
                None => Err(away()),
            };
            Done {
                node: node.name.clone(),
                result: result.map(|said| ours(said, &wish, &node.name)),
            }
        }
    });
    if members.view.nodes().is_empty() {
        return Err(Error::Cluster(cluster::Error::NoHealthyNode));
    }
    let done: Vec<Done> = at_once::all(work).await;
    broadcast::merged(done, |sum| {
        tell_apart(sum);
        wish.finish(sum);
    })
}

/// Asks one engine, with all who ask the same of it now.
async fn once(asked: Asked, wish: &Wish, engine: Engine) -> Result<Said, engine::Error> {
    let node = Arc::clone(engine.client().key());
    let api = target::spoken(&engine, asked.version);
    let query = wish.query(api);
    let usage = asked.api.usage.clone();
    let question = (node, api, query.clone());
    let work = || async move { asked.one(&engine, &query, body::empty()).await };
    usage.ask(question, work).await
}

/// Takes out of an engine's answer what is ours or was not asked for, and says of each volume where it is.
fn ours(said: Said, wish: &Wish, node: &str) -> Said {
    let (status, headers, text) = said;
    let usage = serde_json::from_slice::<Value>(&text);
    let Some(mut usage) = usage.ok().filter(|_| status.is_success()) else {
        return (status, headers, text);
    };
    wish.cut(&mut usage);
    if let Some(Value::Array(volumes)) = usage.get_mut("Volumes") {
        volumes.retain(|v| v["Labels"].get(ORDERS_LABEL).is_none());
        for volume in volumes {
            volume[NODE] = node.into();
        }
    }
    (status, headers, usage.to_string().into())
}

/// Gives local volumes that have the name of another the node's name in front, as lists do.
fn tell_apart(sum: &mut Value) {
    let Some(Value::Array(volumes)) = sum.get_mut("Volumes") else {
        return;
    };
    let mut seen = HashSet::new();
    for volume in volumes {
        let node = volume.as_object_mut().and_then(|v| v.shift_remove(NODE));
        let name = volume["Name"].as_str().unwrap_or_default().to_owned();
        if !seen.insert(name.clone())
            && volume["Scope"] == "local"
            && let Some(node) = node.as_ref().and_then(Value::as_str)
        {
            volume["Name"] = format!("{node}/{name}").into();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::*;
    use crate::api::query::Query;

    #[tokio::test(start_paused = true)]
    async fn a_question_behind_others_is_given_up_in_time() {
        let (usage, started) = (Usage::default(), Instant::now());
        let question = |node: &str| (Arc::from(node), 41, String::new());
        let answer = || async {
            let head = (http::StatusCode::OK, http::HeaderMap::new());
            Ok((head.0, head.1, "{}".into()))
        };
        let turn = usage.turn(&Arc::from("n0"));
        let before = turn.lock().await;
        let (first, second, elsewhere) = tokio::join!(
            usage.ask(question("n0"), answer),
            usage.ask(question("n0"), answer),
            usage.ask(question("n1"), answer),
        );
        assert_eq!(started.elapsed().as_secs(), DEADLINE.as_secs());
        for late in [first, second] {
            let late = late.unwrap_err();
            assert!(matches!(late, engine::Error::Timeout { .. }), "{late}");
        }
        assert!(elsewhere.is_ok());
        drop(before);
        drop(turn);
        assert!(usage.ask(question("n0"), answer).await.is_ok());
        assert_eq!(usage.turns.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_of_after_its_question() {
        let (usage, written) = (Usage::default(), Arc::new(AtomicU32::new(0)));
        let question = || (Arc::from("n0"), 41, String::new());
        let gate = Arc::new(Semaphore::new(0));
        let ask = || {
            let (usage, written) = (usage.clone(), Arc::clone(&written));
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                let answer = || async move {
                    // As an engine that has counted, and is slow to tell.
                    let text = written.load(Ordering::Relaxed).to_string();
                    gate.acquire().await.unwrap().forget();
                    let head = (http::StatusCode::OK, http::HeaderMap::new());
                    Ok((head.0, head.1, text.into()))
                };
                usage.ask(question(), answer).await.unwrap().2
            })
        };
        let before = ask();
        // Sent: it has had its turn.
        while usage.turn(&Arc::from("n0")).try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        written.store(1, Ordering::Relaxed);
        let after = [ask(), ask()];
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        // One for each time that the engine is asked.
        gate.add_permits(2);
        assert_eq!(before.await.unwrap(), "0");
        for one in after {
            assert_eq!(one.await.unwrap(), "1");
        }
    }

    #[test]
    fn volumes_of_one_name_are_told_apart() {
        let mut sum = json!({"Volumes": [
            {"Name": "a", "Scope": "local", NODE: "n0"},
            {"Name": "a", "Scope": "local", NODE: "n1"},
            {"Name": "b", "Scope": "local", NODE: "n1"},
        ]});
        tell_apart(&mut sum);
        assert_eq!(
            sum,
            json!({"Volumes": [
                {"Name": "a", "Scope": "local"},
                {"Name": "n1/a", "Scope": "local"},
                {"Name": "b", "Scope": "local"},
            ]})
        );
    }

    #[test]
    fn what_a_node_keeps_for_us_is_not_shown() {
        let text = json!({"Volumes": [
            {"Name": "x", "Labels": {ORDERS_LABEL: "{}"}},
            {"Name": "y", "Labels": null},
        ]});
        let said = (
            http::StatusCode::OK,
            http::HeaderMap::new(),
            text.to_string().into(),
        );
        let wish = Wish::parse(&Query::default(), 41).unwrap();
        let (_, _, text) = ours(said, &wish, "n0");
        let usage: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            usage,
            json!({"Volumes": [{"Name": "y", "Labels": null, NODE: "n0"}]})
        );
    }
}
