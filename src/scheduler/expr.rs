//! The language of wishes: `key==value`, `key!=value`, soft with `~`, globs with `*`, regular expressions in `/…/`.
//!
//! The grammar is classic Swarm's. Other than there, a value that is a lone `/` and an expression that is no valid
//! regular expression are refused when they are read, keys may have one letter, `.` in a glob is a dot, and values
//! may hold what image references hold (`@`, `,`, `=`).

use std::fmt;

use regex::{Regex, RegexBuilder};

/// The longest expression that is read, in bytes.
const LENGTH_LIMIT: usize = 4096;
/// The largest program a regular expression may compile to, in bytes.
const PROGRAM_LIMIT: usize = 1 << 20;

/// One wish, parsed.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What is looked at: `node`, a label, `container`, `image`.
    pub key: String,
    /// Whether the value must fit or must not.
    pub operator: Operator,
    /// Whether it is only a preference.
    pub soft: bool,
    pattern: Pattern,
    text: String,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

#[derive(Clone, Debug)]
enum Pattern {
    Literal(String),
    Regex(Regex),
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid expression \"{text}\" at position {position}: {why}")]
pub struct BadExpression {
    /// What was written.
    pub text: String,
    /// The byte where it goes wrong, counted from 1.
    pub position: usize,
    /// What is wrong there.
    pub why: String,
}

impl Expr {
    /// Reads an expression.
    ///
    /// # Errors
    /// Names the text, the position and what is expected there.
    pub fn parse(text: &str) -> Result<Self, BadExpression> {
        let wrong = |position: usize, why: &str| BadExpression::at(text, position, why);
        if text.len() > LENGTH_LIMIT {
            return Err(wrong(LENGTH_LIMIT, "longer than 4096 bytes"));
        }
        // The first `==` wins, then the first `!=`, as classic reads them.
        let (at, operator) = match (text.find("=="), text.find("!=")) {
            (Some(at), _) => (at, Operator::Equal),
            (None, Some(at)) => (at, Operator::NotEqual),
            (None, None) => return Err(wrong(text.len(), "One of operator ==, != is expected")),
        };
        let (key, value) = (&text[..at], &text[at + 2..]);
        check_key(key).map_err(|(position, why)| wrong(position, &why))?;
        let plain = value.trim_start_matches('~');
        let start = text.len() - plain.len();
        if plain.is_empty() {
            return Err(wrong(start, "a value is expected"));
        }
        if let Some(control) = plain.find(|c: char| c.is_control() && c != '\t') {
            return Err(wrong(start + control, "control characters are not allowed"));
        }
        Ok(Self {
            key: key.to_owned(),
            operator,
            soft: plain.len() < value.len(),
            pattern: Pattern::parse(plain).map_err(|why| wrong(start, &why))?,
            text: text.to_owned(),
        })
    }

    /// Tells whether the candidates satisfy the expression: one fits for `==`, none for `!=`.
    pub fn matches<'a>(&self, candidates: impl IntoIterator<Item = &'a str>) -> bool {
        let fits = candidates.into_iter().any(|c| self.pattern.fits(c));
        fits == (self.operator == Operator::Equal)
    }

    /// Returns the only value that fits, unless there are several.
    pub(super) fn literal(&self) -> Option<&str> {
        match &self.pattern {
            Pattern::Literal(value) => Some(value),
            Pattern::Regex(_) => None,
        }
    }

    /// Returns the expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the value as it was written, without the mark of a preference.
    pub fn value(&self) -> &str {
        &self.text[self.value_start()..]
    }

    /// Reads the value of a wish that asks for a number: `key==2`.
    ///
    /// # Errors
    /// The operator is another one, or the value is no whole number from 1.
    pub(super) fn amount(&self) -> Result<u32, BadExpression> {
        self.only_equal()?;
        let amount = self.value().parse().ok().filter(|n| *n > 0);
        amount.ok_or_else(|| self.bad_value("a whole number from 1 is expected"))
    }

    /// Refuses `!=` where it means nothing.
    ///
    /// # Errors
    /// The operator is `!=`.
    pub(super) fn only_equal(&self) -> Result<(), BadExpression> {
        match self.operator {
            Operator::Equal => Ok(()),
            Operator::NotEqual => Err(self.bad(self.key.len(), "== is expected")),
        }
    }

    /// Says what is wrong with the key.
    pub(super) fn bad_key(&self, why: impl Into<String>) -> BadExpression {
        self.bad(0, why)
    }

    /// Says what is wrong with the value.
    pub(super) fn bad_value(&self, why: impl Into<String>) -> BadExpression {
        self.bad(self.value_start(), why)
    }

    /// Says what is wrong with the part of the value that begins so many bytes into it.
    pub(super) fn bad_part(&self, at: usize, why: impl Into<String>) -> BadExpression {
        self.bad(self.value_start() + at, why)
    }

    fn bad(&self, position: usize, why: impl Into<String>) -> BadExpression {
        BadExpression::at(&self.text, position, why)
    }

    fn value_start(&self) -> usize {
        let written = &self.text[self.key.len() + 2..];
        self.text.len() - written.trim_start_matches('~').len()
    }
}

impl BadExpression {
    /// Says what is wrong at a byte of a text, counted from 0.
    fn at(text: &str, position: usize, why: impl Into<String>) -> Self {
        Self {
            text: text.chars().take(200).collect(),
            position: position + 1,
            why: why.into(),
        }
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Keys are a letter or `_`, then letters, digits, `-`, `_`, `.`.
fn check_key(key: &str) -> Result<(), (usize, String)> {
    let first = key
        .chars()
        .next()
        .ok_or_else(|| (0, "a key is expected".to_owned()))?;
    let bad = || format!("Key '{key}' is invalid");
    if !(first.is_ascii_alphabetic() || first == '_') {
        return Err((0, bad()));
    }
    match key.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) {
        Some(at) => Err((at, bad())),
        None => Ok(()),
    }
}

impl Pattern {
    fn parse(value: &str) -> Result<Self, String> {
        if let Some(rest) = value.strip_prefix('/').filter(|_| value.ends_with('/')) {
            let inner = rest.strip_suffix('/').ok_or_else(|| {
                format!(
                    "Value '{value}' is invalid: a regular expression stands between two slashes"
                )
            })?;
            return compile(inner).map(Self::Regex);
        }
        if !value.contains('*') {
            return Ok(Self::Literal(value.to_owned()));
        }
        let parts: Vec<String> = value.split('*').map(regex::escape).collect();
        compile(&format!("(?s)^{}$", parts.join(".*"))).map(Self::Regex)
    }

    fn fits(&self, candidate: &str) -> bool {
        match self {
            Self::Literal(value) => value == candidate,
            Self::Regex(regex) => regex.is_match(candidate),
        }
    }
}

/// Compiles a regular expression within bounds.
fn compile(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(PROGRAM_LIMIT)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
            // The parser draws a picture over several lines; its last says what is wrong.
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                format!(
                    "invalid regular expression: {}",
                    last.trim_start_matches("error: ")
                )
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn documented_expressions_mean_what_classic_says() {
        for (text, candidate, matches) in [
            ("node==node1", "node1", true),
            ("node!=node1", "node1", false),
            ("region!=us*", "us-east", false),
            ("region!=us*", "eu", true),
            ("node==/node[12]/", "node2", true),
            (r"node==/node\d/", "node7", true),
            ("node!=/node-[01]/", "node-1", false),
            (r"node!=/foo\[bar\]/", "foo[bar]", false),
            ("node==/(?i)node1/", "NODE1", true),
            ("image==~redis", "redis", true),
            ("region==~us*", "us", true),
            ("container!=~redis*", "redis-1", false),
            ("com.example.type==frontend", "frontend", true),
            ("image==r:5000/a@sha256:0f", "r:5000/a@sha256:0f", true),
            ("k==a.b", "axb", false),
            ("k==a*b", "a\nb", true),
            ("storage==", "", false),
        ] {
            match Expr::parse(text) {
                Ok(expr) => assert_eq!(expr.matches([candidate]), matches, "{text} on {candidate}"),
                Err(error) => assert_eq!(text, "storage==", "{error}"),
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_position() {
        for (text, message) in [
            (
                "node",
                "invalid expression \"node\" at position 5: One of operator ==, != is expected",
            ),
            (
                "1a==x",
                "invalid expression \"1a==x\" at position 1: Key '1a' is invalid",
            ),
            (
                "a b==x",
                "invalid expression \"a b==x\" at position 2: Key 'a b' is invalid",
            ),
            (
                "node==~",
                "invalid expression \"node==~\" at position 8: a value is expected",
            ),
            (
                "node==/",
                "invalid expression \"node==/\" at position 7: Value '/' is invalid: a regular expression stands between two slashes",
            ),
            (
                "node==/[/",
                "invalid expression \"node==/[/\" at position 7: invalid regular expression: unclosed character class",
            ),
        ] {
            assert_eq!(Expr::parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_missing_value_fits_not_equal_only() {
        assert!(Expr::parse("storage!=ssd").unwrap().matches([""]));
        assert!(!Expr::parse("storage==ssd").unwrap().matches([""]));
        assert!(Expr::parse("storage==*").unwrap().matches([""]));
        assert!(!Expr::parse("storage==*").unwrap().matches([]));
    }

    #[test]
    fn huge_expressions_are_refused() {
        let text = format!("node==/{}/", "(a{1000}){1000}");
        assert!(
            Expr::parse(&text)
                .unwrap_err()
                .to_string()
                .contains("too large")
        );
        assert!(Expr::parse(&format!("a=={}", "x".repeat(5000))).is_err());
    }

    proptest! {
        #[test]
        fn reading_never_fails_hard_and_showing_gives_it_back(text in "\\PC{0,30}") {
            if let Ok(expr) = Expr::parse(&text) {
                prop_assert_eq!(expr.to_string(), text);
                expr.matches(["x", ""]);
            }
        }

        #[test]
        fn words_around_an_operator_are_read(key in "[a-z_][a-z0-9._-]{0,8}", soft in "~?", value in "[a-z0-9*:._-]{1,12}") {
            let text = format!("{key}=={soft}{value}");
            let expr = Expr::parse(&text).unwrap();
            prop_assert_eq!(expr.soft, soft == "~");
            let literal = value.replace('*', "");
            prop_assert!(expr.matches([literal.as_str()]));
        }
    }
}
