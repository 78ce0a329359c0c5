//! Drivers that an engine has beside those that every engine has.

use std::fmt;

/// What a driver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Logs of containers.
    Log,
    /// Networks.
    Network,
    /// Volumes.
    Volume,
}

impl Kind {
    /// Returns its key in `Plugins` of an engine's `/info`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Log => "Log",
            Self::Network => "Network",
            Self::Volume => "Volume",
        }
    }

    /// Reads the capability that a managed plugin gives: `docker.volumedriver/1.0`.
    pub fn of_capability(text: &str) -> Option<Self> {
        let bare = text.rsplit('.').find(|part| part.contains("driver"))?;
        match bare.split('/').next()? {
            "logdriver" => Some(Self::Log),
            "networkdriver" => Some(Self::Network),
            "volumedriver" => Some(Self::Volume),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Network => "network",
            Self::Volume => "volume",
        })
    }
}

/// One driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// What it is for.
    pub kind: Kind,
    /// Its name; a managed plugin's may end with a tag.
    pub name: String,
}

impl Plugin {
    /// Tells whether this is the driver that a user calls `name`.
    pub fn is_called(&self, kind: Kind, name: &str) -> bool {
        let rest = self.name.strip_prefix(name);
        self.kind == kind && matches!(rest, Some("" | ":latest"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_say_what_a_plugin_is_for() {
        let read = Kind::of_capability;
        assert_eq!(read("docker.volumedriver/1.0"), Some(Kind::Volume));
        assert_eq!(read("docker.logdriver/1.0"), Some(Kind::Log));
        assert_eq!(read("docker.networkdriver/1.0"), Some(Kind::Network));
        assert_eq!(read("docker.authz/1.0"), None);
    }

    #[test]
    fn a_managed_plugin_is_called_with_and_without_its_tag() {
        let plugin = Plugin {
            kind: Kind::Volume,
            name: "vieux/sshfs:latest".to_owned(),
        };
        assert!(plugin.is_called(Kind::Volume, "vieux/sshfs"));
        assert!(plugin.is_called(Kind::Volume, "vieux/sshfs:latest"));
        assert!(!plugin.is_called(Kind::Volume, "vieux/ssh"));
        assert!(!plugin.is_called(Kind::Log, "vieux/sshfs"));
    }
}
