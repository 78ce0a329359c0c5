//! Containers.

pub mod filter;
pub mod list;
pub mod port_filter;
