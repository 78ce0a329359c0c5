//! The short form of many addresses: `10.0.0.[10:200]:2375`.

use super::Error;

/// How many addresses one list may have.
pub(super) const LIMIT: usize = 65_536;
/// How many digits a number may have: a part of a host name has no more characters.
const LONGEST: usize = 63;

/// Returns the addresses of an entry; brackets that hold no two numbers are part of the address, as in IPv6.
///
/// A range that begins with a zero keeps its width: `db-[08:10]` is db-08, db-09 and db-10. Only in the numbers of an IP
/// address zeros in front mean nothing and are dropped.
///
/// # Errors
/// The range runs backwards or has more than [`LIMIT`] addresses, or it is not the only one.
pub(super) fn expand(entry: &str) -> Result<Vec<String>, Error> {
    let wrong = |why| Error::Range {
        text: entry.to_owned(),
        why,
    };
    let Some(Range {
        before,
        from: first,
        to,
        after,
    }) = find(entry)
    else {
        return Ok(vec![entry.to_owned()]);
    };
    if find(after).is_some() {
        return Err(wrong("an address can hold one range only"));
    }
    let too_many = || wrong("it has more than 65536 addresses");
    let from: u64 = first.parse().map_err(|_| too_many())?;
    let to: u64 = to.parse().map_err(|_| too_many())?;
    let count = to
        .checked_sub(from)
        .ok_or_else(|| wrong("it ends before it begins"))?;
    if usize::try_from(count).map_or(true, |count| count >= LIMIT) {
        return Err(too_many());
    }
    if first.len() > LONGEST {
        return Err(wrong("its numbers are too long"));
    }
    let width = match first.starts_with('0') && !is_in_ip(before, after) {
        true => first.len(),
        false => 0,
    };
    Ok((from..=to)
        .map(|number| format!("{before}{number:0width$}{after}"))
        .collect())
}

/// An entry taken apart.
struct Range<'e> {
    before: &'e str,
    from: &'e str,
    to: &'e str,
    after: &'e str,
}

/// Finds the first brackets that hold two numbers. A path is never a range.
fn find(entry: &str) -> Option<Range<'_>> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if entry.starts_with("unix://") {
        return None;
    }
    entry.match_indices('[').find_map(|(at, _)| {
        let (ends, after) = entry[at + 1..].split_once(']')?;
        let (from, to) = ends.split_once(':')?;
        (digits(from) && digits(to)).then_some(Range {
            before: &entry[..at],
            from,
            to,
            after,
        })
    })
}

/// Tells whether a range is part of an IPv4 address, where a number with zeros in front would be octal to some.
fn is_in_ip(before: &str, after: &str) -> bool {
    let numeric = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let before = before.strip_prefix("tcp://").unwrap_or(before);
    let after = after.split(':').next().unwrap_or(after);
    numeric(before) && numeric(after)
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
            ("db-[08:10]:1", "db-08:1 db-09:1 db-10:1"),
            ("db-[0:2]:1", "db-0:1 db-1:1 db-2:1"),
            ("db-[8:010]:1", "db-8:1 db-9:1 db-10:1"),
            ("db-[001:2].eu:1", "db-001.eu:1 db-002.eu:1"),
            (
                "tcp://10.0.0.[009:10]:1",
                "tcp://10.0.0.9:1 tcp://10.0.0.10:1",
            ),
            ("10.0.0.1:[0099:100]", "10.0.0.1:0099 10.0.0.1:0100"),
            ("[fd00::1]:[7:8]", "[fd00::1]:7 [fd00::1]:8"),
            ("[fd00::[7:8]]:1", "[fd00::7]:1 [fd00::8]:1"),
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
            (
                "a[0:99999999999999999999]:1",
                "range a[0:99999999999999999999]:1: it has more than 65536 addresses",
            ),
            (
                "10.0.[1:2].[1:2]:1",
                "range 10.0.[1:2].[1:2]:1: an address can hold one range only",
            ),
        ] {
            assert_eq!(expand(entry).unwrap_err().to_string(), error);
        }
        assert_eq!(expand("a[0:65535]:1").unwrap().len(), LIMIT);
        let long = format!("a[{}1:2]:1", "0".repeat(70_000));
        let error = expand(&long).unwrap_err().to_string();
        assert!(error.ends_with(": its numbers are too long"), "{error}");
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
