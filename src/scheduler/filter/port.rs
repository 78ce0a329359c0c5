//! Host ports: one holder for each address, number and protocol.

use std::sync::Arc;

use super::{Filter, Reads, Test};
use crate::model::container::PortBinding;
use crate::model::{Container, Manners, Node};
use crate::scheduler::{Refusal, Request};

/// Admits nodes where every host port that is asked for is free. A container that was made and not started yet has its
/// ports already; one that has ended has none, as on an engine.
#[derive(Debug)]
pub(super) struct Port(pub(super) Manners);

impl Filter for Port {
    fn name(&self) -> &'static str {
        "port"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        for wanted in request.ports.iter().filter(|p| p.first != 0) {
            if let Some(holder) = holder(wanted, node, self.0) {
                let what = format!("{} (Bridge mode)", number(wanted));
                return Err(taken(&wanted.to_string(), holder, node, &what));
            }
        }
        for port in &request.host_ports {
            let shown = format!("{}/{}", port.number, port.protocol);
            let holder = holders(node, self.0).find(|c| {
                let direct = c.network_mode == "host" && c.exposed.contains(port);
                direct
                    || c.ports
                        .iter()
                        .any(|p| covers(p, port.number, &port.protocol))
            });
            if let Some(holder) = holder {
                return Err(taken(&shown, holder, node, &format!("{shown} (Host mode)")));
            }
        }
        Ok(())
    }

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        if request.ports.is_empty() && request.host_ports.is_empty() {
            return Vec::new();
        }
        let text = format!("{:?} {:?}", request.ports, request.host_ports);
        Test::whole(self, request, text, Reads::All)
    }
}

/// Walks the containers that hold ports; in classic, ended ones do.
fn holders(node: &Node, manners: Manners) -> impl Iterator<Item = &Arc<Container>> {
    let all = node.containers.iter();
    all.filter(move |c| manners.is_classic() || c.keeps_ports())
}

/// Returns a container that leaves no port of the range free.
fn holder<'a>(wanted: &PortBinding, node: &'a Node, manners: Manners) -> Option<&'a Container> {
    let mut last = None;
    for port in wanted.first..=wanted.last {
        let holder = holders(node, manners).find(|c| holds(c, wanted, port, manners))?;
        last = Some(&**holder);
    }
    last
}

/// Tells whether a container holds `port` where the binding wants it. Classic takes all protocols for one.
fn holds(container: &Container, wanted: &PortBinding, port: u16, manners: Manners) -> bool {
    let protocol = &wanted.port.protocol;
    if container.network_mode == "host" {
        let mut exposed = container.exposed.iter();
        return exposed.any(|p| p.number == port && p.protocol == *protocol);
    }
    container.ports.iter().any(|held| {
        let meets = held.binds_all() || wanted.binds_all() || held.host_ip == wanted.host_ip;
        let protocol = match manners {
            Manners::Engine => protocol,
            Manners::Classic => &held.port.protocol,
        };
        meets && covers(held, port, protocol)
    })
}

/// Tells whether a binding takes this very port. A range that is not running has taken none yet.
fn covers(held: &PortBinding, port: u16, protocol: &str) -> bool {
    held.first == held.last && held.first == port && held.port.protocol == protocol
}

/// Writes the port or range as the user did.
fn number(port: &PortBinding) -> String {
    if port.first == port.last {
        return format!("port {}", port.first);
    }
    format!("port {}-{}", port.first, port.last)
}

fn taken(port: &str, holder: &Container, node: &Node, classic: &str) -> Refusal {
    let name = match holder.name() {
        "" => holder.id.chars().take(12).collect(),
        name => name.to_owned(),
    };
    let classic = classic.strip_prefix("port ").unwrap_or(classic);
    Refusal::new(
        format!("has host port {port} taken"),
        format!("by {name} on {}", node.name),
        format!("[port {classic}]"),
    )
}
