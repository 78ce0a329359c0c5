//! Who belongs to the cluster: one back end for each URL scheme reports the complete set of members.
//!
//! Invariant: a back end only publishes sets that it has read completely; what it cannot read changes nothing.
//! Nothing here connects to an engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;

use crate::net;
use crate::net::addr::Addr;

mod file;
mod nodes;
mod range;

/// A back end that reports members.
pub trait Discovery: Debug + Send {
    /// Publishes the complete set at first and then each time it changes; runs until it cannot go on, and the caller
    /// starts it again after a delay. What was published before stays valid meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future ends the watch and loses nothing.
    fn run<'a>(
        &'a mut self,
        members: &'a watch::Sender<BTreeSet<Addr>>,
    ) -> Pin<Box<dyn Future<Output = Error> + Send + 'a>>;
}

/// What applies to every back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How often a back end looks again even when nothing tells it of a change.
    pub heartbeat: Duration,
    /// What `--discovery-opt` says.
    pub options: BTreeMap<String, String>,
}

/// Why members cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No back end has this scheme.
    #[error("discovery service not supported")]
    Unsupported,
    /// The scheme is one of classic's that has no back end so far.
    #[error(
        "discovery with {0}:// is not built yet: list the engines (nodes://host:port,…) or keep them in a file (file:///path)"
    )]
    NotBuilt(&'static str),
    /// An entry has no port.
    #[error(
        "address {0}: missing port in address, please check you are using the correct discovery (missing token:// ?)"
    )]
    MissingPort(String),
    /// An entry cannot be dialled.
    #[error("address {text}: {why}")]
    Address {
        /// The entry.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An entry is no address.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// A range gives no address, or too many.
    #[error("range {text}: {why}")]
    Range {
        /// The entry with the range.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A list is longer than any cluster.
    #[error("more than {} addresses", range::LIMIT)]
    TooMany,
    /// A file cannot be read.
    #[error("discovery file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file has a malformed line.
    #[error("discovery file {}, line {number}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        number: usize,
        /// What is wrong with it.
        source: Box<Self>,
    },
    /// A URL lacks the part that the back end needs.
    #[error("discovery {scheme}:// needs {needed}")]
    Incomplete {
        /// The scheme.
        scheme: &'static str,
        /// What is missing.
        needed: &'static str,
    },
    /// No set was published in time.
    #[error("Timed out")]
    TimedOut,
}

/// Makes a back end from what follows `://`.
type Open = fn(&str, &Options) -> Result<Box<dyn Discovery>, Error>;

/// All schemes that are known; those without a function are not built so far.
const SCHEMES: [(&str, Option<Open>); 7] = [
    ("nodes", Some(nodes::open)),
    ("file", Some(file::open)),
    ("etcd", None),
    ("consul", None),
    ("zk", None),
    ("token", None),
    ("docker+swarm", None),
];

/// Makes the back end of a discovery URL; a text without scheme is a list of engines.
///
/// # Errors
/// The scheme is unknown or not built, or the rest does not fit it.
pub fn open(url: &str, options: &Options) -> Result<Box<dyn Discovery>, Error> {
    let (scheme, rest) = split(url);
    let known = SCHEMES.iter().find(|(name, _)| *name == scheme);
    let (name, open) = known.ok_or(Error::Unsupported)?;
    open.ok_or(Error::NotBuilt(name))?(rest, options)
}

/// Tells whether managers can elect a leader through the store that a discovery URL names.
///
/// # Errors
/// The scheme is unknown.
pub fn elects(url: &str) -> Result<bool, Error> {
    let (scheme, _) = split(url);
    match SCHEMES.iter().any(|(name, _)| *name == scheme) {
        true => Ok(matches!(scheme, "consul" | "etcd" | "zk")),
        false => Err(Error::Unsupported),
    }
}

/// Returns the first set that a back end reports; used by `flotilla list`.
///
/// # Errors
/// The URL is wrong, the back end failed, or nothing came within `timeout`.
pub async fn first(
    url: &str,
    options: &Options,
    timeout: Duration,
) -> Result<BTreeSet<Addr>, Error> {
    let mut back_end = open(url, options)?;
    let (sender, mut receiver) = watch::channel(BTreeSet::new());
    let changed = async {
        let error = tokio::select! {
            biased;
            Ok(()) = receiver.changed() => None,
            error = back_end.run(&sender) => Some(error),
        };
        error.map_or_else(|| Ok(receiver.borrow_and_update().clone()), Err)
    };
    tokio::time::timeout(timeout, changed)
        .await
        .map_err(|_| Error::TimedOut)?
}

/// Separates the scheme from the rest; the schemes of single engines begin a list.
fn split(url: &str) -> (&str, &str) {
    match url.split_once("://") {
        Some(("tcp" | "unix", _)) | None => ("nodes", url),
        // A bare list whose later entry has a scheme: no scheme can hold these characters.
        Some((before, _)) if before.contains([':', ',', '/']) => ("nodes", url),
        Some((scheme, rest)) => (scheme, rest),
    }
}

/// Reads one entry, which may hold a range, and adds its addresses to `members`.
fn add(entry: &str, members: &mut BTreeSet<Addr>) -> Result<(), Error> {
    for text in range::expand(entry)? {
        members.insert(member(&text)?);
    }
    match members.len() > range::LIMIT {
        true => Err(Error::TooMany),
        false => Ok(()),
    }
}

/// Reads the address of one engine.
fn member(text: &str) -> Result<Addr, Error> {
    let wrong = |why| Error::Address {
        text: text.to_owned(),
        why,
    };
    if !text.contains("://") && !text.rsplit(']').next().is_some_and(|r| r.contains(':')) {
        return Err(Error::MissingPort(text.to_owned()));
    }
    let addr = text.parse()?;
    match &addr {
        Addr::Tcp { host, .. } if host.is_empty() => Err(wrong("the host is missing")),
        Addr::Tcp { port: 0, .. } => Err(wrong("the port must be a number from 1 to 65535")),
        Addr::Tcp { .. } | Addr::Unix(_) => Ok(addr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            heartbeat: Duration::from_secs(60),
            options: BTreeMap::new(),
        }
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        for (url, error) in [
            ("gopher://x", "discovery service not supported"),
            (
                "etcd://a:2379/prefix",
                "discovery with etcd:// is not built yet: list the engines (nodes://host:port,…) or keep them in a file (file:///path)",
            ),
            (
                "0123456789abcdef",
                "address 0123456789abcdef: missing port in address, please check you are using the correct discovery (missing token:// ?)",
            ),
            (
                "nodes://",
                "discovery nodes:// needs at least one host:port",
            ),
            ("file://", "discovery file:// needs a path"),
            (":2375", "address :2375: the host is missing"),
            (
                "a:0",
                "address a:0: the port must be a number from 1 to 65535",
            ),
            ("a:b", "a:b: the port must be a number from 1 to 65535"),
            ("a:1,ssh://b:22", "unsupported protocol: \"ssh\""),
        ] {
            let found = open(url, &options()).map(|_| ()).unwrap_err();
            assert_eq!(found.to_string(), error, "{url}");
        }
        for scheme in ["consul", "zk", "token", "docker+swarm"] {
            let found = open(&format!("{scheme}://x"), &options()).unwrap_err();
            assert!(matches!(found, Error::NotBuilt(name) if name == scheme));
        }
    }

    #[tokio::test]
    async fn lists_are_read_in_every_form() {
        for (url, members) in [
            ("nodes://b:2375,a:2375", vec!["a:2375", "b:2375"]),
            ("a:1, b:2,,", vec!["a:1", "b:2"]),
            (
                "tcp://a:1,unix:///run/d.sock",
                vec!["a:1", "unix:///run/d.sock"],
            ),
            ("a:1,unix:///run/d.sock", vec!["a:1", "unix:///run/d.sock"]),
            ("nodes://tcp://a:1", vec!["a:1"]),
            (
                "10.0.0.[9:10]:2375",
                vec!["10.0.0.10:2375", "10.0.0.9:2375"],
            ),
            ("[::1]:2375", vec!["[::1]:2375"]),
        ] {
            let found = first(url, &options(), Duration::from_secs(5))
                .await
                .unwrap();
            let found: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
            let wanted: BTreeSet<String> = members.into_iter().map(str::to_owned).collect();
            assert_eq!(found, wanted, "{url}");
        }
    }
}
