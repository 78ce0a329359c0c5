//! The Docker Engine API.

pub mod bad_filter;
pub mod container;
pub mod event_filter;
pub mod filters;
#[cfg(test)]
mod fixture;
pub mod glob;
pub mod list;
pub mod pattern;
pub mod query;
pub mod system;
pub mod timestamp;
