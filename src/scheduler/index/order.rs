//! Nodes by their score, kept in order: the best of a set is found without scoring all.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::bits::Bits;
use crate::scheduler::Score;

/// Steps of the walk along the order before the set itself is walked: whichever of both is sparse is walked to its end.
const STEPS: usize = 256;

/// The nodes of a view by the score that requests of one class give them; equals in the view's order.
#[derive(Debug, Default)]
pub(super) struct Order {
    scores: Vec<Score>,
    best_first: BTreeSet<(Reverse<Score>, usize)>,
}

impl Order {
    /// Makes the order of all nodes.
    pub(super) fn new(scores: Vec<Score>) -> Self {
        let pairs = scores.iter().enumerate();
        let best_first = pairs.map(|(at, score)| (Reverse(*score), at)).collect();
        Self { scores, best_first }
    }

    /// Returns how many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    /// Notes the score of one node.
    pub(super) fn set(&mut self, at: usize, score: Score) {
        if let Some(old) = self.scores.get_mut(at).filter(|old| **old != score) {
            self.best_first.remove(&(Reverse(*old), at));
            self.best_first.insert((Reverse(score), at));
            *old = score;
        }
    }

    /// Returns the best of a set; of equals the first that is preferred, else the first.
    pub(super) fn best(&self, left: &Bits, preferred: &Bits) -> Option<usize> {
        let mut walk = self.best_first.iter().take(STEPS);
        let first = match walk.find(|(_, at)| left.has(*at)) {
            Some((score, at)) => (*score, *at),
            None => {
                let keys = left.iter().map(|at| (Reverse(self.scores[at]), at));
                keys.min()?
            }
        };
        let mut wanted = left.clone();
        wanted.and(preferred);
        if wanted.is_empty() {
            return Some(first.1);
        }
        let equals = self.best_first.range(first..).take(STEPS);
        let mut steps = 0;
        for (score, at) in equals {
            if *score != first.0 {
                return Some(first.1);
            }
            if wanted.has(*at) {
                return Some(*at);
            }
            steps += 1;
        }
        if steps < STEPS {
            return Some(first.1);
        }
        let mut equals = wanted.iter().filter(|at| self.scores[*at] == first.0.0);
        equals.next().or(Some(first.1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn score(value: i64) -> Score {
        Score {
            value: 0,
            tie: value,
        }
    }

    proptest! {
        #[test]
        fn the_best_of_a_set_is_what_a_look_at_all_finds(
            scores in proptest::collection::vec(0i64..3, 1..600),
            changes in proptest::collection::vec((0usize..600, 0i64..3), 0..20),
            (left, preferred) in (1usize..500, 1usize..500),
        ) {
            let mut scores = scores;
            let mut order = Order::new(scores.iter().copied().map(score).collect());
            let len = scores.len();
            for (at, now) in changes.into_iter().filter(|(at, _)| *at < len) {
                scores[at] = now;
                order.set(at, score(now));
            }
            let some = |every: usize| {
                let mut bits = Bits::none(scores.len());
                (0..scores.len()).filter(|at| at % every == every - 1).for_each(|at| bits.set(at, true));
                bits
            };
            let (left, preferred) = (some(left), some(preferred));
            let expected = left.iter().max_by_key(|at| (scores[*at], preferred.has(*at), Reverse(*at)));
            prop_assert_eq!(order.best(&left, &preferred), expected);
        }
    }
}
