//! Sets of nodes by their places in the view: 64 of them are compared at once.

/// A set of nodes of a view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Makes the set of all of `len` nodes.
    pub fn all(len: usize) -> Self {
        let mut words = vec![u64::MAX; len.div_ceil(64)];
        if let Some(last) = words.last_mut().filter(|_| !len.is_multiple_of(64)) {
            *last = (1 << (len % 64)) - 1;
        }
        Self { words }
    }

    /// Makes the empty set of `len` nodes.
    pub fn none(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
        }
    }

    /// Puts a node in or takes it out.
    pub fn set(&mut self, at: usize, is_in: bool) {
        if let Some(word) = self.words.get_mut(at / 64) {
            let bit = 1 << (at % 64);
            *word = if is_in { *word | bit } else { *word & !bit };
        }
    }

    /// Tells whether a node is in it.
    pub fn has(&self, at: usize) -> bool {
        let word = self.words.get(at / 64).copied().unwrap_or(0);
        word >> (at % 64) & 1 == 1
    }

    /// Tells whether no node is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Leaves what is in the other too.
    pub fn and(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    /// Leaves what is in one of both and not in the other.
    fn xor(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word ^= other;
        }
    }

    /// Leaves what is in the other too, unless that is nothing.
    pub fn prefer(&mut self, other: &Self) {
        let mut both = self.words.iter().zip(&other.words);
        if both.any(|(word, other)| word & other != 0) {
            self.and(other);
        }
    }

    /// Leaves those that are in the most of the others.
    pub fn prefer_most<'a>(&mut self, others: impl Iterator<Item = &'a Self>) {
        // The number of sets that each node is in, a binary digit in each plane.
        let mut planes: Vec<Self> = Vec::new();
        for other in others {
            let mut carry = other.clone();
            for plane in &mut planes {
                let mut both = carry.clone();
                both.and(plane);
                plane.xor(&carry);
                carry = both;
            }
            if !carry.is_empty() {
                planes.push(carry);
            }
        }
        for plane in planes.iter().rev() {
            self.prefer(plane);
        }
    }

    /// Counts the nodes in it.
    pub fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Walks the places of the nodes in it, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.words.iter().enumerate();
        words.flat_map(|(number, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                let at = (left != 0).then_some(number * 64 + bit);
                left &= left.wrapping_sub(1);
                at
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bits(places: &BTreeSet<usize>) -> Bits {
        let mut bits = Bits::none(200);
        places.iter().for_each(|at| bits.set(*at, true));
        bits
    }

    fn places() -> impl Strategy<Value = BTreeSet<usize>> {
        proptest::collection::btree_set(0usize..200, 0..100)
    }

    proptest! {
        #[test]
        fn sets_of_bits_are_sets(one in places(), other in places(), more in proptest::collection::vec(places(), 0..6)) {
            let (a, b) = (bits(&one), bits(&other));
            let both: BTreeSet<usize> = one.intersection(&other).copied().collect();
            let mut and = a.clone();
            and.and(&b);
            prop_assert!(and.iter().eq(both.iter().copied()));
            prop_assert_eq!(and.is_empty(), both.is_empty());
            prop_assert_eq!(and.count(), both.len());
            let mut preferred = a.clone();
            preferred.prefer(&b);
            prop_assert_eq!(preferred, if both.is_empty() { bits(&one) } else { and });
            let of = |at: &usize| more.iter().filter(|set| set.contains(at)).count();
            let most = one.iter().map(of).max().unwrap_or(0);
            let expected = one.iter().copied().filter(|at| of(at) == most);
            let mut found = a.clone();
            let sets: Vec<Bits> = more.iter().map(bits).collect();
            found.prefer_most(sets.iter());
            prop_assert!(found.iter().eq(expected));
            prop_assert!((0..300).all(|at| a.has(at) == one.contains(&at)));
        }
    }

    #[test]
    fn all_are_so_many() {
        for len in [0, 1, 63, 64, 65, 128] {
            assert_eq!(Bits::all(len).count(), len);
            assert!(Bits::none(len).is_empty());
        }
    }
}
