//! The running Flotilla that a command asks, found as the docker CLI finds its engine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use http::{Method, StatusCode};
use serde_json::Value;

use super::Error;
use crate::engine::{self, Client};
use crate::net::addr::Addr;
use crate::net::dial::Dialer;
use crate::net::tls::{ClientTls, Files};

/// How long a connection may take.
const DIAL: Duration = Duration::from_secs(10);

/// Where the running Flotilla is, and how it is spoken to.
#[derive(Args, Debug)]
pub(super) struct Remote {
    /// The running Flotilla: tcp://HOST:PORT or unix:///PATH
    #[arg(
        long,
        short = 'H',
        global = true,
        env = "DOCKER_HOST",
        hide_env_values = true,
        default_value = "tcp://127.0.0.1:2375"
    )]
    host: String,
    /// Use TLS and check Flotilla's certificate
    #[arg(long, global = true, env = "DOCKER_TLS_VERIFY", hide_env_values = true, value_parser = FalseyValueParser::new())]
    tlsverify: bool,
    /// The folder of ca.pem, cert.pem and key.pem for TLS
    #[arg(
        long,
        global = true,
        env = "DOCKER_CERT_PATH",
        hide_env_values = true,
        value_name = "FOLDER"
    )]
    cert_path: Option<PathBuf>,
}

impl Remote {
    /// Makes the client of the running Flotilla.
    pub(super) fn client(&self) -> Result<Client, Error> {
        let addr: Addr = self.host.parse()?;
        let file = |name: &str| self.cert_path.as_ref().map(|folder| folder.join(name));
        let files = Files {
            ca: file("ca.pem"),
            cert: file("cert.pem"),
            key: file("key.pem"),
        };
        let tls = self.tlsverify.then(|| ClientTls::new(&files, true));
        let dialer = Dialer {
            tls: tls.transpose()?,
            deadline: DIAL,
        };
        Ok(Client::new(addr, dialer))
    }
}

/// Asks one of Flotilla's own endpoints; what it refuses is told in its words.
pub(super) async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<bytes::Bytes>,
    deadline: Duration,
) -> Result<Value, Error> {
    match client.call(method, path, body, deadline).await {
        Ok((_, text)) => {
            let value = serde_json::from_slice(&text);
            value.map_err(|e| Error::Named(format!("{path}: {e}")))
        }
        Err(engine::Error::Status {
            node,
            status,
            message,
        }) if status == StatusCode::NOT_FOUND && message.ends_with("page not found") => {
            Err(Error::Named(format!(
                "{node} is no Flotilla, or one that is older than this command: say where it is with --host or DOCKER_HOST"
            )))
        }
        Err(error) => Err(Error::Named(error.words())),
    }
}
