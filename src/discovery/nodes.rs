//! Members listed in the URL itself; they never change.

use std::collections::BTreeSet;
use std::pin::Pin;

use tokio::sync::watch;

use super::{Discovery, Error, Options, add};
use crate::net::addr::Addr;

/// A fixed set of members.
#[derive(Debug)]
struct Nodes(BTreeSet<Addr>);

/// Reads a list separated by commas.
///
/// # Errors
/// It is empty, or an entry is no address.
pub(super) fn open(list: &str, _: &Options) -> Result<Box<dyn Discovery>, Error> {
    let mut members = BTreeSet::new();
    for entry in list.split(',').map(str::trim).filter(|e| !e.is_empty()) {
        add(entry, &mut members)?;
    }
    match members.is_empty() {
        true => Err(Error::Incomplete {
            scheme: "nodes",
            needed: "at least one host:port",
        }),
        false => Ok(Box::new(Nodes(members))),
    }
}

impl Discovery for Nodes {
    fn run<'a>(
        &'a mut self,
        members: &'a watch::Sender<BTreeSet<Addr>>,
    ) -> Pin<Box<dyn Future<Output = Error> + Send + 'a>> {
        members.send_replace(self.0.clone());
        Box::pin(std::future::pending())
    }
}
