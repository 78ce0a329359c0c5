//! Flotilla: one Docker endpoint for many hosts.

pub mod api;
pub mod cluster;
pub mod engine;
pub mod model;
pub mod net;
pub mod proxy;
pub mod scheduler;
pub mod server;
