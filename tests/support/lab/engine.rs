//! One real engine: where it is, how to reach it, and the faults that a test can give it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use serde_json::Value;

use super::claim::Claim;
use super::launch::Launch;
use super::machine::Machine;
use super::network::{Host, Network, ip};
use super::shell::{output, run};
use super::{Cache, EngineSpec, Error, Release, eventually, probe};

const READY_LIMIT: Duration = Duration::from_secs(60);
const CALL_LIMIT: Duration = Duration::from_secs(30);
const STANDSTILL: Duration = Duration::from_secs(10);
const CONTAINERD_PID: &str = "exec/containerd/containerd.pid";

/// A dockerd of its own in a network namespace of its own.
#[derive(Debug)]
pub(crate) struct Engine {
    name: String,
    release: Release,
    address: String,
    host: Host,
    folder: PathBuf,
    machine: Machine,
    launch: Launch,
    image: PathBuf,
    docker: Command,
    id: String,
    version: String,
    process: Mutex<Option<Child>>,
}

impl Engine {
    /// Makes the engine's place: folders, namespace and command line.
    pub(super) fn prepare(
        spec: &EngineSpec,
        index: usize,
        claim: &Claim,
        network: &Network,
        cache: &Cache,
        registry: Option<&str>,
    ) -> Result<Self, Error> {
        let folder = claim.folder().join(&spec.name);
        let host = network.add(index, &spec.name)?;
        let port = if spec.tls.is_some() { 2376 } else { 2375 };
        let address = format!("{}:{port}", host.ip);
        let cgroup = format!("/flotilla-lab-{}/{}", claim.number(), spec.name);
        let mut docker = Command::new(cache.cli_28().unwrap_or_else(|| cache.cli_20()));
        docker
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY")
            .env_remove("DOCKER_API_VERSION")
            .env("DOCKER_CONFIG", claim.folder().join("docker-config"))
            .env(
                "DOCKER_HOST",
                format!("unix://{}/docker.sock", folder.display()),
            );
        Ok(Self {
            name: spec.name.clone(),
            release: spec.release,
            launch: Launch::prepare(spec, &folder, &address, &cgroup, cache, registry),
            machine: Machine::start(&spec.name, &folder, &host.space, spec.disk_mib)?,
            address,
            host,
            folder,
            image: cache.image(),
            docker,
            id: String::new(),
            version: String::new(),
            process: Mutex::new(None),
        })
    }

    /// Starts it for the first time, gives it the image and learns what it says of itself.
    pub(super) fn start_first(mut self) -> Result<Self, Error> {
        self.start()?;
        output(
            self.docker()
                .args(["load", "--quiet", "--input"])
                .arg(&self.image),
        )?;
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        self.id = text(&self.ask("/info")?, "ID");
        self.version = text(&self.ask("/version")?, "Version");
        Ok(self)
    }

    /// Returns the engine's name, which is its host name too.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the release that runs, which may be older than asked for; see [`super::Lab::skipped`].
    pub(crate) fn release(&self) -> Release {
        self.release
    }

    /// Returns the engine's own version, `28.5.2` for instance.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Returns the ID that the engine gave itself.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the TCP address, `172.31.N.M:2375`, or with port 2376 when it listens with TLS.
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// Returns the address without port, where containers' published ports are.
    pub(crate) fn ip(&self) -> &str {
        &self.host.ip
    }

    /// Returns the unix socket's path; it never asks for TLS.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// Returns the name of the network namespace, for `nsenter --net=/run/netns/NAME` and `ip -n NAME`.
    pub(crate) fn namespace(&self) -> &str {
        &self.host.space
    }

    /// Returns a command that runs a program on the engine's machine: its network, mounts and host name.
    pub(crate) fn on_machine(&self, program: impl AsRef<Path>) -> Command {
        self.machine.command(program.as_ref())
    }

    /// Returns the folder with `data`, `exec` and `log`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns a docker CLI 28 (20.10 when there is no other) that talks to this engine alone, past any proxy.
    pub(crate) fn docker(&self) -> Command {
        let mut command = Command::new(self.docker.get_program());
        for (key, value) in self.docker.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command
    }

    /// Asks the engine itself `GET path` and returns the JSON of its answer, waiting 30 s at most.
    pub(crate) fn ask(&self, path: &str) -> Result<Value, Error> {
        let body = probe::ask(&self.socket(), path, CALL_LIMIT).map_err(self.wrong(path))?;
        serde_json::from_str(&body).map_err(|error| self.wrong(path)(error.into()))
    }

    /// Tells whether the engine answers `/_ping` within the limit.
    pub(crate) fn answers(&self, limit: Duration) -> bool {
        probe::ask(&self.socket(), "/_ping", limit).is_ok()
    }

    /// Stops dockerd with SIGSTOP: connections are still taken, and nothing answers.
    pub(crate) fn pause(&self) -> Result<(), Error> {
        stop(&self.pid()?)
    }

    /// Lets a paused dockerd go on.
    pub(crate) fn resume(&self) -> Result<(), Error> {
        signal("CONT", &self.pid()?)
    }

    /// Stops containerd with SIGSTOP: dockerd answers `/_ping`, and starts of containers hang.
    pub(crate) fn pause_containerd(&self) -> Result<(), Error> {
        stop(&self.containerd()?)
    }

    /// Lets a paused containerd go on.
    pub(crate) fn resume_containerd(&self) -> Result<(), Error> {
        signal("CONT", &self.containerd()?)
    }

    /// Cuts the engine's link; its unix socket still answers.
    pub(crate) fn unplug(&self) -> Result<(), Error> {
        ip(&format!("link set {} down", self.host.link)).map(drop)
    }

    /// Mends the link.
    pub(crate) fn plug(&self) -> Result<(), Error> {
        ip(&format!("link set {} up", self.host.link)).map(drop)
    }

    /// Lets no more than so many bytes a second come to the engine, as over a slow line.
    pub(crate) fn narrow(&self, bytes_per_second: u64) -> Result<(), Error> {
        let words = format!(
            "qdisc add dev {} root tbf rate {}bit burst 512kb latency 50ms",
            self.host.link,
            8 * bytes_per_second
        );
        run("tc", words.split(' ')).map(drop)
    }

    /// Kills dockerd with SIGKILL; its containers run on until it starts again.
    ///
    /// Its next start ends them, which takes 10 s for one that ignores SIGTERM, as a bare `sleep` does; give such a
    /// container `--stop-signal KILL`, or the engine `--live-restore`.
    pub(crate) fn kill(&self) -> Result<(), Error> {
        if let Some(mut process) = self.process().take() {
            process.kill().map_err(Error::file("dockerd"))?;
            process.wait().map_err(Error::file("dockerd"))?;
        }
        self.await_containerd_end()
    }

    /// Ends dockerd with SIGTERM, as a machine that shuts down does: it stops its containers first.
    pub(crate) fn terminate(&self) -> Result<(), Error> {
        signal("TERM", &self.pid()?)?;
        let ended = || match self.process().as_mut().map(Child::try_wait) {
            Some(Ok(None)) => Err(()),
            _ => Ok(()),
        };
        eventually(READY_LIMIT, ended)
            .map_err(|()| self.wrong("SIGTERM")(io::Error::other("dockerd goes on")))?;
        self.process().take();
        self.await_containerd_end()
    }

    /// Starts dockerd again on the same state, killing it first if it runs, and returns once it answers.
    pub(crate) fn restart(&self) -> Result<(), Error> {
        self.kill()?;
        self.start()
    }

    /// Collects the processes after the watcher ended them.
    pub(super) fn reap(&mut self) {
        self.machine.reap();
        if let Some(mut process) = self.process().take() {
            process.wait().ok();
        }
    }

    fn start(&self) -> Result<(), Error> {
        *self.process() = Some(self.launch.start(&self.machine)?);
        let mut ended = false;
        let result = eventually(READY_LIMIT, || {
            if let Some(status) = self
                .process()
                .as_mut()
                .and_then(|process| process.try_wait().ok()?)
            {
                ended = true;
                return Ok(Err(format!("dockerd ended: {status}")));
            }
            probe::ask(&self.socket(), "/_ping", CALL_LIMIT)
                .and_then(|_| probe::ask(&self.socket(), "/info", CALL_LIMIT))
                .map(|_| Ok(()))
        });
        result
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|why| Error::NotReady {
                name: self.name.clone(),
                why,
                log: self.last_log_lines(),
            })
    }

    /// Waits until containerd has died with its dockerd, and removes its pid file: an init that collects orphans late
    /// leaves a zombie, which the next dockerd would take for a running containerd.
    fn await_containerd_end(&self) -> Result<(), Error> {
        let Ok(pid) = self.containerd() else {
            return Ok(());
        };
        let alive = || {
            let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let state = status.rsplit(") ").next().unwrap_or_default();
            !status.is_empty() && !state.starts_with('Z')
        };
        eventually(CALL_LIMIT, || if alive() { Err(()) } else { Ok(()) }).map_err(|()| {
            self.wrong("SIGKILL")(io::Error::other("containerd outlived its dockerd"))
        })?;
        let file = self.folder.join(CONTAINERD_PID);
        fs::remove_file(&file).map_err(Error::file(file))
    }

    fn pid(&self) -> Result<String, Error> {
        match self.process().as_ref() {
            Some(process) => Ok(process.id().to_string()),
            None => Err(Error::Missing(format!("{} to run", self.name))),
        }
    }

    fn containerd(&self) -> Result<String, Error> {
        let path = self.folder.join(CONTAINERD_PID);
        let pid = fs::read_to_string(&path).map_err(Error::file(path))?;
        Ok(pid.trim().to_owned())
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong(&self, call: &str) -> impl FnOnce(io::Error) -> Error {
        let (name, call) = (self.name.clone(), call.to_owned());
        move |error| Error::Answer {
            name,
            call,
            said: error.to_string(),
        }
    }

    fn last_log_lines(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// Stops a process and waits until each of its threads stands: one that still runs may answer once more.
fn stop(pid: &str) -> Result<(), Error> {
    signal("STOP", pid)?;
    eventually(STANDSTILL, || {
        let folder = format!("/proc/{pid}/task");
        for thread in fs::read_dir(&folder).map_err(Error::file(&folder))? {
            let path = thread.map_err(Error::file(&folder))?.path().join("stat");
            // A thread that has ended meanwhile has no file, and runs no more.
            let stat = fs::read_to_string(&path).unwrap_or_default();
            // The state follows the name, which is in brackets and may hold any of them.
            let state = stat
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.chars().next());
            if !matches!(state, Some('T') | None) {
                return Err(Error::Missing(format!("{} to stand still", path.display())));
            }
        }
        Ok(())
    })
}

fn signal(name: &str, pid: &str) -> Result<(), Error> {
    run("kill", ["-s", name, pid]).map(drop)
}
