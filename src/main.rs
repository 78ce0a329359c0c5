//! The program; its command line is being built.
#![allow(clippy::unwrap_used)]
use flotilla::*;
use std::sync::Arc;
use std::time::Duration;
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    // manage --host HOST ... DISCOVERY, until the command line is built.
    let args: Vec<String> = std::env::args().skip(3).collect();
    let args = [args[0].clone(), args[args.len() - 1].clone()];
    let addrs = args[1].split(',').map(|a| a.parse().unwrap()).collect();
    let (_d, discovered) = tokio::sync::watch::channel(addrs);
    let (events, _) = tokio::sync::broadcast::channel(10_000);
    let (publish, members) = tokio::sync::watch::channel(Arc::default());
    let w = cluster::members::Watch {
        dialer: net::dial::Dialer {
            tls: None,
            deadline: Duration::from_secs(3),
        },
        settings: engine::Settings::default(),
        events: events.clone(),
    };
    tokio::spawn(cluster::members::run(discovered, w, publish));
    let c = cluster::Cluster::new(
        members,
        scheduler::Scheduler::new("spread", None).unwrap(),
        events,
    );
    let api = api::Api::new(
        c,
        api::Settings {
            advertise: None,
            cors: false,
            images_everywhere: None,
        },
    );
    let l = net::listen::Listener::bind(&args[0].parse().unwrap(), None)
        .await
        .unwrap();
    tracing::info!(addr = %l.addr(), "listening");
    server::serve(vec![l], api, tokio_util::sync::CancellationToken::new()).await;
}
