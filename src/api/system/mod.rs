//! The endpoints about the whole: `info`, `version`, `_ping`.

pub mod about;
pub mod info;
pub mod ping;
mod status;
mod units;
pub mod version;
mod warnings;
