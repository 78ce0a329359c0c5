//! What an engine says of JSON that it cannot read: the words of Go's decoder, as engine 28.5 passes them on.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::raw::Object;

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadJson {
    /// There is nothing to read.
    #[error("got EOF while reading request body")]
    Nothing,
    /// It is no JSON.
    #[error("{0}")]
    Syntax(String),
    /// It is JSON of another type than is wanted there.
    #[error("json: cannot unmarshal {found} into Go {place}")]
    Type {
        /// What it is.
        found: &'static str,
        /// Where it stands, and the type that is wanted.
        place: String,
    },
}

/// Checks that a text starts with a JSON value; what follows that is left alone.
///
/// # Errors
/// It does not.
pub fn check(text: &str) -> Result<(), BadJson> {
    if text.trim_ascii().is_empty() {
        return Err(BadJson::Nothing);
    }
    let mut values = serde_json::Deserializer::from_str(text);
    match IgnoredAny::deserialize(&mut values) {
        Ok(IgnoredAny) => Ok(()),
        Err(error) => Err(BadJson::Syntax(words(text, &error))),
    }
}

/// Reads the object that a checked text starts with; `null` is an empty one. `place` says in Go's words where it is.
///
/// # Errors
/// It is something else.
pub fn object<'a>(text: &'a str, place: &str) -> Result<Object<'a>, BadJson> {
    match kind(text) {
        "null" => Ok(Object::default()),
        "object" => Object::parse_first(text).map_err(|error| BadJson::Syntax(words(text, &error))),
        found => Err(BadJson::Type {
            found,
            place: place.to_owned(),
        }),
    }
}

/// Returns what Go calls the type of a value.
pub fn kind(text: &str) -> &'static str {
    match text.trim_ascii_start().bytes().next() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "bool",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// Says what is wrong in Go's words where those are known, else in our decoder's.
fn words(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected EOF".to_owned();
    }
    let said = error.to_string();
    let what = said.split(" at line ").next().unwrap_or_default();
    let Some(found) = character(text, error) else {
        return said;
    };
    if what == "expected ident" {
        return literal(text, error).unwrap_or(said);
    }
    let place = match what {
        "expected value" => "looking for beginning of value",
        "trailing comma" if found == ']' => "looking for beginning of value",
        "key must be a string" | "trailing comma" => "looking for beginning of object key string",
        "expected `,` or `]`" => "after array element",
        "expected `,` or `}`" => "after object key:value pair",
        "expected `:`" => "after object key",
        "invalid escape" => "in string escape code",
        _ => return said,
    };
    format!("invalid character {} {place}", quoted(found))
}

/// Writes a character as Go quotes it.
fn quoted(character: char) -> String {
    match character {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        other => format!("'{}'", other.escape_default()),
    }
}

/// Says what is wrong in a word that begins as one of JSON's own.
fn literal(text: &str, error: &serde_json::Error) -> Option<String> {
    let line = text.split('\n').nth(error.line().checked_sub(1)?)?;
    let (before, rest) = line.split_at_checked(error.column().checked_sub(1)?)?;
    let other = |c: char| !c.is_ascii_lowercase();
    let begun = &before[before.rfind(other).map_or(0, |at| at + 1)..];
    let words = ["null", "true", "false"].into_iter();
    let word = words.filter(|_| !begun.is_empty());
    let (word, missing) = word
        .filter_map(|word| Some((word, word.strip_prefix(begun)?)))
        .next()?;
    let (found, wanted) = (rest.chars().next()?, missing.chars().next()?);
    let found = quoted(found);
    Some(format!(
        "invalid character {found} in literal {word} (expecting '{wanted}')"
    ))
}

/// Returns the character at which our decoder stopped.
fn character(text: &str, error: &serde_json::Error) -> Option<char> {
    let line = text.split('\n').nth(error.line().checked_sub(1)?)?;
    let rest = line.get(error.column().checked_sub(1)?..)?;
    rest.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_are_told_in_gos_words() {
        for (text, words) in [
            ("", "got EOF while reading request body"),
            (" \n", "got EOF while reading request body"),
            ("[", "unexpected EOF"),
            (r#"{"a":"#, "unexpected EOF"),
            (r#"{"a":"b"#, "unexpected EOF"),
            ("x", "invalid character 'x' looking for beginning of value"),
            (
                "nonsense",
                "invalid character 'o' in literal null (expecting 'u')",
            ),
            (
                "{\"a\": trust}",
                "invalid character 's' in literal true (expecting 'e')",
            ),
            (
                "{\"a\":1,\n\"b\":}",
                "invalid character '}' looking for beginning of value",
            ),
            (
                "{x}",
                "invalid character 'x' looking for beginning of object key string",
            ),
            (
                r#"{"a":1,}"#,
                "invalid character '}' looking for beginning of object key string",
            ),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            (r#"["a" "b"]"#, "invalid character '\"' after array element"),
            (
                r#"{"a":1 'b'}"#,
                r"invalid character '\'' after object key:value pair",
            ),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (
                r#"{"a":"\q"}"#,
                "invalid character 'q' in string escape code",
            ),
        ] {
            assert_eq!(check(text).unwrap_err().to_string(), words, "{text}");
        }
        for good in ["{}", "null", "1 x", r#"{"a":[{}]} x"#] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn another_type_is_named() {
        for (text, found) in [
            ("[]", "array"),
            (r#""x""#, "string"),
            ("true", "bool"),
            ("-1", "number"),
        ] {
            let error = object(text, "struct field .A of type B").unwrap_err();
            let words = format!("json: cannot unmarshal {found} into Go struct field .A of type B");
            assert_eq!(error.to_string(), words);
        }
        assert!(object("null", "").unwrap().is_empty());
        assert_eq!(object(r#"{"a":1} x"#, "").unwrap().len(), 1);
    }
}
