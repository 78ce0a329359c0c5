//! Flotilla.
pub mod model;
