//! Imports: made on one node, since every engine would give the same bytes another ID, and copied to the others.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::copying;
use super::pull::on_one;
use crate::api::call::{Answer, Call};
use crate::api::wish::Scope;
use crate::api::{home, warning};
use crate::cluster::Cluster;
use crate::cluster::supply::{Supply, Wanted};
use crate::model::image::without_tag;
use crate::model::raw::quote;
use crate::net::body::{self, Body, BodyError};

/// Copies that run at once.
const COPIES: usize = 4;
/// The most of the last line of progress that is held back.
const LAST_LINE: usize = 4 << 10;
/// Lines that may wait for a slow client.
const LINES: usize = 16;

/// Where lines go to the client.
type Tell = mpsc::Sender<Result<Bytes, BodyError>>;

/// Imports onto one node, and by `--image-spread` onto all.
pub(in crate::api) async fn import(call: Call) -> Answer {
    let members = call.members();
    let (_, engine) = home::choose(&call.api.cluster, &members, &BTreeMap::new())?;
    let everywhere = call.api.images_everywhere();
    let (repository, tag) = (call.query.text("repo"), call.query.text("tag"));
    let name = match (repository, tag) {
        ("", _) => None,
        (name, "") => Some(name.to_owned()),
        (name, tag) => Some(format!("{}:{tag}", without_tag(name))),
    };
    let (cluster, scope) = (call.api.cluster.clone(), call.scope.clone());
    let mut answer = on_one(call, &engine).await?;
    if everywhere {
        warning::of_left_out(&mut answer, &warning::left_out(&members));
    }
    if !everywhere || members.healthy().count() == 1 || !answer.status().is_success() {
        return Ok(answer);
    }
    Ok(answer.map(|told| then_spread(told, (cluster, scope), name)))
}

/// Passes the progress on but for its last line, copies what was imported, and tells of that: the last line is the ID,
/// where clients look for it, but for a failure.
fn then_spread(told: Body, over: (Cluster, Scope), name: Option<String>) -> Body {
    let (tell, lines) = mpsc::channel(LINES);
    let mut work = JoinSet::new();
    work.spawn(async move { pass_on(told, &over, name, &tell).await });
    // The work ends with its reader.
    let lines = stream::unfold((lines, work), |(mut lines, work)| async move {
        let line = lines.recv().await?;
        Some((line, (lines, work)))
    });
    body::stream(lines)
}

/// Does the work of [`then_spread`]; whoever hears nothing of it has left.
async fn pass_on(mut told: Body, over: &(Cluster, Scope), name: Option<String>, tell: &Tell) {
    let mut held = Vec::new();
    while let Some(frame) = told.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => {
                let ready = all_but_last(&mut held, &data);
                let _ = tell.send(Ok(ready)).await;
            }
            // No engine sends trailers.
            Ok(Err(_)) => {}
            Err(error) => {
                let _ = tell.send(Ok(held.into())).await;
                let _ = tell.send(Err(error)).await;
                return;
            }
        }
    }
    let failure = match imported(&held) {
        Some(id) => spread(over, &name.unwrap_or(id), tell).await,
        None => None,
    };
    let _ = tell.send(Ok(held.into())).await;
    if let Some(line) = failure {
        let _ = tell.send(Ok(line)).await;
    }
}

/// Takes more of the progress, and returns all of it but the last line, which is held back unless it is long.
fn all_but_last(held: &mut Vec<u8>, data: &[u8]) -> Bytes {
    held.extend_from_slice(data);
    let ended = held.trim_ascii_end().iter().rposition(|b| *b == b'\n');
    let whole = ended.map_or(0, |at| at + 1);
    let ready = match held.len() - whole > LAST_LINE {
        true => held.len(),
        false => whole,
    };
    held.drain(..ready).collect()
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

/// Copies an image to every node that lacks it, with rows of progress; returns the line that tells of failures.
async fn spread((cluster, scope): &(Cluster, Scope), image: &str, tell: &Tell) -> Option<Bytes> {
    let members = scope.members(cluster);
    let wanted = Wanted::new(&members, image);
    let copies = members.healthy().filter_map(|(node, engine)| {
        let Supply::Copy(source) = wanted.on(node) else {
            return None;
        };
        Some(async move {
            let row = |bytes| {
                let row = copying::row(&source.node, &node.name, bytes);
                // The CLI prints a row without bytes also where it is to print nothing but the ID.
                (bytes > 0).then(|| Ok([&row[..], b"\r\n"].concat().into()))
            };
            copying::copy(cluster, engine, &source, tell, row).await
        })
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
        assert_eq!(
            imported(b"{\"status\":\"sha256:12\"}\r\n").as_deref(),
            Some("sha256:12")
        );
        assert_eq!(imported(b"{\"error\":\"no\"}"), None);
        assert_eq!(imported(b""), None);
    }

    #[test]
    fn the_last_line_waits_unless_it_is_long() {
        let mut held = Vec::new();
        for (came, goes_on) in [
            (&b"{1}\r\n{2"[..], &b"{1}\r\n"[..]),
            (b"}\r\n", b""),
            (b"{3}\r\n", b"{2}\r\n"),
            (&[b'x'; LAST_LINE + 1], b"{3}\r\n"),
        ] {
            let ready = all_but_last(&mut held, came);
            assert!(ready.starts_with(goes_on), "{came:?}");
        }
        assert!(held.is_empty());
    }
}
