//! What users read when an engine cannot be connected to, through real sockets.

use std::fs;
use std::path::Path;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use super::*;
use crate::net::testing::{files, made};
use crate::net::tls::Files;

/// A deadline that only a test of deadlines reaches.
const LONG: Duration = Duration::from_secs(10);

/// Connects and returns what the user is told, and the cause alone, which engines' states show.
async fn told(addr: &Addr, tls: Option<ClientTls>, deadline: Duration) -> (String, String) {
    let error = Dialer { tls, deadline }.connect(addr).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    (error.to_string(), cause)
}

fn loopback(port: u16) -> Addr {
    Addr::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    }
}

#[tokio::test]
async fn the_address_and_the_cause_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let stale = directory.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = loopback(free.local_addr().unwrap().port());
    drop(free);
    for (addr, cause) in [
        (refused, "connection refused"),
        (Addr::Unix(stale), "connection refused"),
        (
            Addr::Unix(directory.path().join("none.sock")),
            "no such socket",
        ),
    ] {
        let told = told(&addr, None, LONG).await;
        let whole = format!("cannot connect to {addr}: {cause}");
        assert_eq!(told, (whole, cause.to_owned()));
    }
}

#[tokio::test]
async fn a_listener_without_tls_is_told_from_a_silent_one() {
    let directory = made(&["127.0.0.1"]);
    let tls = ClientTls::new(&files(directory.path(), "client"), true).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = loopback(listener.local_addr().unwrap().port());
    let deadline = Duration::from_millis(200);
    let (_, silent) = told(&addr, Some(tls.clone()), deadline).await;
    assert_eq!(silent, "timed out after 200ms");

    let plain = async {
        // The first connection is that of the silent listener.
        drop(listener.accept().await.unwrap());
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.read_u8().await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        tcp.write_all(answer).await.unwrap();
        // Held open until the other side has read the answer and gone.
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    };
    let ((_, cause), ()) = tokio::join!(told(&addr, Some(tls), LONG), plain);
    assert_eq!(
        cause,
        "no TLS is spoken there: is it the engine's plain port?"
    );
}

/// Makes a server's certificate of the authority in `directory`, changed by `change`.
fn server(directory: &Path, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Files {
    let read = |file: &str| fs::read_to_string(directory.join("ca").join(file)).unwrap();
    let authority = KeyPair::from_pem(&read("ca-key.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), authority).unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let folder = directory.join(name);
    fs::create_dir(&folder).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    fs::write(folder.join("ca.pem"), read("ca.pem")).unwrap();
    fs::write(folder.join("cert.pem"), certificate).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    files(directory, name)
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told() {
    let directory = made(&["127.0.0.1"]);
    let path = directory.path();
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let ip = |ip: &str| SanType::IpAddress(ip.parse().unwrap());
    for (server, why) in [
        (
            server(path, "nameless", |p| p.subject_alt_names.clear()),
            "it holds no name (subjectAltName), so it is not valid for 127.0.0.1: make it again with that name",
        ),
        (
            server(path, "elsewhere", |p| {
                p.subject_alt_names = vec![dns("db-1"), ip("10.0.0.1"), ip("fd00::1")];
            }),
            "it is not valid for 127.0.0.1, only for db-1, 10.0.0.1, fd00::1",
        ),
        (
            server(path, "expired", |p| {
                p.not_before = date_time_ymd(2020, 1, 1);
                p.not_after = date_time_ymd(2021, 2, 3);
            }),
            "it expired at 2021-02-03T00:00:00Z",
        ),
        (
            server(path, "early", |p| {
                p.not_before = date_time_ymd(2400, 1, 2);
            }),
            "it is not valid before 2400-01-02T00:00:00Z: is a clock wrong?",
        ),
        (
            server(path, "client-only", |p| {
                p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }),
            "its extended key usage does not allow it to be a server's",
        ),
    ] {
        let tls = crate::net::tls::ServerTls::new(&server, false).unwrap();
        let bound = loopback(0);
        let listener = crate::net::listen::Listener::bind(&bound, Some(tls)).await;
        let listener = listener.unwrap();
        let client = ClientTls::new(&files(path, "client"), true).unwrap();
        let serve = async { listener.accept().await.handshake().await };
        let (told, served) = tokio::join!(told(listener.addr(), Some(client), LONG), serve);
        let cause = format!("certificate problem: {why}");
        let whole = format!("cannot connect to {}: {cause}", listener.addr());
        assert_eq!(told, (whole, cause));
        served.unwrap_err();
        // Nothing is checked with --tls alone.
        let dialer = Dialer {
            tls: Some(ClientTls::new(&files(path, "client"), false).unwrap()),
            deadline: LONG,
        };
        let serve = async { listener.accept().await.handshake().await };
        let (dialled, served) = tokio::join!(dialer.connect(listener.addr()), serve);
        dialled.unwrap();
        served.unwrap();
    }
}
