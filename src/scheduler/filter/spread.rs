//! Nodes in the zone, the rack or whatever a label says that has the fewest containers of a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Filter, Reads, Test};
use crate::model::Node;
use crate::scheduler::expr::BadExpression;
use crate::scheduler::group::Group;
use crate::scheduler::{Expr, Refusal, Request};

/// Admits nodes where every hard balance puts the next container of a group.
#[derive(Debug)]
pub(super) struct Spread;

/// A wish to balance a group over the values of a label of nodes: `zone==service`, `rack==app`.
#[derive(Clone, Debug)]
pub struct Even {
    /// As it was written.
    pub expr: Expr,
    group: Group,
}

/// How many containers of the group each value has, of those values that some node could take the request under.
///
/// Invariant: the values are those of the decision, so that all nodes are judged by one measure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance(BTreeMap<String, usize>);

impl Even {
    /// Reads the wish of a container with these labels.
    ///
    /// # Errors
    /// It names no group, or one that the container is not of.
    pub fn parse(text: &str, labels: &BTreeMap<String, String>) -> Result<Self, BadExpression> {
        let expr = Expr::parse(text)?;
        expr.only_equal()?;
        let group = Group::of(expr.value(), labels).map_err(|why| expr.bad_value(why))?;
        Ok(Self { expr, group })
    }

    /// Takes stock of the group, over the values that the `eligible` nodes have, on `all` nodes.
    pub(in crate::scheduler) fn balance(
        &self,
        eligible: &[&Arc<Node>],
        all: &[Arc<Node>],
    ) -> Balance {
        let values = eligible.iter().filter_map(|n| n.labels.get(&self.expr.key));
        let values = values.map(|value| (value.clone(), 0));
        let mut balance = Balance(values.collect());
        self.count(&mut balance, all);
        balance
    }

    /// Counts anew, over the same values.
    pub(in crate::scheduler) fn count(&self, balance: &mut Balance, all: &[Arc<Node>]) {
        balance.0.values_mut().for_each(|count| *count = 0);
        for node in all {
            let value = node.labels.get(&self.expr.key);
            if let Some(count) = value.and_then(|value| balance.0.get_mut(value)) {
                *count += self.group.count(node);
            }
        }
    }
}

impl Filter for Spread {
    fn name(&self) -> &'static str {
        "spread"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let wishes = request.wishes.spreads.iter().zip(&request.balances);
        let mut hard = wishes.filter(|(wish, _)| !wish.expr.soft);
        let Some((failed, balance)) = hard.find(|(wish, balance)| !met(wish, balance, node)) else {
            return Ok(());
        };
        let (label, group) = (&failed.expr.key, &failed.group);
        let detail = match node.labels.get(label) {
            None => format!("{} has no label {label}", node.name),
            Some(value) => {
                let has = balance.0.get(value).copied().unwrap_or(0);
                let least = balance.0.iter().min_by_key(|(_, count)| **count);
                let (fewest, least) = least.map_or(("", 0), |(value, count)| (value, *count));
                format!("{label} {value} has {has} of {group}, {fewest} {least}")
            }
        };
        Err(Refusal::new(
            format!("fails spread {}", failed.expr),
            detail,
            format!("[spread {}]", failed.expr),
        ))
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        if request.wishes.spreads.is_empty() {
            return Vec::new();
        }
        Test::whole(self, request, format!("{:?}", request.balances), Reads::All)
    }
}

/// Tells whether no value has fewer containers of the group than the node's.
pub(super) fn met(wish: &Even, balance: &Balance, node: &Node) -> bool {
    let value = node.labels.get(&wish.expr.key);
    let has = value.map(|value| balance.0.get(value).copied());
    match has {
        None => false,
        // Other rules refuse the node.
        Some(None) => true,
        Some(Some(has)) => balance.0.values().all(|count| has <= *count),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ClusterView, Container, Health, Manners};
    use crate::scheduler::Scheduler;

    fn node(number: usize, zone: Option<usize>, replicas: usize) -> Node {
        let mut node = Node {
            key: format!("n{number}:2375").into(),
            name: format!("n{number}"),
            health: Health::Healthy,
            ..Node::default()
        };
        if let Some(zone) = zone {
            node.labels.insert("zone".to_owned(), format!("z{zone}"));
        }
        (0..replicas).for_each(|_| put(&mut node));
        node
    }

    fn put(node: &mut Node) {
        node.containers.insert(Arc::new(Container {
            id: format!("{}-{}", node.name, node.containers.len()).into(),
            labels: app(),
            ..Container::default()
        }));
    }

    fn app() -> BTreeMap<String, String> {
        BTreeMap::from([("app".to_owned(), "web".to_owned())])
    }

    fn asks(wish: &str) -> Request {
        let mut request = Request::default();
        request.wishes.spreads = vec![Even::parse(wish, &app()).unwrap()];
        request
    }

    fn scheduler() -> Scheduler {
        Scheduler::new("spread", None, Manners::Engine).unwrap()
    }

    fn view(nodes: &[Node]) -> ClusterView {
        ClusterView::new(nodes.iter().cloned().map(Arc::new).collect())
    }

    /// Tells of each node why it is refused, or nothing.
    fn told(request: &Request, nodes: &[Node]) -> Vec<String> {
        let told = scheduler().explain(request, &view(nodes)).into_iter();
        let told = told.map(|v| v.said.err().map(|o| o.refusal.to_string()));
        told.map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn only_values_that_some_node_could_take_it_under_count() {
        let mut nodes = [
            node(0, Some(1), 2),
            node(1, Some(2), 1),
            node(2, Some(3), 0),
            node(3, None, 0),
        ];
        let hard = asks("zone==app");
        let fails = "fails spread zone==app";
        assert_eq!(
            told(&hard, &nodes),
            [
                format!("{fails} (zone z1 has 2 of app=web, z3 0)"),
                format!("{fails} (zone z2 has 1 of app=web, z3 0)"),
                String::new(),
                format!("{fails} (n3 has no label zone)"),
            ]
        );
        // Of a zone where nothing answers nothing is waited for.
        nodes[2].health = Health::New;
        assert_eq!(told(&hard, &nodes)[1], "");
        // Full is not gone: the balance would be lost for good.
        nodes[2].health = Health::Healthy;
        nodes[2]
            .labels
            .insert("containerslots".to_owned(), "0".to_owned());
        assert_eq!(
            told(&hard, &nodes)[1],
            format!("{fails} (zone z2 has 1 of app=web, z3 0)")
        );
        let soft = scheduler().place(&asks("zone==~app"), &view(&nodes));
        let names = soft.unwrap().candidates;
        let names: Vec<_> = names.iter().map(|n| n.name.as_str()).collect();
        assert_eq!(names, ["n3", "n1", "n0"], "z3 is full, so nobody meets it");
    }

    #[test]
    fn what_is_no_balance_is_refused_with_its_place() {
        for (text, told) in [
            ("zone!=app", "position 5: == is expected"),
            (
                "zone==tier",
                "position 7: the container has no label tier to be grouped by",
            ),
            (
                "zone==~service",
                "position 8: the container has no label com.docker.compose.project to be grouped by",
            ),
        ] {
            let refused = Even::parse(text, &app()).unwrap_err().to_string();
            assert_eq!(refused, format!("invalid expression \"{text}\" at {told}"));
        }
    }

    proptest! {
        #[test]
        fn no_value_ever_gets_two_ahead_of_another(zones in proptest::collection::vec(0usize..4, 1..8), count in 1usize..20) {
            let mut nodes: Vec<_> = zones.iter().enumerate().map(|(i, zone)| node(i, Some(*zone), 0)).collect();
            let (scheduler, request) = (scheduler(), asks("zone==app"));
            for _ in 0..count {
                let placed = scheduler.place(&request, &view(&nodes)).unwrap();
                let key = Arc::clone(&placed.candidates[0].key);
                put(nodes.iter_mut().find(|n| n.key == key).unwrap());
                let mut counts = BTreeMap::<_, usize>::new();
                for node in &nodes {
                    *counts.entry(node.labels["zone"].clone()).or_default() += node.containers.len();
                }
                let (most, least) = (counts.values().max().unwrap(), counts.values().min().unwrap());
                prop_assert!(most - least <= 1, "{counts:?}");
            }
        }
    }
}
