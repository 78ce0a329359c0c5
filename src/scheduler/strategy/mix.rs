//! `spread*2+locality`: strategies by name, and several at once.

use super::advised::Advised;
use super::{Part, STRATEGIES, Score, Strategy};
use crate::model::{Manners, Node};
use crate::scheduler::Request;

/// The most strategies of a mix.
const MEMBERS: usize = 16;
/// The largest weight.
const HEAVIEST: u32 = 1000;

/// A text that names no strategy (classic's words where it had them).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No such strategy.
    #[error(
        "strategy not supported: {name} (there are {known}, and mixes of them: spread*2+locality)"
    )]
    Strategy {
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// A weight that is none.
    #[error("strategy {text}: {weight:?} at {at} is no weight (1 to 1000)")]
    Weight {
        /// What was given.
        text: String,
        /// What stands for a weight in it.
        weight: String,
        /// Where that begins, in characters from 1.
        at: usize,
    },
    /// A plug-in that was not named at the start.
    #[error(
        "plug-in {name} is not loaded: flotilla manage --strategy-plugin loads it at the start"
    )]
    PlugIn {
        /// Its name.
        name: String,
    },
    /// A mix of more than anyone needs.
    #[error("strategy {text}: a mix has at most 16 members")]
    TooMany {
        /// What was given.
        text: String,
    },
}

/// Several strategies, each with its weight.
#[derive(Debug)]
struct Mix {
    name: String,
    /// The heaviest first.
    members: Vec<(u32, Box<dyn Strategy>)>,
}

/// Reads a strategy: a name, or names with weights, `spread*2+locality`.
///
/// # Errors
/// A name or a weight is none, or there are too many.
pub fn parse(text: &str, manners: Manners) -> Result<Box<dyn Strategy>, Unknown> {
    let mut members = Vec::new();
    let mut at = 1;
    for term in text.split('+') {
        let (name, weight) = match term.split_once('*') {
            None => (term, 1),
            Some((name, weight)) => {
                let read = weight.trim().parse().ok();
                let read = read.filter(|w| (1..=HEAVIEST).contains(w));
                let wrong = || Unknown::Weight {
                    text: text.to_owned(),
                    weight: weight.to_owned(),
                    at: at + name.chars().count() + 1,
                };
                (name, read.ok_or_else(wrong)?)
            }
        };
        members.push((weight, named(name.trim(), manners)?));
        at += term.chars().count() + 1;
    }
    if members.len() > MEMBERS {
        let text = text.to_owned();
        return Err(Unknown::TooMany { text });
    }
    if members.len() == 1
        && let Some((_, only)) = members.pop()
    {
        return Ok(only);
    }
    let written = |(weight, member): &(u32, Box<dyn Strategy>)| match weight {
        1 => member.name().to_owned(),
        weight => format!("{}*{weight}", member.name()),
    };
    let name = members.iter().map(written).collect::<Vec<_>>().join("+");
    // Stable: of equals the one that is named first decides ties.
    members.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    Ok(Box::new(Mix { name, members }))
}

/// Finds one strategy by its name.
fn named(name: &str, manners: Manners) -> Result<Box<dyn Strategy>, Unknown> {
    let wanted = match name {
        "binpacking" => "binpack",
        other => other,
    };
    if let Some(advised) = Advised::named(wanted, manners) {
        return Ok(Box::new(advised));
    }
    let found = STRATEGIES.iter().find(|(known, _)| *known == wanted);
    let known = || STRATEGIES.iter().map(|(known, _)| *known);
    found
        .map(|(_, make)| make(manners))
        .ok_or_else(|| Unknown::Strategy {
            name: name.to_owned(),
            known: known().collect::<Vec<_>>().join(", "),
        })
}

impl Strategy for Mix {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, request: &Request, node: &Node) -> Score {
        let scores = self
            .members
            .iter()
            .map(|(weight, member)| (*weight, member.score(request, node)));
        let (mut sum, mut weights, mut tie) = (0, 0, None);
        for (weight, score) in scores {
            sum += u64::from(weight) * u64::from(score.value);
            weights += u64::from(weight);
            // Ties of different strategies are of different kinds, so that only one can count.
            tie.get_or_insert(score.tie);
        }
        Score {
            value: u32::try_from(sum / weights.max(1)).unwrap_or(Score::BEST),
            tie: tie.unwrap_or(0),
        }
    }

    fn plug_ins(&self) -> Vec<&str> {
        let members = self.members.iter();
        members.flat_map(|(_, member)| member.plug_ins()).collect()
    }

    fn uses_load(&self) -> bool {
        self.members.iter().any(|(_, member)| member.uses_load())
    }

    fn class(&self, request: &Request) -> Option<String> {
        let members = self.members.iter();
        let classes = members.map(|(_, member)| member.class(request));
        let classes: Option<Vec<_>> = classes.collect();
        // None holds a line break.
        Some(classes?.join("\n"))
    }

    fn parts(&self, request: &Request, node: &Node) -> Vec<Part> {
        let points = |name: String, value: u32, of| Part {
            name: name.into(),
            value: value.into(),
            decimals: 3,
            unit: "",
            of,
        };
        let member = |(weight, member): &(u32, Box<dyn Strategy>)| {
            let name = format!("{weight} × {}", member.name());
            points(name, member.score(request, node).value, Vec::new())
        };
        let of = self.members.iter().map(member).collect();
        let mixed = points("points".to_owned(), self.score(request, node).value, of);
        let heaviest = self.members.first();
        let decides = heaviest.map(|(_, member)| member.parts(request, node));
        [mixed]
            .into_iter()
            .chain(decides.unwrap_or_default())
            .collect()
    }
}
