//! The bytes of one request on their way through: forwarded, tunnelled, or many made one.
//!
//! Invariant: a body is never collected here; what was not ours to change passes byte for byte.

pub mod forward;
pub mod headers;
pub mod hijack;
pub mod target;

pub use forward::forward;
