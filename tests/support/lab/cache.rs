//! The folder that `tests/lab/packages.sh` fills, and whether this machine can run a lab.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::shell::output;
use super::{Error, Release};

/// The engines, clients and image that `tests/lab/packages.sh` brought.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Finds the folder and checks that this machine can run a lab.
    ///
    /// # Errors
    /// When the user is not root, or a kernel feature or package is missing; the message says which.
    pub(crate) fn open() -> Result<Self, Error> {
        let missing = |what: &str| Err(Error::Missing(what.to_owned()));
        if output(Command::new("id").arg("-u"))? != "0" {
            return missing("root, since it makes network namespaces and starts dockerd");
        }
        let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        if !filesystems.contains("overlay")
            && output(Command::new("modprobe").arg("overlay")).is_err()
        {
            return missing("a kernel with overlayfs");
        }
        if !Path::new("/proc/self/ns/net").exists() {
            return missing("a kernel with network namespaces");
        }
        if !Path::new("/sys/fs/cgroup").is_dir() {
            return missing("cgroups mounted at /sys/fs/cgroup");
        }
        let cache = Self::locate();
        for part in ["debian", "engine-20", "cli-20", "busybox"] {
            if !cache.has_part(part) {
                return missing(
                    "tests/lab/packages.sh to be run first: it installs engines and clients",
                );
            }
        }
        Ok(cache)
    }

    /// Finds the folder, `$FLOTILLA_LAB_CACHE` or /var/cache/flotilla-lab, without checks.
    pub(crate) fn locate() -> Self {
        let folder = env::var_os("FLOTILLA_LAB_CACHE");
        Self {
            folder: folder.map_or_else(|| PathBuf::from("/var/cache/flotilla-lab"), PathBuf::from),
        }
    }

    /// Tells whether engines of that release are installed.
    pub(crate) fn has(&self, release: Release) -> bool {
        match release {
            Release::V20 => self.has_part("engine-20"),
            Release::V28 => self.has_part("engine-28"),
        }
    }

    /// Returns the folder with a release's dockerd, containerd and their helpers.
    pub(super) fn engine_programs(&self, release: Release) -> PathBuf {
        match release {
            Release::V20 => self.folder.join("engine-20/bin"),
            Release::V28 => self.folder.join("engine-28/bin"),
        }
    }

    /// Returns the docker CLI 28: the one on `PATH` when it is at least 28, else the cached one.
    pub(crate) fn cli_28(&self) -> Option<PathBuf> {
        let recent = |said: &str| {
            let major = said.strip_prefix("Docker version ")?.split('.').next()?;
            major.parse::<u32>().ok().filter(|major| *major >= 28)
        };
        let on_path = output(Command::new("docker").arg("--version")).ok();
        if on_path.as_deref().and_then(recent).is_some() {
            return Some(PathBuf::from("docker"));
        }
        self.part("cli-28", "bin/docker")
    }

    /// Returns the docker CLI 20.10.
    pub(crate) fn cli_20(&self) -> PathBuf {
        self.folder.join("cli-20/bin/docker")
    }

    /// Returns an interpreter that has the package `docker`.
    pub(crate) fn python(&self) -> Option<PathBuf> {
        self.part("python", "bin/python")
    }

    /// Returns compose 1.29, which is a program of its own.
    pub(crate) fn compose_1(&self) -> Option<PathBuf> {
        self.part("compose-1", "bin/docker-compose")
    }

    /// Returns the folder of docker-py's own tests: an environment that runs them, and `source`.
    pub(crate) fn suite(&self) -> Option<PathBuf> {
        self.part("suite", "")
    }

    /// Returns the folder of bollard's own tests, a program for each file of them in `bin`.
    pub(crate) fn bollard(&self) -> Option<PathBuf> {
        self.part("bollard", "")
    }

    /// Returns a folder for `NODE_PATH` that has the packages `dockerode` and `testcontainers`.
    pub(crate) fn node_modules(&self) -> Option<PathBuf> {
        self.part("node", "node_modules")
    }

    /// Returns the archive of the image busybox:latest, for `docker load`; its ID is the same everywhere.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.join("busybox/image.tar")
    }

    /// Returns busybox's root file system, for `docker import` and as a build context's layer.
    pub(crate) fn busybox_root(&self) -> PathBuf {
        self.folder.join("busybox/busybox.tar")
    }

    /// Makes a folder for `DOCKER_CONFIG` below `folder`, with the plugins that are installed.
    pub(crate) fn docker_config(&self, folder: &Path) -> Result<PathBuf, Error> {
        let config = folder.join("docker-config");
        let plugins = config.join("cli-plugins");
        fs::create_dir_all(&plugins).map_err(Error::file(&plugins))?;
        for name in ["docker-compose", "docker-buildx"] {
            if let Some(program) = self.part("plugins", &format!("bin/{name}")) {
                let link = plugins.join(name);
                std::os::unix::fs::symlink(program, &link).map_err(Error::file(link))?;
            }
        }
        Ok(config)
    }

    fn part(&self, part: &str, file: &str) -> Option<PathBuf> {
        self.has_part(part)
            .then(|| self.folder.join(part).join(file))
    }

    /// Tells whether `packages.sh` has made a part.
    pub(crate) fn has_part(&self, part: &str) -> bool {
        self.folder.join(part).join(".version").exists()
    }
}
