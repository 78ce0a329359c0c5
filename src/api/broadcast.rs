//! One call to many nodes at once, and one answer made of theirs.
//!
//! What the nodes that answered did is never lost because another failed: the answer is a success as soon as one was,
//! and a `Warning` header (RFC 7234, 5.5) names the others.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::{Number, Value};
use tokio::time::Instant;

use super::call::{Answer, Call, json, whole};
use super::error::Error;
use super::warning::warn;
use super::wish::Scope;
use super::{Api, at_once};
use crate::cluster;
use crate::engine::backoff::Backoff;
use crate::engine::{self, Engine, Refresh};
use crate::model::Node;
use crate::net::body::{self, Body};
use crate::proxy::{forward, target};

/// How long an engine that is pruning for someone else is asked again.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most bytes of one engine's answer.
const ANSWER_LIMIT: usize = 64 << 20;

/// What is sent to every node; the call's body stays out of it.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) api: Arc<Api>,
    /// The nodes that are meant.
    pub(super) scope: Scope,
    pub(super) head: Parts,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) version: u16,
}

impl From<Call> for Asked {
    fn from(call: Call) -> Self {
        Self::from(&call)
    }
}

impl From<&Call> for Asked {
    fn from(call: &Call) -> Self {
        Self {
            api: Arc::clone(&call.api),
            scope: call.scope.clone(),
            head: call.head.clone(),
            path: call.path.clone(),
            query: call.raw_query().to_owned(),
            version: call.version,
        }
    }
}

/// What an engine answered, whole.
pub(super) type Said = (StatusCode, HeaderMap, Bytes);

/// One node's part.
pub(super) struct Done {
    pub(super) node: String,
    pub(super) result: Result<Said, engine::Error>,
}

impl Done {
    /// Returns why the node did not do it.
    pub(super) fn failure(&self) -> Option<String> {
        match &self.result {
            Err(error) => Some(error.to_string()),
            Ok((status, _, text)) if !status.is_success() => Some(engine::client::message(text)),
            Ok(_) => None,
        }
    }
}

impl Asked {
    /// Sends the call to one engine, with a body of its own, and reads the answer.
    pub(super) async fn one(
        &self,
        engine: &Engine,
        query: &str,
        request_body: Body,
    ) -> Result<Said, engine::Error> {
        let target = target::versioned(engine, self.version, &self.path, query);
        let answer = forward(engine, self.head.clone(), request_body, &target).await?;
        let (head, incoming) = answer.into_parts();
        let text = engine.read(incoming, ANSWER_LIMIT).await?;
        Ok((head.status, head.headers, text))
    }

    /// Sends the call to one engine, and again while that prunes for someone else.
    async fn patiently(&self, engine: &Engine, query: &str) -> Result<Said, engine::Error> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let started = Instant::now();
        loop {
            let said = self.one(engine, query, body::empty()).await?;
            let busy = said.0 == StatusCode::CONFLICT
                && String::from_utf8_lossy(&said.2).contains("prune operation is already running");
            if !busy || started.elapsed() > PATIENCE {
                return Ok(said);
            }
            tokio::time::sleep(backoff.wait()).await;
        }
    }

    /// Sends the call to all nodes that are meant and answer; `query` says what each is asked, or why it is not.
    ///
    /// # Errors
    /// No node answers at all.
    pub(super) async fn all(
        &self,
        query: impl Fn(&Node) -> Result<String, String>,
        then: Option<Refresh>,
    ) -> Result<Vec<Done>, Error> {
        let members = self.scope.members(&self.api.cluster);
        let query = &query;
        let work = members.healthy().map(|(node, engine)| {
            let (node, engine, then) = (Arc::clone(node), engine.clone(), then.clone());
            async move {
                let result = match query(&node) {
                    Ok(query) => self.patiently(&engine, &query).await,
                    Err(reason) => Err(engine::Error::Answer {
                        node: node.name.clone(),
                        what: reason,
                    }),
                };
                if let Some(what) = then {
                    self.api.cluster.refresh(&engine, what).await;
                }
                Done {
                    node: node.name.clone(),
                    result,
                }
            }
        });
        let mut done: Vec<Done> = at_once::all(work).await;
        if done.is_empty() {
            return Err(cluster::Error::NoHealthyNode.into());
        }
        let away = members
            .view
            .nodes()
            .iter()
            .filter(|n| !n.health.is_healthy());
        done.extend(away.map(|node| Done {
            node: node.name.clone(),
            result: Err(engine::Error::Connect {
                node: node.key.to_string(),
                reason: node.health.reason().unwrap_or("not asked yet").to_owned(),
            }),
        }));
        Ok(done)
    }
}

/// Makes one JSON answer of all: lists are put together, numbers added. When no node did it, the first engine's own
/// answer is the answer.
pub(super) fn merged(mut done: Vec<Done>, finish: impl FnOnce(&mut Value)) -> Answer {
    let mut sum = Value::Null;
    let mut texts = Vec::new();
    for one in &mut done {
        let text = match &one.result {
            Ok((status, _, text)) if status.is_success() => text.clone(),
            _ => continue,
        };
        match serde_json::from_slice(&text) {
            Ok(part) => {
                add(&mut sum, part);
                texts.push(text);
            }
            // One that talks nonsense has not done it; the others have.
            Err(error) => {
                one.result = Err(engine::Error::Answer {
                    node: one.node.clone(),
                    what: error.to_string(),
                });
            }
        }
    }
    let failures = warnings(&done);
    if texts.is_empty() {
        return first(done);
    }
    let before = sum.clone();
    finish(&mut sum);
    let text = match texts.as_slice() {
        // As the engine wrote it.
        [only] if sum == before => only.clone(),
        _ => format!("{sum}\n").into(),
    };
    let mut answer = json(StatusCode::OK, text);
    warn(&mut answer, &failures);
    Ok(answer)
}

/// Answers as the first node did, which succeeded if any did.
pub(super) fn first(mut done: Vec<Done>) -> Answer {
    let failures = warnings(&done);
    let best = done.iter().position(|d| d.failure().is_none());
    let answered = || done.iter().position(|d| d.result.is_ok());
    let (at, ok) = (best.or_else(answered).unwrap_or(0), best.is_some());
    if done.is_empty() {
        return Err(cluster::Error::NoHealthyNode.into());
    }
    let (status, headers, text) = done.swap_remove(at).result?;
    let mut answer = whole(status, headers, text);
    if ok {
        warn(&mut answer, &failures);
    }
    Ok(answer)
}

/// Says of each node that failed why.
fn warnings(done: &[Done]) -> Vec<String> {
    let failed = done.iter().filter_map(|d| Some((d, d.failure()?)));
    failed
        .map(|(d, why)| format!("{}: {why}", d.node))
        .collect()
}

/// Adds what one node said to what the others said.
fn add(sum: &mut Value, part: Value) {
    match (sum, part) {
        (_, Value::Null) => {}
        (sum @ Value::Null, part) => *sum = part,
        (Value::Array(sum), Value::Array(part)) => sum.extend(part),
        (Value::Object(sum), Value::Object(part)) => {
            for (key, value) in part {
                add(sum.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Number(sum), Value::Number(part)) => {
            let total = sum.as_i128().zip(part.as_i128()).map(|(a, b)| a + b);
            // What is past 64 bits, or no whole number, counts as the most there is; engines send neither.
            *sum = total
                .and_then(Number::from_i128)
                .unwrap_or_else(|| u64::MAX.into());
        }
        // Of other things the first counts.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(node: &str, status: u16, text: &Value) -> Done {
        Done {
            node: node.to_owned(),
            result: Ok((
                StatusCode::from_u16(status).unwrap(),
                HeaderMap::new(),
                text.to_string().into(),
            )),
        }
    }

    #[test]
    fn lists_are_joined_and_numbers_added() {
        let mut sum = Value::Null;
        for part in [
            json!({"A": null, "N": 1, "U": {"T": 1}, "L": ["a"]}),
            json!({"A": ["x"], "N": 2, "U": {"T": 2, "M": true}, "L": null}),
            json!({"A": ["y"], "N": i64::MAX, "L": ["b"]}),
        ] {
            add(&mut sum, part);
        }
        assert_eq!(
            sum,
            json!({"A": ["x", "y"], "N": (1_u64 << 63) + 2, "U": {"T": 3, "M": true}, "L": ["a", "b"]})
        );
    }

    #[test]
    fn members_keep_the_order_of_the_engine_and_numbers_all_their_bits() {
        let first = json!({"Z": 1, "A": u64::MAX - 1, "M": {"b": 1, "a": 1}});
        let all = vec![
            done("a", 200, &first),
            done("b", 200, &json!({"A": 1, "M": {"a": 1, "b": 1}, "Z": 1})),
        ];
        let (_, body) = merged(all, |_| {}).unwrap().into_parts();
        let text = futures_util::FutureExt::now_or_never(body::read(body, 1 << 10));
        let expected = "{\"Z\":2,\"A\":18446744073709551615,\"M\":{\"b\":2,\"a\":2}}\n";
        assert_eq!(text.unwrap().unwrap(), expected);
    }

    #[test]
    fn one_success_is_a_success_that_names_who_failed() {
        let all = vec![
            done("a", 409, &json!({"message": "say \"no\""})),
            done("b", 200, &json!({"N": 1})),
        ];
        let answer = merged(all, |_| {}).unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["warning"], "199 flotilla \"a: say 'no'\"");
    }

    #[test]
    fn what_is_no_json_fails_its_node_alone() {
        let mut all = vec![
            done("a", 200, &json!({"N": 1})),
            done("b", 200, &json!({"N": 2})),
        ];
        if let Ok((_, _, text)) = &mut all[0].result {
            *text = Bytes::from_static(b"{\"N\":");
        }
        let answer = merged(all, |_| {}).unwrap();
        assert_eq!(answer.status(), 200);
        let warning = answer.headers()["warning"].to_str().unwrap();
        assert!(warning.starts_with("199 flotilla \"a: "), "{warning}");
    }

    #[test]
    fn when_all_fail_the_first_says_why() {
        let all = vec![
            done("a", 400, &json!({"message": "bad"})),
            done("b", 500, &json!({"message": "worse"})),
        ];
        let answer = merged(all, |_| {}).unwrap();
        assert_eq!(answer.status(), 400);
        assert!(answer.headers().get("warning").is_none());
    }
}
