//! What a client wishes of the node of its builds, in a header that users add to all that their clients send.
//!
//! What buildx builds is inside its tunnels, arguments and all, so those cannot place it. The docker CLI sends the
//! headers of `HttpHeaders` in `config.json`, and of `DOCKER_CUSTOM_HEADERS`, with every request. buildx (0.29) sends them
//! with a ping alone, before its builds' tunnels, so these go by the last ping of their client.

use http::{HeaderMap, header};

use super::place;
use crate::api::call::Call;
use crate::api::error::Error;
use crate::scheduler::wishes::{self, Wishes};

/// The header, of constraints that are separated by commas.
const HEADER: &str = "X-Flotilla-Constraint";
/// The most bytes of it, since places are remembered by it.
const LIMIT: usize = 4096;

/// How clients begin to call themselves that send the header if their user wants it.
const CLIENT: &str = "Docker-Client/";

/// The header's values as they came.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Wish(Vec<String>);

/// Takes note of what a ping says of the tunnels to come; one of a client that says nothing with any request, as buildx
/// for itself, unsays nothing.
pub(in crate::api) fn note(call: &Call) {
    let agent = call.head.headers.get(header::USER_AGENT);
    let speaks = agent.is_some_and(|agent| agent.as_bytes().starts_with(CLIENT.as_bytes()));
    let mut text = call.build_wish.text();
    if text.len() > LIMIT {
        // Enough for a build to be refused by.
        text = text.chars().take(LIMIT + 1).collect();
    }
    if speaks || !text.is_empty() {
        call.api.cluster.builds().wish(&place::peer(call), text);
    }
}

/// Adds to a tunnel that says no wish what its client has said before.
pub(super) fn recall(call: &mut Call) {
    if call.build_wish.0.is_empty() {
        let said = call.api.cluster.builds().wished(&place::peer(call));
        call.build_wish.0.extend(said);
    }
}

impl Wish {
    /// Takes the header out of a request: it is none of the engines' business.
    pub(in crate::api) fn take(headers: &mut HeaderMap) -> Self {
        let values = headers.get_all(HEADER).iter();
        let values = values.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        let wish = Self(values.collect());
        headers.remove(HEADER);
        wish
    }

    /// Returns the wish as one text, the same for the same wish.
    pub(super) fn text(&self) -> String {
        self.0.join(",")
    }

    /// Reads the constraints.
    ///
    /// # Errors
    /// One of them is no expression, or they are too long to be meant.
    pub(super) fn read(&self) -> Result<Wishes, Error> {
        if self.text().len() > LIMIT {
            return Err(Error::Bad(format!("{HEADER}: longer than {LIMIT} bytes")));
        }
        let all: Vec<String> = self.0.iter().flat_map(|value| split(value)).collect();
        let read = wishes::of_constraints(all);
        read.map_err(|e| Error::Bad(format!("{HEADER}: {e}")))
    }
}

/// Splits a list at its commas, but for those of a regular expression between slashes.
fn split(list: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for part in list.split(',') {
        match all.last_mut().filter(|last| is_open(last)) {
            Some(last) => *last = format!("{last},{part}"),
            None => all.push(part.to_owned()),
        }
    }
    if all.last().is_some_and(|last| is_open(last)) {
        // A value that only begins with a slash.
        all = list.split(',').map(str::to_owned).collect();
    }
    let trimmed = all.iter().map(|text| text.trim());
    let filled = trimmed.filter(|text| !text.is_empty());
    filled.map(str::to_owned).collect()
}

/// Tells whether a value begins as a regular expression does and has not ended as one.
fn is_open(text: &str) -> bool {
    let operator = text.find("==").or_else(|| text.find("!="));
    let value = operator.map_or("", |at| text[at + 2..].trim_start_matches('~'));
    let inner = value.strip_prefix('/');
    inner.is_some_and(|inner| !inner.trim_end().ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Vec<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-flotilla-constraint", value.parse().unwrap());
        }
        let wish = Wish::take(&mut headers);
        assert!(headers.is_empty(), "no engine is to see it");
        let read = wish.read().map_err(|e| e.to_string())?;
        let constraints = read.constraints.iter();
        Ok(constraints.map(|c| c.text().to_owned()).collect())
    }

    #[test]
    fn constraints_come_in_one_header_or_several() {
        for (values, constraints) in [
            (&[][..], &[][..]),
            (&[""], &[]),
            (&["zone==eu"], &["zone==eu"]),
            (
                &["zone==eu, storage==~ssd ,"],
                &["zone==eu", "storage==~ssd"],
            ),
            (&["zone==eu", "node!=n1"], &["zone==eu", "node!=n1"]),
            (&["node==/n{1,2}/,a==b"], &["node==/n{1,2}/", "a==b"]),
            (&["node!=~/n,/"], &["node!=~/n,/"]),
            (&["path==/a,zone==b"], &["path==/a", "zone==b"]),
        ] {
            assert_eq!(read(values).unwrap(), constraints, "{values:?}");
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused_by_the_headers_name() {
        assert_eq!(
            read(&["zone==eu,storage"]).unwrap_err(),
            "X-Flotilla-Constraint: constraint: invalid expression \"storage\" at position 8: One of operator ==, != is expected"
        );
        let many = "a==b,".repeat(300);
        assert!(read(&[&many]).unwrap_err().contains("more than 256"));
        let long = format!("a=={}", "x".repeat(LIMIT));
        let refused = read(&[&long]).unwrap_err();
        assert_eq!(refused, "X-Flotilla-Constraint: longer than 4096 bytes");
    }
}
