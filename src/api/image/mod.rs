//! Images.

pub mod filter;
pub mod list;
mod merge;
