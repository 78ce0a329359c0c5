//! Flotilla.
pub mod api;
pub mod cli;
pub mod config;
pub mod discovery;
pub mod model;
pub mod net;
pub mod telemetry;

/// Why the proxy ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no proxy so far.
    #[error("the proxy itself is not built yet")]
    NotBuilt,
}

/// Serves until it is told to stop.
///
/// # Errors
/// The proxy cannot start or go on.
pub async fn run(config: config::Config) -> Result<(), RunError> {
    tracing::debug!(?config, "not built yet");
    std::future::ready(Err(RunError::NotBuilt)).await
}
