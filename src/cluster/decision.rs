//! One decision: what was asked, what came of it, and what happened on the way.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::scheduler::{Request, Scheduler, Standing};

/// The most steps of one decision that are kept.
const STEPS: usize = 64;
/// The most bytes of what an engine or a client said that are kept in one place.
const WORDS: usize = 1024;
/// Bits of a decision's number: six digits.
const BITS: u32 = 24;

/// A decision's number, six hexadecimal digits; none comes twice among those that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(u32);

/// One decision.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Its number.
    pub id: Id,
    /// When it came to its end.
    pub at: Timestamp,
    /// What was asked.
    pub request: Arc<Request>,
    /// The rules that it was decided by.
    pub scheduler: Arc<Scheduler>,
    /// The node that was taken, or would be.
    pub node: Option<Taken>,
    /// The nodes, by key, that had turned out not to do it when the last look was taken.
    pub passed_over: Vec<Arc<str>>,
    /// What happened on the way, oldest first.
    pub steps: Vec<Step>,
    /// How many steps more there were.
    pub more_steps: usize,
    /// How long it waited for room.
    pub waited: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// The node of a decision: what is said of it after the picture is gone.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its key.
    pub key: Arc<str>,
    /// Its name.
    pub name: String,
    /// How good a place it was; `None` when a rule refused it in the meantime.
    pub standing: Option<Standing>,
}

/// Something that happened to a node between the look and the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The node's key.
    pub key: Arc<str>,
    /// Its name.
    pub node: String,
    /// What happened: `reserved by others meanwhile`.
    pub what: String,
}

/// How a decision ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The container is on the node.
    Placed {
        /// Its ID.
        container: String,
    },
    /// Nothing was created: it was only asked where a container would go.
    Explained,
    /// It has not ended: the create waits for room.
    Waiting {
        /// How many were before it at the last look.
        ahead: usize,
        /// Why no node admits it, in the words that the client would get.
        message: String,
    },
    /// No node admits it; in the words that the client got.
    Refused(String),
    /// It went wrong later; in the words that the client got.
    Failed(String),
}

impl Decision {
    /// Tells whether it is about the container that a user's reference means: by ID or its beginning, or by the name
    /// that was asked for.
    pub fn is_about(&self, reference: &str) -> bool {
        let name = reference.strip_prefix('/').unwrap_or(reference);
        let has_id = |id: &str| !reference.is_empty() && id.starts_with(reference);
        self.request.name.as_deref() == Some(name) || self.container().is_some_and(has_id)
    }

    /// Returns the ID of the container that it made.
    pub fn container(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Placed { container } => Some(container),
            Outcome::Explained
            | Outcome::Waiting { .. }
            | Outcome::Refused(_)
            | Outcome::Failed(_) => None,
        }
    }
}

/// Cuts a text to what is kept of one.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > WORDS {
        let mut end = WORDS;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

impl Step {
    /// Adds a step to a list that does not grow without end.
    pub(super) fn add(self, steps: &mut Vec<Self>, more: &mut usize) {
        match steps.len() < STEPS {
            true => steps.push(self),
            false => *more += 1,
        }
    }
}

impl Id {
    /// Scatters a count over all numbers: odd factors give each count its own.
    pub(super) fn of(count: u32) -> Self {
        Self(count.wrapping_mul(0x9e37_79b1) & ((1 << BITS) - 1))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0)
    }
}

impl FromStr for Id {
    type Err = ();

    /// Reads six hexadecimal digits, and nothing else.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.len() == 6 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = digits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn steps_do_not_grow_without_end() {
        let (mut steps, mut more) = (Vec::new(), 0);
        for _ in 0..STEPS + 3 {
            let step = Step {
                key: "a:2375".into(),
                node: "a".to_owned(),
                what: "x".to_owned(),
            };
            step.add(&mut steps, &mut more);
        }
        assert_eq!((steps.len(), more), (STEPS, 3));
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        assert_eq!(cut("short".to_owned()), "short");
        let long = cut(format!("x{}", "é".repeat(WORDS)));
        assert!(long.len() < WORDS + 4 && long.ends_with("é…"), "{long}");
    }

    #[test]
    fn numbers_are_six_digits_and_do_not_repeat() {
        let numbers: HashSet<Id> = (0..100_000).map(Id::of).collect();
        assert_eq!(numbers.len(), 100_000);
        let id = Id::of(7);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 6);
        for text in ["", "12345", "1234567", "12345g", "+12345"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
