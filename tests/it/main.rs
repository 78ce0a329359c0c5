//! Integration tests on real engines.

#![allow(clippy::print_stdout, reason = "shown when a test fails")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod advisors;
mod as_started;
mod bad_input;
mod build_bases;
mod build_header;
mod build_mounts;
mod build_results;
mod builds;
mod chance_names;
mod classic;
mod cli;
mod client_pull;
mod compose;
mod compose_1;
mod copies;
mod devices;
mod differences;
mod drivers;
mod events;
mod faults;
mod filters;
mod first;
mod flags;
mod help;
mod homes;
mod image_choices;
mod image_faults;
mod images;
mod info;
mod lab;
mod layering;
mod left_out;
mod listeners;
mod lost_managers;
mod machines;
mod newcomers;
mod newer;
mod node_header;
mod nodes;
mod overlay;
mod pending;
mod plugins;
mod pods;
mod private_registry;
mod queue;
mod quickstart;
mod races;
mod reads_own_writes;
mod registry_faults;
mod replicas;
mod replicated;
mod restart;
mod routes;
mod schemas;
mod sdk;
mod skips;
mod stores;
mod strategies;
mod suites;
mod swarm_mode;
mod system;
mod taints;
mod terminal_pull;
mod transparency;
mod unheard;
mod upkeep;
mod versions;
mod wire;
mod wishes;
mod workers;
