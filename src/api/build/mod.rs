//! Builds: each on one node, whatever parts it comes in.
//!
//! Three forms (reference: engine API, A6). The classic builder is one call. `BuildKit` driven by the CLI is a session
//! and a build that name each other and come in any order. buildx opens tunnels that say nothing of what is in them, so
//! all tunnels of one client lead to one node: a header may choose it.

mod bases;
mod begun;
mod place;
mod rows;
mod start;
mod tunnel;
mod wish;

pub(super) use start::{build, cancel};
pub(super) use tunnel::{grpc, session};
pub(super) use wish::note;
