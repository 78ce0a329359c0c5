//! Bytes: addresses, TLS, dialling and listening with deadlines, the one body type.
//!
//! Invariant: nothing here knows of Docker.

pub mod addr;
pub mod body;
pub mod certs;
pub mod dial;
mod error;
pub mod io;
pub mod listen;
pub mod tls;

pub use error::Error;
