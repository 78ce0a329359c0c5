//! What a lab is to be made of.

use std::path::PathBuf;

use super::Cache;

/// The release of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// 20.10, API 1.41: Debian bookworm's own; always there.
    V20,
    /// 28.5, API 1.51, minimum 1.24: from a newer Debian; may be missing.
    V28,
}

/// Certificate files that make an engine listen on port 2376 with client verification.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    /// The authority that clients' certificates must come from.
    pub(crate) ca: PathBuf,
    /// The engine's certificate.
    pub(crate) cert: PathBuf,
    /// The engine's private key.
    pub(crate) key: PathBuf,
}

/// One engine of a lab.
#[derive(Clone, Debug)]
pub(crate) struct EngineSpec {
    /// The host name, unique in the lab, at most 20 letters, digits and hyphens.
    pub(crate) name: String,
    /// The release wished for; 28.5 falls back to 20.10 when it is not installed.
    pub(crate) release: Release,
    /// The engine's labels.
    pub(crate) labels: Vec<(String, String)>,
    /// Listens with TLS when given, else in plain text on port 2375.
    pub(crate) tls: Option<TlsFiles>,
    /// A small disk of its own for the engine's data, in MiB; the machine's disk when there is none.
    pub(crate) disk_mib: Option<u32>,
    /// Whether the kernel tells its programs that the machine is an i686.
    pub(crate) i686: bool,
    /// More arguments for dockerd, `--live-restore` for instance.
    pub(crate) args: Vec<String>,
}

/// A whole lab.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// The engines, at most 200.
    pub(crate) engines: Vec<EngineSpec>,
    /// Whether a registry runs at 172.31.N.1:5000, trusted without TLS by the engines.
    pub(crate) registry: bool,
    /// Whether the registry asks for a login: user `flotilla`, password `secret`.
    pub(crate) login: bool,
    /// Whether the engines take the registry for Docker Hub's nearest mirror.
    pub(crate) hub: bool,
}

impl EngineSpec {
    /// Makes an engine of that name and release, with neither labels nor TLS.
    pub(crate) fn new(name: impl Into<String>, release: Release) -> Self {
        Self {
            name: name.into(),
            release,
            labels: Vec::new(),
            tls: None,
            disk_mib: None,
            i686: false,
            args: Vec::new(),
        }
    }

    /// Adds a label.
    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Makes it listen on port 2376 with these certificates.
    pub(crate) fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Gives it a disk of its own of this size.
    pub(crate) fn disk(mut self, mib: u32) -> Self {
        self.disk_mib = Some(mib);
        self
    }

    /// Makes it, for all that it can tell, a machine of 32 bits.
    pub(crate) fn i686(mut self) -> Self {
        self.i686 = true;
        self
    }

    /// Adds an argument for dockerd.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }
}

impl Spec {
    /// Makes the usual lab: node0 of 20.10, node1 and node2 of 28.5; `zone` a, b, c and `storage` ssd, hdd, ssd.
    pub(crate) fn mixed() -> Self {
        Self::of(&[Release::V20, Release::V28, Release::V28])
    }

    /// Makes engines node0, node1, … of the releases, with labels `zone` (a, b, c, a, …) and `storage` (ssd, hdd, …).
    pub(crate) fn of(releases: &[Release]) -> Self {
        let zones = ["a", "b", "c"].into_iter().cycle();
        let storages = ["ssd", "hdd"].into_iter().cycle();
        let engines = releases.iter().zip(zones.zip(storages)).enumerate();
        Self::with(engines.map(|(index, (release, (zone, storage)))| {
            EngineSpec::new(format!("node{index}"), *release)
                .label("zone", zone)
                .label("storage", storage)
        }))
    }

    /// Makes a lab of these engines.
    pub(crate) fn with(engines: impl IntoIterator<Item = EngineSpec>) -> Self {
        Self {
            engines: engines.into_iter().collect(),
            registry: false,
            login: false,
            hub: false,
        }
    }

    /// Adds a registry.
    pub(crate) fn registry(mut self) -> Self {
        self.registry = true;
        self
    }

    /// Adds a registry that the engines ask for what is of Docker Hub; see `hub.rs`.
    pub(crate) fn hub(mut self) -> Self {
        self.hub = true;
        self.registry()
    }

    /// Gives every engine an argument for dockerd.
    pub(crate) fn args(mut self, arg: &str) -> Self {
        for engine in &mut self.engines {
            engine.args.push(arg.to_owned());
        }
        self
    }

    /// Adds a registry that asks for a login.
    pub(crate) fn private_registry(mut self) -> Self {
        self.login = true;
        self.registry()
    }

    /// Returns the engines with releases that are installed, and the sentence that tells of those that are not.
    pub(super) fn fit(&self, cache: &Cache) -> (Vec<EngineSpec>, Option<String>) {
        let mut engines = self.engines.clone();
        let mut replaced = Vec::new();
        for engine in &mut engines {
            if !cache.has(engine.release) {
                engine.release = Release::V20;
                replaced.push(engine.name.clone());
            }
        }
        let skipped = (!replaced.is_empty()).then(|| {
            let names = replaced.join(", ");
            format!("Engine 28.5 is not installed here, so 20.10 runs in its place on {names}.")
        });
        (engines, skipped)
    }
}
