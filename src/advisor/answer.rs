//! What plug-ins answer, checked: points and refusals, of the nodes that were asked about and of no others.

use std::sync::Arc;

use serde_json::Value;

use super::Error;
use super::question::{COLUMNS, Question};
use crate::scheduler::Score;
use crate::scheduler::advice::{Opinion, Opinions};

/// The most characters of a refusal that are kept.
const REASON: usize = 200;
/// The points of the best node.
const BEST: f64 = 100.0;

/// Reads an object: for each node's `id` the points, from 0 to 100, or the reason of a refusal.
pub(super) fn read(answer: Value, question: &Question) -> Result<Opinions, Error> {
    let Value::Object(answer) = answer else {
        return Err(wrong("is no object of nodes"));
    };
    let keys: std::collections::HashSet<&str> = question.keys.iter().map(|k| &**k).collect();
    let read = |(id, said): (String, Value)| {
        if !keys.contains(id.as_str()) {
            return Err(wrong(format!("names {id:?}, which it was not asked about")));
        }
        let opinion = match said {
            Value::String(why) => Opinion::Refused(why.chars().take(REASON).collect()),
            Value::Number(points) => score(points.as_f64().unwrap_or(f64::NAN), &id)?,
            _ => return Err(wrong(format!("says neither points nor a reason of {id}"))),
        };
        Ok((id.into(), opinion))
    };
    answer.into_iter().map(read).collect()
}

/// Reads a table's first column: points, or a number below 0 for a refusal.
pub(super) fn read_table(table: &[[f64; COLUMNS]], question: &Question) -> Result<Opinions, Error> {
    let rows = question.keys.iter().zip(table);
    let read = |(key, row): (&Arc<str>, &[f64; COLUMNS])| {
        let opinion = match row[0] {
            refused if refused < 0.0 => Opinion::Refused(format!("answered {refused}")),
            points => score(points, key)?,
        };
        Ok((Arc::clone(key), opinion))
    };
    rows.map(read).collect()
}

/// Reads points.
fn score(points: f64, id: &str) -> Result<Opinion, Error> {
    if !(0.0..=BEST).contains(&points) {
        return Err(wrong(format!("gives {id} {points} points, not 0 to 100")));
    }
    Ok(Opinion::Score(
        (points / BEST * f64::from(Score::BEST)).round() as u32,
    ))
}

fn wrong(what: impl Into<String>) -> Error {
    Error::Wrong(what.into())
}
