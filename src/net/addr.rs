//! Addresses of engines and of listeners.

use std::fmt;
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
    /// Tells whether only programs on this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost"
                    || host
                        .parse::<std::net::IpAddr>()
                        .is_ok_and(|ip| ip.is_loopback())
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
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if bracketed.is_none() && host.contains(':') {
            return Err(wrong("an IPv6 address needs brackets"));
        }
        let port: u16 = port
            .parse()
            .map_err(|_| wrong("the port must be a number from 1 to 65535"))?;
        if bracketed.is_none() && host.contains(|c: char| c.is_whitespace() || "/@?#[]".contains(c))
        {
            return Err(wrong("not a host name"));
        }
        Ok(Self::Tcp {
            host: bracketed.unwrap_or(host).to_owned(),
            port,
        })
    }
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
            ("unix://", "unix://: a unix socket needs a path"),
        ] {
            assert_eq!(text.parse::<Addr>().unwrap_err().to_string(), error);
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
        fn what_is_shown_is_read_again(text in "\\PC{0,40}") {
            if let Ok(addr) = text.parse::<Addr>() {
                prop_assert_eq!(addr.to_string().parse::<Addr>().unwrap(), addr);
            }
        }
    }
}
