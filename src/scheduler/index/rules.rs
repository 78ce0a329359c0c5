//! Which nodes pass a test, kept from one request to the next: alike requests share the work.

use std::collections::HashMap;

use super::bits::Bits;
use super::log::Log;
use crate::model::Node;
use crate::scheduler::filter::Test;
use std::sync::Arc;

/// Tests whose answers are kept at most.
const KEPT: usize = 1_024;

/// The nodes that pass each of the tests that were asked for lately.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// By who asks and what is asked.
    kept: HashMap<&'static str, HashMap<String, Rule>>,
    len: usize,
}

/// The nodes that pass one test.
#[derive(Debug)]
struct Rule {
    bits: Bits,
    /// How far the log had come when it was looked at last.
    seen: u64,
}

impl Rules {
    /// Returns the nodes that pass a test which `asker` makes.
    pub(super) fn passing(
        &mut self,
        asker: &'static str,
        test: &Test<'_>,
        nodes: &[Arc<Node>],
        log: &Log,
    ) -> &Bits {
        if self.len >= KEPT {
            self.forget();
        }
        let rules = self.kept.entry(asker).or_default();
        if !rules.contains_key(&*test.text) {
            let rule = Rule {
                bits: Bits::none(nodes.len()),
                seen: u64::MAX,
            };
            rules.insert(test.text.clone().into_owned(), rule);
            self.len += 1;
        }
        let rule = rules
            .get_mut(&*test.text)
            .expect("it was put there just now");
        rule.follow(test, nodes, log);
        &rule.bits
    }

    /// Forgets all.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
        self.len = 0;
    }
}

impl Rule {
    /// Looks again at the nodes that have changed, or at all.
    fn follow(&mut self, test: &Test<'_>, nodes: &[Arc<Node>], log: &Log) {
        match log.since(self.seen) {
            Some(changes) => {
                let changes = changes.iter().filter(|c| c.concerns(test.reads));
                for change in changes {
                    self.bits.set(change.at, (test.passes)(&nodes[change.at]));
                }
            }
            None => {
                for (at, node) in nodes.iter().enumerate() {
                    self.bits.set(at, (test.passes)(node));
                }
            }
        }
        self.seen = log.end();
    }
}
