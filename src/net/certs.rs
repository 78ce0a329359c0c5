//! Makes an authority and the certificates it vouches for, in the folders that Docker's clients expect.
//!
//! Invariant: nothing that exists is overwritten unless asked for; keys are readable by their owner only.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};

/// How far back validity begins, for machines whose clocks differ.
const BACKDATED: Duration = Duration::from_secs(3600);
/// The longest validity, in days.
const LONGEST: u32 = 36_500;
/// The files of a certificate's folder: the authority's certificate, its own, and the key to that.
const FILES: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Flotilla: a server to clients and a client of engines.
    Server,
    /// An engine: a server, and a client for what it calls itself.
    Engine,
    /// A person or program that uses Docker.
    Client,
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is for.
    pub role: Role,
    /// Its folder, and its common name.
    pub name: String,
    /// Names and IP addresses that it is valid for.
    pub hosts: Vec<String>,
    /// How many days it is valid.
    pub days: u32,
}

/// What happens to files that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// They are kept, and making others in their place is an error.
    Keep,
    /// They are replaced.
    Replace,
}

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is in the way.
    #[error("{} exists: use --force to replace it", .0.display())]
    Exists(PathBuf),
    /// There is no authority to vouch for a certificate.
    #[error("no authority in {}: make one with `flotilla certs ca`", .0.display())]
    NoAuthority(PathBuf),
    /// The authority's certificate and key are not a pair.
    #[error("{} does not go with the key beside it", .0.display())]
    NotPaired(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A name cannot be that of a folder.
    #[error("\"{0}\" cannot name a certificate: use letters, digits, '.', '_' and '-', and not ca")]
    Name(String),
    /// A server's certificate is of no use without the names it is reached by.
    #[error("at least one host name or IP address is needed")]
    NoHosts,
    /// A host is neither a name nor an IP address.
    #[error("\"{0}\" is neither a host name nor an IP address")]
    Host(String),
    /// A validity makes no sense.
    #[error("--days should be from 1 to {LONGEST}")]
    Days,
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// An authority: its certificate, and the key that vouches.
#[derive(Debug)]
pub struct Authority {
    directory: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Checks that all of these can be made in `directory`, before the first is.
///
/// # Errors
/// A name is wrong, or files exist.
pub fn check(directory: &Path, wanted: &[Wanted], existing: Existing) -> Result<(), Error> {
    for one in wanted {
        one.params()?;
        let mut files = FILES
            .iter()
            .map(|name| directory.join(&one.name).join(name));
        if let (Existing::Keep, Some(path)) = (existing, files.find(|path| path.exists())) {
            return Err(Error::Exists(path));
        }
    }
    Ok(())
}

impl Wanted {
    /// Returns what the certificate is to say, but for who vouches.
    fn params(&self) -> Result<CertificateParams, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let name = self.name.as_str();
        if name.is_empty()
            || name == "ca"
            || name.starts_with(['.', '-'])
            || !name.chars().all(plain)
        {
            return Err(Error::Name(name.to_owned()));
        }
        if self.hosts.is_empty() && self.role != Role::Client {
            return Err(Error::NoHosts);
        }
        let mut params = params(name, &self.hosts, self.days)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // Flotilla shows its one certificate to engines as well, so it must do as a client.
        params.extended_key_usages = match self.role {
            Role::Server | Role::Engine => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
            Role::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        Ok(params)
    }
}

impl Authority {
    /// Makes a new one in `directory`.
    ///
    /// # Errors
    /// One exists, or files cannot be written.
    pub fn create(directory: &Path, days: u32, existing: Existing) -> Result<Self, Error> {
        // Two authorities of one name would make "unknown issuer" look like a bad signature.
        let name = format!("Flotilla CA {:08x}", fastrand::u32(..));
        let mut params = params(&name, &[], days)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        let folder = directory.join("ca");
        let key_pem = key.serialize_pem();
        write(
            &folder,
            &[
                ("ca.pem", &certificate, 0o644),
                ("ca-key.pem", &key_pem, 0o600),
            ],
            existing,
        )?;
        Ok(Self {
            directory: directory.to_owned(),
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// Loads the one in `directory`.
    ///
    /// # Errors
    /// There is none, or its files are not what they should be.
    pub fn load(directory: &Path) -> Result<Self, Error> {
        let folder = directory.join("ca");
        let path = folder.join("ca.pem");
        if !path.exists() {
            return Err(Error::NoAuthority(folder));
        }
        let certificate = read(&path)?;
        let key = KeyPair::from_pem(&read(&folder.join("ca-key.pem"))?)?;
        let issuer = match public_key(&certificate) {
            Some(public) if public == key.subject_public_key_info() => {
                Issuer::from_ca_cert_pem(&certificate, key)?
            }
            _ => return Err(Error::NotPaired(path)),
        };
        Ok(Self {
            directory: directory.to_owned(),
            certificate,
            issuer,
        })
    }

    /// Loads the one in `directory`, or makes it when there is none.
    ///
    /// # Errors
    /// As for loading and making.
    pub fn load_or_create(directory: &Path, days: u32) -> Result<Self, Error> {
        match Self::load(directory) {
            Err(Error::NoAuthority(_)) => Self::create(directory, days, Existing::Keep),
            result => result,
        }
    }

    /// Makes a certificate and returns its folder, which holds `ca.pem`, `cert.pem` and `key.pem`.
    ///
    /// # Errors
    /// A name is wrong, files exist, or they cannot be written.
    pub fn issue(&self, wanted: &Wanted, existing: Existing) -> Result<PathBuf, Error> {
        let params = wanted.params()?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        let folder = self.directory.join(&wanted.name);
        let [ca, cert, own_key] = FILES;
        let files = [
            (ca, self.certificate.as_str(), 0o644),
            (cert, certificate.as_str(), 0o644),
            (own_key, &key.serialize_pem(), 0o600),
        ];
        write(&folder, &files, existing)?;
        Ok(folder)
    }
}

/// Returns what every certificate has: subject, names and validity.
fn params(name: &str, hosts: &[String], days: u32) -> Result<CertificateParams, Error> {
    if !(1..=LONGEST).contains(&days) {
        return Err(Error::Days);
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-:*".contains(c);
    for host in hosts {
        let ip = host.parse::<std::net::IpAddr>().is_ok();
        if host.is_empty() || !host.chars().all(fits) || (host.contains(':') && !ip) {
            return Err(Error::Host(host.clone()));
        }
    }
    let mut params = CertificateParams::new(hosts.to_vec())?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let day = Duration::from_secs(24 * 3600);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + (now + day * days);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// Returns the public key of a certificate, as DER.
fn public_key(pem: &str) -> Option<Vec<u8>> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    Some(certificate.public_key().raw.to_vec())
}

/// Reads a file of the authority.
fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

/// Writes all files of a folder, or none when one is in the way.
fn write(folder: &Path, files: &[(&str, &str, u32)], existing: Existing) -> Result<(), Error> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    for (name, _, _) in files {
        let path = folder.join(name);
        match existing {
            Existing::Keep if path.exists() => return Err(Error::Exists(path)),
            // Removed, not truncated: the mode of a key is set when its file is made.
            Existing::Replace if path.exists() => fs::remove_file(&path).map_err(at(&path))?,
            Existing::Keep | Existing::Replace => {}
        }
    }
    fs::create_dir_all(folder).map_err(at(folder))?;
    for (name, text, mode) in files {
        let path = folder.join(name);
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(*mode).open(&path);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(at(&path))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "certs_tests.rs"]
mod tests;
