//! The path of a request: cleaned and decoded as an engine does it, and the API version in front of it.

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::API_TRIED;
use super::error::Error;
use crate::model::ClusterView;

/// The oldest API that we take, as minor number.
pub(super) const OLDEST: u16 = 24;

/// What is encoded in a path that a client is sent to, as Go does it.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// A decoded path and the version that stood before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// The path without the version; starts with `/`.
    pub(super) rest: String,
    /// The version as it was written, `1.41`.
    pub(super) version: Option<String>,
}

/// Decodes a target's path. Engines match decoded paths, and send clients of unclean ones to the clean one.
///
/// # Errors
/// [`Error::Moved`] for `//`, `/./` and `/x/../`, with the query as it came.
pub(super) fn read(target: &Uri) -> Result<Path, Error> {
    let decoded = percent_decode_str(target.path()).decode_utf8_lossy();
    let clean = clean(&decoded);
    if clean != decoded {
        let query = target.query().map(|query| format!("?{query}"));
        let (path, query) = (
            utf8_percent_encode(&clean, IN_PATH),
            query.unwrap_or_default(),
        );
        return Err(Error::Moved(format!("{path}{query}")));
    }
    let decoded = decoded.into_owned();
    let versioned = decoded.strip_prefix("/v").and_then(|rest| {
        let (version, _) = rest.split_once('/')?;
        let digits =
            !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        digits.then(|| version.to_owned())
    });
    Ok(match versioned {
        Some(version) => Path {
            rest: decoded[2 + version.len()..].to_owned(),
            version: Some(version),
        },
        None => Path {
            rest: decoded,
            version: None,
        },
    })
}

/// Returns the newest version that every engine speaks, as minor number. Those that do not answer at the moment count
/// too: a version that moves with every outage is one that clients cannot agree on.
pub(super) fn of_engines(view: &ClusterView) -> u16 {
    let told = view.nodes().iter().map(|n| n.facts.api_max);
    let lowest = told.filter(|max| *max > 0).min();
    lowest.map_or(API_TRIED, |max| max.clamp(OLDEST, API_TRIED))
}

/// Returns the minor number to serve a request at; one without a version is served at 1.`usual`.
///
/// # Errors
/// The version is older than 1.24 or newer than 1.`most`.
pub(super) fn accept(version: Option<&str>, usual: u16, most: u16) -> Result<u16, Error> {
    let Some(asked) = version else {
        return Ok(usual);
    };
    let mut numbers = asked.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) > (1, u32::from(most)) {
        let asked = asked.to_owned();
        return Err(Error::TooNew { asked, most });
    }
    if (major, minor) < (1, u32::from(OLDEST)) {
        let (asked, least) = (asked.to_owned(), OLDEST);
        return Err(Error::TooOld { asked, least });
    }
    Ok(u16::try_from(minor).unwrap_or(most))
}

/// Returns the minor number to serve a request of classic's clients at, which may speak any version.
pub(super) fn any(version: Option<&str>, usual: u16) -> u16 {
    let minor = version.and_then(|v| v.split('.').nth(1)?.parse().ok());
    minor.map_or(usual, |minor: u16| minor.max(OLDEST))
}

/// Takes `//`, `.` and `..` out of a path; a trailing slash stays.
fn clean(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            part => kept.push(part),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if path.ends_with('/') && !kept.is_empty() {
        clean.push('/');
    }
    clean
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::fixture::{down, node, view};
    use crate::model::node::Facts;

    #[test]
    fn paths_are_decoded_before_they_are_matched() {
        for (raw, rest, version) in [
            ("/containers/json", "/containers/json", None),
            ("/v1.41/containers/json", "/containers/json", Some("1.41")),
            (
                "/v%31.41/%63ontainers/json",
                "/containers/json",
                Some("1.41"),
            ),
            ("/v1.41%2fcontainers/json", "/containers/json", Some("1.41")),
            ("/v1.41.0.0/info", "/info", Some("1.41.0.0")),
            ("/volumes/x", "/volumes/x", None),
            ("/V1.41/info", "/V1.41/info", None),
            ("/networks/", "/networks/", None),
        ] {
            let path = read(&raw.parse().unwrap()).unwrap();
            assert_eq!(
                (path.rest.as_str(), path.version.as_deref()),
                (rest, version),
                "{raw}"
            );
        }
    }

    #[test]
    fn unclean_paths_move() {
        for (raw, to) in [
            ("/containers//web/json", "/containers/web/json"),
            ("/containers/%2Fweb/json", "/containers/web/json"),
            ("/a/./b/../c", "/a/c"),
            ("/..//x/", "/x/"),
            ("//json?all=1&x=%7B", "/json?all=1&x=%7B"),
            ("//a%20%2A%21+%3f", "/a%20%2A%21+%3F"),
        ] {
            assert!(
                matches!(read(&raw.parse().unwrap()), Err(Error::Moved(p)) if p == to),
                "{raw}"
            );
        }
    }

    #[test]
    fn versions_outside_the_range_are_refused_in_the_engines_words() {
        assert_eq!(accept(None, 41, 51).unwrap(), 41);
        assert_eq!(accept(Some("1.41.0.0"), 41, 41).unwrap(), 41);
        assert_eq!(accept(Some("01.041"), 41, 41).unwrap(), 41);
        assert_eq!(
            accept(Some("1.99"), 41, 51).unwrap_err().to_string(),
            "client version 1.99 is too new. Maximum supported API version is 1.51"
        );
        assert_eq!(
            accept(Some("1.12"), 51, 51).unwrap_err().to_string(),
            "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
        );
    }

    #[test]
    fn a_version_once_advertised_is_served_when_older_engines_come() {
        assert_eq!(accept(Some("1.51"), 41, 51).unwrap(), 51);
        assert!(accept(Some("1.51"), 41, 41).is_err());
    }

    #[test]
    fn the_oldest_engine_decides_whether_or_not_it_answers() {
        let speaking = |name: &str, api_max| {
            let mut node = node(name);
            node.facts = Arc::new(Facts {
                api_max,
                ..Facts::default()
            });
            node
        };
        let new = || speaking("new", 51);
        assert_eq!(of_engines(&view(vec![new(), speaking("old", 41)])), 41);
        let down = down(speaking("old", 41));
        assert_eq!(of_engines(&view(vec![new(), down])), 41);
        // One that never answered says nothing.
        assert_eq!(of_engines(&view(vec![new(), speaking("silent", 0)])), 51);
        assert_eq!(of_engines(&view(vec![])), API_TRIED);
    }

    #[test]
    fn classic_takes_any_version() {
        for (version, minor) in [
            (None, 40),
            (Some("9.99"), 99),
            (Some("1.12"), 24),
            (Some("1.99999"), 40),
        ] {
            assert_eq!(any(version, 40), minor, "{version:?}");
        }
    }
}
