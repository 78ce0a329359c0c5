//! Calls that go to the engine that has the container.

use http::{Method, StatusCode, header};

use super::asked;
use crate::api::call::{Answer, Call};
use crate::api::error::Error;
use crate::cluster::{
    self, globals,
    resolve::{self, Located},
};
use crate::engine::Refresh;
use crate::model::{Container, Network};
use crate::net::body;
use std::sync::Arc;

/// The most bytes of an answer to `wait`.
const EXIT_LIMIT: usize = 1 << 20;

/// Finds the container that the path names, on a node that answers.
pub(in crate::api) fn owner(call: &Call) -> Result<Located<Arc<Container>>, Error> {
    let found = resolve::container(&call.members(), &call.id);
    let classic = call.api.cluster.manners().is_classic();
    if let (false, Err(cluster::Error::NotFound { .. })) = (classic, &found) {
        let what = call.path.rsplit('/').next().unwrap_or_default();
        asked::check(what, &call.query)?;
    }
    Ok(found?.ready()?)
}

/// Returns the path of the call for the container's engine: with the name as the client wrote it when the engine knows
/// it by that, since its errors quote it, else with the full ID.
pub(in crate::api) fn path_on_engine(call: &Call, container: &Container) -> String {
    let rest = &call.path["/containers/".len() + call.id.len()..];
    let known = container.names.contains(&call.id);
    let reference = if known { &*call.id } else { &*container.id };
    format!("/containers/{reference}{rest}")
}

/// Forwards a call that changes nothing that lists show.
pub(in crate::api) async fn read(call: Call) -> Answer {
    let found = owner(&call)?;
    let path = path_on_engine(&call, &found.object);
    call.forward(&found.engine, &path).await
}

/// Forwards a call that changes the container, and answers when lists show the change.
pub(in crate::api) async fn change(call: Call) -> Answer {
    let found = owner(&call)?;
    let path = path_on_engine(&call, &found.object);
    let (cluster, copies) = (call.api.cluster.clone(), of_copies(&call, &found.object));
    let answer = call.forward(&found.engine, &path).await?;
    let what = Refresh::Container(Arc::clone(&found.object.id));
    if answer.status() != StatusCode::NOT_MODIFIED {
        let container = cluster.refresh(&found.engine, what.clone());
        if joins_networks(&found.object) {
            tokio::join!(container, cluster.refresh(&found.engine, Refresh::Networks));
        } else {
            container.await;
        }
    }
    if answer.status().is_client_error() || answer.status().is_server_error() {
        // A start that fails may remove the container, and a `wait` for it has to end before the start, as on an
        // engine: what waits for a refresh now is answered before this one.
        cluster.refresh(&found.engine, what).await;
    } else if let Some((method, what)) = copies {
        globals::follow(&cluster, &found.object.id, method, what).await;
    }
    Ok(answer)
}

/// Returns what a call asks of the copies of a container, if it has some: the method, and what follows the ID in the path.
fn of_copies(call: &Call, container: &Container) -> Option<(Method, String)> {
    let followed = ["/start", "/stop", "/restart", "/kill", "/pause", "/unpause"];
    let what = &call.path["/containers/".len() + call.id.len()..];
    let is_removal = call.head.method == Method::DELETE;
    if !globals::has_copies(container) || !is_removal && !followed.contains(&what) {
        return None;
    }
    let query = match (is_removal, call.query.flag("v")) {
        // Whatever a copy does, it goes with the first.
        (true, true) => "force=1&v=1",
        (true, false) => "force=1",
        (false, _) => call.raw_query(),
    };
    Some((call.head.method.clone(), format!("{what}?{query}")))
}

/// Tells whether a container is on networks that users made: an engine has one that reaches over nodes only while its
/// containers are on it.
fn joins_networks(container: &Container) -> bool {
    let mut names = container.networks.iter().map(|n| n.name.as_str());
    names.any(|name| !Network::PREDEFINED.contains(&name))
}

/// Removes a link, which engines know as `container/alias`; the container it leads to loses a name.
async fn unlink(call: Call) -> Answer {
    let members = call.members();
    let (container, alias) = match call.id.rsplit_once('/') {
        Some((container, alias)) if !container.is_empty() => (container, format!("/{alias}")),
        _ => (&*call.id, String::new()),
    };
    let not_found = |error| match error {
        // The engine names the link, and not what it is of.
        cluster::Error::NotFound { kind, .. } => {
            let name = call.id.clone();
            cluster::Error::NotFound { kind, name }
        }
        cluster::Error::Unheard { kind, nodes, .. } => {
            let name = call.id.clone();
            cluster::Error::Unheard { kind, name, nodes }
        }
        error => error,
    };
    let found = resolve::container(&members, container).map_err(not_found)?;
    let found = found.ready()?;
    let path = format!("/containers/{}{alias}", found.object.name());
    let cluster = call.api.cluster.clone();
    let answer = call.forward(&found.engine, &path).await?;
    cluster.refresh(&found.engine, Refresh::All).await;
    Ok(answer)
}

/// Kills a container. Of one that is not there engines say more here than elsewhere.
pub(in crate::api) async fn kill(call: Call) -> Answer {
    let classic = call.api.cluster.manners().is_classic();
    if let (false, Err(Error::Cluster(error @ cluster::Error::NotFound { .. }))) =
        (classic, owner(&call))
    {
        let message = format!("cannot kill container: {}: {error}", call.id);
        return Err(Error::NotFound(message));
    }
    change(call).await
}

/// Waits as the engine does: the head comes at once, and the exit code once lists show what was waited for. When the
/// node is lost meanwhile, that takes the place of the exit code.
pub(in crate::api) async fn wait(call: Call) -> Answer {
    let found = owner(&call)?;
    let path = path_on_engine(&call, &found.object);
    let cluster = call.api.cluster.clone();
    let answer = call.forward(&found.engine, &path).await?;
    // An answer of known length came whole with its head: an error, or the exit code for API before 1.30.
    if answer.headers().contains_key(header::CONTENT_LENGTH) {
        let what = Refresh::Container(Arc::clone(&found.object.id));
        cluster.refresh(&found.engine, what).await;
        return Ok(answer);
    }
    let (head, ended) = answer.into_parts();
    let ended = futures_util::stream::once(async move {
        let ended = tokio::select! {
            biased;
            ended = body::read(ended, EXIT_LIMIT) => ended.map_err(|e| e.to_string()),
            reason = found.engine.lost() => Err(reason),
        };
        match ended {
            Ok(text) => {
                let what = Refresh::Container(Arc::clone(&found.object.id));
                cluster.refresh(&found.engine, what).await;
                Ok(text)
            }
            Err(reason) => {
                found.engine.suspect();
                Ok(unknown_exit(&found.node.name, &reason).into())
            }
        }
    });
    Ok(http::Response::from_parts(head, body::stream(ended)))
}

/// Returns what an engine writes in place of an exit code that it cannot tell; `docker run` exits with 125 of it.
fn unknown_exit(node: &str, reason: &str) -> String {
    let message = format!("node {node} lost: {reason}");
    let error = serde_json::json!({ "Message": message });
    format!(
        "{}\n",
        serde_json::json!({ "StatusCode": -1, "Error": error })
    )
}

/// Removes a container; anonymous volumes may go with it. With `link` it removes a link of it.
pub(in crate::api) async fn remove(call: Call) -> Answer {
    if call.query.flag("link") {
        return unlink(call).await;
    }
    let (with_volumes, cluster) = (call.query.flag("v"), call.api.cluster.clone());
    let found = owner(&call)?;
    let path = path_on_engine(&call, &found.object);
    let copies = of_copies(&call, &found.object);
    let answer = call.forward(&found.engine, &path).await?;
    if answer.status().is_success() {
        let what = Refresh::Container(Arc::clone(&found.object.id));
        let container = cluster.refresh(&found.engine, what);
        if with_volumes {
            tokio::join!(container, cluster.refresh(&found.engine, Refresh::Volumes));
        } else {
            container.await;
        }
        if let Some((method, what)) = copies {
            globals::follow(&cluster, &found.object.id, method, what).await;
        }
    }
    Ok(answer)
}

/// Turns the connection into the container's streams.
pub(in crate::api) async fn attach(call: Call) -> Answer {
    let raw = call.head.method == Method::POST && !call.api.cluster.manners().is_classic();
    let found = match owner(&call) {
        Ok(found) => found,
        // An engine has the connection in its hands already, but for a websocket's; classic looked first.
        Err(error) if raw => return Ok(error.raw_answer()),
        Err(error) => return Err(error),
    };
    let path = path_on_engine(&call, &found.object);
    let slot = call.slot.clone();
    let answer = call.hijack(&found.engine, &path).await?;
    if slot.is_taken_over() {
        // Beside it `docker run` and `docker attach` wait for the exit code, of which they hear only after its end.
        slot.end_with(&found.engine);
    }
    Ok(answer)
}

/// Makes an image of the container that the query names.
pub(in crate::api) async fn commit(mut call: Call) -> Answer {
    call.id = call.query.text("container").to_owned();
    let found = owner(&call)?;
    let query = with_container(call.raw_query(), &found.object.id);
    let cluster = call.api.cluster.clone();
    let answer = call.forward_with(&found.engine, "/commit", &query).await?;
    if answer.status() == StatusCode::CREATED {
        cluster.refresh(&found.engine, Refresh::Images).await;
    }
    Ok(answer)
}

/// Deletes a checkpoint.
pub(in crate::api) async fn checkpoint(mut call: Call) -> Answer {
    let (id, name) = match call.id.split_once('\n') {
        Some((id, name)) => (id.to_owned(), name.to_owned()),
        None => return Err(Error::NoRoute),
    };
    call.id = id;
    let found = owner(&call)?;
    let path = format!("/containers/{}/checkpoints/{name}", found.object.id);
    call.forward(&found.engine, &path).await
}

/// Replaces the value of `container` in a query and leaves the rest as it came.
fn with_container(query: &str, id: &str) -> String {
    let parts = query.split('&').filter(|p| !p.is_empty());
    let changed = parts.map(|part| match part.split_once('=') {
        Some(("container", _)) => format!("container={id}"),
        _ => part.to_owned(),
    });
    changed.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_container_is_replaced_in_a_query() {
        assert_eq!(
            with_container("author=&container=web&repo=container%3Dweb", "abc"),
            "author=&container=abc&repo=container%3Dweb"
        );
    }
}
