//! Volumes.

pub mod list;
