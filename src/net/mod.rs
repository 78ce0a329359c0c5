//! Bytes: addresses, TLS, dialling and listening with deadlines, the one body type.
//!
//! Invariant: nothing here knows of Docker.

pub mod addr;
pub mod body;
pub mod certs;
pub mod dial;
mod error;
mod failure;
pub mod io;
pub mod listen;
#[cfg(test)]
mod testing;
pub mod tls;

pub use error::Error;
pub use failure::Failure;
