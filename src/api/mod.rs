//! The Docker Engine API.

pub mod bad_filter;
pub mod filters;
pub mod pattern;
pub mod query;
