//! Events of a swarm-mode cluster, which each of its managers tells: one of them is enough.

use std::collections::{HashSet, VecDeque};

use crate::model::event::Event;

/// How many are remembered: managers tell one thing within moments, unless one of them was away.
const REMEMBERED: usize = 4096;

/// What tells one happening from others.
type Happening = (String, String, String, i64);

/// The events of the swarm-mode cluster that one reader was told of last.
#[derive(Debug, Default)]
pub(super) struct Once {
    seen: HashSet<Happening>,
    order: VecDeque<Happening>,
}

impl Once {
    /// Tells whether an event is told for the first time; of what is of one engine every event is.
    pub(super) fn is_first(&mut self, event: &Event) -> bool {
        if event.scope != "swarm" {
            return true;
        }
        // Creations and updates have the time that the managers agreed on. What was removed has the time at which each of
        // them saw it, and is removed once.
        let at = match event.action.as_str() {
            "remove" => 0,
            _ => event.time_nano,
        };
        let (kind, action, actor) = (&event.kind, &event.action, &event.actor);
        let happening = (kind.clone(), action.clone(), actor.clone(), at);
        if !self.seen.insert(happening.clone()) {
            return false;
        }
        self.order.push_back(happening);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_managers_tell_is_told_once_and_what_engines_tell_as_often_as_they_do() {
        let mut once = Once::default();
        for (node, scope, action, at, expected) in [
            ("a", "swarm", "create", 5, true),
            ("b", "swarm", "create", 5, false),
            ("a", "swarm", "update", 7, true),
            ("a", "swarm", "update", 8, true),
            ("c", "swarm", "update", 7, false),
            ("b", "swarm", "remove", 9, true),
            ("a", "swarm", "remove", 10, false),
            ("a", "local", "create", 5, true),
            ("a", "local", "create", 5, true),
        ] {
            let event = Event {
                node: node.into(),
                kind: "service".to_owned(),
                action: action.to_owned(),
                actor: "id".to_owned(),
                scope: scope.to_owned(),
                time_nano: at,
                ..Event::default()
            };
            assert_eq!(once.is_first(&event), expected, "{event:?}");
        }
    }

    #[test]
    fn no_more_than_some_are_remembered() {
        let mut once = Once::default();
        for at in 0..2 * REMEMBERED {
            let event = Event {
                scope: "swarm".to_owned(),
                time_nano: i64::try_from(at).unwrap(),
                ..Event::default()
            };
            assert!(once.is_first(&event));
        }
        assert_eq!(
            (once.seen.len(), once.order.len()),
            (REMEMBERED, REMEMBERED)
        );
    }
}
