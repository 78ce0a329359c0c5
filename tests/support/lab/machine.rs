//! What stands for one engine's machine: namespaces that outlive its dockerd, as mounts and network do on a real one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::Error;

/// Gives the machine its host name, its own /etc/docker (20.10 keeps the engine's ID there) and its own
/// /run/containerd (28 puts the shims' sockets there), a small disk if it is to have one, says so, and holds the
/// namespaces.
const SCRIPT: &str = r#"hostname "$1" && mount --bind "$2/etc" /etc/docker \
    && mount --bind "$2/run" /run/containerd \
    && if [ -n "$3" ]; then mount -t tmpfs -o "size=$3m" flotilla-lab "$2/data"; fi \
    && echo ready && exec sleep infinity >/dev/null"#;

/// A sleeping process in mount, host name and network namespaces of its own; the watcher ends it.
#[derive(Debug)]
pub(super) struct Machine {
    keeper: Child,
}

impl Machine {
    /// Makes the namespaces around an existing network namespace.
    pub(super) fn start(
        name: &str,
        folder: &Path,
        network_space: &str,
        disk_mib: Option<u32>,
    ) -> Result<Self, Error> {
        let own = ["etc", "run", "data", "exec"].map(|name| folder.join(name));
        let mount_points = ["/etc/docker", "/run/containerd"].map(PathBuf::from);
        for path in own.into_iter().chain(mount_points) {
            fs::create_dir_all(&path).map_err(Error::file(path))?;
        }
        // `ip netns exec` would remount /sys and hide the cgroups.
        let mut keeper = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{network_space}"))
            .args([
                "unshare", "--mount", "--uts", "sh", "-c", SCRIPT, "sh", name,
            ])
            .arg(folder)
            .arg(disk_mib.map_or_else(String::new, |mib| mib.to_string()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::file("nsenter"))?;
        let mut said = String::new();
        if let Some(stdout) = keeper.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut said);
            read.map_err(Error::file("nsenter"))?;
        }
        if said.trim() != "ready" {
            keeper.wait().map_err(Error::file("nsenter"))?;
            let what = "the right to make mount and host name namespaces".to_owned();
            return Err(Error::Missing(what));
        }
        Ok(Self { keeper })
    }

    /// Returns a command that runs a program on the machine; the program takes the command's process.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.keeper.id()))
            .args(["--net", "--mount", "--uts"])
            .arg(program);
        command
    }

    /// Collects the process after the watcher ended it.
    pub(super) fn reap(&mut self) {
        self.keeper.wait().ok();
    }
}
