//! Nodes that are kept for some: an operator taints them, and only who tolerates that goes there.

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::scheduler::expr::BadExpression;
use crate::scheduler::{Expr, Refusal, Request};

/// What the labels of taints begin with: `taint.dedicated=db`.
const LABEL: &str = "taint.";

/// Admits nodes of which the request tolerates every hard taint.
#[derive(Debug)]
pub(super) struct Taint;

/// Reads a toleration, which has a key and a value as taints have.
///
/// # Errors
/// It is no expression, or a soft one: a taint is soft, not what tolerates it.
pub fn toleration(text: &str) -> Result<Expr, BadExpression> {
    let expr = Expr::parse(text)?;
    match expr.soft {
        true => Err(expr.bad_value("a toleration is never soft, but taints may be")),
        false => Ok(expr),
    }
}

impl Filter for Taint {
    fn name(&self) -> &'static str {
        "taint"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let Some((key, value)) = untolerated(request, node, Strength::Hard) else {
            return Ok(());
        };
        let wanted = if value.is_empty() { "*" } else { value };
        Err(Refusal::new(
            format!("is tainted with {key}={value}"),
            format!("{} wants toleration:{key}=={wanted}", node.name),
            format!("[taint {key}={value}]"),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        Test::whole(self, request, tolerated(request), Reads::Itself)
    }

    fn is_lasting(&self) -> bool {
        true
    }
}

/// Makes the test that a node without soft taints passes, but for those that the request tolerates.
pub(in crate::scheduler) fn soft_test(request: &Request) -> Test<'_> {
    let passes = |node: &Node| untolerated(request, node, Strength::Soft).is_none();
    Test::of(tolerated(request), Reads::Itself, passes)
}

/// Writes what a request tolerates.
fn tolerated(request: &Request) -> String {
    let tolerations = request.wishes.tolerations.iter().map(Expr::text);
    tolerations.collect::<Vec<_>>().join("\n")
}

/// Returns a soft taint that the request does not tolerate: the node comes after those without one.
pub(in crate::scheduler) fn soft(request: &Request, node: &Node) -> Option<String> {
    let (key, value) = untolerated(request, node, Strength::Soft)?;
    Some(format!("{key}=~{value}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    Hard,
    Soft,
}

/// Returns the first taint of a strength that no toleration fits.
fn untolerated<'n>(
    request: &Request,
    node: &'n Node,
    strength: Strength,
) -> Option<(&'n str, &'n str)> {
    let from = (std::ops::Bound::Included(LABEL), std::ops::Bound::Unbounded);
    let labels = node.labels.range::<str, _>(from);
    let taints = labels.map_while(|(label, value)| Some((label.strip_prefix(LABEL)?, value)));
    let of_strength = taints.filter_map(|(key, value)| match value.strip_prefix('~') {
        Some(value) => (strength == Strength::Soft).then_some((key, value)),
        None => (strength == Strength::Hard).then_some((key, value.as_str())),
    });
    let mut left = of_strength.filter(|(key, value)| {
        let mut tolerations = request.wishes.tolerations.iter();
        !tolerations.any(|t| t.key == *key && t.matches([*value]))
    });
    left.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(taints: &[(&str, &str)]) -> Node {
        let labels = taints.iter();
        let labels = labels.map(|(k, v)| (format!("taint.{k}"), (*v).to_owned()));
        let beside = ["taint", "taints.x", "zone"].map(|k| (k.to_owned(), "x".to_owned()));
        Node {
            name: "n".to_owned(),
            labels: labels.chain(beside).collect(),
            ..Node::default()
        }
    }

    fn tolerating(list: &[&str]) -> Request {
        let mut request = Request::default();
        let list = list.iter().map(|text| toleration(text));
        request.wishes.tolerations = list.collect::<Result<_, _>>().unwrap();
        request
    }

    #[test]
    fn who_tolerates_every_hard_taint_is_admitted() {
        let two = [("dedicated", "db"), ("gpu", "")];
        for (taints, tolerations, told) in [
            (&[][..], &[][..], ""),
            (
                &two,
                &[],
                "is tainted with dedicated=db (n wants toleration:dedicated==db)",
            ),
            (
                &two,
                &["dedicated==db"],
                "is tainted with gpu= (n wants toleration:gpu==*)",
            ),
            (&two, &["dedicated==db", "gpu==*"], ""),
            (&two, &["dedicated!=web", "gpu==*"], ""),
            (
                &two,
                &["dedicated!=db", "gpu==*"],
                "is tainted with dedicated=db (n wants toleration:dedicated==db)",
            ),
            (&[("dedicated", "~db")], &[], ""),
        ] {
            let checked = Taint.check(&tolerating(tolerations), &node(taints));
            let refused = checked.map_or_else(|refusal| refusal.to_string(), |()| String::new());
            assert_eq!(refused, told, "{taints:?} {tolerations:?}");
        }
    }

    #[test]
    fn soft_taints_are_told_until_they_are_tolerated() {
        let node = node(&[("slow", "~disk"), ("hard", "x")]);
        assert_eq!(soft(&tolerating(&[]), &node).as_deref(), Some("slow=~disk"));
        assert_eq!(soft(&tolerating(&["slow==/^d/"]), &node), None);
    }

    #[test]
    fn a_soft_toleration_is_refused_with_its_place() {
        let refused = toleration("dedicated==~db").unwrap_err().to_string();
        assert_eq!(
            refused,
            "invalid expression \"dedicated==~db\" at position 13: a toleration is never soft, but taints may be"
        );
    }
}
