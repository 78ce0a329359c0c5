//! The endpoints about the whole: `info`, `version`, `_ping`.

pub mod about;
pub(super) mod any;
pub(super) mod df;
mod df_form;
mod event_form;
pub(super) mod events;
pub mod info;
pub(super) mod local;
pub mod ping;
mod status;
pub mod version;
mod warnings;
