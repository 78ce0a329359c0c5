//! The command line that runs one dockerd on its machine.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::machine::Machine;
use super::{Cache, EngineSpec, Error};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything needed to start one engine again and again on the same state.
#[derive(Debug)]
pub(super) struct Launch {
    args: Vec<String>,
    dockerd: PathBuf,
    path: String,
    folder: PathBuf,
    i686: bool,
}

impl Launch {
    /// Makes the command line.
    pub(super) fn prepare(
        spec: &EngineSpec,
        folder: &Path,
        address: &str,
        cgroup: &str,
        cache: &Cache,
        registry: Option<&str>,
    ) -> Self {
        let place = folder.display();
        let programs = cache.engine_programs(spec.release);
        let mut args = vec![
            format!("--host=unix://{place}/docker.sock"),
            format!("--host=tcp://{address}"),
            format!("--data-root={place}/data"),
            format!("--exec-root={place}/exec"),
            format!("--pidfile={place}/pid"),
            format!("--cgroup-parent={cgroup}"),
            "--bip=172.18.0.1/24".to_owned(),
        ];
        match &spec.tls {
            // Without it an unauthenticated TCP socket costs a delay of 15 s.
            None => args.push("--tls=false".to_owned()),
            Some(tls) => args.extend([
                "--tlsverify".to_owned(),
                format!("--tlscacert={}", tls.ca.display()),
                format!("--tlscert={}", tls.cert.display()),
                format!("--tlskey={}", tls.key.display()),
            ]),
        }
        args.extend(
            spec.labels
                .iter()
                .map(|(key, value)| format!("--label={key}={value}")),
        );
        args.extend(registry.map(|address| format!("--insecure-registry={address}")));
        args.extend(spec.args.iter().cloned());
        Self {
            args,
            dockerd: programs.join("dockerd"),
            i686: spec.i686,
            path: format!("{}:{PATH}", programs.display()),
            folder: folder.to_owned(),
        }
    }

    /// Starts dockerd; every program on the way replaces itself, so the child is dockerd.
    pub(super) fn start(&self, machine: &Machine) -> Result<Child, Error> {
        let log = self.folder.join("log");
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(Error::file(&log))?;
        let errors = output.try_clone().map_err(Error::file(&log))?;
        // A killed dockerd leaves it, and a new process may have got the same number.
        fs::remove_file(self.folder.join("pid")).ok();
        let mut command = match self.i686 {
            // Takes the process over, as all on the way do.
            true => machine.command(Path::new("setarch")),
            false => machine.command(&self.dockerd),
        };
        if self.i686 {
            command.arg("i686").arg(&self.dockerd);
        }
        command
            .args(&self.args)
            .env("PATH", &self.path)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(Error::file(&self.dockerd))
    }
}
