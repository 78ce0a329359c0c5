//! What integration tests stand on: the lab of real engines and the clients that people use.

pub(crate) mod caller;
pub(crate) mod clients;
pub(crate) mod flotilla;
pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod hub;
pub(crate) mod images;
pub(crate) mod lab;
pub(crate) mod managed_plugin;
pub(crate) mod plugin;
pub(crate) mod relay;
pub(crate) mod volume_plugin;
