//! Logs on stderr, as text or JSON. Owns the process's one subscriber.

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Each request as well.
    Debug,
    /// Life cycle and all below.
    Info,
    /// What is degraded, and all below.
    Warn,
    /// What someone must act on.
    Error,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging cannot start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A level has no such name.
    #[error("unknown log level \"{0}\": use debug, info, warn, error, fatal or panic")]
    Level(String),
    /// A format has no such name.
    #[error("unknown log format \"{0}\": use text or json")]
    Format(String),
    /// `RUST_LOG` is set and makes no sense.
    #[error("RUST_LOG: {0}")]
    Filter(String),
    /// A second subscriber was started.
    #[error("logging is already running")]
    Running,
}

impl FromStr for Level {
    type Err = Error;

    /// Reads classic's names; its two levels above error are error.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" | "warning" => Ok(Self::Warn),
            "error" | "fatal" | "panic" => Ok(Self::Error),
            _ => Err(Error::Level(text.to_owned())),
        }
    }
}

impl Level {
    /// Returns the directives; libraries are not worth debugging here.
    fn directives(self) -> &'static str {
        match self {
            Self::Debug => "info,flotilla=debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Error::Format(text.to_owned())),
        }
    }
}

/// Starts logging; `RUST_LOG`, if set, decides instead of `level`.
///
/// # Errors
/// `RUST_LOG` makes no sense, or logging already runs.
pub fn start(level: Level, format: Format) -> Result<(), Error> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => {
            EnvFilter::try_new(text).map_err(|e| Error::Filter(e.to_string()))?
        }
        _ => EnvFilter::new(level.directives()),
    };
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        // A closed stderr must not end the process.
        .log_internal_errors(false);
    match format {
        Format::Text => subscriber.try_init(),
        Format::Json => subscriber.json().flatten_event(true).try_init(),
    }
    .map_err(|_| Error::Running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_the_names_of_classic() {
        for (text, level) in [
            ("debug", Ok(Level::Debug)),
            ("info", Ok(Level::Info)),
            ("warn", Ok(Level::Warn)),
            ("error", Ok(Level::Error)),
            ("fatal", Ok(Level::Error)),
            ("panic", Ok(Level::Error)),
            ("loud", Err(Error::Level("loud".to_owned()))),
        ] {
            assert_eq!(text.parse::<Level>(), level, "{text}");
        }
        assert_eq!(
            "loud".parse::<Level>().unwrap_err().to_string(),
            "unknown log level \"loud\": use debug, info, warn, error, fatal or panic"
        );
        assert_eq!(
            "xml".parse::<Format>().unwrap_err().to_string(),
            "unknown log format \"xml\": use text or json"
        );
    }
}
