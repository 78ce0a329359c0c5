//! The devices that a create asks of its node, and those that its container holds.

use super::Members;
use crate::model::devices::{Amount, Demand};
use crate::scheduler::wishes::Wishes;

/// Returns what a container is to hold: what its body asks the engine for, and its wishes.
pub(super) fn held(of_engine: &[Demand], wishes: &Wishes) -> Vec<Demand> {
    let wished = wishes.devices.iter().filter_map(|w| w.held());
    of_engine.iter().chain(wished).cloned().collect()
}

/// Returns what a body asks of a node. What no engine is known to have is left to the engine, as it may find it yet; of
/// which no engine is known to have this very one, any is looked for.
pub(super) fn asked(of_engine: &[Demand], members: &Members) -> Vec<Demand> {
    let nodes = members.view.nodes().iter();
    let has = |d: &Demand, id: &str| {
        let mut stocks = nodes.clone().filter_map(|n| n.devices.get(&d.kind));
        stocks.any(|stock| stock.has(id))
    };
    let known = of_engine.iter().filter(|d| {
        let mut nodes = nodes.clone();
        nodes.any(|n| n.devices.contains_key(&d.kind))
    });
    let asked = known.map(|d| match &d.amount {
        Amount::These(ids) if !ids.iter().all(|id| has(d, id)) => Demand {
            amount: Amount::Count(u32::try_from(ids.len()).unwrap_or(u32::MAX)),
            ..d.clone()
        },
        _ => d.clone(),
    });
    asked.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::model::{ClusterView, Node, Stock};
    use crate::scheduler::filter::devices::Wanted;

    #[test]
    fn what_no_engine_tells_of_is_left_to_the_engine() {
        let labels = [("device.gpu".to_owned(), "A,B".to_owned())];
        let stock = Stock::of(&BTreeMap::from(labels), &serde_json::Value::Null);
        let members = Members {
            view: ClusterView::new(vec![Arc::new(Node {
                devices: Arc::new(stock),
                ..Node::default()
            })]),
            ..Members::default()
        };
        let these = |ids: &[&str]| Demand {
            amount: Amount::These(ids.iter().map(|i| (*i).to_owned()).collect()),
            ..Demand::count("gpu", 1)
        };
        let wishes = Wishes {
            devices: vec![Wanted::parse("tape==1").unwrap()],
            ..Wishes::default()
        };
        let of_engine = [
            these(&["A", "1"]),
            these(&["A", "C"]),
            Demand::count("tpu", 1),
        ];
        assert_eq!(
            asked(&of_engine, &members),
            [these(&["A", "1"]), Demand::count("gpu", 2)]
        );
        let held = held(&of_engine, &wishes);
        assert_eq!(held[..3], of_engine);
        assert_eq!(held[3..], [Demand::count("tape", 1)]);
    }
}
