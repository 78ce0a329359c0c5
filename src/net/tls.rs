//! Certificates and keys, made into what TLS needs; what is wrong with them is said with the file and the fix.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::X509Version;

use super::Error;

/// The files of one identity.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Certificates of those who may vouch for the other side.
    pub ca: Option<PathBuf>,
    /// Our certificate, and those between it and its authority.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// What we show to engines and ask of them.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

/// What we show to clients and ask of them.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl ClientTls {
    /// Shows our certificate; engines are checked against the CA if `verify`, else not at all (classic's `--tls`).
    ///
    /// # Errors
    /// A file is missing or is not what it should be.
    pub fn new(files: &Files, verify: bool) -> Result<Self, Error> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let verifier: Arc<dyn ServerCertVerifier> = match verify {
            true => {
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots(files)?), provider())
                    .build()
                    .map_err(|e| rustls::Error::General(e.to_string()))?
            }
            false => Arc::new(Unchecked(provider())),
        };
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match (&files.cert, &files.key) {
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(own(cert)?, secret(key)?)
                .map_err(|e| does_not_fit(cert, key, &e))?,
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// Returns what a handshake needs.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

impl ServerTls {
    /// Shows our certificate; clients must show one of the CA's if `verify`.
    ///
    /// # Errors
    /// A file is missing or is not what it should be.
    pub fn new(files: &Files, verify: bool) -> Result<Self, Error> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let builder = match verify {
            false => builder.with_no_client_auth(),
            true => {
                let roots = Arc::new(roots(files)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|e| rustls::Error::General(e.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let missing = |what| {
            let why = "not given: a TLS listener needs a certificate and its key";
            wrong(Path::new(what), why)
        };
        let cert = files.cert.as_deref().ok_or_else(|| missing("--tlscert"))?;
        let key = files.key.as_deref().ok_or_else(|| missing("--tlskey"))?;
        let own = own(cert)?;
        if verify {
            // Whoever shows us a certificate looks at the names in ours.
            check_names(cert, &own)?;
        }
        let mut config = builder
            .with_single_cert(own, secret(key)?)
            .map_err(|e| does_not_fit(cert, key, &e))?;
        // What engines offer; connections that become raw streams are possible in no other.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// Returns what a handshake needs.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

/// Returns who a certificate is about: `CN=…` as it is written in it.
pub(super) fn subject(chain: Option<&[CertificateDer<'_>]>) -> Option<String> {
    let leaf = chain?.first()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf).ok()?;
    Some(certificate.subject().to_string())
}

/// Returns the one implementation of cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Says what is wrong with a file.
fn wrong(path: &Path, why: impl Into<String>) -> Error {
    Error::File {
        path: path.to_owned(),
        why: why.into(),
    }
}

/// Reads all certificates of a file; there is at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = std::fs::read(path).map_err(|e| wrong(path, format!("cannot be read: {e}")))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|e| wrong(path, format!("is not PEM: {e}")))?;
    match certificates.is_empty() {
        true => Err(wrong(path, "holds no certificate")),
        false => Ok(certificates),
    }
}

/// Takes the first certificate of a chain apart.
fn leaf<'c>(path: &Path, chain: &'c [CertificateDer<'_>]) -> Result<X509Certificate<'c>, Error> {
    let first = chain
        .first()
        .ok_or_else(|| wrong(path, "holds no certificate"))?;
    let (_, leaf) = x509_parser::parse_x509_certificate(first)
        .map_err(|e| wrong(path, format!("is not a certificate: {e}")))?;
    Ok(leaf)
}

/// Reads our own certificate and those behind it; refuses what the other side would only refuse later.
fn own(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = certificates(path)?;
    match leaf(path, &chain)?.version() {
        X509Version::V3 => Ok(chain),
        _ => Err(wrong(
            path,
            "is an X.509 v1 certificate, which TLS refuses; make it again with extensions (openssl: -extfile), or with `flotilla certs`",
        )),
    }
}

/// Refuses a server's certificate without a name: no client that checks it accepts it, whatever its common name.
fn check_names(path: &Path, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
    let names = leaf(path, chain)?
        .subject_alternative_name()
        .map_err(|e| wrong(path, format!("is not a certificate: {e}")))?
        .is_some_and(|names| !names.value.general_names.is_empty());
    match names {
        true => Ok(()),
        false => Err(wrong(
            path,
            "holds no name that clients could check (subjectAltName); make it again with the names they use (openssl: -extfile), or with `flotilla certs server`",
        )),
    }
}

/// Reads a private key.
fn secret(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let text = std::fs::read(path).map_err(|e| wrong(path, format!("cannot be read: {e}")))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|e| {
        wrong(
            path,
            format!("no private key can be read from it: {e}. Key encrypted?"),
        )
    })
}

/// Reads the authorities; they may be of X.509 v1, as only their keys count.
fn roots(files: &Files) -> Result<RootCertStore, Error> {
    let missing = || {
        wrong(
            Path::new("--tlscacert"),
            "not given: verification needs an authority",
        )
    };
    let path = files.ca.as_deref().ok_or_else(missing)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|e| wrong(path, format!("holds an authority of no use: {e}")))?;
    }
    Ok(roots)
}

/// Names both files when certificate and key are not a pair.
fn does_not_fit(cert: &Path, key: &Path, error: &rustls::Error) -> Error {
    let why = format!("does not go with the key in {}: {error}", key.display());
    wrong(cert, why)
}

/// Accepts any certificate, as classic does with `--tls` alone.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
