//! Nodes that hold few enough of a kind of container: `1` puts each on a host of its own.

use std::collections::BTreeMap;

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::scheduler::expr::BadExpression;
use crate::scheduler::group::Group;
use crate::scheduler::{Expr, Refusal, Request};

/// Admits nodes with room under every hard limit on the containers of a group.
#[derive(Debug)]
pub(super) struct Limit;

/// A wish for at most so many containers of a group on one node: `service==1`, `app==2`.
#[derive(Clone, Debug)]
pub struct AtMost {
    /// As it was written.
    pub expr: Expr,
    group: Group,
    most: usize,
}

impl AtMost {
    /// Reads the wish of a container with these labels.
    ///
    /// # Errors
    /// It is not a number for a group, or the container is of no such group.
    pub fn parse(text: &str, labels: &BTreeMap<String, String>) -> Result<Self, BadExpression> {
        let expr = Expr::parse(text)?;
        let most = usize::try_from(expr.amount()?).unwrap_or(usize::MAX);
        let group = Group::of(&expr.key, labels).map_err(|why| expr.bad_key(why))?;
        Ok(Self { expr, group, most })
    }
}

impl Filter for Limit {
    fn name(&self) -> &'static str {
        "limit"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let hard = || request.wishes.limits.iter().filter(|w| !w.expr.soft);
        let Some(failed) = hard().find(|wish| !met(wish, node)) else {
            return Ok(());
        };
        let (has, group) = (failed.group.count(node), &failed.group);
        let all: Vec<&str> = hard().map(|w| w.expr.text()).collect();
        Err(Refusal::new(
            format!("fails limit {}", failed.expr),
            format!("{} has {has} of {group}", node.name),
            format!("[limit {}]", all.join(" ")),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        let hard = request.wishes.limits.iter().filter(|w| !w.expr.soft);
        hard.map(test).collect()
    }
}

/// Makes the test of one wish. Its group is that of the request's own labels, which its text does not tell.
pub(super) fn test(wish: &AtMost) -> Test<'_> {
    let text = format!("{} {:?}", wish.expr, wish.group);
    Test::of(text, Reads::All, |node| met(wish, node))
}

/// Tells whether a node can take one more.
pub(super) fn met(wish: &AtMost, node: &Node) -> bool {
    wish.group.count(node) < wish.most
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL, Container};

    fn labels(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        let list = list.iter();
        list.map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    /// The labels of a container of compose.
    fn web() -> BTreeMap<String, String> {
        labels(&[
            (COMPOSE_PROJECT_LABEL, "shop"),
            (COMPOSE_SERVICE_LABEL, "web"),
            ("app", "front"),
        ])
    }

    fn put(node: &mut Node, labels: BTreeMap<String, String>, status: &str) {
        let mut container = Container {
            id: node.containers.len().to_string().into(),
            labels,
            ..Container::default()
        };
        container.state.status = status.to_owned();
        node.containers.insert(Arc::new(container));
    }

    fn refused(node: &Node, wishes: &[&str]) -> String {
        let mut request = Request::default();
        let wishes = wishes.iter().map(|text| AtMost::parse(text, &web()));
        request.wishes.limits = wishes.collect::<Result<_, _>>().unwrap();
        let checked = Limit.check(&request, node);
        checked.map_or_else(|refusal| refusal.to_string(), |()| String::new())
    }

    #[test]
    fn those_of_the_group_count_until_they_have_ended() {
        let mut node = Node {
            name: "n".to_owned(),
            ..Node::default()
        };
        put(&mut node, web(), "exited");
        put(&mut node, labels(&[("app", "back")]), "running");
        assert_eq!(refused(&node, &["service==1", "app==1"]), "");
        put(&mut node, web(), "created");
        assert_eq!(
            refused(&node, &["app==2", "service==1"]),
            "fails limit service==1 (n has 1 of shop/web)"
        );
        put(&mut node, labels(&[("app", "front")]), "paused");
        assert_eq!(
            refused(&node, &["app==2"]),
            "fails limit app==2 (n has 2 of app=front)"
        );
        assert_eq!(refused(&node, &["app==3", "service==~1"]), "");
    }

    #[test]
    fn what_is_no_limit_is_refused_with_its_place() {
        for (text, told) in [
            (
                "service==0",
                "position 10: a whole number from 1 is expected",
            ),
            (
                "app==~many",
                "position 7: a whole number from 1 is expected",
            ),
            ("app!=2", "position 4: == is expected"),
            (
                "tier==1",
                "position 1: the container has no label tier to be grouped by",
            ),
        ] {
            let refused = AtMost::parse(text, &web()).unwrap_err().to_string();
            assert_eq!(refused, format!("invalid expression \"{text}\" at {told}"));
        }
        let refused = AtMost::parse("service==1", &labels(&[("app", "a")])).unwrap_err();
        assert!(refused.why.contains(COMPOSE_PROJECT_LABEL), "{refused}");
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_or_refused_in_its_bounds(text in "[a-z=!~0-9/ ]{0,16}") {
            match AtMost::parse(&text, &web()) {
                Ok(wish) => prop_assert!(wish.most > 0 && wish.expr.text() == text),
                Err(bad) => prop_assert!((1..=text.len() + 1).contains(&bad.position), "{bad}"),
            }
        }
    }
}
