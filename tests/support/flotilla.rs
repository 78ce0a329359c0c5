//! The program under test, started before the engines of a lab.

#![allow(dead_code, reason = "not every test needs every door")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::clients::Clients;
use super::lab::{Lab, eventually};

/// How long it may take on a busy machine to listen, and to have found its nodes well.
const SOON: Duration = Duration::from_secs(60);

/// Flags for tests of where containers go exactly: an engine that once answers late is passed over for a while.
pub(crate) const PATIENT: [&str; 2] = ["--engine-timeout", "10s"];

/// One running `flotilla manage`; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Flotilla {
    child: Child,
    log: PathBuf,
    addr: String,
}

impl Flotilla {
    /// Starts it before all engines of `lab` on a free port of loopback and waits until all of them are healthy.
    pub(crate) fn before(lab: &Lab) -> Self {
        Self::with(lab, &[])
    }

    /// Does the same, and gives engines so much time that none is avoided because this machine is busy.
    pub(crate) fn patient(lab: &Lab) -> Self {
        Self::with(lab, &PATIENT)
    }

    /// Does the same with these arguments of `flotilla manage`.
    pub(crate) fn with(lab: &Lab, args: &[&str]) -> Self {
        let flotilla = Self::start(lab.folder(), args, &lab.addresses());
        flotilla.wait_for_nodes(lab.engines().len());
        flotilla
    }

    /// Starts `flotilla manage --host tcp://127.0.0.1:0 ARGS DISCOVERY`; its log goes into `folder`.
    pub(crate) fn start(folder: &Path, args: &[&str], discovery: &str) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = folder.join(format!("flotilla-{}-{number}.log", std::process::id()));
        let file = File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_flotilla"))
            .args(["manage", "--host", "tcp://127.0.0.1:0"])
            .args(args)
            .arg(discovery)
            .env("RUST_LOG", "flotilla=debug")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut flotilla = Self {
            child,
            log,
            addr: String::new(),
        };
        flotilla.addr = eventually(SOON, || {
            let log = fs::read_to_string(&flotilla.log).unwrap_or_default();
            let line = log
                .lines()
                .find(|l| l.contains("listening") && l.contains("127.0.0.1:"));
            let addr = line.and_then(|l| {
                Some(
                    l[l.find("127.0.0.1:")?..]
                        .split(|c: char| !(c.is_ascii_digit() || ".:".contains(c)))
                        .next()?
                        .to_owned(),
                )
            });
            addr.ok_or_else(|| format!("flotilla does not listen; its log: {log}"))
        })
        .unwrap();
        flotilla
    }

    /// Waits until `docker info` shows this many healthy nodes.
    pub(crate) fn wait_for_nodes(&self, count: usize) {
        eventually(SOON, || {
            let info = self.get("/info")?;
            let healthy = info.matches("\"Healthy\"").count();
            if healthy == count {
                Ok(())
            } else {
                Err(format!("{healthy} of {count} nodes healthy"))
            }
        })
        .unwrap();
    }

    /// Returns the rows of `docker info` about the nodes, for a test that fails because one was not well.
    pub(crate) fn system_status(&self) -> String {
        let info = self.get("/info").unwrap_or_default();
        let info: serde_json::Value = serde_json::from_str(&info).unwrap_or_default();
        let rows = info["SystemStatus"].as_array().into_iter().flatten();
        rows.map(|row| format!("{row}\n")).collect()
    }

    /// Returns `127.0.0.1:PORT`.
    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// Returns the value for `DOCKER_HOST`.
    pub(crate) fn docker_host(&self) -> String {
        format!("tcp://{}", self.addr)
    }

    /// Returns the clients that people use, aimed at it.
    pub(crate) fn clients<'a>(&self, lab: &'a Lab) -> Clients<'a> {
        Clients::new(self.docker_host(), lab)
    }

    /// Returns the process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the most memory that it has had at once, in kB.
    pub(crate) fn peak_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Returns what it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Gets a path with curl and returns the body.
    pub(crate) fn get(&self, path: &str) -> Result<String, String> {
        let url = format!("http://{}{path}", self.addr);
        let out = Command::new("curl")
            .args(["-sSg", "--max-time", "15", &url])
            .output()
            .map_err(|e| e.to_string())?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Kills it with SIGKILL, as a crash would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Flotilla {
    fn drop(&mut self) {
        self.kill();
    }
}
