//! What is true: plain immutable values about engines and the objects on them.
//!
//! Invariant: no async, no input or output, no HTTP. Everything here can be built in a test from literals.

pub mod clock;
pub mod container;
pub mod containers;
pub mod devices;
pub mod duration;
pub mod event;
mod facts;
pub mod go_json;
pub mod host_config;

pub mod entry;
pub mod image;
pub mod load;
pub mod manners;
pub mod network;
pub mod node;
pub mod orders;
pub mod picture;
pub mod platform;
pub mod plugin;
pub mod raw;
pub mod reference;
pub mod resources;
pub mod splice;
pub mod stock;
mod tally;
pub mod units;
pub mod view;
pub mod volume;

pub use container::Container;
pub use containers::Containers;
pub use image::Image;
pub use manners::Manners;
pub use network::Network;
pub use node::{Health, Node};
pub use picture::Picture;
pub use platform::Platform;
pub use plugin::Plugin;
pub use resources::Resources;
pub use stock::Stock;
pub use view::ClusterView;
pub use volume::Volume;

/// Label with the random identity that every container created through Flotilla carries (classic's key).
pub const SWARM_ID_LABEL: &str = "com.docker.swarm.id";
/// Label that lists and inspect show on every container: the name of the node it is on.
pub const NODE_NAME_LABEL: &str = "com.docker.swarm.node.name";
/// Label by which engines mark the container of a service's task.
pub const TASK_LABEL: &str = "com.docker.swarm.task.id";
/// Label by which compose marks all objects of one project.
pub const COMPOSE_PROJECT_LABEL: &str = "com.docker.compose.project";
/// Label by which compose marks the containers of one service.
pub const COMPOSE_SERVICE_LABEL: &str = "com.docker.compose.service";
