//! Flotilla.
pub mod api;
pub mod discovery;
pub mod model;
pub mod net;
