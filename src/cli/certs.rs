//! `flotilla certs`: which certificates are made, and what is done with them next.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::error::Error;
use crate::net::certs::{self, Authority, Existing, Role, Wanted};

/// How many days a certificate is valid: as long as most programs accept.
const LEAF_DAYS: u32 = 825;
/// How many days an authority is valid.
const AUTHORITY_DAYS: u32 = 3650;

/// Flags of `flotilla certs`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example, for Flotilla on 10.0.0.9 and engines on 10.0.0.1 and db-1:\n  flotilla certs ca\n  flotilla certs server 10.0.0.9\n  flotilla certs engine 10.0.0.1 db-1\n  flotilla certs client alice\nor all at once, with one name list for both sides:\n  flotilla certs all --host 10.0.0.9 --host 10.0.0.1 --host db-1"
)]
pub(super) struct Certs {
    #[command(subcommand)]
    what: What,
    /// Where the folders are made
    #[arg(long, global = true, default_value = "./tls/out", value_name = "DIR")]
    dir: PathBuf,
    /// Replace files that exist; `all` never replaces an authority
    #[arg(long, global = true)]
    force: bool,
    /// How many days they are valid [default: 825, an authority 3650]
    #[arg(long, global = true, value_name = "DAYS")]
    days: Option<u32>,
}

/// What can be made.
#[derive(Debug, Subcommand)]
enum What {
    /// Make the authority: DIR/ca/{ca.pem,ca-key.pem}; keep its key away from all other machines
    Ca,
    /// Make Flotilla's certificate: DIR/server/{ca,cert,key}.pem; localhost and 127.0.0.1 are always in it
    Server {
        /// Names and IP addresses by which clients reach Flotilla
        #[arg(required = true, value_name = "HOST")]
        hosts: Vec<String>,
    },
    /// Make a certificate for engines: DIR/engine/{ca,cert,key}.pem
    Engine {
        /// Names and IP addresses by which Flotilla reaches the engines, as in the discovery
        #[arg(required = true, value_name = "HOST")]
        hosts: Vec<String>,
        /// Folder and common name; give each engine its own
        #[arg(long, default_value = "engine", value_name = "NAME")]
        name: String,
    },
    /// Make a client's certificate: DIR/NAME/{ca,cert,key}.pem, for DOCKER_CERT_PATH=DIR/NAME
    Client {
        /// Folder and common name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Make server, engine and client (named client), and the authority if there is none
    All {
        /// Name or IP address of Flotilla or an engine; repeatable
        #[arg(
            long = "host",
            required = true,
            value_name = "HOST",
            value_delimiter = ','
        )]
        hosts: Vec<String>,
    },
}

impl Certs {
    /// Makes what is asked for and prints the folders.
    pub(super) fn run(self) -> Result<(), Error> {
        let existing = match self.force {
            true => Existing::Replace,
            false => Existing::Keep,
        };
        let days = self.days.unwrap_or(LEAF_DAYS);
        let authority_days = self.days.unwrap_or(AUTHORITY_DAYS);
        let wanted = |role, name: String, hosts| Wanted {
            role,
            name,
            hosts,
            days,
        };
        let server = |hosts| wanted(Role::Server, "server".to_owned(), with_local(hosts));
        let wanted = match self.what {
            What::Ca => {
                Authority::create(&self.dir, authority_days, existing)?;
                writeln!(std::io::stdout(), "{}", self.dir.join("ca").display())?;
                return Ok(());
            }
            What::Server { ref hosts } => vec![server(hosts.clone())],
            What::Engine {
                ref hosts,
                ref name,
            } => {
                vec![wanted(Role::Engine, name.clone(), hosts.clone())]
            }
            What::Client { ref name } => vec![wanted(Role::Client, name.clone(), Vec::new())],
            What::All { ref hosts } => vec![
                server(hosts.clone()),
                wanted(Role::Engine, "engine".to_owned(), hosts.clone()),
                wanted(Role::Client, "client".to_owned(), Vec::new()),
            ],
        };
        // Nothing is written, not even an authority, when a later one is in the way.
        certs::check(&self.dir, &wanted, existing)?;
        let authority = match self.what {
            What::All { .. } => Authority::load_or_create(&self.dir, AUTHORITY_DAYS)?,
            _ => Authority::load(&self.dir)?,
        };
        for wanted in &wanted {
            let folder = authority.issue(wanted, existing)?;
            writeln!(std::io::stdout(), "{}", folder.display())?;
        }
        Ok(())
    }
}

/// Adds the names by which a server is reached on its own machine.
fn with_local(mut hosts: Vec<String>) -> Vec<String> {
    for local in ["localhost", "127.0.0.1"] {
        if !hosts.iter().any(|host| host == local) {
            hosts.push(local.to_owned());
        }
    }
    hosts
}
