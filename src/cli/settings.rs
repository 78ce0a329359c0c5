//! From flags to settings: each value is checked once, and what is wrong is said in classic's words.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::{Discovery, Global};
use super::duration::Span;
use super::error::{DurationError, Error};
use super::manage::{Engines, HOST, Listen, Manage, Unbuilt};
use crate::config::Config;
use crate::discovery;
use crate::model::Manners;
use crate::net::addr::Addr;
use crate::net::tls::{ClientTls, Files, ServerTls};

/// The minors of the API versions that can be advertised.
const MINORS: std::ops::RangeInclusive<u16> = 24..=crate::api::API_NEWEST;
/// Checks all flags of `manage`.
///
/// # Errors
/// The first value that is wrong.
pub(super) fn config(global: &Global, manage: &Manage) -> Result<Config, Error> {
    let discovery_url = manage.discovery.url("manage", "manage")?;
    manage.unbuilt.check(&discovery_url)?;
    if manage.placement.cluster_driver != "swarm" {
        let driver = &manage.placement.cluster_driver;
        return Err(Error::Named(format!("unsupported cluster \"{driver}\"")));
    }
    let (server_tls, engine_tls) = manage.listen.tls()?;
    let (refresh_min, refresh_max) = manage.engines.refresh()?;
    let (overcommit, create_retry) = manage.placement.options()?;
    let config = Config {
        listeners: manage.listen.listeners()?,
        server_tls,
        engine_tls,
        discovery_url,
        discovery: discovery::Options {
            heartbeat: heartbeat(&manage.heartbeat)?,
            options: manage.discovery.options()?,
        },
        strategy: manage.placement.strategy()?,
        plug_ins: manage.placement.plug_ins()?,
        filters: manage.placement.filters()?,
        probe_deadline: positive("--engine-timeout", &manage.engines.engine_timeout)?,
        failure_retry: manage.engines.failures()?,
        refresh_min,
        refresh_max,
        overcommit,
        create_retry,
        decisions: manage.placement.decisions()?,
        queue_timeout: manage.placement.queue_timeout()?,
        cors: manage.listen.cors,
        refresh_on_node_filter: manage.engines.refresh_on_node_filter,
        container_name_refresh_filter: manage.engines.container_name_refresh_filter.clone(),
        images_everywhere: manage.placement.images_everywhere()?,
        replicate_networks: manage.placement.replicate_networks,
        advertise: manage.listen.advertised()?,
        manners: manage.listen.manners()?,
        experimental: global.experimental,
    };
    // Opened here only to refuse a wrong URL before anything listens.
    discovery::open(&config.discovery_url, &config.discovery)?;
    Ok(config)
}

/// Reads a duration of any sign.
pub(super) fn duration(flag: &'static str, text: &str) -> Result<Span, Error> {
    text.parse().map_err(|source| Error::Duration {
        flag,
        source: DurationError::from(source),
    })
}

/// Reads a duration of more than nothing.
pub(super) fn positive(flag: &'static str, text: &str) -> Result<Duration, Error> {
    duration(flag, text)?
        .positive()
        .ok_or_else(|| Error::Named(format!("{flag} should be a positive number")))
}

/// Reads a heartbeat, which is one second or more.
pub(super) fn heartbeat(text: &str) -> Result<Duration, Error> {
    duration("--heartbeat", text)?
        .not_negative()
        .filter(|heartbeat| *heartbeat >= Duration::from_secs(1))
        .ok_or(Error::Value("--heartbeat should be at least one second"))
}

/// Checks that an advertised address has a host and a port that can be dialled.
pub(super) fn advertisable(text: &str) -> Result<(), Error> {
    let fits = !text.contains("://")
        && matches!(text.parse(), Ok(Addr::Tcp { host, port }) if !host.is_empty() && port > 0);
    match fits {
        true => Ok(()),
        false => Err(Error::Value(
            "--advertise should be of the form ip:port or hostname:port",
        )),
    }
}

/// Separates `key=value` strings.
pub(super) fn pairs(
    flag: &'static str,
    texts: &[String],
) -> Result<BTreeMap<String, String>, Error> {
    let missing = || Error::Named(format!("{flag} must contain key=value strings"));
    texts
        .iter()
        .map(|text| {
            let (key, value) = text.split_once('=').ok_or_else(missing)?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

impl Discovery {
    /// Returns the URL, which every command needs.
    pub(super) fn url(
        &self,
        purpose: &'static str,
        command: &'static str,
    ) -> Result<String, Error> {
        let given = self.discovery.as_deref().map(str::trim);
        given
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
            .ok_or(Error::NoDiscovery { purpose, command })
    }

    /// Returns the back end's options.
    pub(super) fn options(&self) -> Result<BTreeMap<String, String>, Error> {
        pairs("--discovery-opt", &self.discovery_opt)
    }
}

impl Unbuilt {
    /// Refuses what is not there, after the checks that classic makes.
    fn check(&self, discovery_url: &str) -> Result<(), Error> {
        positive("--replication-ttl", &self.replication_ttl)?;
        match (self.replication, self.advertise.as_deref()) {
            (false, _) => Ok(()),
            (true, None | Some("")) => Err(Error::Value(
                "--advertise address must be provided when using --leader-election",
            )),
            (true, Some(advertise)) => {
                advertisable(advertise)?;
                Err(match discovery::elects(discovery_url)? {
                    true => Error::NotBuilt("--replication"),
                    false => Error::Value(
                        "Leader election is only supported with consul, etcd and zookeeper discovery.",
                    ),
                })
            }
        }
    }
}

impl Listen {
    /// Returns where to listen; what other machines reach is refused unless clients must show a certificate.
    fn listeners(&self) -> Result<Vec<Addr>, Error> {
        let given = self.hosts.iter().map(|host| host.trim());
        let mut hosts: Vec<_> = given.filter(|host| !host.is_empty()).collect();
        if hosts.is_empty() {
            // A variable that is set to nothing counts as not set.
            hosts.push(HOST);
        }
        let listeners = hosts
            .into_iter()
            .map(|host| Ok(host.parse()?))
            .collect::<Result<Vec<Addr>, Error>>()?;
        let open = listeners.iter().find(|addr| !addr.is_local());
        match open {
            Some(addr) if !self.tlsverify && !self.allow_unauthenticated_tcp => {
                Err(Error::Unauthenticated(addr.to_string()))
            }
            _ => Ok(listeners),
        }
    }

    /// Loads the certificates: those towards clients, and those towards engines, which are the same unless others are
    /// given.
    fn tls(&self) -> Result<(Option<ServerTls>, Option<ClientTls>), Error> {
        let files = files(&self.tlscacert, &self.tlscert, &self.tlskey);
        let engines = self.engine_tls()?;
        if !self.tls && !self.tlsverify {
            return match (&files.ca, &files.cert, &files.key) {
                (None, None, None) => Ok((None, engines)),
                _ => Err(Error::Value(
                    "--tlscert, --tlskey and --tlscacert require the use of either --tls or --tlsverify",
                )),
            };
        }
        if files.cert.is_none() || files.key.is_none() {
            return Err(Error::Value(
                "--tlscert and --tlskey must be provided when using --tls",
            ));
        }
        if self.tlsverify && files.ca.is_none() {
            return Err(Error::Value(
                "--tlscacert must be provided when using --tlsverify",
            ));
        }
        let engines = match engines {
            Some(own) => own,
            None => ClientTls::new(&files, self.tlsverify)?,
        };
        // A certificate that is only shown to engines may lack what a server's must have.
        let server = match self.listeners()?.iter().any(Addr::is_tcp) {
            true => Some(ServerTls::new(&files, self.tlsverify)?),
            false => None,
        };
        Ok((server, Some(engines)))
    }

    /// Loads the certificates for engines alone, if there are any; engines are always verified then.
    fn engine_tls(&self) -> Result<Option<ClientTls>, Error> {
        let files = files(
            &self.engine_tlscacert,
            &self.engine_tlscert,
            &self.engine_tlskey,
        );
        match (&files.ca, &files.cert, &files.key) {
            (None, None, None) => Ok(None),
            (Some(_), Some(_), Some(_)) => Ok(Some(ClientTls::new(&files, true)?)),
            _ => Err(Error::Value(
                "--engine-tlscacert, --engine-tlscert and --engine-tlskey must be given together",
            )),
        }
    }

    /// Returns whose habits are followed.
    fn manners(&self) -> Result<Manners, Error> {
        match self.compat.as_deref() {
            None => Ok(Manners::Engine),
            Some("classic") => Ok(Manners::Classic),
            Some(other) => Err(Error::Named(format!(
                "--compat should be classic, \"{other}\" is not"
            ))),
        }
    }

    /// Returns the minor of the version that clients are shown.
    fn advertised(&self) -> Result<Option<u16>, Error> {
        let Some(text) = &self.api_version else {
            return Ok(None);
        };
        let minor = text.strip_prefix("1.").and_then(|minor| minor.parse().ok());
        match minor.filter(|minor| MINORS.contains(minor)) {
            Some(minor) => Ok(Some(minor)),
            None => Err(Error::Named(format!(
                "--api-version should be from 1.24 to 1.{}, {text} is not",
                MINORS.end()
            ))),
        }
    }
}

impl Engines {
    /// Returns the shortest and the longest time between two refreshes.
    fn refresh(&self) -> Result<(Duration, Duration), Error> {
        let wrong = Error::Value("min refresh interval should be a positive number");
        let min = self.engine_refresh_min_interval.parse::<Span>().ok();
        let min = min.and_then(Span::positive).ok_or(wrong)?;
        let flag = "--engine-refresh-max-interval";
        let max = duration(flag, &self.engine_refresh_max_interval)?.not_negative();
        match max.filter(|max| *max >= min) {
            Some(max) => Ok((min, max)),
            None => Err(Error::Value(
                "max refresh interval cannot be less than min refresh interval",
            )),
        }
    }

    /// Returns how many failures make an engine unhealthy.
    fn failures(&self) -> Result<u32, Error> {
        if self.engine_refresh_retry != "3" {
            return Err(Error::Value(
                "--engine-refresh-retry is deprecated. Use --engine-failure-retry",
            ));
        }
        let count = self.engine_failure_retry.parse().ok();
        count
            .filter(|count| *count > 0)
            .ok_or(Error::Value("invalid failure retry count"))
    }
}

/// Names certificate files; a flag that is set to nothing counts as not given.
fn files(ca: &Option<String>, cert: &Option<String>, key: &Option<String>) -> Files {
    let file = |given: &Option<String>| given.as_deref().filter(|f| !f.is_empty()).map(Into::into);
    Files {
        ca: file(ca),
        cert: file(cert),
        key: file(key),
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::Error;
    use crate::cli::tests::config;
    use crate::net::addr::Addr;
    use crate::net::certs::{Authority, Existing, Role, Wanted};

    #[test]
    fn our_own_certificates_open_a_listener_for_other_machines() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::create(directory.path(), 10, Existing::Keep).unwrap();
        let wanted = Wanted {
            role: Role::Server,
            name: "server".to_owned(),
            hosts: vec!["localhost".to_owned()],
            days: 1,
        };
        let folder = authority.issue(&wanted, Existing::Keep).unwrap();
        let folder = folder.display();
        let line = format!(
            "manage a:1 -H :3376 --tlsverify --tlscacert {folder}/ca.pem --tlscert {folder}/cert.pem --tlskey {folder}/key.pem"
        );
        let both = config(&line).unwrap();
        assert!(both.server_tls.is_some() && both.engine_tls.is_some());
        assert!(both.listeners.iter().any(|addr| !Addr::is_local(addr)));
        // Encryption alone keeps nobody out.
        let refused = config(&line.replace("--tlsverify", "--tls")).unwrap_err();
        assert!(matches!(refused, Error::Unauthenticated(_)));
        // A client's certificate does for a local socket, and for no listener on TCP.
        let client = Wanted {
            role: Role::Client,
            name: "client".to_owned(),
            hosts: Vec::new(),
            days: 1,
        };
        authority.issue(&client, Existing::Keep).unwrap();
        let line = line.replace("/server/", "/client/");
        let refused = config(&line).unwrap_err().to_string();
        assert!(refused.contains("(subjectAltName)"), "{refused}");
        let local = config(&line.replace("-H :3376", "-H unix:///x.sock")).unwrap();
        assert!(local.server_tls.is_none() && local.engine_tls.is_some());
        // For engines alone.
        let line = line
            .replace("-H :3376 --tlsverify", "")
            .replace("--tls", "--engine-tls");
        let engines = config(&line).unwrap();
        assert!(engines.server_tls.is_none() && engines.engine_tls.is_some());
        let (two, _) = line.split_once(" --engine-tlskey").unwrap();
        let refused = config(two).unwrap_err().to_string();
        assert!(refused.contains("must be given together"), "{refused}");
    }
}
