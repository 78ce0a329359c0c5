//! The short form of many addresses: `10.0.0.[10:200]:2375`.

use super::Error;

/// How many addresses one list may have.
pub(super) const LIMIT: usize = 65_536;

/// Returns the addresses of an entry; brackets that hold no two numbers are part of the address, as in IPv6.
///
/// # Errors
/// The range runs backwards or has more than [`LIMIT`] addresses.
pub(super) fn expand(entry: &str) -> Result<Vec<String>, Error> {
    let wrong = |why| Error::Range {
        text: entry.to_owned(),
        why,
    };
    let Some((before, from, to, after)) = parts(entry) else {
        return Ok(vec![entry.to_owned()]);
    };
    let count = to
        .checked_sub(from)
        .ok_or_else(|| wrong("it ends before it begins"))?;
    if usize::try_from(count).map_or(true, |count| count >= LIMIT) {
        return Err(wrong("it has more than 65536 addresses"));
    }
    Ok((from..=to)
        .map(|number| format!("{before}{number}{after}"))
        .collect())
}

/// Finds the text before the range, its two ends, and the text after it. A path is never a range.
fn parts(entry: &str) -> Option<(&str, u64, u64, &str)> {
    if entry.starts_with("unix://") {
        return None;
    }
    let (before, rest) = entry.split_once('[')?;
    let (ends, after) = rest.split_once(']')?;
    let (from, to) = ends.split_once(':')?;
    Some((before, from.parse().ok()?, to.parse().ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_expanded_and_other_brackets_are_left() {
        for (entry, all) in [
            (
                "10.0.0.[10:12]:2375",
                "10.0.0.10:2375 10.0.0.11:2375 10.0.0.12:2375",
            ),
            (
                "192.168.1.2:[2:4]375",
                "192.168.1.2:2375 192.168.1.2:3375 192.168.1.2:4375",
            ),
            ("db-[7:7]:1", "db-7:1"),
            ("db-[01:02]:1", "db-1:1 db-2:1"),
            ("[::1]:2375", "[::1]:2375"),
            ("[a:b]:2375", "[a:b]:2375"),
            ("unix:///x[1:2]", "unix:///x[1:2]"),
            ("", ""),
        ] {
            assert_eq!(expand(entry).unwrap().join(" "), all, "{entry}");
        }
        for (entry, error) in [
            ("a[5:4]:1", "range a[5:4]:1: it ends before it begins"),
            (
                "a[0:65536]:1",
                "range a[0:65536]:1: it has more than 65536 addresses",
            ),
            (
                "a[0:18446744073709551615]:1",
                "range a[0:18446744073709551615]:1: it has more than 65536 addresses",
            ),
        ] {
            assert_eq!(expand(entry).unwrap_err().to_string(), error);
        }
        assert_eq!(expand("a[0:65535]:1").unwrap().len(), LIMIT);
    }

    proptest! {
        #[test]
        fn no_text_panics_or_grows_without_bound(text in "[a-z0-9.]{0,4}\\[[0-9]{0,21}:[0-9]{0,21}\\]\\PC{0,8}") {
            if let Ok(all) = expand(&text) {
                prop_assert!(!all.is_empty() && all.len() <= LIMIT);
            }
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}") {
            let _ = expand(&text);
        }
    }
}
