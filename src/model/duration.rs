//! Durations as Go writes them: `1m30s`, `500ms`, `1.5h`.

use std::time::Duration;

/// A length of time with a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    negative: bool,
    length: Duration,
}

/// Why a text is no duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No number where one must be, or too large.
    #[error("invalid duration \"{0}\"")]
    Invalid(String),
    /// A number without unit.
    #[error("missing unit in duration \"{0}\": write 30s, 500ms or 1m30s")]
    NoUnit(String),
    /// A unit that does not exist.
    #[error("unknown unit \"{unit}\" in duration \"{text}\": use ns, us, ms, s, m or h")]
    Unit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// All units with their nanoseconds.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
/// The longest that Go can hold, in nanoseconds.
const LONGEST: u128 = i64::MAX as u128;

impl Span {
    /// Returns the length if it is more than nothing.
    pub fn positive(self) -> Option<Duration> {
        self.not_negative().filter(|length| !length.is_zero())
    }

    /// Returns the length if it is not below nothing.
    pub fn not_negative(self) -> Option<Duration> {
        (!self.negative || self.length.is_zero()).then_some(self.length)
    }
}

impl std::str::FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::Invalid(text.to_owned());
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut nanoseconds: u128 = 0;
        while !rest.is_empty() && rest != "0" {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            let Some(end) = end else {
                return Err(Error::NoUnit(text.to_owned()));
            };
            let (number, after) = rest.split_at(end);
            let end = after
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let known = UNITS.iter().find(|(name, _)| *name == unit);
            let (_, size) = known.ok_or_else(|| Error::Unit {
                unit: unit.to_owned(),
                text: text.to_owned(),
            })?;
            nanoseconds += scaled(number, *size).ok_or_else(invalid)?;
            if nanoseconds > LONGEST {
                return Err(invalid());
            }
            rest = after;
        }
        let nanoseconds = u64::try_from(nanoseconds).map_err(|_| invalid())?;
        Ok(Self {
            negative,
            length: Duration::from_nanos(nanoseconds),
        })
    }
}

/// Multiplies a decimal number by a unit; digits too small to matter are dropped.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u128 = match whole {
        "" => 0,
        digits => digits.parse().ok().filter(|n| *n <= LONGEST)?,
    };
    let fraction = &fraction[..fraction.len().min(18)];
    let parts: u128 = match fraction {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(whole * unit + parts * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("+1s", 1_000),
            ("2000000ns", 2),
            ("1500us", 1),
            ("1500µs", 1),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(
                span.not_negative().unwrap().as_millis(),
                milliseconds,
                "{text}"
            );
        }
        assert_eq!("-1s".parse::<Span>().unwrap().not_negative(), None);
        assert_eq!("-0".parse::<Span>().unwrap().positive(), None);
        for (text, error) in [
            ("", "invalid duration \"\""),
            ("-", "invalid duration \"-\""),
            ("1..5s", "invalid duration \"1..5s\""),
            ("s", "invalid duration \"s\""),
            ("300000000h", "invalid duration \"300000000h\""),
            (
                "30",
                "missing unit in duration \"30\": write 30s, 500ms or 1m30s",
            ),
            (
                "3d",
                "unknown unit \"d\" in duration \"3d\": use ns, us, ms, s, m or h",
            ),
        ] {
            assert_eq!(text.parse::<Span>().unwrap_err().to_string(), error);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-+]?([0-9.]{0,45}(ns|us|ms|s|m|h|\\PC)?){0,3}") {
            let _ = text.parse::<Span>();
        }
    }
}
