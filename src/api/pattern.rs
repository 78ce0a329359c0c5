//! Values of a filter that are names or regular expressions.

use regex::{Regex, RegexBuilder};

/// The values of one filter, each an exact name or a regular expression that is searched for anywhere in the name.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    restricts: bool,
    exact: Vec<String>,
    regexes: Vec<Regex>,
}

impl Pattern {
    /// Compiles values that match exactly and values that match as regular expressions.
    pub fn new<'a>(
        exact: impl Iterator<Item = &'a str>,
        expressions: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self {
            restricts: true,
            exact: exact.map(str::to_owned).collect(),
            regexes: expressions.filter_map(compile).collect(),
        }
    }

    /// Tells whether any of the values matches, or there are none.
    pub fn matches(&self, source: &str) -> bool {
        !self.restricts
            || self.exact.iter().any(|value| value == source)
            || self.regexes.iter().any(|regex| regex.is_match(source))
    }

    /// Tells whether it says anything about names with a slash inside (`node0/web`).
    ///
    /// A plain word does not: it would find every container of the node it happens to name.
    pub fn looks_inside(&self) -> bool {
        let inside = |text: &str| text.trim_start_matches(['^', '/']).contains('/');
        self.exact.iter().any(|value| inside(value))
            || self.regexes.iter().any(|regex| inside(regex.as_str()))
    }
}

/// Compiles a client's regular expression; a broken one matches nothing, as to an engine.
pub(super) fn compile(text: &str) -> Option<Regex> {
    RegexBuilder::new(text)
        .size_limit(1 << 20)
        .build()
        .inspect_err(|error| tracing::debug!(%error, "unusable pattern in a filter"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_with_a_slash_inside_look_inside() {
        for (text, expected) in [
            ("web", false),
            ("/web", false),
            ("^/web$", false),
            ("^/node0/web$", true),
            ("node0/", true),
        ] {
            let pattern = Pattern::new([text].into_iter(), [text].into_iter());
            assert_eq!(pattern.looks_inside(), expected, "{text}");
        }
    }
}
