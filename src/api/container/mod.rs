//! Containers.

mod asked;
pub(super) mod create;
pub mod filter;
pub mod list;
pub(super) mod owner;
pub mod port_filter;
pub(super) mod read;
pub(super) mod rename;
