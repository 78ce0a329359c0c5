//! A decision told node by node: the scheduler's verdicts, where the image comes from, and what happened on the way.
//!
//! Invariant: pure, and made when somebody asks.

use std::cmp::Ordering;
use std::sync::Arc;

use super::decision::Decision;
use super::decisions::Found;
use super::supply::{Wanted, Way};
use crate::model::Node;
use crate::scheduler::explain::Behind;
use crate::scheduler::{Objection, Standing, Verdict};

/// What is said of a node that was admitted and to which nothing happened.
const NOT_TRIED: &str = "was not tried";

/// One node of a decision.
#[derive(Clone, Debug)]
pub struct Told {
    /// The node.
    pub node: Arc<Node>,
    /// What became of it.
    pub role: Role,
    /// How good a place it is, unless a rule refuses it.
    pub standing: Option<Standing>,
    /// Where its image comes from, unless a rule refuses it.
    pub image: Option<String>,
}

/// What became of a node in a decision.
#[derive(Clone, Debug)]
pub enum Role {
    /// It was taken.
    Chosen,
    /// It could have been, and another was better.
    Behind(Behind),
    /// It could have been, or no other was taken; what happened then.
    Lost(String),
    /// A rule refuses it.
    Refused(Objection),
}

/// Tells a decision node by node, best first, then those that are refused; nothing when its picture is gone.
pub fn explain(found: &Found) -> Option<Vec<Told>> {
    let picture = found.picture.as_deref()?;
    let decision = &*found.decision;
    let wanted = Wanted::of_view(picture, &decision.request.image);
    let verdicts = decision.scheduler.explain(&decision.request, picture);
    let mut admitted = Vec::new();
    let mut refused = Vec::new();
    for Verdict { node, said } in verdicts {
        match said {
            Ok(standing) => admitted.push(Admitted {
                way: wanted.way(&node),
                node,
                standing,
            }),
            Err(objection) => refused.push(Told {
                node,
                role: Role::Refused(objection),
                standing: None,
                image: None,
            }),
        }
    }
    // Stable: equals stay in the picture's order.
    admitted.sort_by(Admitted::compare);
    let taken = decision.node.as_ref().map(|n| &n.key);
    let at = admitted.iter().position(|a| Some(&a.node.key) == taken);
    let told = admitted.iter().enumerate().map(|(number, one)| Told {
        node: Arc::clone(&one.node),
        role: match at {
            Some(at) if at == number => Role::Chosen,
            // Who comes before the one that was taken is behind nobody.
            Some(at) if at < number => one.behind(&admitted[at]),
            _ => Role::Lost(what(decision, &one.node)),
        },
        standing: Some(one.standing.clone()),
        image: Some(said(&one.way)),
    });
    let mut told: Vec<_> = told.collect();
    for one in &mut told {
        if decision.passed_over.contains(&one.node.key) {
            one.role = Role::Lost(what(decision, &one.node));
        }
    }
    told.extend(refused);
    Some(told)
}

/// Returns what is known of the node that was taken when the picture is gone.
pub fn chosen(decision: &Decision) -> Option<Told> {
    let taken = decision.node.as_ref()?;
    Some(Told {
        node: Arc::new(Node {
            key: Arc::clone(&taken.key),
            name: taken.name.clone(),
            ..Node::default()
        }),
        role: Role::Chosen,
        standing: taken.standing.clone(),
        image: None,
    })
}

/// A node that the rules admit.
struct Admitted<'a> {
    node: Arc<Node>,
    standing: Standing,
    way: Way<'a, ()>,
}

impl Admitted<'_> {
    /// Compares two nodes as a create does; the better comes first.
    fn compare(&self, other: &Self) -> Ordering {
        let ways = self.way.order().cmp(&other.way.order());
        ways.then_with(|| other.standing.compare(&self.standing))
    }

    /// Says in what it is behind the one that was taken.
    fn behind(&self, taken: &Self) -> Role {
        let name = &taken.node.name;
        if self.way.order() > taken.way.order() {
            let (own, best) = (said(&self.way), said(&taken.way));
            return Role::Behind(Behind {
                field: "image",
                text: format!("image {own}; on {name} {best}"),
            });
        }
        match self.standing.behind(&taken.standing, name) {
            Some(behind) => Role::Behind(behind),
            // Not so as long as both are compared alike.
            None => Role::Lost(NOT_TRIED.to_owned()),
        }
    }
}

/// Says what happened last to a node that would have come before the one that was taken, or to all.
fn what(decision: &Decision, node: &Node) -> String {
    let mut steps = decision.steps.iter().rev();
    let step = steps.find(|s| s.key == node.key);
    step.map_or_else(|| NOT_TRIED.to_owned(), |s| s.what.clone())
}

/// Says where an image comes from.
fn said(way: &Way<'_, ()>) -> String {
    match way {
        Way::Here => "here".to_owned(),
        Way::Copy((giver, (), _)) => format!("copied from {}", giver.name),
        Way::Pull => "pulled".to_owned(),
        Way::Nowhere => "on no node".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::decision::{Outcome, Step, Taken};
    use super::super::decisions::Decisions;
    use super::*;
    use crate::model::{ClusterView, Health, Image, Manners};
    use crate::scheduler::{Request, Scheduler};

    fn node(name: &str) -> Node {
        Node {
            key: format!("{name}:2375").into(),
            name: name.to_owned(),
            health: Health::Healthy,
            ..Node::default()
        }
    }

    /// Three nodes: `a` has the image by a digest, `b` does not, `c` does not answer.
    fn picture() -> Arc<ClusterView> {
        let mut nodes = ["a", "b", "c"].map(node);
        nodes[0].images = Arc::new(vec![Image {
            digests: vec!["app@sha256:11".to_owned()],
            ..Image::default()
        }]);
        nodes[2].health = Health::Pending("refused".to_owned());
        Arc::new(ClusterView::new(nodes.map(Arc::new).into()))
    }

    /// Tells of each node in one line when `taken` was taken and these steps came before.
    fn told(taken: Option<&str>, passed_over: &[&str], steps: &[(&str, &str)]) -> Vec<String> {
        let (picture, decisions) = (picture(), Decisions::keeping(1));
        let key = |name: &str| -> Arc<str> { format!("{name}:2375").into() };
        let steps = steps.iter().map(|(name, what)| Step {
            key: key(name),
            node: (*name).to_owned(),
            what: (*what).to_owned(),
        });
        let decision = Arc::new(Decision {
            id: decisions.number().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            request: Arc::new(Request {
                image: "app@sha256:11".to_owned(),
                ..Request::default()
            }),
            scheduler: Arc::new(Scheduler::new("spread", None, Manners::Engine).unwrap()),
            node: taken.map(|name| Taken {
                key: key(name),
                name: name.to_owned(),
                standing: None,
            }),
            passed_over: passed_over.iter().map(|name| key(name)).collect(),
            steps: steps.collect(),
            more_steps: 0,
            waited: std::time::Duration::ZERO,
            outcome: Outcome::Explained,
        });
        let found = Found {
            decision,
            picture: Some(picture),
        };
        let told = explain(&found).unwrap();
        let lines = told.iter().map(|t| match &t.role {
            Role::Chosen => format!("{} chosen", t.node.name),
            Role::Behind(b) => format!("{} behind {}: {}", t.node.name, b.field, b.text),
            Role::Lost(what) => format!("{} lost: {what}", t.node.name),
            Role::Refused(o) => format!("{} {}: {}", t.node.name, o.filter, o.refusal),
        });
        lines.collect()
    }

    const REFUSED: &str = "c health: does not answer (could not be taken in (refused))";

    #[test]
    fn the_way_of_the_image_comes_before_all_else() {
        assert_eq!(
            told(Some("a"), &[], &[]),
            [
                "a chosen",
                "b behind image: image pulled; on a here",
                REFUSED
            ]
        );
    }

    #[test]
    fn who_was_better_and_lost_says_what_happened() {
        let others = "was taken by others meanwhile";
        assert_eq!(
            told(Some("b"), &[], &[("a", others)]),
            ["a lost: was taken by others meanwhile", "b chosen", REFUSED]
        );
        assert_eq!(
            told(
                None,
                &["a", "b"],
                &[("a", "no space left on device"), ("b", "gone")]
            ),
            ["a lost: no space left on device", "b lost: gone", REFUSED]
        );
    }
}
