//! Why a container could not be placed, counted per reason.

use std::fmt;
use std::sync::Arc;

use super::Request;
use crate::model::{ClusterView, Node};

/// Why one node was not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is the case, as a verb in the third person: `fails constraint zone==eu`. Nodes are counted per phrase.
    phrase: String,
    /// What is so on this node.
    detail: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The node does not answer.
    Health,
    /// It lacks an amount of which this is left.
    Amount(i64),
    /// Another rule; the text is classic's for its conditions.
    Rule(String),
}

impl Refusal {
    /// Makes a refusal by a rule; `classic` is the text of the condition in classic's words.
    pub(super) fn new(phrase: impl Into<String>, detail: String, classic: String) -> Self {
        Self {
            phrase: phrase.into(),
            detail,
            kind: Kind::Rule(classic),
        }
    }

    /// Makes a refusal of a node that does not answer.
    pub(super) fn unhealthy(detail: String) -> Self {
        Self {
            phrase: "does not answer".to_owned(),
            detail,
            kind: Kind::Health,
        }
    }

    /// Makes a refusal for lack of something; `phrase` ends inside a bracket that the best amount left closes.
    pub(super) fn lacking(phrase: String, left: i64, detail: String) -> Self {
        Self {
            phrase,
            detail,
            kind: Kind::Amount(left),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Amount(_) => write!(f, "{}, {})", self.phrase, self.detail),
            Kind::Health | Kind::Rule(_) => write!(f, "{} ({})", self.phrase, self.detail),
        }
    }
}

/// Why no node can take a container.
#[derive(Clone, Debug)]
pub enum Refused {
    /// There are none.
    NoNodes,
    /// What it uses is on different nodes.
    Conflict(Vec<String>),
    /// Each was refused.
    All(Vec<(Arc<Node>, Refusal)>),
}

impl Refused {
    /// Tells whether the cluster, not the request, is the reason: nothing answers.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::NoNodes => true,
            Self::Conflict(_) => false,
            Self::All(refused) => refused.iter().all(|(_, r)| r.kind == Kind::Health),
        }
    }
}

impl Refused {
    /// Returns classic's own sentence, and nothing beside it.
    pub fn in_classics_words(&self) -> String {
        match self {
            Self::NoNodes => self.to_string(),
            Self::Conflict(reasons) => unsatisfied(&[&format!("[{}]", reasons.join(" "))], " \n"),
            Self::All(refused) => classic(refused, " \n"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNodes => f.write_str("No nodes available in the cluster"),
            Self::Conflict(reasons) => write!(
                f,
                "no node can take this container: what it uses cannot be co-located: {}",
                reasons.join("; ")
            ),
            Self::All(refused) => {
                let groups: Vec<String> = grouped(refused).iter().map(|g| text(g)).collect();
                write!(
                    f,
                    "no node can take this container ({} looked at): {}. {}",
                    refused.len(),
                    groups.join("; "),
                    classic(refused, " ")
                )
            }
        }
    }
}

/// Finds things that the request needs on different nodes.
pub(super) fn conflict(request: &Request, view: &ClusterView) -> Result<(), Refused> {
    let required = request
        .required
        .iter()
        .map(|r| (Arc::clone(&r.node), r.reason.clone()));
    let together = request.together.iter().filter_map(|t| {
        let mut nodes = view.nodes().iter();
        let node = nodes.find(|n| n.containers.find(&t.container).is_some())?;
        Some((
            Arc::clone(&node.key),
            format!("{} is on {}", t.option, node.name),
        ))
    });
    let needs: Vec<(Arc<str>, String)> = required.chain(together).collect();
    let Some((first, _)) = needs.first() else {
        return Ok(());
    };
    if needs.iter().all(|(node, _)| node == first) {
        return Ok(());
    }
    let mut reasons: Vec<String> = needs.into_iter().map(|(_, reason)| reason).collect();
    reasons.dedup();
    Err(Refused::Conflict(reasons))
}

/// Puts refusals with one phrase together; the most frequent first, then in the order of nodes.
fn grouped(refused: &[(Arc<Node>, Refusal)]) -> Vec<Vec<&Refusal>> {
    let mut groups: Vec<Vec<&Refusal>> = Vec::new();
    for (_, refusal) in refused {
        match groups.iter_mut().find(|g| g[0].phrase == refusal.phrase) {
            Some(group) => group.push(refusal),
            None => groups.push(vec![refusal]),
        }
    }
    groups.sort_by_key(|g| std::cmp::Reverse(g.len()));
    groups
}

/// Says one reason with its count: `2 lack memory (asks 2 GiB, best free 1.2 GiB on node3)`.
fn text(group: &[&Refusal]) -> String {
    let first = group[0];
    let phrase = match group.len() {
        1 => first.phrase.clone(),
        _ => plural(&first.phrase),
    };
    let left = |r: &&&Refusal| match r.kind {
        Kind::Amount(left) => left,
        Kind::Health | Kind::Rule(_) => 0,
    };
    let best = group
        .iter()
        .rev()
        .max_by_key(left)
        .map_or("", |r| &r.detail);
    match first.kind {
        Kind::Amount(_) => format!("{} {phrase}, best: {best})", group.len()),
        Kind::Health | Kind::Rule(_) => format!("{} {phrase} ({})", group.len(), first.detail),
    }
}

/// Turns the verb at the start of a phrase into its plural.
fn plural(phrase: &str) -> String {
    let (verb, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
    let verb = match verb {
        "has" => "have",
        "is" => "are",
        "does" => "do",
        verb => verb.strip_suffix('s').unwrap_or(verb),
    };
    format!("{verb} {rest}")
}

/// Returns the sentence that clients of classic Swarm look for; `separator` stands before each condition.
fn classic(refused: &[(Arc<Node>, Refusal)], separator: &str) -> String {
    let mut answering = refused
        .iter()
        .filter(|(_, r)| r.kind != Kind::Health)
        .peekable();
    if answering.peek().is_none() {
        return "No healthy node available in the cluster".to_owned();
    }
    let mut conditions: Vec<&str> = Vec::new();
    for (_, refusal) in answering {
        if let Kind::Rule(text) = &refusal.kind
            && !conditions.contains(&text.as_str())
        {
            conditions.push(text);
        }
    }
    match conditions.as_slice() {
        [] => "no resources available to schedule container".to_owned(),
        some => unsatisfied(some, separator),
    }
}

/// Says which conditions no node satisfies; `separator` stands before each.
fn unsatisfied(conditions: &[&str], separator: &str) -> String {
    let mut text = "Unable to find a node that satisfies the following conditions".to_owned();
    for condition in conditions {
        text.push_str(separator);
        text.push_str(condition);
    }
    text
}
