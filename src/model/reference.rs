//! What a well-formed image name is, and what engines (28.5) say of one that is not.
//!
//! Source: github.com/distribution/reference, `ParseAnyReference` and the grammar in its package comment.

use std::sync::LazyLock;

use regex::Regex;

/// What Docker Hub calls itself in a name.
const HUB: &str = "docker.io";
/// The longest repository name with its domain.
const LONGEST: usize = 255;

/// A name as engines take it apart: domain and path, tag, digest.
static GRAMMAR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    let domain = format!(r"(?:{label}(?:\.{label})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?");
    let part = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
    let tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
    let digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
    let name = format!("(?:{domain}/)?{part}(?:/{part})*");
    Regex::new(&format!("^({name})(?::({tag}))?(?:@({digest}))?$")).ok()
});

/// Why a text is no name of an image, in the engine's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReference {
    /// It is not of the grammar.
    #[error("invalid reference format")]
    Format,
    /// Its repository has capitals.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Capitals(String),
    /// Its repository is too long.
    #[error("repository name must not be more than {LONGEST} characters")]
    TooLong,
}

/// Checks what a user calls an image: a name with or without domain, tag and digest, or 64 digits of an ID.
///
/// # Errors
/// It is none.
pub fn check(text: &str) -> Result<(), BadReference> {
    if is_whole_id(text) {
        return Ok(());
    }
    let (domain, remainder) = split_domain(text);
    let repository = remainder.split(':').next().unwrap_or_default();
    if repository.to_lowercase() != repository {
        return Err(BadReference::Capitals(repository.to_owned()));
    }
    let full = format!("{domain}/{remainder}");
    let grammar = GRAMMAR.as_ref().ok_or(BadReference::Format)?;
    let parts = grammar.captures(&full).ok_or(BadReference::Format)?;
    match parts.get(1) {
        Some(name) if name.len() > LONGEST => Err(BadReference::TooLong),
        _ => Ok(()),
    }
}

/// Tells whether a text is all 64 digits of an ID, without `sha256:`.
pub fn is_whole_id(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 64 && text.bytes().all(digit)
}

/// Takes the domain off a name and writes Docker Hub's in full.
fn split_domain(text: &str) -> (&str, String) {
    let official = |rest: &str| match rest.contains('/') {
        true => rest.to_owned(),
        false => format!("library/{rest}"),
    };
    match text.split_once('/') {
        Some((HUB | "index.docker.io", rest)) => (HUB, official(rest)),
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':'])
                || first.to_lowercase() != first =>
        {
            (first, rest.to_owned())
        }
        _ => (HUB, official(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_or_refused_as_by_engine_28_5() {
        let id = "0123456789".repeat(6) + "abcd";
        let digest = format!("x@sha256:{id}");
        for good in [
            "busybox",
            "UP/low:1",
            "Foo.com/x",
            "sha256:abc",
            "reg:5000/a/b:V1",
            "localhost/a__b-c.d",
            "[::1]:5000/a",
            &id,
            &digest,
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let format = "invalid reference format".to_owned();
        let capitals = |name: &str| format!("{format}: repository name ({name}) must be lowercase");
        for (bad, words) in [
            ("FOO", capitals("library/FOO")),
            ("docker.io/a/FOO:1", capitals("a/FOO")),
            ("localhost:5000/UP", capitals("UP")),
            (&format!("UP@sha256:{id}"), capitals("library/UP@sha256")),
            ("a b", format.clone()),
            ("foo:bar:baz", format.clone()),
            ("-x", format.clone()),
            ("x:", format.clone()),
            ("x@sha256:01", format.clone()),
            ("", format.clone()),
            (
                &"a".repeat(300),
                "repository name must not be more than 255 characters".to_owned(),
            ),
        ] {
            assert_eq!(check(bad).unwrap_err().to_string(), words, "{bad}");
        }
    }
}
