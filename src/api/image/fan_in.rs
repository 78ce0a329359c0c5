//! Progress of one call on many nodes, made one stream that the docker CLI redraws in place.
//!
//! Each node has a row (`"id":"node0"` with `progressDetail`, without which the CLI does not redraw). What every node
//! says alike at the end is said once, and an error comes last, because clients stop reading there. The first line of a
//! pull, which names the tag, stays as it came: there are clients that read the tag from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::mpsc;

use crate::api::error::Error;
use crate::api::warning::LeftOut;
use crate::engine;
use crate::model::raw::{Object, quote};

/// Lines that may wait for a slow client, for all nodes together.
const QUEUE: usize = 256;

/// What one node tells while it works.
#[derive(Debug)]
pub(in crate::api) enum Told {
    /// What it calls the plugin that it is about to take.
    Named(HeaderValue),
    /// A line of its own progress.
    Line(Bytes),
    /// It ended; an error when it failed.
    Ended(Result<(), engine::Error>),
}

/// Where nodes tell; the number of a node is its place in the list.
pub(in crate::api) type Tell = mpsc::Sender<(usize, Told)>;

/// Makes the queue between the nodes and the client.
pub(in crate::api) fn queue() -> (Tell, mpsc::Receiver<(usize, Told)>) {
    mpsc::channel(QUEUE)
}

/// Puts what the nodes tell into one stream.
#[derive(Debug)]
pub(in crate::api) struct FanIn {
    verb: &'static str,
    /// What stands before the text of every row: `Pulling busybox:latest...`; for clients of classic.
    heading: Option<String>,
    nodes: Vec<String>,
    left_out: Vec<LeftOut>,
    open: usize,
    /// What the answer's head calls the plugin; the CLI enables what it finds there.
    name: Option<HeaderValue>,
    failed: BTreeMap<usize, engine::Error>,
    /// Closing lines without an ID (`Digest: …`, `Loaded image: …`), once each, in the order they came.
    closing: Vec<String>,
    /// Whether the line that names the image has been shown.
    opened: bool,
}

impl FanIn {
    /// Starts with all nodes at work; `verb` names the work in errors: `pull`.
    pub(in crate::api) fn new(verb: &'static str, nodes: Vec<String>) -> Self {
        Self {
            verb,
            heading: None,
            open: nodes.len(),
            name: None,
            nodes,
            left_out: Vec::new(),
            failed: BTreeMap::new(),
            closing: Vec::new(),
            opened: false,
        }
    }

    /// Shows rows as classic did, which told everything in them.
    #[must_use]
    pub(in crate::api) fn headed(self, heading: Option<String>) -> Self {
        Self { heading, ..self }
    }

    /// Shows a row for each node that takes no part; classic had none.
    #[must_use]
    pub(in crate::api) fn without(self, left_out: Vec<LeftOut>) -> Self {
        Self { left_out, ..self }
    }

    /// Returns the nodes that take no part.
    pub(in crate::api) fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Tells whether rows are shown from the start, whatever comes of them.
    pub(in crate::api) fn is_headed(&self) -> bool {
        self.heading.is_some()
    }

    /// Returns the rows that stand before all others.
    pub(in crate::api) fn start(&self) -> Vec<Bytes> {
        match self.heading {
            Some(_) => (0..self.nodes.len())
                .map(|node| self.row(node, "", "{}"))
                .collect(),
            None => self
                .left_out
                .iter()
                .map(|l| row(&l.node, &l.why, "{}"))
                .collect(),
        }
    }

    /// Returns what the nodes call the plugin that they take.
    pub(in crate::api) fn name(&self) -> Option<HeaderValue> {
        self.name.clone()
    }

    /// Tells whether every node has ended.
    pub(in crate::api) fn is_done(&self) -> bool {
        self.open == 0
    }

    /// Takes one message and returns the line to show, if any.
    pub(in crate::api) fn take(&mut self, from: usize, told: Told) -> Option<Bytes> {
        match told {
            Told::Named(name) => {
                self.name = Some(name);
                None
            }
            Told::Line(line) => self.line(from, &line),
            Told::Ended(result) => {
                self.open -= 1;
                let text = match result {
                    Ok(()) if self.is_headed() => String::new(),
                    Ok(()) => "done".to_owned(),
                    Err(error) => {
                        let text = format!("failed: {}", error.words());
                        self.failed.insert(from, error);
                        text
                    }
                };
                Some(self.row(from, &text, "{}"))
            }
        }
    }

    /// Returns the lines after all nodes have ended.
    pub(in crate::api) fn end(&mut self) -> Vec<Bytes> {
        let mut lines: Vec<Bytes> = Vec::new();
        // A client that judges by the last line of success must not see one after a failure.
        let ok = self.failed.is_empty();
        for line in self
            .closing
            .drain(..)
            .filter(|l| ok || !l.contains("Status: "))
        {
            lines.push(format!("{line}\r\n").into());
        }
        if !ok {
            let last = || self.failed.values().next_back().map(engine::Error::words);
            let text = match self.is_headed() {
                true => last(),
                false => self.common_words(),
            };
            let text =
                text.unwrap_or_else(|| format!("{} failed on {}", self.verb, self.all_words()));
            let text = quote(&text);
            let line = format!(
                "{{\"errorDetail\":{{\"code\":1,\"message\":{text}}},\"error\":{text}}}\r\n"
            );
            lines.push(line.into());
        }
        lines
    }

    /// Makes the error of a call that failed on every node before it had anything to show.
    pub(in crate::api) fn refusal(&self) -> Option<Error> {
        let first = self.failed.values().next()?.clone();
        let message = self.common_words().unwrap_or_else(|| self.all_words());
        Some(Error::Engines { first, message })
    }

    /// Returns what all nodes say, when all failed and say the same.
    fn common_words(&self) -> Option<String> {
        let mut all = self.failed.values().map(engine::Error::words);
        let first = all.next()?;
        (self.failed.len() == self.nodes.len() && all.all(|other| other == first)).then_some(first)
    }

    /// Returns what each node that failed says; those that say the same together.
    fn all_words(&self) -> String {
        let mut said: Vec<(String, Vec<&str>)> = Vec::new();
        for (node, error) in &self.failed {
            let (words, name) = (error.words(), self.nodes[*node].as_str());
            match said.iter_mut().find(|(other, _)| *other == words) {
                Some((_, nodes)) => nodes.push(name),
                None => said.push((words, vec![name])),
            }
        }
        let each = said.iter();
        let each = each.map(|(words, nodes)| format!("{}: {words}", nodes.join(", ")));
        each.collect::<Vec<_>>().join("; ")
    }

    /// Turns a node's own line into its row, or keeps it for the end.
    fn line(&mut self, from: usize, line: &[u8]) -> Option<Bytes> {
        let text = std::str::from_utf8(line).ok()?;
        let told = Object::parse(text).ok()?;
        let status: String = told.decode("status").unwrap_or_default();
        let closing =
            told.get("stream").is_some() || told.get("id").is_none() && !status.is_empty();
        if self.is_headed() {
            let stream: String = told.decode("stream").unwrap_or_default();
            let detail = told.get("progressDetail").unwrap_or("{}").to_owned();
            return Some(self.row(from, &format!("{status}{}", stream.trim_end()), &detail));
        }
        if closing || told.get("aux").is_some() {
            if !self.closing.iter().any(|l| l == text) {
                self.closing.push(text.to_owned());
            }
            return None;
        }
        if !self.opened && status.starts_with("Pulling from ") {
            self.opened = true;
            return Some(format!("{text}\r\n").into());
        }
        let id: String = told.decode("id").unwrap_or_default();
        let shown = match id.as_str() {
            "" => status,
            id => format!("{id}: {status}"),
        };
        let detail = told.get("progressDetail").unwrap_or("{}").to_owned();
        Some(self.row(from, &shown, &detail))
    }

    /// Writes a node's row.
    fn row(&self, node: usize, status: &str, detail: &str) -> Bytes {
        let status = match &self.heading {
            None => status.to_owned(),
            Some(heading) if status.is_empty() => heading.clone(),
            Some(heading) => format!("{heading} : {status}"),
        };
        row(&self.nodes[node], &status, detail)
    }
}

/// Writes a row as the CLI redraws it.
fn row(id: &str, status: &str, detail: &str) -> Bytes {
    format!(
        "{{\"status\":{},\"progressDetail\":{detail},\"id\":{}}}\r\n",
        quote(status),
        quote(id)
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fan_in() -> FanIn {
        FanIn::new("pull", vec!["node0".into(), "node1".into()])
    }

    fn line(text: &'static str) -> Told {
        Told::Line(Bytes::from_static(text.as_bytes()))
    }

    fn failed(message: &str) -> Told {
        Told::Ended(Err(engine::Error::Status {
            node: "node:2375".into(),
            status: http::StatusCode::NOT_FOUND,
            message: message.into(),
        }))
    }

    fn text(bytes: Option<Bytes>) -> String {
        String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap()
    }

    #[test]
    fn each_node_has_a_row_and_common_lines_come_once_at_the_end() {
        let mut fan_in = fan_in();
        let shown = fan_in.take(
            0,
            line(r#"{"status":"Downloading","progressDetail":{"current":1},"id":"ab"}"#),
        );
        assert_eq!(
            text(shown),
            "{\"status\":\"ab: Downloading\",\"progressDetail\":{\"current\":1},\"id\":\"node0\"}\r\n"
        );
        for node in 0..2 {
            assert!(
                fan_in
                    .take(node, line(r#"{"status":"Digest: sha256:1"}"#))
                    .is_none()
            );
            assert!(
                fan_in
                    .take(
                        node,
                        line(r#"{"status":"Status: Downloaded newer image for x"}"#)
                    )
                    .is_none()
            );
            assert!(text(fan_in.take(node, Told::Ended(Ok(())))).contains("done"));
        }
        assert!(fan_in.is_done());
        let end: Vec<String> = fan_in.end().into_iter().map(|l| text(Some(l))).collect();
        assert_eq!(
            end,
            [
                "{\"status\":\"Digest: sha256:1\"}\r\n",
                "{\"status\":\"Status: Downloaded newer image for x\"}\r\n"
            ]
        );
    }

    #[test]
    fn the_line_that_names_the_tag_comes_once_as_one_engine_says_it() {
        let mut fan_in = fan_in();
        let opening = || line(r#"{"status":"Pulling from hello","id":"linux"}"#);
        assert_eq!(
            text(fan_in.take(0, opening())),
            "{\"status\":\"Pulling from hello\",\"id\":\"linux\"}\r\n"
        );
        assert_eq!(
            text(fan_in.take(1, opening())),
            "{\"status\":\"linux: Pulling from hello\",\"progressDetail\":{},\"id\":\"node1\"}\r\n"
        );
    }

    #[test]
    fn a_failure_is_named_in_its_row_and_comes_last() {
        let mut fan_in = fan_in();
        fan_in.take(
            0,
            line(r#"{"status":"Status: Downloaded newer image for x"}"#),
        );
        fan_in.take(0, Told::Ended(Ok(())));
        let shown = fan_in.take(1, failed("no space"));
        assert!(text(shown).contains("failed: no space"));
        let end: Vec<String> = fan_in.end().into_iter().map(|l| text(Some(l))).collect();
        assert_eq!(
            end,
            [
                "{\"errorDetail\":{\"code\":1,\"message\":\"pull failed on node1: no space\"},\"error\":\"pull failed on node1: no space\"}\r\n"
            ]
        );
    }

    #[test]
    fn when_all_say_the_same_it_is_said_as_by_one_engine() {
        let mut all = fan_in();
        all.take(0, failed("manifest unknown"));
        all.take(1, failed("manifest unknown"));
        let told = all.refusal().unwrap();
        assert_eq!(told.to_string(), "manifest unknown");
        assert_eq!(told.status(), 404);
        let end = text(all.end().pop());
        assert!(
            end.ends_with("\"error\":\"manifest unknown\"}\r\n"),
            "{end}"
        );
        let mut differ = fan_in();
        differ.take(0, failed("manifest unknown"));
        differ.take(1, failed("unreachable"));
        let told = differ.refusal().unwrap().to_string();
        assert_eq!(told, "node0: manifest unknown; node1: unreachable");
    }

    #[test]
    fn who_takes_no_part_has_a_row_but_for_clients_of_classic() {
        let away = LeftOut {
            node: "node2".into(),
            why: "left out: gone".into(),
        };
        let fan_in = fan_in().without(vec![away]);
        let start: Vec<String> = fan_in.start().into_iter().map(|l| text(Some(l))).collect();
        assert_eq!(
            start,
            ["{\"status\":\"left out: gone\",\"progressDetail\":{},\"id\":\"node2\"}\r\n"]
        );
        let start = fan_in.headed(Some("Pulling x...".into())).start();
        assert!(start.iter().all(|l| !l.ends_with(b"\"node2\"}\r\n")));
    }

    #[test]
    fn classics_rows_have_all_that_is_told_and_the_last_error_ends_them() {
        let mut fan_in = fan_in().headed(Some("Pulling x:1...".into()));
        let start: Vec<String> = fan_in.start().into_iter().map(|l| text(Some(l))).collect();
        let row = |status: &str, node: &str| {
            format!("{{\"status\":\"{status}\",\"progressDetail\":{{}},\"id\":\"{node}\"}}\r\n")
        };
        let first = "Pulling x:1...";
        assert_eq!(start, [row(first, "node0"), row(first, "node1")]);
        let shown = fan_in.take(0, line(r#"{"status":"Digest: sha256:1"}"#));
        assert_eq!(
            text(shown),
            row("Pulling x:1... : Digest: sha256:1", "node0")
        );
        assert_eq!(
            text(fan_in.take(0, Told::Ended(Ok(())))),
            row(first, "node0")
        );
        let shown = fan_in.take(1, failed("no space"));
        assert_eq!(
            text(shown),
            row("Pulling x:1... : failed: no space", "node1")
        );
        let end: Vec<String> = fan_in.end().into_iter().map(|l| text(Some(l))).collect();
        assert_eq!(
            end,
            ["{\"errorDetail\":{\"code\":1,\"message\":\"no space\"},\"error\":\"no space\"}\r\n"]
        );
    }
}
