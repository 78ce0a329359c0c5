//! Certificates made here, used through real sockets; and what is said about files that do not do.

use std::os::unix::fs::PermissionsExt;

use super::{Authority, Error, Existing, Role};
use crate::net::testing::{files, made, meet, wanted};
use crate::net::tls::{ClientTls, Files, ServerTls};

/// An X.509 v1 certificate, as `openssl x509 -req` of version 3.0 makes without extensions.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBFjCBvQIUCT9y+cA8V2+Rlq+BYxLKulXrmD0wCgYIKoZIzj0EAwIwDTELMAkG
A1UEAwwCdjEwIBcNMjYxMTI0MDI0NDA5WhgPMjEyNjEwMzEwMjQ0MDlaMA0xCzAJ
BgNVBAMMAnYxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEGrsZFZH/eNLfPAt
X+QhnggczHFL20KWQA6podFHBJUz2oJZ909UMNRBXY0cUvMvjfXZiujTcPpEjltv
/xq+FTAKBggqhkjOPQQDAgNIADBFAiAxbjYc1/eXWpXdyAzpvn2Qubk1r107JBnF
1svveBPedgIhAKK+v9nTn/N/GDPQG5zUpJm3dYOD41K+S+zwkEZ335ul
-----END CERTIFICATE-----
";

#[tokio::test]
async fn both_sides_of_one_authority_trust_each_other() {
    let directory = made(&["127.0.0.1", "localhost"]);
    let server = files(directory.path(), "server");
    for host in ["127.0.0.1", "localhost"] {
        let client = files(directory.path(), "client");
        let (dialled, served) = meet(&server, &client, host).await;
        dialled.unwrap();
        assert_eq!(served.unwrap().subject(), Some("CN=client"), "{host}");
    }
    // Flotilla itself is a client of engines, with the certificate that it shows as a server.
    let engine = files(directory.path(), "engine");
    let (dialled, served) = meet(&engine, &server, "127.0.0.1").await;
    dialled.unwrap();
    assert_eq!(served.unwrap().subject(), Some("CN=server"));
}

#[tokio::test]
async fn a_stranger_and_a_wrong_name_are_refused() {
    let (ours, theirs) = (made(&["127.0.0.1"]), made(&["127.0.0.1"]));
    let server = files(ours.path(), "server");
    let (dialled, served) = meet(&server, &files(theirs.path(), "client"), "127.0.0.1").await;
    let error = dialled.unwrap_err().to_string();
    assert!(
        error.ends_with(
            ": certificate problem: it was signed by an authority that --tlscacert does not hold"
        ),
        "{error}"
    );
    served.unwrap_err();
    // A client that trusts the server, with a certificate of another authority.
    let mut mixed = files(theirs.path(), "client");
    mixed.ca.clone_from(&server.ca);
    let (_, served) = meet(&server, &mixed, "127.0.0.1").await;
    served.unwrap_err();
    let (dialled, _) = meet(&server, &files(ours.path(), "client"), "localhost").await;
    let error = dialled.unwrap_err().to_string();
    assert!(
        error.ends_with(": certificate problem: it is not valid for localhost, only for 127.0.0.1"),
        "{error}"
    );
}

#[test]
fn files_are_private_and_kept() {
    let directory = made(&["a"]);
    for (file, mode) in [
        ("ca/ca-key.pem", 0o600),
        ("server/key.pem", 0o600),
        ("server/cert.pem", 0o644),
    ] {
        let found = std::fs::metadata(directory.path().join(file)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, mode, "{file}");
    }
    let path = directory.path();
    let again = Authority::create(path, 10, Existing::Keep).unwrap_err();
    assert!(matches!(again, Error::Exists(found) if found == path.join("ca/ca.pem")));
    let authority = Authority::load(path).unwrap();
    let server = wanted(Role::Server, "server", &["b"]);
    let again = authority.issue(&server, Existing::Keep).unwrap_err();
    assert_eq!(
        again.to_string(),
        format!(
            "{} exists: use --force to replace it",
            path.join("server/ca.pem").display()
        )
    );
    authority.issue(&server, Existing::Replace).unwrap();
    let key = std::fs::metadata(path.join("server/key.pem")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn an_authority_that_was_loaded_vouches_as_before() {
    let directory = made(&["127.0.0.1"]);
    let authority = Authority::load_or_create(directory.path(), 10).unwrap();
    let later = wanted(Role::Client, "later", &[]);
    authority.issue(&later, Existing::Keep).unwrap();
    let server = files(directory.path(), "server");
    let (dialled, served) = meet(&server, &files(directory.path(), "later"), "127.0.0.1").await;
    dialled.unwrap();
    served.unwrap();
    let other = made(&["a"]);
    let (from, to) = (
        other.path().join("ca/ca-key.pem"),
        directory.path().join("ca/ca-key.pem"),
    );
    std::fs::copy(from, to).unwrap();
    let error = Authority::load(directory.path()).unwrap_err();
    assert!(matches!(error, Error::NotPaired(_)), "{error}");
}

#[test]
fn what_cannot_be_made_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(matches!(
        Authority::load(path).unwrap_err(),
        Error::NoAuthority(_)
    ));
    assert!(matches!(
        Authority::create(path, 0, Existing::Keep).unwrap_err(),
        Error::Days
    ));
    let authority = Authority::create(path, 10, Existing::Keep).unwrap();
    for (wanted, error) in [
        (
            wanted(Role::Client, "ca", &[]),
            "\"ca\" cannot name a certificate: use letters, digits, '.', '_' and '-', and not ca",
        ),
        (
            wanted(Role::Client, "../x", &[]),
            "\"../x\" cannot name a certificate: use letters, digits, '.', '_' and '-', and not ca",
        ),
        (
            wanted(Role::Server, "server", &[]),
            "at least one host name or IP address is needed",
        ),
        (
            wanted(Role::Server, "server", &["a:2375"]),
            "\"a:2375\" is neither a host name nor an IP address",
        ),
    ] {
        let found = authority.issue(&wanted, Existing::Keep).unwrap_err();
        assert_eq!(found.to_string(), error);
    }
}

#[test]
fn files_that_tls_cannot_use_are_named() {
    let directory = made(&["a"]);
    let path = directory.path();
    let good = files(path, "server");
    std::fs::write(path.join("v1.pem"), VERSION_1).unwrap();
    std::fs::write(path.join("empty.pem"), "").unwrap();
    let with_cert = |file: &str| Files {
        cert: Some(path.join(file)),
        ..good.clone()
    };
    for (files, end) in [
        (
            with_cert("v1.pem"),
            "v1.pem: is an X.509 v1 certificate, which TLS refuses; make it again with extensions (openssl: -extfile), or with `flotilla certs`",
        ),
        (with_cert("empty.pem"), "empty.pem: holds no certificate"),
        (
            with_cert("none.pem"),
            "none.pem: cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        let found = ServerTls::new(&files, true).unwrap_err().to_string();
        assert!(found.ends_with(end), "{found}");
    }
    for (key, end) in [
        (
            "empty.pem",
            "empty.pem: no private key can be read from it: no items found. Key encrypted?",
        ),
        (
            "none.pem",
            "none.pem: cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        let files = Files {
            key: Some(path.join(key)),
            ..good.clone()
        };
        let found = ServerTls::new(&files, true).unwrap_err().to_string();
        assert!(found.ends_with(end), "{found}");
    }
    let other = Files {
        key: Some(path.join("client/key.pem")),
        ..good
    };
    let found = [
        ServerTls::new(&other, true).unwrap_err(),
        ClientTls::new(&other, true).unwrap_err(),
    ];
    for found in found.map(|error| error.to_string()) {
        assert!(
            found.contains("server/cert.pem: does not go with the key in"),
            "{found}"
        );
    }
}

#[test]
fn a_servers_certificate_needs_a_name_and_an_authority_may_be_old() {
    let directory = made(&["a"]);
    let path = directory.path();
    let nameless = files(path, "client");
    let found = ServerTls::new(&nameless, true).unwrap_err().to_string();
    assert!(
        found.ends_with(
            "client/cert.pem: holds no name that clients could check (subjectAltName); make it again with the names they use (openssl: -extfile), or with `flotilla certs server`"
        ),
        "{found}"
    );
    // Nobody checks it with --tls alone, and nobody checks the names of a client.
    ServerTls::new(&nameless, false).unwrap();
    ClientTls::new(&nameless, true).unwrap();
    std::fs::write(path.join("v1.pem"), VERSION_1).unwrap();
    let old = Files {
        ca: Some(path.join("v1.pem")),
        ..files(path, "server")
    };
    ServerTls::new(&old, true).unwrap();
    ClientTls::new(&old, true).unwrap();
}
