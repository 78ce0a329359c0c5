//! Networks.

pub(super) mod change;
pub mod list;
pub(super) mod read;
pub(super) mod replicated;
