//! What an engine says of a call before it looks for the container.

use crate::api::error::Error;
use crate::api::query::Query;
use crate::model::raw::quote;

/// Checks the parameters of a call that ends with `what`, whose container is not there.
///
/// # Errors
/// They are wrong, in the words of 28.5.
pub(super) fn check(what: &str, query: &Query) -> Result<(), Error> {
    let bad = |text: &str| Err(Error::Bad(text.to_owned()));
    match what {
        "logs" if !query.flag("stdout") && !query.flag("stderr") => {
            bad("Bad parameters: you must choose at least one stream")
        }
        // An engine's own spelling.
        "archive" if query.text("path").is_empty() => bad("bad parameter: pathcannot be empty"),
        "rename" if query.text("name").is_empty() => bad("Neither old nor new names may be empty"),
        "resize" => {
            side(query, "h", "height")?;
            side(query, "w", "width")
        }
        "wait" => match query.text("condition") {
            "" | "not-running" | "next-exit" | "removed" => Ok(()),
            other => bad(&format!("invalid condition: {}", quote(other))),
        },
        _ => Ok(()),
    }
}

/// Checks one side of a terminal.
fn side(query: &Query, key: &str, name: &str) -> Result<(), Error> {
    let text = query.text(key);
    let wrong = |_| {
        let text = quote(text);
        Error::Bad(format!("invalid resize {name} {text}: invalid syntax"))
    };
    text.parse::<u32>().map(drop).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_judged_before_the_container() {
        for (what, query, expected) in [
            (
                "logs",
                "",
                "Bad parameters: you must choose at least one stream",
            ),
            ("logs", "stderr=1", ""),
            ("archive", "", "bad parameter: pathcannot be empty"),
            ("archive", "path=/", ""),
            ("rename", "name=", "Neither old nor new names may be empty"),
            (
                "resize",
                "h=x&w=1",
                "invalid resize height \"x\": invalid syntax",
            ),
            ("resize", "h=1", "invalid resize width \"\": invalid syntax"),
            ("resize", "h=1&w=2", ""),
            ("wait", "condition=bogus", "invalid condition: \"bogus\""),
            ("wait", "condition=removed", ""),
            ("json", "", ""),
        ] {
            let told = check(what, &Query::parse(query).unwrap());
            let told = told.err().map(|e| e.to_string()).unwrap_or_default();
            assert_eq!(told, expected, "{what}?{query}");
        }
    }
}
