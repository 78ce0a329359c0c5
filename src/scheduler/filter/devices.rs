//! GPUs and other things that are counted.

use std::collections::BTreeSet;

use super::{Filter, Reads, Test};
use crate::model::devices::{Amount, Demand, Held};
use crate::model::stock::Lack;
use crate::model::{Node, Stock};
use crate::scheduler::expr::BadExpression;
use crate::scheduler::{Expr, Refusal, Request};

/// Admits nodes where the devices that are asked for are there and not held by other containers.
#[derive(Debug)]
pub(super) struct Devices;

/// A wish for devices: `gpu==2`.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// As it was written.
    pub expr: Expr,
    demand: Demand,
}

impl Wanted {
    /// Reads a wish.
    ///
    /// # Errors
    /// It asks for something else than a number of a kind.
    pub fn parse(text: &str) -> Result<Self, BadExpression> {
        let expr = Expr::parse(text)?;
        let demand = Demand::count(&expr.key, expr.amount()?);
        Ok(Self { expr, demand })
    }

    /// Returns what a container with this wish holds; nothing when it only prefers.
    pub fn held(&self) -> Option<&Demand> {
        (!self.expr.soft).then_some(&self.demand)
    }
}

impl Filter for Devices {
    fn name(&self) -> &'static str {
        "devices"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let wished = request.wishes.devices.iter().filter_map(Wanted::held);
        let mut left: Vec<&Demand> = request.devices.iter().chain(wished).collect();
        while let Some(kind) = left.first().map(|d| &d.kind) {
            let (asked, others): (Vec<&Demand>, _) =
                left.into_iter().partition(|d| d.kind == *kind);
            check(kind, &asked, node)?;
            left = others;
        }
        Ok(())
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        let wished = request.wishes.devices.iter().filter_map(Wanted::held);
        let asked: Vec<&Demand> = request.devices.iter().chain(wished).collect();
        if asked.is_empty() {
            return Vec::new();
        }
        Test::whole(self, request, format!("{asked:?}"), Reads::All)
    }
}

/// Checks what is asked for of one kind.
fn check(kind: &str, asked: &[&Demand], node: &Node) -> Result<(), Refusal> {
    let Some(stock) = node.devices.get(kind) else {
        return Err(refusal(format!("has no {kind}"), "none", kind, node));
    };
    spare(stock, asked, node).map_err(|lack| refused(&lack, asked, node))
}

/// Tells whether a node has what a wish asks for, and free.
pub(super) fn met(wish: &Wanted, node: &Node) -> bool {
    let stock = node.devices.get(&wish.demand.kind);
    stock.is_some_and(|stock| spare(stock, &[&wish.demand], node).is_ok())
}

/// Checks devices of one kind against what the node's containers hold.
fn spare(stock: &Stock, asked: &[&Demand], node: &Node) -> Result<(), Lack> {
    let nothing = Held::default();
    let held = asked.first().and_then(|d| node.containers.held(&d.kind));
    stock.spare(asked, held.as_deref().unwrap_or(&nothing))
}

/// Says what is lacking of a kind of which these are asked.
fn refused(lack: &Lack, asked: &[&Demand], node: &Node) -> Refusal {
    let kind = asked.first().map_or("", |d| &d.kind);
    let text = amounts(asked);
    match lack {
        Lack::Unlike(own) => {
            let phrase = format!("has other {kind} than asked{}", like(asked));
            refusal(phrase, own, kind, node)
        }
        Lack::Unknown(id) => refusal(format!("has no {kind} {id}"), "not", kind, node),
        Lack::Taken(id, 1) => refusal(
            format!("has {kind} {id} taken"),
            "by 1 container",
            kind,
            node,
        ),
        Lack::Taken(id, by) => {
            let by = format!("by {by} containers");
            refusal(format!("has {kind} {id} taken"), &by, kind, node)
        }
        Lack::Few(free, of) => Refusal::lacking(
            format!("lacks {kind} (asks {text}"),
            i64::try_from(*free).unwrap_or(i64::MAX),
            format!("{free} of {of} free on {}", node.name),
        ),
    }
}

fn refusal(phrase: String, detail: &str, kind: &str, node: &Node) -> Refusal {
    let detail = format!("{detail} on {}", node.name);
    Refusal::new(phrase, detail, format!("[device {kind}]"))
}

/// Writes how many are asked for in all.
fn amounts(asked: &[&Demand]) -> String {
    let mut count = 0_u64;
    for demand in asked {
        match &demand.amount {
            Amount::All => return "all".to_owned(),
            Amount::Count(more) => count = count.saturating_add(u64::from(*more)),
            Amount::These(ids) => count = count.saturating_add(ids.len() as u64),
        }
    }
    count.to_string()
}

/// Writes of which make and ability they are to be.
fn like(asked: &[&Demand]) -> String {
    let vendors = asked.iter().filter_map(|d| d.vendor.clone());
    let abilities = asked.iter().flat_map(|d| &d.abilities);
    let abilities = abilities.map(|words| words.join("+"));
    let words: BTreeSet<String> = vendors.chain(abilities).collect();
    let words: Vec<String> = words.into_iter().collect();
    match words.as_slice() {
        [] => String::new(),
        words => format!(" ({})", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::model::Container;

    fn node(gpus: &str) -> Node {
        let labels = [("device.gpu".to_owned(), gpus.to_owned())];
        let stock = Stock::of(&BTreeMap::from(labels), &serde_json::Value::Null);
        Node {
            name: "n".to_owned(),
            devices: Arc::new(stock),
            ..Node::default()
        }
    }

    fn refused(node: &Node, devices: Vec<Demand>) -> String {
        let request = Request {
            devices,
            ..Request::default()
        };
        Devices
            .check(&request, node)
            .map_or_else(|r| r.to_string(), |()| String::new())
    }

    fn put(node: &mut Node, id: &str, demand: Demand) {
        node.containers.insert(Arc::new(Container {
            id: id.into(),
            devices: vec![demand],
            ..Container::default()
        }));
    }

    #[test]
    fn each_lack_is_told_with_its_numbers() {
        let gpus = |count| Demand::count("gpu", count);
        let these = |ids: &[&str]| Demand {
            amount: Amount::These(ids.iter().map(|i| (*i).to_owned()).collect()),
            ..gpus(1)
        };
        let mut two = node("A,B");
        put(&mut two, "c", these(&["A"]));
        for (asked, told) in [
            (vec![gpus(1)], ""),
            (
                vec![gpus(1), gpus(1)],
                "lacks gpu (asks 2, 1 of 2 free on n)",
            ),
            (
                vec![Demand {
                    amount: Amount::All,
                    ..gpus(1)
                }],
                "lacks gpu (asks all, 1 of 2 free on n)",
            ),
            (vec![these(&["B"])], ""),
            (vec![these(&["0"])], "has gpu 0 taken (by 1 container on n)"),
            (vec![these(&["C"])], "has no gpu C (not on n)"),
            (vec![Demand::count("fpga", 1)], "has no fpga (none on n)"),
        ] {
            assert_eq!(refused(&two, asked.clone()), told, "{asked:?}");
        }
        let mut amd = node("1");
        let mut stock = amd.devices["gpu"].clone();
        stock.vendor = Some("amd".to_owned());
        amd.devices = Arc::new(BTreeMap::from([("gpu".to_owned(), stock)]));
        assert_eq!(
            refused(&amd, vec![Demand::count("nvidia-gpu", 1)]),
            "has other gpu than asked (nvidia) (amd on n)"
        );
    }

    #[test]
    fn a_wish_is_a_number_of_a_kind_and_holds_only_when_it_is_hard() {
        let wish = |text: &str| Wanted::parse(text);
        let hard = wish("NVIDIA-GPU==2").unwrap();
        assert_eq!(hard.held(), Some(&Demand::count("nvidia-gpu", 2)));
        let soft = wish("gpu==~2").unwrap();
        assert_eq!(soft.held(), None);
        assert!(met(&soft, &node("2")) && !met(&soft, &node("1")));
        for (text, told) in [
            ("gpu==0", "position 6: a whole number from 1 is expected"),
            ("gpu==~x", "position 7: a whole number from 1 is expected"),
            ("gpu!=1", "position 4: == is expected"),
            ("gpu", "position 4: One of operator ==, != is expected"),
            (
                "gpu==99999999999",
                "position 6: a whole number from 1 is expected",
            ),
        ] {
            let refused = wish(text).unwrap_err().to_string();
            assert_eq!(refused, format!("invalid expression \"{text}\" at {told}"));
        }
    }
}
