//! The Docker Engine API.

pub mod bad_filter;
pub mod container;
pub mod event_filter;
pub mod filters;
#[cfg(test)]
mod fixture;
pub mod glob;
pub mod image;
pub mod list;
pub mod network;
pub mod pattern;
pub mod query;
pub mod system;
pub mod timestamp;
pub mod volume;
