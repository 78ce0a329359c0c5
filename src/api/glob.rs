//! Shell patterns as Go's `path.Match` reads them: `*` and `?` stop at slashes.

use regex::Regex;

use super::filters::BadFilter;
use super::pattern::compile;

/// Compiles a shell pattern that must match a whole name.
///
/// # Errors
/// The pattern is broken, in Go's words.
pub fn glob(pattern: &str) -> Result<Regex, BadFilter> {
    let mut expression = String::from("^(?s:");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            '[' => class(&mut chars, &mut expression)?,
            '\\' => literal(chars.next().ok_or(BadFilter::Pattern)?, &mut expression),
            c => literal(c, &mut expression),
        }
    }
    expression.push_str(")$");
    compile(&expression).ok_or(BadFilter::Pattern)
}

/// Appends a character that stands for itself.
fn literal(c: char, expression: &mut String) {
    expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

/// Translates what follows a `[`: an optional `^`, then characters and ranges, then `]`.
fn class(chars: &mut std::str::Chars<'_>, expression: &mut String) -> Result<(), BadFilter> {
    expression.push('[');
    let mut next = chars.next().ok_or(BadFilter::Pattern)?;
    if next == '^' {
        expression.push('^');
        next = chars.next().ok_or(BadFilter::Pattern)?;
    }
    let mut empty = true;
    while next != ']' || empty {
        let first = member(next, chars)?;
        next = chars.next().ok_or(BadFilter::Pattern)?;
        let last = if next == '-' {
            let end = chars.next().ok_or(BadFilter::Pattern)?;
            let last = member(end, chars)?;
            next = chars.next().ok_or(BadFilter::Pattern)?;
            last
        } else {
            first
        };
        // Go takes a backward range for one that matches nothing.
        if first <= last {
            expression.push_str(&format!(
                "\\x{{{:x}}}-\\x{{{:x}}}",
                u32::from(first),
                u32::from(last)
            ));
        }
        empty = false;
    }
    if expression.ends_with(['[', '^']) {
        return Err(BadFilter::Pattern);
    }
    expression.push(']');
    Ok(())
}

/// Reads one character of a class, which may be escaped.
fn member(c: char, chars: &mut std::str::Chars<'_>) -> Result<char, BadFilter> {
    match c {
        '\\' => chars.next().ok_or(BadFilter::Pattern),
        '-' | ']' => Err(BadFilter::Pattern),
        c => Ok(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("busy*", "busybox", true),
            ("busy*", "busybox:latest", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("b?sybox", "busybox", true),
            ("[a-c]usybox", "busybox", true),
            ("[^a-c]usybox", "busybox", false),
            ("a.c", "abc", false),
            ("\\*", "*", true),
            ("a[\\]]", "a]", true),
            ("", "", true),
        ] {
            assert_eq!(
                glob(pattern).unwrap().is_match(name),
                expected,
                "{pattern} {name}"
            );
        }
        for pattern in ["[", "[]", "[a", "[a-]", "a\\", "[-a]"] {
            assert_eq!(
                glob(pattern).unwrap_err().to_string(),
                "syntax error in pattern",
                "{pattern}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_pattern_is_compiled_or_refused(pattern in ".{0,40}", name in ".{0,20}") {
            let _ = glob(&pattern).map(|g| g.is_match(&name));
        }
    }
}
