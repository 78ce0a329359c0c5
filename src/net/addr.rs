//! Addresses of engines and of listeners.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use super::Error;

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Addr {
    /// A host and a port; an empty host means all interfaces of a listener.
    Tcp {
        /// Host name or IP address, without brackets.
        host: String,
        /// Port number.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Addr {
    /// Tells whether it is reached by TCP, where TLS applies.
    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }

    /// Tells whether only programs on this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }
}

impl FromStr for Addr {
    type Err = Error;

    /// Reads `tcp://host:port`, `host:port`, `:port` or `unix:///path`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Address {
            text: text.to_owned(),
            why,
        };
        let rest = match text.split_once("://") {
            Some(("unix", "")) => return Err(wrong("a unix socket needs a path")),
            Some(("unix", path)) => return Ok(Self::Unix(path.into())),
            Some(("tcp", rest)) => rest,
            Some((protocol, _)) => return Err(Error::Protocol(protocol.to_owned())),
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest
            .rsplit_once(':')
            .ok_or_else(|| wrong("missing port in address"))?;
        let host = read_host(host).map_err(wrong)?.to_owned();
        let port = Some(port)
            .filter(|port| port.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|port| port.parse().ok())
            .ok_or_else(|| wrong("the port must be a number from 1 to 65535"))?;
        Ok(Self::Tcp { host, port })
    }
}

/// Returns a host without its brackets, or what is wrong with it.
fn read_host(text: &str) -> Result<&str, &'static str> {
    let odd = |c: char| c.is_whitespace() || "/@?#[]".contains(c);
    if let Some(inner) = text.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        let ip = inner.split_once('%').map_or(inner, |(ip, _zone)| ip);
        return match ip.parse::<Ipv6Addr>().is_ok() && !inner.contains(odd) {
            true => Ok(inner),
            false => Err("brackets must hold an IPv6 address"),
        };
    }
    if text.contains(odd) {
        return Err("not a host name");
    }
    if text.contains(':') {
        return Err("an IPv6 address needs brackets");
    }
    match is_numeric(text) && text.parse::<Ipv4Addr>().is_err() {
        true => Err("not an IP address: four numbers up to 255, without leading zeros"),
        false => Ok(text),
    }
}

/// Tells whether the system's resolver may read a host as a number: it takes `010.0.0.1` as octal and goes to 8.0.0.1.
fn is_numeric(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || (!last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_in_every_form() {
        for (text, shown) in [
            ("tcp://10.0.0.1:2375", "10.0.0.1:2375"),
            ("db-1:2375", "db-1:2375"),
            (":4000", ":4000"),
            ("tcp://[::1]:2375", "[::1]:2375"),
            ("[fe80::1%eth0]:2375", "[fe80::1%eth0]:2375"),
            ("tcp://10.0.0.1:2375/", "10.0.0.1:2375"),
            ("1.example:80", "1.example:80"),
            ("unix:///run/docker.sock", "unix:///run/docker.sock"),
        ] {
            assert_eq!(text.parse::<Addr>().unwrap().to_string(), shown, "{text}");
        }
        for (text, error) in [
            ("udp://x:1", "unsupported protocol: \"udp\""),
            ("host", "host: missing port in address"),
            ("::1:2375", "::1:2375: an IPv6 address needs brackets"),
            (
                "h:70000",
                "h:70000: the port must be a number from 1 to 65535",
            ),
            ("h:", "h:: the port must be a number from 1 to 65535"),
            ("h:+80", "h:+80: the port must be a number from 1 to 65535"),
            ("a b:1", "a b:1: not a host name"),
            ("[a b]:1", "[a b]:1: brackets must hold an IPv6 address"),
            (
                "[10.0.0.1]:1",
                "[10.0.0.1]:1: brackets must hold an IPv6 address",
            ),
            ("[]:1", "[]:1: brackets must hold an IPv6 address"),
            ("unix://", "unix://: a unix socket needs a path"),
        ] {
            assert_eq!(text.parse::<Addr>().unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn no_number_is_read_in_two_ways() {
        for host in [
            "010.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "1.2.3.256",
            "10.0.0.1.",
            "a.0x1",
        ] {
            let error = format!(
                "{host}:1: not an IP address: four numbers up to 255, without leading zeros"
            );
            let found = format!("{host}:1").parse::<Addr>().unwrap_err();
            assert_eq!(found.to_string(), error);
        }
    }

    #[test]
    fn local_means_that_no_other_machine_reaches_it() {
        for (text, local) in [
            ("127.0.0.1:1", true),
            ("localhost:1", true),
            ("[::1]:1", true),
            ("unix:///x", true),
            (":1", false),
            ("0.0.0.0:1", false),
            ("10.0.0.1:1", false),
        ] {
            assert_eq!(text.parse::<Addr>().unwrap().is_local(), local, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(text in "(tcp://|unix://)?\\[?[a-c:. @%\\PC]{0,9}\\]?:[0-9]{1,6}/?|\\PC{0,40}") {
            if let Ok(addr) = text.parse::<Addr>() {
                prop_assert_eq!(addr.to_string().parse::<Addr>().unwrap(), addr);
            }
        }
    }
}
