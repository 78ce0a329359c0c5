//! What the tests of this folder share: identities of one authority, and two sides that meet.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::Error;
use super::addr::Addr;
use super::certs::{Authority, Existing, Role, Wanted};
use super::dial::Dialer;
use super::io::Io;
use super::listen::{Connected, Listener};
use super::tls::{ClientTls, Files, ServerTls};

/// Asks for a certificate of one day.
pub(super) fn wanted(role: Role, name: &str, hosts: &[&str]) -> Wanted {
    Wanted {
        role,
        name: name.to_owned(),
        hosts: hosts.iter().map(|&h| h.to_owned()).collect(),
        days: 1,
    }
}

/// Makes an authority with a server, an engine and a client; the server answers to `hosts`.
pub(super) fn made(hosts: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::create(directory.path(), 10, Existing::Keep).unwrap();
    for wanted in [
        wanted(Role::Server, "server", hosts),
        wanted(Role::Engine, "engine", hosts),
        wanted(Role::Client, "client", &[]),
    ] {
        authority.issue(&wanted, Existing::Keep).unwrap();
    }
    directory
}

/// Returns the files of one identity.
pub(super) fn files(directory: &Path, name: &str) -> Files {
    let at = |file: &str| Some(directory.join(name).join(file));
    Files {
        ca: at("ca.pem"),
        cert: at("cert.pem"),
        key: at("key.pem"),
    }
}

/// Connects with `client` to a listener with `server`, as `host`; returns both sides' verdicts, the client's first.
pub(super) async fn meet(
    server: &Files,
    client: &Files,
    host: &str,
) -> (Result<Io, Error>, Result<Connected, Error>) {
    let bound = "127.0.0.1:0".parse().unwrap();
    let tls = ServerTls::new(server, true).unwrap();
    let listener = Listener::bind(&bound, Some(tls)).await.unwrap();
    let addr = Addr::Tcp {
        host: host.to_owned(),
        port: port(&listener),
    };
    let dialer = Dialer {
        tls: Some(ClientTls::new(client, true).unwrap()),
        deadline: Duration::from_secs(10),
    };
    let serve = async { listener.accept().await.handshake().await };
    tokio::join!(dialer.connect(&addr), serve)
}

/// Returns the port of a listener on TCP.
pub(super) fn port(listener: &Listener) -> u16 {
    match listener.addr() {
        Addr::Tcp { port, .. } => *port,
        Addr::Unix(path) => panic!("{} is not TCP", path.display()),
    }
}
