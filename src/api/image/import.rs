//! Imports: made on one node, since every engine would give the same bytes another ID, and copied to the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http_body_util::BodyExt;

use super::pull::on_one;
use crate::api::call::{Answer, Call};
use crate::api::home;
use crate::cluster::supply::{Supply, Wanted};
use crate::cluster::{Cluster, transfer};
use crate::model::image::without_tag;
use crate::model::raw::quote;
use crate::net::body::{self, Body, BodyError};

/// Copies that run at once.
const COPIES: usize = 4;
/// The most of the last line of progress that is kept.
const LAST_LINE: usize = 4 << 10;

/// Imports onto one node, and by `--image-spread` onto all.
pub(in crate::api) async fn import(call: Call) -> Answer {
    let members = call.members();
    let (_, engine) = home::choose(&call.api.cluster, &members, &BTreeMap::new())?;
    let everywhere = call.api.images_everywhere() && members.healthy().count() > 1;
    let (repository, tag) = (call.query.text("repo"), call.query.text("tag"));
    let name = match (repository, tag) {
        ("", _) => None,
        (name, "") => Some(name.to_owned()),
        (name, tag) => Some(format!("{}:{tag}", without_tag(name))),
    };
    let cluster = call.api.cluster.clone();
    let answer = on_one(call, &engine).await?;
    if !everywhere || !answer.status().is_success() {
        return Ok(answer);
    }
    Ok(answer.map(|told| body::stream(then_spread(told, cluster, name))))
}

/// Passes the progress on, and at its end copies what was imported; a failure comes last, where clients look for it.
fn then_spread(
    told: Body,
    cluster: Cluster,
    name: Option<String>,
) -> BoxStream<'static, Result<Bytes, BodyError>> {
    let state = (Some(told), Vec::new(), cluster, name);
    let lines = stream::unfold(state, |(told, mut last, cluster, name)| async move {
        let mut told = told?;
        loop {
            match told.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    keep_last(&mut last, &data);
                    return Some((Ok(data), (Some(told), last, cluster, name)));
                }
                Some(Err(error)) => return Some((Err(error), (None, last, cluster, name))),
                None => {
                    let wanted = name.clone().or_else(|| imported(&last))?;
                    imported(&last)?;
                    let error = spread(&cluster, &wanted).await?;
                    return Some((Ok(error), (None, last, cluster, name)));
                }
            }
        }
    });
    lines.boxed()
}

/// Keeps the end of the progress.
fn keep_last(last: &mut Vec<u8>, data: &[u8]) {
    last.extend_from_slice(data);
    let over = last.len().saturating_sub(LAST_LINE);
    last.drain(..over);
}

/// Returns the ID in the last line of an import that worked.
fn imported(told: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Line {
        status: String,
    }
    let text = std::str::from_utf8(told).ok()?;
    let last: Line = serde_json::from_str(text.lines().last()?).ok()?;
    last.status.starts_with("sha256:").then_some(last.status)
}

/// Copies an image to every node that lacks it; returns the line that tells of failures.
async fn spread(cluster: &Cluster, image: &str) -> Option<Bytes> {
    let members = cluster.members();
    let wanted = Wanted::new(&members, image);
    let copies = members
        .healthy()
        .filter_map(|(node, engine)| match wanted.on(node) {
            Supply::Copy(source) => {
                Some(async move { transfer::copy(cluster, engine, &source, &Arc::default()).await })
            }
            Supply::Here | Supply::Pull | Supply::Nowhere => None,
        });
    let copies: Vec<_> = copies.collect();
    let copied = stream::iter(copies).buffer_unordered(COPIES);
    let failed = copied.filter_map(|result| std::future::ready(result.err()));
    let failed: Vec<String> = failed.map(|error| error.to_string()).collect().await;
    if failed.is_empty() {
        return None;
    }
    let text = quote(&failed.join("; "));
    let line = format!("{{\"errorDetail\":{{\"message\":{text}}},\"error\":{text}}}\r\n");
    Some(line.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_an_import_is_its_image() {
        let mut told = Vec::new();
        keep_last(&mut told, &[b' '; LAST_LINE]);
        keep_last(
            &mut told,
            b"{\"status\":\"x\"}\r\n{\"status\":\"sha256:12\"}\r\n",
        );
        assert_eq!(told.len(), LAST_LINE);
        assert_eq!(imported(&told).as_deref(), Some("sha256:12"));
        assert_eq!(imported(b"{\"error\":\"no\"}"), None);
        assert_eq!(imported(b""), None);
    }
}
