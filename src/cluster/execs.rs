//! Which engine an exec is on.
//!
//! A bounded cache: engines are asked when it does not know, so a restart or another Flotilla loses nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Execs remembered; an exec is looked up within seconds of its creation.
const REMEMBERED: usize = 16_384;

/// The owners of the newest execs.
#[derive(Clone, Debug, Default)]
pub struct Execs(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    owners: HashMap<String, Arc<str>>,
    order: VecDeque<String>,
}

impl Execs {
    /// Remembers that exec `id` is on the node with this key.
    pub fn remember(&self, id: &str, node: &Arc<str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known
            .owners
            .insert(id.to_owned(), Arc::clone(node))
            .is_none()
        {
            known.order.push_back(id.to_owned());
        }
        if known.order.len() > REMEMBERED
            && let Some(oldest) = known.order.pop_front()
        {
            known.owners.remove(&oldest);
        }
    }

    /// Returns the key of the node that exec `id` is on, when it is remembered.
    pub fn owner(&self, id: &str) -> Option<Arc<str>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.owners.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let execs = Execs::default();
        let node: Arc<str> = "h:1".into();
        for i in 0..=REMEMBERED {
            execs.remember(&i.to_string(), &node);
        }
        assert_eq!(execs.owner("0"), None);
        assert_eq!(execs.owner("1"), Some(node));
    }
}
