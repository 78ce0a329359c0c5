//! Plugins: installed, set and removed on all nodes alike.
//!
//! A node that has no such plugin is none of a change's business; one that fails makes the whole call fail by name,
//! since plugins are state of each node.

use std::collections::HashMap;

use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;
use tokio::task::JoinSet;

use super::at_once;
use super::broadcast::{self, Asked, Done};
use super::call::{Answer, Call, whole};
use super::error::Error;
use super::image::fan_in::{self, FanIn};
use super::image::load::{feed, feed_all};
use super::image::pull::{Job, first_then_stream};
use super::system::any;
use super::warning;
use crate::cluster::error::Kind;
use crate::cluster::{self, Members, absent};
use crate::engine::{Engine, Refresh};
use crate::model::image::{familiar, with_tag};
use crate::net::body::{self, Body};

/// The header that names what a pull or an upgrade installs.
const NAME: HeaderName = HeaderName::from_static("docker-plugin-name");

/// Lists the plugins of all nodes, each once; enabled is what is enabled wherever it is.
pub(super) async fn list(call: Call) -> Answer {
    let asked = Asked::from(call);
    let done = asked.all(|_| Ok(asked.query.clone()), None).await?;
    broadcast::merged(done, united)
}

/// Changes or removes a plugin on all nodes that have it.
pub(super) async fn change(mut call: Call) -> Answer {
    let text = call.read_body().await?;
    call.head.headers.remove(http::header::CONTENT_LENGTH);
    let members = call.members();
    let engines = engines(&members)?;
    let (name, cluster) = (call.id.clone(), call.api.cluster.clone());
    let asked = Asked::from(call);
    let mut done = Vec::new();
    for (node, engine) in engines {
        let part = body::full(text.clone());
        let result = asked.one(&engine, &asked.query, part).await;
        if !matches!(&result, Ok((StatusCode::NOT_FOUND, ..))) {
            // Placement goes by what is enabled.
            cluster.refresh(&engine, Refresh::Plugins).await;
        }
        done.push(Done { node, result });
    }
    let mut answer = found(outcome(done)?, &members, &name)?;
    warning::of_left_out(&mut answer, &warning::left_out(&members));
    Ok(answer)
}

/// Asks one node after the other for a plugin.
pub(super) async fn first_that_has(call: Call) -> Answer {
    let (members, name) = (call.members(), call.id.clone());
    found(any::first_that_has(call).await?, &members, &name)
}

/// Lets through what is not "no such plugin", or what is so on all nodes that have told.
fn found(answer: Response<Body>, members: &Members, name: &str) -> Answer {
    let lacking = answer.status() == StatusCode::NOT_FOUND;
    let unsure = || absent::unasked(members, Kind::Plugin, name);
    match lacking.then(unsure) {
        Some(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(answer),
    }
}

/// Installs or upgrades a plugin on all nodes, with a row of progress for each.
pub(super) async fn pull(mut call: Call) -> Answer {
    let text = call.read_body().await?;
    call.head.headers.remove(http::header::CONTENT_LENGTH);
    let members = call.members();
    let (engines, left_out) = (engines(&members)?, warning::left_out(&members));
    if let [(_, engine)] = engines.as_slice() {
        call.body = body::full(text);
        let path = call.path.clone();
        let mut answer = call.forward(engine, &path).await?;
        warning::of_left_out(&mut answer, &left_out);
        return Ok(answer);
    }
    let (tell, told) = fan_in::queue();
    let numbered = engines.iter().enumerate();
    let jobs = numbered.map(|(number, (_, engine))| Job::new(&call, number, engine, &tell));
    let jobs: Vec<Job> = jobs.collect();
    drop(tell);
    let cluster = call.api.cluster.clone();
    let mut work = JoinSet::new();
    work.spawn(async move {
        let pull = |job: Job| job.run(body::full(text.clone()), &cluster);
        at_once::all(jobs.into_iter().map(pull)).await;
    });
    let names = engines.into_iter().map(|(name, _)| name).collect();
    let fan_in = FanIn::new("plugin pull", names).without(left_out);
    let answer = first_then_stream(fan_in, told, work).await;
    let mut answer = answer.unwrap_or_else(|e| e.answer(call.api.cluster.manners()));
    // An engine names it before it tries, thus also on failure; what can be no name is refused before it is told.
    if answer.status() != StatusCode::BAD_REQUEST
        && let Ok(name) = HeaderValue::from_str(&installed(&call))
    {
        answer.headers_mut().entry(NAME).or_insert(name);
    }
    Ok(answer)
}

/// Returns the name that the plugin of a pull or an upgrade gets.
fn installed(call: &Call) -> String {
    let asked = match (call.id.as_str(), call.query.text("name")) {
        ("", "") => call.query.text("remote"),
        ("", name) => name,
        (id, _) => id,
    };
    with_tag(familiar(asked))
}

/// Makes a plugin of the archive in the body, on all nodes.
pub(super) async fn create(mut call: Call) -> Answer {
    let members = call.members();
    let engines = engines(&members)?;
    let archive = std::mem::replace(&mut call.body, body::empty());
    let asked = Asked::from(call);
    let mut work = JoinSet::new();
    let mut feeds = Vec::new();
    for (number, (node, engine)) in engines.into_iter().enumerate() {
        let (feed, part, ended) = feed();
        feeds.push(feed);
        let asked = asked.clone();
        work.spawn(async move {
            let _ended = ended;
            let result = asked.one(&engine, &asked.query, part).await;
            (number, Done { node, result })
        });
    }
    let feeding = feed_all(archive, feeds);
    let ((), mut done) = tokio::join!(feeding, work.join_all());
    done.sort_by_key(|(number, _)| *number);
    let mut answer = outcome(done.into_iter().map(|(_, one)| one).collect())?;
    warning::of_left_out(&mut answer, &warning::left_out(&members));
    Ok(answer)
}

/// Returns the nodes that answer.
fn engines(members: &Members) -> Result<Vec<(String, Engine)>, Error> {
    let healthy = members.healthy();
    let engines: Vec<_> = healthy.map(|(n, e)| (n.name.clone(), e.clone())).collect();
    match engines.is_empty() {
        true => Err(cluster::Error::NoHealthyNode.into()),
        false => Ok(engines),
    }
}

/// Makes one answer of what the nodes did: the failures that are more than "not here", or else the first success. When
/// no node did it and all that could say the same, the answer is as of one engine.
fn outcome(done: Vec<Done>) -> Answer {
    let is = |one: &Done, judge: fn(StatusCode) -> bool| {
        one.result.as_ref().is_ok_and(|(status, ..)| judge(*status))
    };
    let here = |one: &&Done| !is(one, |s| s == StatusCode::NOT_FOUND);
    let some_did = done.iter().any(|one| is(one, |s| s.is_success()));
    let failed: Vec<(&Done, String)> = done
        .iter()
        .filter(here)
        .filter_map(|one| Some((one, one.failure()?)))
        .collect();
    let alike = failed.windows(2).all(|two| two[0].1 == two[1].1);
    if !failed.is_empty() && (some_did || !alike) {
        let status = failed.iter().find_map(|(one, _)| match &one.result {
            Ok((status, ..)) => Some(*status),
            Err(_) => None,
        });
        let named = failed.iter().map(|(one, words)| match &one.result {
            Ok(_) => format!("{}: {words}", one.node),
            Err(_) => words.clone(),
        });
        let named: Vec<String> = named.collect();
        let text = serde_json::json!({ "message": named.join("; ") });
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return Ok(super::call::json(status, format!("{text}\n")));
    }
    let at = done.iter().position(|one| here(&one)).unwrap_or(0);
    let Some(one) = done.into_iter().nth(at) else {
        return Err(cluster::Error::NoHealthyNode.into());
    };
    let (status, headers, text) = one.result?;
    Ok(whole(status, headers, text))
}

/// Leaves one of each name.
fn united(sum: &mut Value) {
    let Value::Array(all) = sum else { return };
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut left: Vec<Value> = Vec::new();
    for plugin in std::mem::take(all) {
        let name = plugin["Name"].as_str().unwrap_or_default().to_owned();
        match at.get(&name) {
            None => {
                at.insert(name, left.len());
                left.push(plugin);
            }
            Some(first) if plugin["Enabled"] == false => left[*first]["Enabled"] = false.into(),
            Some(_) => {}
        }
    }
    *all = left;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(node: &str, status: u16, message: &str) -> Done {
        let text = match message {
            "" => String::new(),
            message => json!({ "message": message }).to_string(),
        };
        Done {
            node: node.to_owned(),
            result: Ok((
                StatusCode::from_u16(status).unwrap(),
                http::HeaderMap::new(),
                text.into(),
            )),
        }
    }

    async fn said(done: Vec<Done>) -> (u16, String) {
        let answer = outcome(done).unwrap();
        let status = answer.status().as_u16();
        let text = body::read(answer.into_body(), 1 << 20).await.unwrap();
        (status, crate::engine::client::message(&text))
    }

    #[test]
    fn a_plugin_is_listed_once_and_enabled_when_it_is_everywhere() {
        let mut sum = json!([
            {"Name": "a", "Enabled": true},
            {"Name": "b", "Enabled": true},
            {"Name": "a", "Enabled": false},
        ]);
        united(&mut sum);
        assert_eq!(
            sum,
            json!([{"Name": "a", "Enabled": false}, {"Name": "b", "Enabled": true}])
        );
    }

    #[tokio::test]
    async fn who_lacks_it_does_not_count_and_who_fails_is_named() {
        let missing = || done("n0", 404, "plugin \"p\" not found");
        let (status, _) = said(vec![missing(), done("n1", 200, "")]).await;
        assert_eq!(status, 200);
        let both = vec![missing(), done("n1", 404, "plugin \"p\" not found")];
        assert_eq!(said(both).await, (404, "plugin \"p\" not found".to_owned()));
        let one = vec![missing(), done("n1", 409, "in use")];
        assert_eq!(said(one).await, (409, "in use".to_owned()));
        let part = vec![done("n0", 200, ""), done("n1", 409, "in use")];
        assert_eq!(said(part).await, (409, "n1: in use".to_owned()));
        let alike = vec![missing(), done("n1", 400, "bad"), done("n2", 400, "bad")];
        assert_eq!(said(alike).await, (400, "bad".to_owned()));
        let apart = vec![done("n1", 400, "bad"), done("n2", 400, "worse")];
        assert_eq!(said(apart).await, (400, "n1: bad; n2: worse".to_owned()));
    }
}
