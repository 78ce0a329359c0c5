//! What a client wishes of the nodes that its calls are for, in a header that users add to all that their clients send.
//!
//! The docker CLI sends the headers of `HttpHeaders` in `config.json`, and of `DOCKER_CUSTOM_HEADERS`, with every request.
//! What is placed goes to a node that meets the wish; whatever else is about objects of nodes sees those that do alone.

use std::sync::Arc;

use http::HeaderMap;

use super::error::Error;
use super::route::Class;
use crate::cluster::{Cluster, Members};
use crate::model::Node;
use crate::scheduler::wishes::{self, Wishes};

/// The header, of constraints that are separated by commas.
pub(super) const HEADER: &str = "X-Flotilla-Constraint";
/// The most bytes of it, since places of builds are remembered by it.
pub(super) const LIMIT: usize = 4096;
/// The most names of nodes in one message.
const NAMES: usize = 16;

/// The header's values as they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish(Vec<String>);

impl Wish {
    /// Takes the header out of a request: it is none of the engines' business.
    pub(super) fn take(headers: &mut HeaderMap) -> Self {
        let values = headers.get_all(HEADER).iter();
        let values = values.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        let wish = Self(values.collect());
        headers.remove(HEADER);
        wish
    }

    /// Tells whether nothing is wished.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what was wished before.
    pub(super) fn add(&mut self, said: impl IntoIterator<Item = String>) {
        self.0.extend(said);
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

/// The nodes that one call looks at: all, unless its client wishes for some.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope(Option<Arc<Wishes>>);

impl Scope {
    /// Reads which nodes a call of this class is for. What is placed by wishes looks at all, and what is of no node has
    /// nothing to do with them.
    ///
    /// # Errors
    /// The wish cannot be read, or no node that was heard of meets it.
    pub(super) fn of(class: Class, wish: &Wish, cluster: &Cluster) -> Result<Self, Error> {
        let is_of_nodes = match class {
            Class::Owner | Class::Home | Class::Any => true,
            Class::Merge | Class::Broadcast | Class::Stream => true,
            Class::Local | Class::Place | Class::Swarm | Class::Own | Class::Refused => false,
        };
        if wish.is_empty() || !is_of_nodes {
            return Ok(Self::default());
        }
        let wishes = wish.read()?;
        let members = cluster.members();
        let known = || {
            let nodes = members.view.nodes().iter();
            nodes.filter(|node| node.health.is_known())
        };
        if known().count() > 0 && !known().any(|node| wishes.admit(node)) {
            let mut names: Vec<&str> = known().take(NAMES).map(|n| n.name.as_str()).collect();
            names.extend((known().count() > NAMES).then_some("…"));
            return Err(Error::Bad(format!(
                "{HEADER}: no node meets {} (nodes: {})",
                wish.text(),
                names.join(", ")
            )));
        }
        Ok(Self(Some(Arc::new(wishes))))
    }

    /// Tells whether the call is for this node. One that has told nothing may be any.
    pub(super) fn admits(&self, node: &Node) -> bool {
        let mut wishes = self.0.iter();
        !node.health.is_known() || wishes.all(|wishes| wishes.admit(node))
    }

    /// Tells whether the call is for the node with this key; of one that has left nothing is known.
    pub(super) fn sees(&self, cluster: &Cluster, key: &str) -> bool {
        let admits = |members: &Members| members.view.by_key(key).is_some_and(|n| self.admits(n));
        self.0.is_none() || admits(&cluster.members())
    }

    /// Returns the newest membership, of these nodes.
    pub(super) fn members(&self, cluster: &Cluster) -> Arc<Members> {
        let members = cluster.members();
        match self.0 {
            None => members,
            Some(_) => Arc::new(members.only(|node| self.admits(node))),
        }
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
