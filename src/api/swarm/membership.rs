//! One swarm-mode cluster of all engines: made, joined, unlocked and left by all of them as by one engine.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::call::{Answer, Call, json as answer, no_content};
use crate::api::error::Error;
use crate::api::swarm::{alone, entry, manager};
use crate::cluster::{self, Cluster, Members, entries};
use crate::engine::{self, Engine, Refresh};
use crate::model::Node;

/// How long an engine may take to make, join or leave a cluster.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long the view may take to show it.
const SHOWN: Duration = Duration::from_secs(10);
/// The port on which managers listen unless the call says otherwise.
const PORT: u16 = 2377;
/// What an engine says that is in no cluster.
const OUTSIDE: &str = "not part of a swarm";
/// What an engine says that has not left within 15 s.
const GAVE_UP: &str = "context deadline exceeded";
/// How often an engine is told to leave.
const TRIES: u32 = 3;
/// Managers of a cluster that is large enough for them: one may be lost.
const MANAGERS: usize = 3;

/// Makes a swarm-mode cluster of all engines that answer: the first makes it, the others join.
pub(in crate::api) async fn init(mut call: Call) -> Answer {
    let asked = read(&mut call, "InitRequest").await?;
    let (members, cluster) = (call.members(), call.api.cluster.clone());
    let mut nodes: Vec<(Arc<Node>, Engine)> = members
        .healthy()
        .map(|(n, e)| (Arc::clone(n), e.clone()))
        .collect();
    if nodes.is_empty() {
        return Err(cluster::Error::NoHealthyNode.into());
    }
    if alone::is_meant(&asked, &members) {
        return alone::go_on(call, asked).await;
    }
    if let Some((node, _)) = nodes.iter().find(|(n, _)| n.is_in_swarm()) {
        return Err(Error::NoSwarmTwice(node.name.clone()));
    }
    let others = nodes.split_off(1);
    let Some((first, engine)) = nodes.pop() else {
        return Err(cluster::Error::NoHealthyNode.into());
    };
    let mut body = asked.clone();
    listen(&mut body, &first);
    let made = post(&engine, "/swarm/init", &body).await;
    let id = made.map_err(refused)?;
    let managers = match others.len() + 1 < MANAGERS {
        true => 1,
        false => MANAGERS,
    };
    let tokens = tokens(&engine, &first).await?;
    let remote = format!("{}:{}", first.ip, port(&body["ListenAddr"]));
    let join = |(number, (node, engine)): (usize, &(Arc<Node>, Engine))| {
        let role = if number + 1 < managers {
            "Manager"
        } else {
            "Worker"
        };
        let mut body = json!({ "RemoteAddrs": [remote], "JoinToken": tokens[role] });
        body["ListenAddr"] = asked["ListenAddr"].clone();
        listen(&mut body, node);
        let (name, engine) = (node.name.clone(), engine.clone());
        async move { (name, post(&engine, "/swarm/join", &body).await) }
    };
    let joining: Vec<_> = others.iter().enumerate().map(join).collect();
    // One after the other: a manager that joins makes those before it agree.
    let mut failed = Vec::new();
    for one in joining {
        if let (name, Err(error)) = one.await {
            failed.push(format!("{name}: {error}"));
        }
    }
    let all = others.iter().map(|(_, e)| e).chain([&engine]);
    join_all(all.map(|e| shown(&cluster, e, is_active))).await;
    match failed.is_empty() {
        true => Ok(answer(StatusCode::OK, id)),
        false => Err(Error::Internal(format!(
            "{} made a swarm-mode cluster, and these could not join it: {}",
            first.name,
            failed.join("; ")
        ))),
    }
}

/// Asks a manager that has just made a cluster with what others join it.
async fn tokens(engine: &Engine, node: &Node) -> Result<Value, Error> {
    let told = engine.client().get("/swarm", DEADLINE).await;
    let told = told.map_err(|error| {
        let name = &node.name;
        Error::Internal(format!(
            "{name} made a swarm-mode cluster, and did not say how the others join it: {error}"
        ))
    })?;
    let told: Value = serde_json::from_slice(&told).unwrap_or_default();
    Ok(told["JoinTokens"].clone())
}

/// Makes all engines that are in no swarm-mode cluster join one.
pub(in crate::api) async fn join(mut call: Call) -> Answer {
    let asked = read(&mut call, "JoinRequest").await?;
    let (members, cluster) = (call.members(), call.api.cluster.clone());
    let (mut joined, mut failed) = (Vec::new(), Vec::new());
    for (node, engine) in members.healthy().filter(|(n, _)| !n.is_in_swarm()) {
        let mut body = asked.clone();
        body["RemoteAddrs"] = managing(&asked["RemoteAddrs"], &members);
        listen(&mut body, node);
        match post(engine, "/swarm/join", &body).await {
            Ok(_) => {
                shown(&cluster, engine, is_active).await;
                joined.push(engine.clone());
            }
            Err(error) => failed.push((node.name.clone(), error)),
        }
    }
    if joined.is_empty() {
        return Err(match failed.into_iter().next() {
            None => Error::NoSwarmTwice("every engine".to_owned()),
            Some((_, error)) => refused(error),
        });
    }
    // None of ours manages a cluster that others made: they see to its entries.
    if let Ok(manager) = manager(&cluster.members()) {
        for engine in joined {
            let node = engine.node();
            if let Err(error) = entry::drop_former(&manager, &node).await {
                failed.push((node.name.clone(), error));
            }
        }
    }
    match failed.is_empty() {
        true => Ok(no_content(StatusCode::OK)),
        false => Err(Error::Internal(format!(
            "all other engines joined, and these failed: {}",
            failed
                .iter()
                .map(|(name, error)| format!("{name}: {error}"))
                .collect::<Vec<_>>()
                .join("; ")
        ))),
    }
}

/// Makes the error of an engine's refusal: what is wrong in the request is so on every engine, and said in its words.
pub(super) fn refused(error: engine::Error) -> Error {
    match error {
        engine::Error::Status {
            status: StatusCode::BAD_REQUEST,
            message,
            ..
        } => Error::Bad(message),
        error => error.into(),
    }
}

/// Returns the port of an address to listen on, which may be an interface's name or nothing but a port.
fn port(listen: &Value) -> u16 {
    let text = listen.as_str().unwrap_or_default();
    let port = text
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    port.unwrap_or(PORT)
}

/// Returns the managers to ask, less those engines of ours that manage nothing now: the engine asks one of the list, by
/// chance, and no second one.
fn managing(asked: &Value, members: &Members) -> Value {
    let idle = |addr: &&Value| {
        let host = addr.as_str().unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let mut nodes = members.view.nodes().iter();
        nodes.any(|n| n.ip == host && !n.is_manager())
    };
    let all = asked.as_array().into_iter().flatten();
    let left: Vec<&Value> = all.filter(|addr| !idle(addr)).collect();
    match left.is_empty() {
        // Then the engine says what is wrong with them.
        true => asked.clone(),
        false => json!(left),
    }
}

/// Makes all engines leave their swarm-mode cluster, the leader last; by force, since the last manager needs it.
pub(in crate::api) async fn leave(call: Call) -> Answer {
    let (members, cluster) = (call.members(), call.api.cluster.clone());
    let (managers, workers): (Vec<_>, Vec<_>) = members
        .healthy()
        .filter(|(n, _)| n.is_in_swarm())
        // A locked one may be a manager, whose state is lost when it leaves.
        .partition(|(n, _)| n.is_manager() || n.is_locked());
    if managers.is_empty() && workers.is_empty() {
        return Err(Error::NotInSwarm);
    }
    let force = call.query.flag("force");
    if let (Some((_, engine)), false) = (managers.first(), force) {
        // Refused in the engine's words.
        let engine = (*engine).clone();
        let path = call.path.clone();
        return call.forward(&engine, &path).await;
    }
    let last = step_down(&cluster, &members, &managers).await;
    let (mut left, last): (Vec<_>, Vec<_>) = [workers, managers]
        .concat()
        .into_iter()
        .partition(|(_, engine)| !last.as_ref().is_some_and(|l| l.is_same(engine)));
    let mut failed = Vec::new();
    while !left.is_empty() {
        // A few at a time: an engine tells others that it goes, and 20.10 never frees the port of its gossip when they
        // go at once with it, so that its next cluster would carry no traffic.
        let round = (left.len() / 4).max(1);
        let round = left.drain(..round);
        let leaving: Vec<_> = round.map(|(n, e)| leave_one(&cluster, n, e)).collect();
        failed.extend(join_all(leaving).await.into_iter().flatten());
    }
    for (node, engine) in last {
        failed.extend(leave_one(&cluster, node, engine).await);
    }
    match failed.is_empty() {
        true => Ok(no_content(StatusCode::OK)),
        false => Err(Error::Internal(format!(
            "these could not leave, all others did: {}",
            failed.join("; ")
        ))),
    }
}

/// Makes workers of all managers but the leader, and returns that one, which leaves last. A manager that leaves takes
/// its vote with it, and those after it wait for a majority that is gone.
async fn step_down(
    cluster: &Cluster,
    members: &Members,
    managers: &[(&Arc<Node>, &Engine)],
) -> Option<Engine> {
    let leads = |entry: &Value| entry["ManagerStatus"]["Leader"] == true;
    let is_of = |entry: &Value, node: &Node| entry["ID"] == node.facts.info["Swarm"]["NodeID"];
    let entries = entries::all(members).await;
    let led =
        |(node, _): &&(&Arc<Node>, &Engine)| entries.iter().any(|e| leads(e) && is_of(e, node));
    let (of, leader) = managers.iter().find(led)?;
    let same = |node: &Node| node.swarm_id() == of.swarm_id();
    let others = managers.iter();
    for (node, engine) in others.filter(|(n, e)| same(n) && !leader.is_same(e)) {
        // Read anew each time: entries change as managers go.
        let entries = entries::all(members).await;
        let demoted = match entries.iter().find(|e| is_of(e, node)) {
            Some(entry) => entry::demote(leader, entry).await,
            None => continue,
        };
        match demoted {
            Ok(()) => shown(cluster, engine, |n| !n.is_manager()).await,
            Err(error) => tracing::warn!(node = node.name, %error, "leaves as a manager"),
        }
    }
    Some((*leader).clone())
}

/// Unlocks all engines that are locked, all at once: none is ready before most managers are.
pub(in crate::api) async fn unlock(mut call: Call) -> Answer {
    let members = call.members();
    let locked: Vec<_> = members.healthy().filter(|(n, _)| n.is_locked()).collect();
    if locked.is_empty() {
        // Refused in the engine's words.
        return super::forward(call).await;
    }
    let key = read(&mut call, "UnlockRequest").await?;
    let cluster = &call.api.cluster;
    let unlocking = locked.iter().map(|(node, engine)| {
        let key = &key;
        async move {
            let done = post(engine, "/swarm/unlock", key).await;
            if done.is_ok() {
                shown(cluster, engine, |n| !n.is_locked()).await;
            }
            (node.name.as_str(), done)
        }
    });
    let (done, failed): (Vec<_>, Vec<_>) = join_all(unlocking)
        .await
        .into_iter()
        .partition(|(_, done)| done.is_ok());
    let said = failed.iter().map(|(name, done)| {
        let why = done.as_ref().err().map(engine::Error::words);
        format!("{name}: {}", why.unwrap_or_default())
    });
    let said = said.collect::<Vec<_>>().join("; ");
    match failed.into_iter().find_map(|(_, done)| done.err()) {
        None => Ok(no_content(StatusCode::OK)),
        Some(first) if done.is_empty() => Err(Error::Engines {
            message: first.words(),
            first,
        }),
        Some(_) => Err(Error::Internal(format!(
            "these could not be unlocked, all others were: {said}"
        ))),
    }
}

/// Waits until the view shows what a manager's cluster has become.
pub(super) async fn changed(cluster: &Cluster, engine: &Engine) {
    let path = format!("/v1.{}/swarm", engine.node().facts.api_max);
    let now = engine.client().get(&path, DEADLINE).await;
    let now = now.map(|text| serde_json::from_slice(&text).unwrap_or_default());
    let index = |of: &Value| of["Version"]["Index"].as_u64();
    if let Some(reached) = now.ok().as_ref().and_then(index) {
        let told = |n: &Node| index(&n.facts.info["Swarm"]["Cluster"]);
        let has_come = |n: &Node| told(n).is_some_and(|index| index >= reached);
        shown(cluster, engine, has_come).await;
    }
}

/// Makes one engine leave; returns why it did not.
async fn leave_one(cluster: &Cluster, node: &Node, engine: &Engine) -> Option<String> {
    let mut left = post(engine, "/swarm/leave?force=1", &Value::Null).await;
    for _ in 1..TRIES {
        // It gave up stopping its part in the cluster after a time of its own, and most often has stopped it by now.
        let Err(engine::Error::Status { message, .. }) = &left else {
            break;
        };
        if !message.contains(GAVE_UP) {
            break;
        }
        left = post(engine, "/swarm/leave?force=1", &Value::Null).await;
    }
    match left {
        Err(error) if !error.to_string().contains(OUTSIDE) => {
            Some(format!("{}: {error}", node.name))
        }
        // What left by itself meanwhile is outside too.
        Ok(_) | Err(_) => {
            shown(cluster, engine, |n| !n.is_in_swarm()).await;
            None
        }
    }
}

/// Reads the body, an object of what Go calls `kind`.
async fn read(call: &mut Call, kind: &str) -> Result<Value, Error> {
    let text = call.read_body().await?;
    let body = serde_json::from_slice(&text);
    let body = body.map_err(|e| Error::Bad(format!("invalid JSON: {e}")))?;
    let other = match &body {
        // As in Go, nothing is an object without fields.
        Value::Null | Value::Object(_) => return Ok(body),
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
    };
    Err(Error::Bad(format!(
        "invalid JSON: json: cannot unmarshal {other} into Go value of type swarm.{kind}"
    )))
}

/// Says on which address this engine listens and is found: its own, since each has another.
pub(super) fn listen(body: &mut Value, node: &Node) {
    if body["ListenAddr"].as_str().unwrap_or_default().is_empty() {
        body["ListenAddr"] = format!("0.0.0.0:{PORT}").into();
    }
    if !node.ip.is_empty() {
        body["AdvertiseAddr"] = node.ip.clone().into();
        body["DataPathAddr"] = node.ip.clone().into();
    }
}

/// Makes a call of our own.
pub(super) async fn post(
    engine: &Engine,
    path: &str,
    body: &Value,
) -> Result<bytes::Bytes, engine::Error> {
    let api = engine.node().facts.api_max;
    let path = format!("/v1.{api}{path}");
    let body = (!body.is_null()).then(|| body.to_string().into());
    let client = engine.client();
    let done = client.call(Method::POST, &path, body, DEADLINE).await;
    done.map(|(_, text)| text)
}

/// Tells whether an engine takes part in a cluster: one that has only just joined is in it, and pending.
pub(super) fn is_active(node: &Node) -> bool {
    node.facts.info["Swarm"]["LocalNodeState"] == "active"
}

/// Waits until the view shows what has become of an engine, and the networks that come and go with that.
pub(super) async fn shown(cluster: &Cluster, engine: &Engine, has_come: impl Fn(&Node) -> bool) {
    engine.suspect();
    let mut node = engine.subscribe();
    let is = node.wait_for(|n| has_come(n));
    // Late is not lost: the next probe shows it.
    let _ = tokio::time::timeout(SHOWN, is).await;
    cluster.refresh(engine, Refresh::Networks).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managers_are_found_at_the_port_they_listen_on() {
        for (listen, expected) in [
            (json!("0.0.0.0:2400"), 2400),
            (json!(":2400"), 2400),
            (json!("[::]:2400"), 2400),
            (json!("eth0"), PORT),
            (json!(""), PORT),
            (Value::Null, PORT),
        ] {
            assert_eq!(port(&listen), expected, "{listen}");
        }
    }
}
