//! Integration tests on real engines.

#![allow(clippy::print_stdout, reason = "shown when a test fails")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod events;
mod faults;
mod first;
mod lab;
mod layering;
mod listeners;
mod races;
mod reads_own_writes;
mod restart;
