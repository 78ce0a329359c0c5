//! Images.

pub(super) mod change;
mod details;
pub(super) mod fan_in;
pub mod filter;
mod import;
pub mod list;
pub(super) mod load;
mod merge;
mod missing;
pub(super) mod pull;
pub(super) mod read;
