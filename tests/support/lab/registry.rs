//! A real registry for the lab's images, in plain HTTP on the machine's own address in the subnet.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::claim::Claim;
use super::{Error, eventually};

/// Who may use a private registry: `flotilla` with the password `secret`, hashed by bcrypt.
const USERS: &str = "flotilla:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A running registry; the watcher ends it.
#[derive(Debug)]
pub(super) struct Registry {
    address: String,
    process: Child,
}

impl Registry {
    /// Starts it at port 5000 of the address and returns once it takes connections; `login` makes it private.
    pub(super) fn start(claim: &Claim, ip: String, login: bool) -> Result<Self, Error> {
        let address = ip + ":5000";
        let folder = claim.folder().join("registry");
        let config = folder.join("config.yml");
        let log = folder.join("log");
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let users = folder.join("users");
        fs::write(&users, USERS).map_err(Error::file(&users))?;
        let auth = match login {
            true => format!(
                "auth:\n  htpasswd:\n    realm: lab\n    path: {}\n",
                users.display()
            ),
            false => String::new(),
        };
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: {address}\n{auth}",
            folder.join("data").display()
        );
        fs::write(&config, text).map_err(Error::file(&config))?;
        let output = File::create(&log).map_err(Error::file(&log))?;
        let errors = output.try_clone().map_err(Error::file(&log))?;
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(Error::file("docker-registry"))?;
        let registry = Self { address, process };
        eventually(Duration::from_secs(20), || {
            TcpStream::connect(&registry.address)
        })
        .map_err(|error| Error::NotReady {
            name: "registry".to_owned(),
            why: error.to_string(),
            log: fs::read_to_string(&log).unwrap_or_default(),
        })?;
        Ok(registry)
    }

    /// Returns the address, `172.31.N.1:5000`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Collects the process after the watcher ended it.
    pub(super) fn reap(&mut self) {
        self.process.wait().ok();
    }
}
