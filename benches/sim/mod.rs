//! A simulator of engines: one process that answers as thousands of them, each on a loopback address of its own.
//!
//! It is faithful enough for the docker CLI (`version`, `info`, `ps`, `inspect`, `create`, `start`, `rm`, `exec`, `logs`,
//! `events`), and answers at once unless it is told otherwise: see `engine::Ill`. What it holds is the truth that a run is
//! checked against.

mod documents;
mod engine;
mod serve;

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;

pub(crate) use engine::Engine;

/// The port of every engine.
pub(crate) const PORT: u16 = 2375;

/// Returns the address of an engine.
pub(crate) fn address(index: usize) -> String {
    let ip =
        Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 64, 0, 1)) + u32::try_from(index).unwrap());
    format!("{ip}:{PORT}")
}

/// Starts so many engines with so many containers each, and serves them until the process ends. A door at `control`
/// takes orders: `POST /engines/N?ill=hung|well|late:MILLISECONDS`, `GET /truth` for all IDs, `POST /churn?rate=N` for as
/// many starts and stops a second over all engines.
pub(crate) async fn run(engines: usize, containers: usize, control: &str) {
    let all: Arc<[Arc<Engine>]> = (0..engines)
        .map(|index| Arc::new(Engine::new(index, containers)))
        .collect();
    for engine in all.iter() {
        let listener = TcpListener::bind(address(engine.index())).await.unwrap();
        tokio::spawn(serve::engine(listener, Arc::clone(engine)));
    }
    let listener = TcpListener::bind(control).await.unwrap();
    serve::control(listener, all).await;
}
