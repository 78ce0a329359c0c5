//! Waiting for room: how long a create may, which nodes it can wait for, and who takes what it waits for.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use super::expr::BadExpression;
use super::{Expr, Filter, Refusal, Refused, Request, Scheduler, reaches};
use crate::model::duration::Span;
use crate::model::orders::{Availability, Orders};
use crate::model::{Container, Containers, Health, Node, Resources};

/// A wish on the time that a create waits for room: `timeout==5m`; `timeout==0s` for not at all.
#[derive(Clone, Debug)]
pub struct Patience {
    /// As it was written.
    pub expr: Expr,
    /// The longest wait.
    pub longest: Duration,
}

impl Patience {
    /// Reads the wish.
    ///
    /// # Errors
    /// It does not name a timeout, or the timeout is no duration.
    pub fn parse(text: &str) -> Result<Self, BadExpression> {
        let expr = Expr::parse(text)?;
        if expr.key != "timeout" {
            return Err(expr.bad_key("timeout is expected"));
        }
        expr.only_equal()?;
        if expr.soft {
            return Err(expr.bad_value("a timeout is never soft"));
        }
        let span = expr.value().parse::<Span>();
        let span = span.map_err(|error| expr.bad_value(error.to_string()))?;
        let longest = span.not_negative();
        let longest = longest.ok_or_else(|| expr.bad_value("a duration from 0s is expected"))?;
        Ok(Self { expr, longest })
    }
}

impl Scheduler {
    /// Tells whether some node could take a container once what is in the way has gone: what is on it, its silence, an
    /// operator's word.
    pub fn may_pass(&self, request: &Request, nodes: &[Arc<Node>]) -> bool {
        nodes.iter().any(|node| self.could_take(request, node))
    }

    /// Tells whether one node could.
    fn could_take(&self, request: &Request, node: &Node) -> bool {
        let emptied = OnceCell::new();
        let emptied = || emptied.get_or_init(|| cleared(node));
        // Some rules want something to be there that is.
        let passes = |filter: &dyn Filter| {
            filter.check(request, node).is_ok() || filter.check(request, emptied()).is_ok()
        };
        let filters = self.filters.iter().chain(self.always.iter());
        filters.map(|filter| &**filter).all(passes) && reaches(request, node).is_ok()
    }

    /// Tells whether a newcomer on a node takes what a create waits for: with it, a rule refuses the node that did not
    /// before, or refuses it for more. `nodes` are all of them, with what is reserved on them.
    ///
    /// Rules look at one thing after the other, so a node that lacks two is refused for the first until that is there.
    /// What it has of the others may be taken meanwhile, and not what it has of those before: each is won for good.
    pub fn crowds(
        &self,
        newcomer: &Arc<Container>,
        waiting: &Request,
        node: &Node,
        nodes: &[Arc<Node>],
    ) -> bool {
        if !self.could_take(waiting, node) {
            return false;
        }
        let with = Arc::new(node.with_reserved(&[Arc::clone(newcomer)]));
        let before = counted(waiting, nodes);
        let swapped = || {
            let nodes = nodes.iter().map(|n| match n.key == node.key {
                true => &with,
                false => n,
            });
            nodes.cloned().collect::<Vec<_>>()
        };
        // Few wait for what depends on other nodes too.
        let after = match waiting.balances.is_empty() {
            true => Cow::Borrowed(waiting),
            false => counted(waiting, &swapped()),
        };
        let mut filters = self.filters.iter().chain(self.always.iter());
        filters.any(|filter| match filter.check(&after, &with) {
            Ok(()) => false,
            Err(refusal) => filter.check(&before, node) != Err(refusal),
        })
    }
}

/// Says that a node's room is kept for a create that has waited longer.
pub fn kept_for(waiting: &Request, node: &Node) -> Refusal {
    let who = match waiting.name.as_deref() {
        Some(name) => name.to_owned(),
        None => format!("a container of {}", waiting.image),
    };
    Refusal::new(
        format!("is kept for {who}, which has waited longer"),
        node.name.clone(),
        format!("[room kept for {who}]"),
    )
}

impl Refused {
    /// Adds nodes that were refused later, when it was already known that the others are.
    #[must_use]
    pub fn and(self, more: Vec<(Arc<Node>, Refusal)>) -> Self {
        match self {
            Self::All(mut refused) => {
                refused.extend(more);
                Self::All(refused)
            }
            other => other,
        }
    }
}

/// Returns a node as it is when nothing is on it, and it answers and takes containers.
fn cleared(node: &Node) -> Node {
    Node {
        health: Health::Healthy,
        orders: Orders {
            availability: Availability::Active,
            ..node.orders.clone()
        },
        used: Resources::default(),
        containers: Containers::default(),
        ..node.clone()
    }
}

/// Counts the groups of a request on nodes.
fn counted<'r>(request: &'r Request, nodes: &[Arc<Node>]) -> Cow<'r, Request> {
    match request.balances.is_empty() {
        true => Cow::Borrowed(request),
        false => Cow::Owned(request.clone().counted_on(nodes)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::container::{Port, PortBinding};
    use crate::model::{ClusterView, Manners};
    use crate::scheduler::filter::limit::AtMost;

    fn scheduler() -> Scheduler {
        Scheduler::new("spread", None, Manners::Engine).unwrap()
    }

    /// A node of four CPUs and 1000 bytes of memory.
    fn node(containers: &[Arc<Container>]) -> Node {
        let node = Node {
            key: "n:2375".into(),
            name: "n".to_owned(),
            health: Health::Healthy,
            capacity: amount(4, 1000),
            ..Node::default()
        };
        node.with_reserved(containers)
    }

    fn amount(cpus: i64, memory_bytes: i64) -> Resources {
        Resources {
            nano_cpus: cpus * Resources::NANO_PER_CPU,
            memory_bytes,
        }
    }

    fn port(number: u16) -> PortBinding {
        let protocol = "tcp".to_owned();
        PortBinding {
            host_ip: String::new(),
            first: number,
            last: number,
            port: Port { number, protocol },
        }
    }

    fn container(id: &str, cpus: i64, memory: i64, ports: &[u16]) -> Arc<Container> {
        Arc::new(Container {
            id: id.into(),
            names: vec![id.to_owned()],
            resources: amount(cpus, memory),
            ports: ports.iter().map(|p| port(*p)).collect(),
            labels: BTreeMap::from([
                ("app".to_owned(), "web".to_owned()),
                (crate::model::SWARM_ID_LABEL.to_owned(), id.to_owned()),
            ]),
            ..Container::default()
        })
    }

    fn asks(cpus: i64, memory: i64, ports: &[u16]) -> Request {
        Request {
            resources: amount(cpus, memory),
            ports: ports.iter().map(|p| port(*p)).collect(),
            ..Request::default()
        }
    }

    #[test]
    fn what_can_pass_is_waited_for_and_the_rest_is_not() {
        let scheduler = scheduler();
        let may = |request: &Request, node: Node| scheduler.may_pass(request, &[Arc::new(node)]);
        let full = || node(&[container("a", 4, 1000, &[80])]);
        assert!(may(&asks(1, 1000, &[80]), full()));
        assert!(!may(&asks(1, 1001, &[]), full()), "it never has so much");
        assert!(!may(&asks(5, 0, &[]), full()));
        let silent = Node {
            health: Health::Unhealthy {
                since: jiff::Timestamp::UNIX_EPOCH,
                reason: "x".to_owned(),
            },
            ..full()
        };
        assert!(may(&asks(1, 1, &[]), silent));
        let mut wishes = asks(0, 0, &[]);
        wishes.wishes.limits =
            vec![AtMost::parse("app==1", &BTreeMap::from([("app".into(), "web".into())])).unwrap()];
        assert!(may(&wishes, full()));
        let wish = |text: &str| {
            let mut request = asks(1, 0, &[]);
            request.wishes.affinities = vec![Expr::parse(text).unwrap()];
            request
        };
        assert!(may(&wish("container!=a"), full()), "it may go");
        assert!(may(&wish("container==a"), full()), "it is there");
        assert!(!may(&wish("container==b"), full()), "nothing brings it");
        let mut constrained = asks(1, 0, &[]);
        constrained.wishes.constraints = vec![Expr::parse("zone==x").unwrap()];
        assert!(!may(&constrained, full()));
        assert!(!scheduler.may_pass(&asks(0, 0, &[]), &[]));
    }

    #[test]
    fn who_takes_nothing_of_what_is_waited_for_may_pass() {
        let scheduler = scheduler();
        let crowds = |waiting: &Request, there: &[Arc<Container>], new: Arc<Container>| {
            let node = Arc::new(node(there));
            scheduler.crowds(&new, waiting, &node, &[Arc::clone(&node)])
        };
        let there = [container("a", 1, 600, &[80])];
        let big = asks(2, 500, &[]);
        assert!(crowds(&big, &there, container("b", 0, 1, &[])), "memory");
        assert!(!crowds(&big, &there, container("b", 0, 0, &[])), "nothing");
        assert!(
            !crowds(&big, &there, container("b", 1, 0, &[])),
            "one is left"
        );
        let at_port = asks(0, 500, &[80]);
        assert!(!crowds(&at_port, &there, container("b", 3, 0, &[81])));
        assert!(crowds(&at_port, &there, container("b", 0, 400, &[])));
        // It has no port to lose here, and has not the room either.
        assert!(!crowds(
            &asks(0, 1, &[80]),
            &there,
            container("b", 3, 300, &[])
        ));
        assert!(crowds(
            &asks(0, 1, &[81]),
            &there,
            container("b", 3, 0, &[81])
        ));
        // Where it can never be, nothing is taken from it.
        assert!(!crowds(
            &asks(0, 1001, &[]),
            &there,
            container("b", 0, 400, &[])
        ));
    }

    #[test]
    fn a_timeout_is_read_with_the_place_of_what_is_wrong() {
        let read = |text: &str| Patience::parse(text).map(|wish| wish.longest);
        assert_eq!(read("timeout==1m30s").unwrap(), Duration::from_secs(90));
        assert_eq!(read("timeout==0s").unwrap(), Duration::ZERO);
        for (text, told) in [
            ("until==1s", "position 1: timeout is expected"),
            ("timeout!=1s", "position 8: == is expected"),
            ("timeout==~1s", "position 11: a timeout is never soft"),
            (
                "timeout==-1s",
                "position 10: a duration from 0s is expected",
            ),
            (
                "timeout==30",
                "position 10: missing unit in duration \"30\": write 30s, 500ms or 1m30s",
            ),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert_eq!(refused, format!("invalid expression \"{text}\" at {told}"));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_or_refused_in_its_bounds(text in "(timeout)?[=!~]{0,3}[-0-9a-z.]{0,8}") {
            if let Err(bad) = Patience::parse(&text) {
                prop_assert!((1..=text.len() + 1).contains(&bad.position), "{bad}");
            }
        }

        /// However small ones come and go, one that waits gets its place once enough of those before it have gone.
        #[test]
        fn newcomers_never_move_a_waiting_one_further_away(
            before in proptest::collection::vec((0..3_i64, 0..600_i64, 80..84_u16), 0..4),
            new in proptest::collection::vec((0..3_i64, 0..600_i64, 80..84_u16), 0..12),
            waits in (0..5_i64, 0..1001_i64, 80..84_u16),
        ) {
            let scheduler = scheduler();
            let made = |prefix: &str, list: &[(i64, i64, u16)]| -> Vec<Arc<Container>> {
                let all = list.iter().enumerate();
                all.map(|(at, (c, m, p))| container(&format!("{prefix}{at}"), *c, *m, &[*p])).collect()
            };
            let waiting = asks(waits.0, waits.1, &[waits.2]);
            let of_before = made("a", &before);
            let mut there: Vec<Arc<Container>> = Vec::new();
            // Those that were there before it came.
            for one in of_before {
                let request = Request { resources: one.resources, ports: one.ports.clone(), ..Request::default() };
                if scheduler.admits(&request, &node(&there)).is_ok() {
                    there.push(one);
                }
            }
            let first: Vec<_> = there.iter().map(|c| Arc::clone(&c.id)).collect();
            prop_assume!(scheduler.admits(&waiting, &node(&there)).is_err());
            prop_assume!(scheduler.may_pass(&waiting, &[Arc::new(node(&[]))]));
            // One of the old ones goes after every newcomer that comes.
            let mut old = first.clone();
            for one in made("b", &new) {
                let now = Arc::new(node(&there));
                let request = Request { resources: one.resources, ports: one.ports.clone(), ..Request::default() };
                let fits = scheduler.admits(&request, &now).is_ok();
                if fits && !scheduler.crowds(&one, &waiting, &now, &[Arc::clone(&now)]) {
                    there.push(one);
                }
                if let Some(gone) = old.pop() {
                    there.retain(|c| c.id != gone);
                }
            }
            // With all of the old ones gone, what the newcomers got of a thing that it waited for second may stand in
            // its way still, and nothing is added to that.
            there.retain(|c| !first.contains(&c.id));
            let view = ClusterView::new(vec![Arc::new(node(&there))]);
            if scheduler.place(&waiting, &view).is_err() {
                let now = Arc::new(node(&there));
                let more = container("c", waits.0.max(1), 1, &[waits.2]);
                let request = Request { resources: more.resources, ports: more.ports.clone(), ..Request::default() };
                prop_assert!(
                    scheduler.admits(&request, &now).is_err()
                        || scheduler.crowds(&more, &waiting, &now, &[Arc::clone(&now)])
                );
            }
        }
    }
}
