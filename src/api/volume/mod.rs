//! Volumes.

pub(super) mod change;
mod everywhere;
pub mod list;
pub(super) mod read;
