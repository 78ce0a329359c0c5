//! Lists from memory and inspects from the owner.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::value::RawValue;

use super::list::{self, ListQuery, Row};
use super::owner;
use crate::api::Api;
use crate::api::call::{Answer, Call, changed, chunked};
use crate::api::error::Error;
use crate::api::list::ListError;
use crate::api::warning;
use crate::cluster::error::Kind;
use crate::cluster::{self, Members, absent};
use crate::engine::Refresh;
use crate::model::{Container, Manners, splice};

/// How long an engine may take to measure the sizes of its containers, as long as it answers other questions.
const SIZE_DEADLINE: Duration = Duration::from_secs(20);

/// Lists containers of all nodes.
pub(in crate::api) async fn list(call: Call) -> Answer {
    let manners = call.api.cluster.manners();
    let query = ListQuery::parse(&call.query, manners)?;
    read_anew(&call.api, &query).await;
    let members = call.members();
    let rows = list::select(&members.view, &query);
    let mut rows = rows.map_err(|error| match error {
        ListError::NoSuchContainer(name) => {
            absent::missing(&members, Kind::Container, &name).into()
        }
        error => Error::from(error),
    })?;
    if call.query.flag("size") {
        rows = with_sizes(&members, rows, call.version, manners).await;
    }
    let list = chunked(list::render(rows, jiff::Timestamp::now()));
    Ok(warning::of_away(list, &members, manners))
}

/// Reads engines anew before a list for which the user wants that (classic's two flags).
async fn read_anew(api: &Api, query: &ListQuery) {
    let members = api.cluster.members();
    let nodes: Vec<&str> = query.filters.values("node").collect();
    let by_node = api.settings.refresh_on_node_filter && !nodes.is_empty();
    let name = &api.settings.refresh_on_name;
    let by_name = !name.is_empty() && query.filters.values("name").any(|n| n == name);
    if !by_node && !by_name {
        return;
    }
    let named = members
        .healthy()
        .filter(|(node, _)| by_name || nodes.contains(&node.name.as_str()))
        .map(|(_, engine)| api.cluster.refresh(engine, Refresh::All));
    join_all(named).await;
}

/// Puts entries with sizes, freshly measured by the engines, in place of those from memory. A node that does not
/// answer in time is shown without sizes.
async fn with_sizes(members: &Members, rows: Vec<Row>, api: u16, manners: Manners) -> Vec<Row> {
    let measured = members.healthy().map(|(node, engine)| {
        let path = crate::proxy::target::versioned(engine, api, "/containers/json", "all=1&size=1");
        async move {
            let list = tokio::select! {
                measured = engine.client().get(&path, SIZE_DEADLINE) => measured.ok()?,
                _ = engine.silent() => return None,
            };
            let entries: Vec<&RawValue> = serde_json::from_slice(&list).ok()?;
            let copies = &engine.node().network_copies;
            let spliced = entries.into_iter().filter_map(|entry| {
                let id = crate::model::raw::Object::parse(entry.get())
                    .ok()?
                    .decode::<String>("Id")?;
                let entry =
                    splice::splice(&copies.told(entry.get()), &node.name, &node.ip, manners);
                Some((id, entry.ok()?))
            });
            Some(spliced.collect::<Vec<_>>())
        }
    });
    let measured = join_all(measured).await;
    let mut entries: HashMap<String, _> = measured.into_iter().flatten().flatten().collect();
    rows.into_iter()
        .map(|row| match entries.remove(&*row.container.id) {
            None => row,
            Some(entry) => Row {
                container: Arc::new(Container {
                    entry,
                    ..(*row.container).clone()
                }),
                ..row
            },
        })
        .collect()
}

/// Inspects a container, read through to its engine.
pub(in crate::api) async fn inspect(call: Call) -> Answer {
    let classic = call.api.cluster.manners().is_classic();
    let found = owner::owner(&call).map_err(|error| match error {
        // `docker inspect NAME` asks for containers first, and goes on to images only after a 404.
        Error::Cluster(error @ cluster::Error::Unheard { .. }) if !classic => {
            Error::NotFound(error.to_string())
        }
        error => error,
    })?;
    let path = owner::path_on_engine(&call, &found.object);
    let answer = call.forward(&found.engine, &path).await?;
    let copies = &found.engine.node().network_copies;
    let spliced = |text: &str| splice::inspect(&copies.told(text), &found.node).ok();
    changed(&found.engine, answer, spliced).await
}
