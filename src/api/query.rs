//! Query strings, read as an engine's Go form parser reads them.
//!
//! Invariant: unknown keys are kept and never an error; of repeated keys the first counts, as `Form.Get` returns it.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

/// A decoded query string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

/// Why a query cannot be understood; shown to the client as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// A `;` stands unescaped in the query; Go refuses it since 1.17.
    #[error("invalid semicolon separator in query")]
    Semicolon,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("invalid URL escape {}", go_quote(.0))]
    Escape(String),
    /// A value that must be a whole number is not one.
    #[error("strconv.Atoi: parsing {}: invalid syntax", go_quote(.0))]
    NotANumber(String),
    /// A whole number does not fit in 64 bits.
    #[error("strconv.Atoi: parsing {}: value out of range", go_quote(.0))]
    OutOfRange(String),
}

impl Query {
    /// Decodes what stands after the `?` of a request target.
    ///
    /// # Errors
    /// An unescaped `;` or a broken escape, in Go's words (status 400).
    pub fn parse(raw: &str) -> Result<Self, BadQuery> {
        let mut pairs = Vec::new();
        let mut bad = None;
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            if part.contains(';') {
                return Err(BadQuery::Semicolon);
            }
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match (unescape(key), unescape(value)) {
                (Ok(key), Ok(value)) => pairs.push((key, value)),
                // Go reports a semicolon further on rather than this.
                (Err(error), _) | (_, Err(error)) => bad = bad.or(Some(error)),
            }
        }
        bad.map_or(Ok(Self { pairs }), Err)
    }

    /// Tells whether `key` is there, with or without a value.
    pub fn has(&self, key: &str) -> bool {
        self.pairs.iter().any(|(k, _)| k == key)
    }

    /// Returns the first value of `key`; empty when it is absent.
    pub fn text(&self, key: &str) -> &str {
        self.pairs
            .iter()
            .find(|(k, _)| k == key)
            .map_or("", |(_, value)| value)
    }

    /// Walks all values of a key that may be repeated (`names`, `t`).
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    /// Reads a boolean by the engine's rule: false is absent, empty, `0`, `no`, `false` or `none`, whatever the letter
    /// case and the spaces around; anything else is true.
    pub fn flag(&self, key: &str) -> bool {
        !matches!(
            self.text(key).trim().to_lowercase().as_str(),
            "" | "0" | "no" | "false" | "none"
        )
    }

    /// Reads a whole number; `None` when it is absent or empty.
    ///
    /// # Errors
    /// The value is not a whole number, in Go's words.
    pub fn int(&self, key: &str) -> Result<Option<i64>, BadQuery> {
        let text = self.text(key);
        (!text.is_empty()).then(|| atoi(text)).transpose()
    }
}

/// Reads a whole number as Go's `strconv.Atoi` does.
///
/// # Errors
/// Not a number, or not one of 64 bits.
pub fn atoi(text: &str) -> Result<i64, BadQuery> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadQuery::NotANumber(text.to_owned()));
    }
    text.parse()
        .map_err(|_| BadQuery::OutOfRange(text.to_owned()))
}

/// Writes `text` in quotes as Go's `%q` does.
pub fn go_quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Decodes `+` and `%XX`; bytes that are no UTF-8 become U+FFFD.
fn unescape(text: &str) -> Result<String, BadQuery> {
    let bytes = text.as_bytes();
    let broken = bytes.iter().enumerate().find(|(at, byte)| {
        let pair = bytes.get(at + 1..at + 3).unwrap_or_default();
        **byte == b'%' && !(pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit))
    });
    if let Some((at, _)) = broken {
        let shown = &bytes[at..bytes.len().min(at + 3)];
        return Err(BadQuery::Escape(
            String::from_utf8_lossy(shown).into_owned(),
        ));
    }
    let spaced = text.replace('+', " ");
    Ok(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_and_values_are_decoded_and_the_first_counts() {
        let query = Query::parse("a=1+2%203&a=x&&b&c=%7B%22%7D&d=x=y&=z").unwrap();
        assert_eq!(query.text("a"), "1 2 3");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1 2 3", "x"]);
        assert!(query.has("b") && query.text("b").is_empty());
        assert_eq!(query.text("c"), "{\"}");
        assert_eq!(query.text("d"), "x=y");
        assert!(!query.has("e") && query.text("e").is_empty());
    }

    #[test]
    fn booleans_follow_the_engine() {
        for (text, expected) in [
            ("", false),
            ("k", false),
            ("k=", false),
            ("k=0", false),
            ("k=No", false),
            ("k=False", false),
            ("k=+none+", false),
            ("k=1", true),
            ("k=True", true),
            ("k=2", true),
            ("k=off", true),
        ] {
            assert_eq!(Query::parse(text).unwrap().flag("k"), expected, "{text}");
        }
    }

    #[test]
    fn numbers_follow_go() {
        let int = |value: &str| Query::parse(&format!("n={value}")).unwrap().int("n");
        assert_eq!(int(""), Ok(None));
        assert_eq!(int("5"), Ok(Some(5)));
        assert_eq!(int("%2B5"), Ok(Some(5)));
        assert_eq!(int("-1"), Ok(Some(-1)));
        for (value, message) in [
            ("abc", "strconv.Atoi: parsing \"abc\": invalid syntax"),
            ("1_0", "strconv.Atoi: parsing \"1_0\": invalid syntax"),
            ("-", "strconv.Atoi: parsing \"-\": invalid syntax"),
            ("%0A", "strconv.Atoi: parsing \"\\n\": invalid syntax"),
            (
                "99999999999999999999",
                "strconv.Atoi: parsing \"99999999999999999999\": value out of range",
            ),
        ] {
            assert_eq!(int(value).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn broken_queries_are_refused_in_gos_words() {
        for (text, message) in [
            ("a=1;b=2", "invalid semicolon separator in query"),
            ("a=%zz&b;", "invalid semicolon separator in query"),
            ("a=%zz", "invalid URL escape \"%zz\""),
            ("a=%", "invalid URL escape \"%\""),
            ("a=%4", "invalid URL escape \"%4\""),
            ("%4x=1", "invalid URL escape \"%4x\""),
        ] {
            assert_eq!(Query::parse(text).unwrap_err().to_string(), message);
        }
        assert_eq!(Query::parse("a=%3B").unwrap().text("a"), ";");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".*") {
            let _ = Query::parse(&text).map(|q| (q.flag("a"), q.int("a").is_ok()));
        }

        #[test]
        fn what_is_encoded_comes_back(key in "[a-z]{1,8}", value in ".*") {
            let raw = form_urlencoded::Serializer::new(String::new()).append_pair(&key, &value).finish();
            let query = Query::parse(&raw).unwrap();
            prop_assert_eq!(query.text(&key), value);
        }
    }
}
