//! What programs a machine runs, in the words of image references: `linux/arm64/v8`.

use std::fmt;

/// An operating system and an architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `windows`; empty when a user did not say.
    os: String,
    /// `amd64`, `arm64`, `arm`; empty when a user did not say.
    architecture: String,
    /// `v7`; empty for the architecture's usual one.
    variant: String,
}

impl Platform {
    /// Reads what `--platform` takes: `os`, `architecture`, `os/architecture` or `os/architecture/variant`. `None` when
    /// it is none of them, which is the engine's to refuse.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.split('/').map(str::to_ascii_lowercase).collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [one] if OPERATING_SYSTEMS.contains(&without_version(one)) => (one.as_str(), "", ""),
            [one] => ("", one.as_str(), ""),
            [os, architecture] => (os.as_str(), architecture.as_str(), ""),
            [os, architecture, variant] => (os.as_str(), architecture.as_str(), variant.as_str()),
            _ => return None,
        };
        let word = |part: &str| {
            part.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        let os = without_version(os);
        if text.is_empty() || !(word(os) && word(architecture) && word(variant)) {
            return None;
        }
        Some(Self::new(os, architecture, variant))
    }

    /// Reads an engine's `/info`; `None` as long as it is not known.
    pub fn of_engine(info: &serde_json::Value) -> Option<Self> {
        let text = |key: &str| info[key].as_str().filter(|text| !text.is_empty());
        let (os, machine) = (text("OSType")?, text("Architecture")?);
        Some(Self::new(os, &machine.to_ascii_lowercase(), ""))
    }

    /// Names it as images do, whatever the machine calls itself (containerd's rules of normal form).
    fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "x86-64", _) => ("amd64", ""),
            ("i386" | "i486" | "i586" | "i686", _) => ("386", ""),
            ("amd64", "v1") => ("amd64", ""),
            ("aarch64" | "arm64", "" | "8" | "v8") => ("arm64", ""),
            ("armv8l" | "armv7l" | "armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armv6l" | "armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            other => other,
        };
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        }
    }

    /// Tells whether a machine of this platform runs what is made for `wanted` by itself, without emulation.
    pub fn runs(&self, wanted: &Self) -> bool {
        let os = wanted.os.is_empty() || wanted.os == self.os;
        let same = wanted.architecture == self.architecture && self.has_variant(&wanted.variant);
        // What containerd tries on these machines as well; of arm64 the 32 bits are part of most, and of all v8 before v9.
        let both = (self.architecture.as_str(), wanted.architecture.as_str());
        let older = matches!(both, ("amd64", "386") | ("arm64", "arm"));
        os && (wanted.architecture.is_empty() || same || older)
    }

    /// Tells whether a machine has a variant of its architecture; which one it is, `/info` tells of arm alone.
    fn has_variant(&self, wanted: &str) -> bool {
        self.architecture != "arm" || wanted.is_empty() || wanted <= self.variant.as_str()
    }
}

/// The words that, standing alone, are an operating system; all others are an architecture.
const OPERATING_SYSTEMS: [&str; 5] = ["linux", "windows", "freebsd", "darwin", "netbsd"];

/// Returns an operating system without the version that Windows images name: `windows(10.0.17763)`.
fn without_version(os: &str) -> &str {
    os.split_once('(').map_or(os, |(os, _)| os)
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.os, &self.architecture, &self.variant];
        let said: Vec<&str> = (parts.into_iter().map(String::as_str))
            .filter(|part| !part.is_empty())
            .collect();
        f.write_str(&said.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(machine: &str) -> Platform {
        Platform::of_engine(&serde_json::json!({"OSType": "linux", "Architecture": machine}))
            .unwrap()
    }

    #[test]
    fn machines_run_what_is_made_for_them_and_what_they_grew_from() {
        for (machine, wanted, runs) in [
            ("x86_64", "linux/amd64", true),
            ("x86_64", "linux", true),
            ("x86_64", "amd64", true),
            ("x86_64", "Linux/X86_64", true),
            ("x86_64", "linux/amd64/v3", true),
            ("x86_64", "linux/386", true),
            ("x86_64", "linux/arm64", false),
            ("x86_64", "windows/amd64", false),
            ("x86_64", "windows(10.0.17763)", false),
            ("i686", "linux/amd64", false),
            ("i686", "linux/386", true),
            ("aarch64", "linux/arm64/v8", true),
            ("aarch64", "linux/arm/v7", true),
            ("aarch64", "linux/amd64", false),
            ("armv6l", "linux/arm/v6", true),
            ("armv6l", "linux/arm", false),
            ("armv7l", "linux/arm/v6", true),
            ("s390x", "linux/s390x", true),
        ] {
            let wanted = Platform::parse(wanted).unwrap();
            assert_eq!(engine(machine).runs(&wanted), runs, "{machine} {wanted}");
        }
    }

    #[test]
    fn what_is_no_platform_is_left_to_the_engine() {
        for text in ["", "a/b/c/d", "linux/am d64", "linux/\u{e9}"] {
            assert_eq!(Platform::parse(text), None, "{text}");
        }
        assert_eq!(Platform::of_engine(&serde_json::json!({})), None);
        assert_eq!(
            Platform::parse("linux/aarch64").unwrap().to_string(),
            "linux/arm64"
        );
    }
}
