//! `Warning` headers (RFC 7234, 5.5) of answers that are a success although some nodes took no part.

use http::{HeaderValue, Response, header};

use crate::cluster::Members;
use crate::model::{Health, Manners, Node};
use crate::net::body::Body;

/// The most nodes that one answer names: clients bound the headers that they read, hyper to 100.
const MOST: usize = 16;
/// The most characters that are said of one node: clients refuse answers with long heads.
const LONGEST: usize = 300;

/// Puts the failures of some nodes on an answer, and into the log.
pub(super) fn warn(answer: &mut Response<Body>, failures: &[String]) {
    for failure in failures {
        tracing::warn!(failure, "a node did not take part");
    }
    put(answer, failures);
}

/// A node that a call to all nodes does not reach, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) node: String,
    pub(super) why: String,
}

/// Returns the nodes that do not answer, so that nothing is done there by a call to all nodes.
pub(super) fn left_out(members: &Members) -> Vec<LeftOut> {
    let nodes = members.view.nodes().iter();
    let away = nodes.filter(|node| !node.health.is_healthy());
    let away = away.map(|node| LeftOut {
        node: match node.health.is_known() {
            true => node.name.clone(),
            false => node.key.to_string(),
        },
        why: format!(
            "left out: {}",
            node.health.reason().unwrap_or("not asked yet")
        ),
    });
    away.collect()
}

/// Says on an answer, which is a success for the others, who was left out.
pub(super) fn of_left_out(answer: &mut Response<Body>, left_out: &[LeftOut]) {
    if answer.status().is_success() {
        let said = left_out.iter().map(|l| format!("{}: {}", l.node, l.why));
        warn(answer, &said.collect::<Vec<_>>());
    }
}

/// Says on a list from memory which nodes do not answer: what they have is old in it, or not in it at all. Classic said
/// nothing of that.
pub(super) fn of_away(
    mut list: Response<Body>,
    members: &Members,
    manners: Manners,
) -> Response<Body> {
    if !manners.is_classic() {
        let nodes = members.view.nodes().iter();
        let away: Vec<String> = nodes.filter_map(|node| lacks(node)).collect();
        put(&mut list, &away);
    }
    list
}

/// Returns what a list lacks because of a node; `None` when it answers.
fn lacks(node: &Node) -> Option<String> {
    match &node.health {
        Health::Healthy | Health::Slow { .. } => None,
        Health::New => Some(format!("{}: not listed: not asked yet", node.key)),
        Health::Pending(reason) => Some(format!("{}: not listed: {reason}", node.key)),
        Health::Unhealthy { since, reason } => Some(format!(
            "{}: listed as it was before {since:.0}: {reason}",
            node.name
        )),
    }
}

/// Writes one header for each node, up to the most that one answer names.
fn put(answer: &mut Response<Body>, failures: &[String]) {
    let more = failures.len().saturating_sub(MOST);
    let more = (more > 0).then(|| format!("and {more} more nodes"));
    for failure in failures.iter().take(MOST).chain(&more) {
        let shown = |c: char| c.is_ascii_graphic() || c == ' ';
        let text: String = failure
            .chars()
            .take(LONGEST)
            .map(|c| if shown(c) { c } else { '?' })
            .collect();
        let text = text.replace(['"', '\\'], "'");
        if let Ok(value) = HeaderValue::from_str(&format!("199 flotilla \"{text}\"")) {
            answer.headers_mut().append(header::WARNING, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::model::ClusterView;
    use crate::net::body;

    fn told(healths: impl IntoIterator<Item = Health>, manners: Manners) -> Vec<String> {
        let nodes = healths.into_iter().enumerate().map(|(number, health)| {
            Arc::new(Node {
                key: format!("10.0.0.{number}:2375").into(),
                name: format!("node{number}"),
                health,
                ..Node::default()
            })
        });
        let members = Members {
            view: ClusterView::new(nodes.collect()),
            ..Members::default()
        };
        let list = of_away(Response::new(body::empty()), &members, manners);
        let all = list.headers().get_all(header::WARNING);
        all.iter().map(|v| v.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_list_names_the_nodes_that_do_not_answer() {
        let healths = || {
            [
                Health::Healthy,
                Health::Pending("say \"no\"".to_owned()),
                Health::Unhealthy {
                    since: Timestamp::UNIX_EPOCH,
                    reason: "refus\u{e9}".to_owned(),
                },
            ]
        };
        assert_eq!(
            told(healths(), Manners::Engine),
            [
                "199 flotilla \"10.0.0.1:2375: not listed: say 'no'\"",
                "199 flotilla \"node2: listed as it was before 1970-01-01T00:00:00Z: refus?\"",
            ]
        );
        assert_eq!(told(healths(), Manners::Classic), [""; 0]);
    }

    #[test]
    fn a_large_cluster_that_is_gone_does_not_fill_the_head() {
        let all = told(std::iter::repeat_n(Health::New, 300), Manners::Engine);
        assert_eq!(all.len(), MOST + 1);
        assert_eq!(all[MOST], "199 flotilla \"and 284 more nodes\"");
    }
}
