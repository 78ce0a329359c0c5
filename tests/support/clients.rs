//! The clients that people use, each aimed at one endpoint.

#![allow(dead_code, reason = "not every client has its tests yet")]

use std::path::Path;
use std::process::Command;

use super::lab::{Cache, Lab, skip_in_many};

/// Makes commands of real clients that talk to one endpoint and read nobody's own settings.
#[derive(Debug)]
pub(crate) struct Clients<'a> {
    cache: Cache,
    host: String,
    config: &'a Path,
}

impl<'a> Clients<'a> {
    /// Aims at a `DOCKER_HOST` such as `tcp://127.0.0.1:3376`; plugins and settings are in the lab's folder.
    pub(crate) fn new(host: impl Into<String>, lab: &'a Lab) -> Self {
        Self {
            cache: Cache::locate(),
            host: host.into(),
            config: lab.docker_config(),
        }
    }

    /// Returns the docker CLI that most tests use: 28, or 20.10 where there is no 28, which is then told.
    pub(crate) fn docker(&self) -> Command {
        self.docker_28().unwrap_or_else(|why| {
            skip_in_many(&format!("{why}, so 20.10 runs in its place"));
            self.docker_20()
        })
    }

    /// Returns the docker CLI 28, which also has `docker compose` and `docker buildx` where they are installed.
    ///
    /// # Errors
    /// Each client that is not installed is told in one sentence.
    pub(crate) fn docker_28(&self) -> Result<Command, String> {
        self.cache
            .cli_28()
            .map(|program| self.aim(Command::new(program)))
            .ok_or_else(|| missing("the docker CLI 28"))
    }

    /// Returns the docker CLI 20.10.
    pub(crate) fn docker_20(&self) -> Command {
        self.aim(Command::new(self.cache.cli_20()))
    }

    /// Returns `docker compose`.
    pub(crate) fn compose(&self) -> Result<Command, String> {
        self.plugin("compose")
    }

    /// Returns compose 1.29, `docker-compose`.
    pub(crate) fn compose_1(&self) -> Result<Command, String> {
        let program = self
            .cache
            .compose_1()
            .ok_or_else(|| missing("compose 1.29"))?;
        Ok(self.aim(Command::new(program)))
    }

    /// Returns `docker buildx`.
    pub(crate) fn buildx(&self) -> Result<Command, String> {
        self.plugin("buildx")
    }

    /// Returns a Python that has the package `docker` (docker-py).
    pub(crate) fn python(&self) -> Result<Command, String> {
        let python = self.cache.python().ok_or_else(|| missing("docker-py"))?;
        Ok(self.aim(Command::new(python)))
    }

    /// Returns Debian's own Python, which has no package of its own.
    pub(crate) fn plain_python(&self) -> Command {
        self.aim(Command::new("python3"))
    }

    /// Returns a Node.js that has the packages `dockerode` and `testcontainers`.
    pub(crate) fn node(&self) -> Result<Command, String> {
        let modules = self
            .cache
            .node_modules()
            .ok_or_else(|| missing("dockerode"))?;
        let mut command = self.aim(Command::new("node"));
        command.env("NODE_PATH", modules);
        Ok(command)
    }

    fn plugin(&self, name: &str) -> Result<Command, String> {
        if !self
            .config
            .join("cli-plugins")
            .join(format!("docker-{name}"))
            .exists()
        {
            return Err(missing(name));
        }
        let mut command = self.docker_28()?;
        command.arg(name);
        Ok(command)
    }

    fn aim(&self, mut command: Command) -> Command {
        for variable in [
            "DOCKER_CONTEXT",
            "DOCKER_TLS_VERIFY",
            "DOCKER_CERT_PATH",
            "DOCKER_API_VERSION",
        ] {
            command.env_remove(variable);
        }
        command
            .env("DOCKER_HOST", &self.host)
            .env("DOCKER_CONFIG", self.config);
        command
    }
}

/// Returns a script that runs a command of a container again until it succeeds, for half a minute: a server that has
/// just been started may not listen yet, and names come to other hosts a little later.
pub(crate) fn patiently(command: &str) -> String {
    let try_again = "[ $((n += 1)) -lt 300 ] || exit 1; usleep 100000";
    format!("n=0; until {command} 2>/dev/null; do {try_again}; done")
}

/// Says why tests that need an optional part (`cli-28`, `plugins`, `compose-1`, `python`, `node`) have nothing to do;
/// `None` when it is there.
pub(crate) fn lacks(part: &str) -> Option<String> {
    let cache = Cache::locate();
    // It may be the one on `PATH`, and plugins are nothing without it.
    if matches!(part, "cli-28" | "plugins") && cache.cli_28().is_none() {
        return Some(missing("the docker CLI 28"));
    }
    (part != "cli-28" && !cache.has_part(part)).then(|| missing(part))
}

/// Ends a test whose optional parts are not installed, and tells which one.
macro_rules! needs {
    ($($part:literal),+) => {
        $(if let Some(why) = $crate::support::clients::lacks($part) {
            $crate::support::lab::skip(&why);
            return;
        })+
    };
}
pub(crate) use needs;

fn missing(client: &str) -> String {
    format!("{client} is not installed here: tests/lab/packages.sh could not fetch it")
}
