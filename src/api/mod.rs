//! The Docker Engine API.

pub mod bad_filter;
pub mod container;
pub mod filters;
#[cfg(test)]
mod fixture;
pub mod list;
pub mod pattern;
pub mod query;
pub mod system;
