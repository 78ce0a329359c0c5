//! A lab of real engines on one machine: each dockerd has its own network namespace, address, name and state.
//!
//! A lab has number N, subnet 172.31.N.0/24 (the machine itself is 172.31.N.1, engine M is 172.31.N.(M + 10)), folder
//! /tmp/flotilla-lab-N, bridge flab-N, links flab-N-M, namespaces and cgroups flotilla-lab-N-NAME. Labs run side by
//! side. `tests/lab/packages.sh` installs what it needs. Everything is synchronous and can be shared by threads.
//!
//! Invariant: `tests/lab/watch.sh` watches each lab through a pipe and takes it apart when the lab is dropped and when
//! its owner ends in whichever way, so nothing outlives the tests. A static is as good an owner as a local.

#![allow(
    dead_code,
    reason = "each program that includes the lab uses a part of it"
)]

mod cache;
mod claim;
mod engine;
mod error;
mod launch;
mod machine;
mod network;
mod probe;
mod registry;
mod shell;
mod skip;
mod spec;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread;

#[allow(
    unused_imports,
    reason = "each program that includes the lab uses a part of it"
)]
pub(crate) use self::{
    cache::Cache,
    engine::Engine,
    error::Error,
    probe::eventually,
    shell::output,
    skip::{skip, skip_in_many},
    spec::{EngineSpec, Release, Spec, TlsFiles},
};
use self::{claim::Claim, network::Network, registry::Registry};

/// Several real engines, all ready; taken apart when dropped or when the program ends.
#[derive(Debug)]
pub(crate) struct Lab {
    engines: Vec<Engine>,
    registry: Option<Registry>,
    skipped: Option<String>,
    docker_config: PathBuf,
    claim: Claim,
}

static SHARED: LazyLock<Result<Lab, Error>> = LazyLock::new(|| Lab::start(&Spec::mixed()));

impl Lab {
    /// Starts the engines in parallel and returns once each of them answers and has the image `busybox:latest`.
    ///
    /// # Errors
    /// When the machine lacks something (the message says what), or when an engine does not get ready in 60 s.
    pub(crate) fn start(spec: &Spec) -> Result<Self, Error> {
        let cache = Cache::open()?;
        let (mut specs, skipped) = spec.fit(&cache);
        if skipped.is_some() {
            skip_in_many("engine 28.5 is not installed here, so 20.10 runs in its place");
        }
        let claim = Claim::take()?;
        let docker_config = cache.docker_config(claim.folder())?;
        let network = Network::create(claim.number())?;
        let registry = if spec.registry {
            Some(Registry::start(&claim, network.gateway(), spec.login)?)
        } else {
            None
        };
        let registry_address = registry.as_ref().map(Registry::address);
        if let (true, Some(address)) = (spec.hub, registry_address) {
            let mirror = format!("--registry-mirror=http://{address}");
            specs.iter_mut().for_each(|s| s.args.push(mirror.clone()));
        }
        let prepared = specs
            .iter()
            .enumerate()
            .map(|(index, spec)| {
                Engine::prepare(spec, index, &claim, &network, &cache, registry_address)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let engines = thread::scope(|scope| {
            let starts: Vec<_> = prepared
                .into_iter()
                .map(|engine| scope.spawn(move || engine.start_first()))
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().expect("an engine's start does not panic"))
                .collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Self {
            engines,
            registry,
            skipped,
            docker_config,
            claim,
        })
    }

    /// Returns the lab of [`Spec::mixed`] that this program's threads share; the first call starts it.
    ///
    /// Tests on it must name their containers apart and must not harm its engines.
    pub(crate) fn shared() -> Result<&'static Self, &'static Error> {
        SHARED.as_ref()
    }

    /// Returns the lab's number N, which is unique on this machine while the lab exists.
    pub(crate) fn number(&self) -> u8 {
        self.claim.number()
    }

    /// Returns the lab's folder, where tests may put files too; it goes with the lab.
    pub(crate) fn folder(&self) -> &Path {
        self.claim.folder()
    }

    /// Returns the engines in the order of the specification.
    pub(crate) fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// Returns the engine of that name.
    ///
    /// # Panics
    /// When no engine has it.
    pub(crate) fn engine(&self, name: &str) -> &Engine {
        self.engines
            .iter()
            .find(|engine| engine.name() == name)
            .unwrap_or_else(|| panic!("the lab has no engine {name}"))
    }

    /// Returns the engines' TCP addresses, `172.31.N.M:2375`, joined by commas as `nodes://` takes them.
    pub(crate) fn addresses(&self) -> String {
        let addresses: Vec<_> = self.engines.iter().map(Engine::address).collect();
        addresses.join(",")
    }

    /// Returns the registry's address, `172.31.N.1:5000`, when the specification asked for one.
    pub(crate) fn registry(&self) -> Option<&str> {
        self.registry.as_ref().map(Registry::address)
    }

    /// Says in one sentence which engines run an older version than asked for; `None` when all is as asked.
    pub(crate) fn skipped(&self) -> Option<&str> {
        self.skipped.as_deref()
    }

    /// Returns a folder for `DOCKER_CONFIG` with the plugins compose and buildx in it.
    pub(crate) fn docker_config(&self) -> &Path {
        &self.docker_config
    }

    /// Leaves the engines running after this program; `tests/lab/clean.sh N` ends them.
    pub(crate) fn detach(mut self) -> Result<(), Error> {
        self.claim.detach()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.claim.end() {
            self.engines.iter_mut().for_each(Engine::reap);
            self.registry.iter_mut().for_each(Registry::reap);
        }
    }
}
