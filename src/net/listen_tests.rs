//! Sockets as they are found, shared, left behind and taken.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::testing::{files, made, port};

fn tcp(host: &str, port: u16) -> Addr {
    Addr::Tcp {
        host: host.to_owned(),
        port,
    }
}

/// Returns the file's mode.
fn mode(path: &Path) -> u32 {
    let found = std::fs::symlink_metadata(path).unwrap();
    found.permissions().mode() & 0o777
}

#[tokio::test]
async fn a_port_without_host_is_on_all_interfaces() {
    let listener = Listener::bind(&tcp("", 0), None).await.unwrap();
    let has_ipv6 = TcpListener::bind(("::1", 0)).await.is_ok();
    let hosts = ["127.0.0.1", "::1"];
    for host in hosts.iter().take(1 + usize::from(has_ipv6)) {
        let ip: IpAddr = host.parse().unwrap();
        let client = TcpStream::connect((ip, port(&listener))).await.unwrap();
        let accepted = listener.accept().await;
        assert_eq!(accepted.peer(), client.local_addr().unwrap().to_string());
        let connected = accepted.handshake().await.unwrap();
        assert_eq!(connected.peer(), client.local_addr().unwrap().to_string());
        assert_eq!(connected.subject(), None);
        assert!(matches!(connected.into_io(), Io::Tcp(_)));
    }
    assert!(!listener.addr().is_local());
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let taken = Listener::bind(&tcp("127.0.0.1", 0), None).await.unwrap();
    let error = Listener::bind(taken.addr(), None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on {}: Address already in use (os error 98)",
            taken.addr()
        )
    );
    let all = tcp("", port(&taken));
    let error = Listener::bind(&all, None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {all}: Address already in use (os error 98)")
    );
}

#[test]
fn dockers_own_port_gets_a_hint_when_it_is_taken() {
    let docker = ": is Docker already running on this machine? Try using a different port";
    for (addr, kind, hinted) in [
        (tcp("", 2375), io::ErrorKind::AddrInUse, docker),
        (tcp("", 2375), io::ErrorKind::PermissionDenied, ""),
        (tcp("", 2376), io::ErrorKind::AddrInUse, ""),
        (Addr::Unix("/x".into()), io::ErrorKind::AddrInUse, ""),
    ] {
        assert_eq!(hint(&addr, kind), hinted, "{addr} {kind}");
    }
}

#[tokio::test]
async fn a_socket_is_private_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.sock");
    let addr = Addr::Unix(path.clone());
    let listener = Listener::bind(&addr, None).await.unwrap();
    assert_eq!((listener.addr(), mode(&path)), (&addr, 0o660));
    let mut client = UnixStream::connect(&path).await.unwrap();
    let accepted = listener.accept().await;
    assert_eq!(accepted.peer(), addr.to_string());
    let mut io = accepted.handshake().await.unwrap().into_io();
    client.write_all(b"x").await.unwrap();
    assert_eq!(io.read_u8().await.unwrap(), b'x');
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn only_a_dead_socket_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| Addr::Unix(directory.path().join(name));
    let told = async |addr: &Addr| {
        let error = Listener::bind(addr, None).await.unwrap_err().to_string();
        let start = format!("cannot listen on {addr}: ");
        error.strip_prefix(&start).map(str::to_owned)
    };
    let dead = directory.path().join("dead");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let replaced = Listener::bind(&at("dead"), None).await.unwrap();
    UnixStream::connect(&dead).await.unwrap();
    assert_eq!(
        told(&at("dead")).await.unwrap(),
        "the socket belongs to a program that runs"
    );
    // What was refused has not been touched.
    UnixStream::connect(&dead).await.unwrap();
    drop(replaced);

    let file = directory.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    std::os::unix::fs::symlink(&file, directory.path().join("link")).unwrap();
    for name in ["file", "link"] {
        assert_eq!(
            told(&at(name)).await.unwrap(),
            "the file is not a socket, and is left alone"
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn a_slow_handshake_holds_nobody_up() {
    let directory = made(&["127.0.0.1"]);
    let server = ServerTls::new(&files(directory.path(), "server"), true).unwrap();
    let listener = Listener::bind(&tcp("127.0.0.1", 0), Some(server)).await;
    let listener = listener.unwrap();
    let silent = TcpStream::connect(("127.0.0.1", port(&listener))).await;
    let waiting = listener.accept().await.handshake();
    let tls = tls::ClientTls::new(&files(directory.path(), "client"), true).unwrap();
    let dialer = dial::Dialer {
        tls: Some(tls),
        deadline: HANDSHAKE,
    };
    let serve = async { listener.accept().await.handshake().await };
    let (dialled, served) = tokio::join!(dialer.connect(listener.addr()), serve);
    dialled.unwrap();
    assert_eq!(served.unwrap().subject(), Some("CN=client"));
    // The silent one is still there and is told nothing until its time is over.
    tokio::time::pause();
    let error = waiting.await.unwrap_err();
    assert_eq!(error.to_string(), "no TLS handshake within 10s");
    drop(silent);
}

#[tokio::test]
async fn a_client_without_certificate_or_tls_is_told_of() {
    let directory = made(&["127.0.0.1"]);
    let server = ServerTls::new(&files(directory.path(), "server"), true).unwrap();
    let listener = Listener::bind(&tcp("127.0.0.1", 0), Some(server)).await;
    let listener = listener.unwrap();
    let nobody = tls::Files {
        cert: None,
        key: None,
        ..files(directory.path(), "client")
    };
    let dialer = dial::Dialer {
        tls: Some(tls::ClientTls::new(&nobody, true).unwrap()),
        deadline: HANDSHAKE,
    };
    let serve = async { listener.accept().await.handshake().await };
    let (_, served) = tokio::join!(dialer.connect(listener.addr()), serve);
    assert_eq!(
        served.unwrap_err().to_string(),
        "TLS handshake: peer sent no certificates"
    );
    let mut plain = TcpStream::connect(("127.0.0.1", port(&listener)))
        .await
        .unwrap();
    plain
        .write_all(b"GET /_ping HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let error = listener.accept().await.handshake().await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("TLS handshake: received corrupt message"),
        "{error}"
    );
}
