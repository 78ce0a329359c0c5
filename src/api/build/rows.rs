//! A build's output as classic passed it on: every line says of which node it is.

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::BodyExt;

use crate::model::raw::{Object, quote};
use crate::net::body::{self, Body};

/// The longest line that is looked into; more of it passes as it is.
const LINE_LIMIT: usize = 4 << 20;
/// What classic put before the reason why a build failed.
const FAILED: &str = "Failed to build image: ";

/// Names the node in each line of an answer.
pub(super) fn named(answer: Response<Body>, node: &str) -> Response<Body> {
    let node = quote(node);
    answer.map(|body| {
        let state = (body, Vec::new(), node);
        body::stream(stream::unfold(
            state,
            |(mut body, mut kept, node)| async move {
                loop {
                    match body.frame().await {
                        Some(Ok(frame)) => {
                            let Ok(data) = frame.into_data() else {
                                continue;
                            };
                            kept.extend_from_slice(&data);
                            let lines = whole_lines(&mut kept);
                            if !lines.is_empty() {
                                return Some((Ok(marked(&lines, &node)), (body, kept, node)));
                            }
                        }
                        Some(Err(error)) => return Some((Err(error), (body, kept, node))),
                        None if kept.is_empty() => return None,
                        None => {
                            let lines = std::mem::take(&mut kept);
                            return Some((Ok(marked(&lines, &node)), (body, kept, node)));
                        }
                    }
                }
            },
        ))
    })
}

/// Takes the lines out that have ended.
fn whole_lines(kept: &mut Vec<u8>) -> Vec<u8> {
    let end = kept
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let end = match kept.len() - end > LINE_LIMIT {
        true => kept.len(),
        false => end,
    };
    kept.drain(..end).collect()
}

/// Writes lines with the node in each; what is no progress stays as it is.
fn marked(lines: &[u8], node: &str) -> Bytes {
    let mut out = Vec::with_capacity(lines.len() + 64);
    for line in lines.split_inclusive(|b| *b == b'\n') {
        match one(line, node) {
            Some(text) => out.extend_from_slice(format!("{text}\r\n").as_bytes()),
            None => out.extend_from_slice(line),
        }
    }
    out.into()
}

/// Writes one line with the node in it.
fn one(line: &[u8], node: &str) -> Option<String> {
    let mut told = Object::parse(std::str::from_utf8(line).ok()?.trim()).ok()?;
    if told.get("aux").is_some() {
        return None;
    }
    if let Some(error) = told.decode::<String>("error") {
        let text = quote(&format!("{FAILED}{error}"));
        told.set("errorDetail", format!("{{\"code\":1,\"message\":{text}}}"));
        told.set("error", text);
        return Some(told.to_json());
    }
    told.set("id", node.to_owned());
    Some(told.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_names_the_node_and_a_failure_says_what_failed() {
        let lines = concat!(
            "{\"stream\":\"Step 1/2\"}\r\n",
            "{\"aux\":{\"ID\":\"sha256:1\"}}\r\n",
            "{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}\r\n",
            "what\r\n",
        );
        let expected = concat!(
            "{\"stream\":\"Step 1/2\",\"id\":\"node0\"}\r\n",
            "{\"aux\":{\"ID\":\"sha256:1\"}}\r\n",
            "{\"errorDetail\":{\"code\":1,\"message\":\"Failed to build image: no\"},\"error\":\"Failed to build image: no\"}\r\n",
            "what\r\n",
        );
        assert_eq!(marked(lines.as_bytes(), "\"node0\""), expected);
    }

    #[test]
    fn lines_may_come_in_any_pieces_and_endless_ones_pass() {
        let mut kept = b"a\nb\nc".to_vec();
        assert_eq!(whole_lines(&mut kept), b"a\nb\n");
        assert_eq!(kept, b"c");
        assert!(whole_lines(&mut kept).is_empty());
        let mut kept = vec![b'x'; LINE_LIMIT + 1];
        assert_eq!(whole_lines(&mut kept).len(), LINE_LIMIT + 1);
    }
}
