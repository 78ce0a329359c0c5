//! Networks.

pub mod list;
