//! Times in queries and filters: what engines and the docker CLI take for `since` and `until`.

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::query::{Query, go_quote};

/// Why a time cannot be used; shown to the client as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// Not a time of any form. Engines answer 500.
    #[error("failed to parse value as time or duration: {}", go_quote(.0))]
    Unreadable(String),
    /// `until` is before `since`.
    #[error("`since` time ({since}) cannot be after `until` time ({until})")]
    Backwards {
        /// The text of `since`.
        since: String,
        /// The text of `until`.
        until: String,
    },
}

/// The time in which events are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// From when; only new events when absent.
    pub since: Option<Timestamp>,
    /// Until when; without end when absent.
    pub until: Option<Timestamp>,
}

impl Window {
    /// Reads `since` and `until` of a query.
    ///
    /// # Errors
    /// One of them is no time, or they are the wrong way round.
    pub fn parse(query: &Query, now: Timestamp) -> Result<Self, BadTime> {
        let read = |key: &str| {
            let text = query.text(key);
            // To an engine -1 is "not given".
            (!matches!(text, "" | "-1"))
                .then(|| parse(text, now))
                .transpose()
        };
        let window = Self {
            since: read("since")?,
            until: read("until")?,
        };
        match (window.since, window.until) {
            (Some(since), Some(until)) if until < since => Err(BadTime::Backwards {
                since: query.text("since").to_owned(),
                until: query.text("until").to_owned(),
            }),
            _ => Ok(window),
        }
    }
}

/// Reads a time: Unix seconds with or without a fraction, RFC 3339 (UTC without a zone; the time of day may be cut short
/// or left out), or a Go duration before `now`.
///
/// # Errors
/// The text is none of these.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, BadTime> {
    let read = unix(text)
        .or_else(|| ago(text, now))
        .or_else(|| text.parse().ok())
        .or_else(|| {
            let local: DateTime = text.parse().ok()?;
            TimeZone::UTC.to_timestamp(local).ok()
        });
    read.ok_or_else(|| BadTime::Unreadable(text.to_owned()))
}

/// Reads `1136073600.000000001`; further digits are cut off.
fn unix(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = &fraction[..fraction.len().min(9)];
    let scale = 10_i32.pow(9 - u32::try_from(digits.len()).ok()?);
    Timestamp::new(seconds.parse().ok()?, digits.parse::<i32>().ok()? * scale).ok()
}

/// Reads a Go duration as a time before `now`; a negative one is after it.
fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (duration, ahead) = match text.strip_prefix('-') {
        Some(rest) => (go_duration(rest)?, true),
        None => (go_duration(text.strip_prefix('+').unwrap_or(text))?, false),
    };
    if ahead {
        now.checked_add(duration).ok()
    } else {
        now.checked_sub(duration).ok()
    }
}

/// Reads a duration without sign as Go writes it: `1h30m`, `1.5s`, `250ms`.
pub fn go_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let number: f64 = number.parse().ok()?;
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = next;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::fixture::now;

    #[test]
    fn times_are_read_in_all_forms() {
        for (text, expected) in [
            ("0", "1970-01-01T00:00:00Z"),
            ("1795485343", "2026-11-24T01:55:43Z"),
            ("1.5", "1970-01-01T00:00:01.5Z"),
            ("1.000000001", "1970-01-01T00:00:01.000000001Z"),
            ("1.0000000019", "1970-01-01T00:00:01.000000001Z"),
            ("10m", "2026-11-24T11:50:00Z"),
            ("1h30m0.5s", "2026-11-24T10:29:59.5Z"),
            ("-10m", "2026-11-24T12:10:00Z"),
            ("2026-11-24T01:02:03Z", "2026-11-24T01:02:03Z"),
            ("2026-11-24T01:02:03.25+01:00", "2026-11-24T00:02:03.25Z"),
            ("2026-11-24T01:02:03", "2026-11-24T01:02:03Z"),
            ("2026-11-24T01:02", "2026-11-24T01:02:00Z"),
            ("2026-11-24", "2026-11-24T00:00:00Z"),
        ] {
            assert_eq!(
                parse(text, now()).map(|t| t.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
        for text in ["", "abc", "1.x", "1.", ".5", "5 m", "1y", "2026-13-01"] {
            assert_eq!(
                parse(text, now()).unwrap_err().to_string(),
                format!("failed to parse value as time or duration: \"{text}\"")
            );
        }
    }

    #[test]
    fn windows_must_be_the_right_way_round() {
        let window = |text: &str| Window::parse(&Query::parse(text).unwrap(), now());
        assert_eq!(window(""), Ok(Window::default()));
        assert_eq!(window("since=-1"), Ok(Window::default()));
        assert_eq!(
            window("since=1&until=1").map(|w| w.since == w.until),
            Ok(true)
        );
        assert_eq!(
            window("since=2&until=1").unwrap_err().to_string(),
            "`since` time (2) cannot be after `until` time (1)"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = parse(&text, now());
        }

        #[test]
        fn any_number_is_read_or_refused(text in "-?[0-9]{1,25}(\\.[0-9]{1,12})?(ns|us|ms|s|m|h)?") {
            let _ = parse(&text, now());
        }
    }
}
