//! A real registry for the lab's images, in plain HTTP on the machine's own address in the subnet.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::claim::Claim;
use super::{Error, eventually};

/// A running registry; the watcher ends it.
#[derive(Debug)]
pub(super) struct Registry {
    address: String,
    process: Child,
}

impl Registry {
    /// Starts it at port 5000 of the address and returns once it takes connections.
    pub(super) fn start(claim: &Claim, ip: String) -> Result<Self, Error> {
        let address = ip + ":5000";
        let folder = claim.folder().join("registry");
        let config = folder.join("config.yml");
        let log = folder.join("log");
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: {address}\n",
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
