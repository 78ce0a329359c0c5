//! A volume driver whose volumes all its engines see, and a network driver that connects nothing: a legacy plugin,
//! listed in a `.spec` file.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::lab::{Engine, Lab};

/// The driver's name.
pub(crate) const NAME: &str = "shared";

/// The driver; it serves until the test program ends.
#[derive(Clone, Debug)]
pub(crate) struct VolumePlugin {
    folder: PathBuf,
    volumes: Arc<Mutex<BTreeSet<String>>>,
    holds: Arc<AtomicBool>,
    held: Arc<AtomicUsize>,
}

impl VolumePlugin {
    /// Starts the driver and lists it on these engines.
    pub(crate) fn start(lab: &Lab, engines: &[&str]) -> Self {
        let folder = lab.folder().join("volume-plugin");
        fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        for engine in engines {
            list(lab.engine(engine), &socket);
        }
        let plugin = Self {
            folder,
            volumes: Arc::default(),
            holds: Arc::default(),
            held: Arc::default(),
        };
        let serving = plugin.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let plugin = serving.clone();
                // An engine that goes away has no answer to wait for.
                thread::spawn(move || plugin.serve(&stream).ok());
            }
        });
        plugin
    }

    /// Returns the names of its volumes.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let volumes = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        volumes.iter().cloned().collect()
    }

    /// Lets mounts wait from now on, as of a server that does not answer, or no longer.
    pub(crate) fn hold(&self, holds: bool) {
        self.holds.store(holds, Ordering::Relaxed);
    }

    /// Returns how many mounts are waiting.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Waits as long as mounts have to.
    fn wait(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
        while self.holds.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
        self.held.fetch_sub(1, Ordering::Relaxed);
    }

    /// Answers the calls of one connection.
    fn serve(&self, stream: &UnixStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first)? == 0 {
                return Ok(());
            }
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line)? > 0 && line != "\r\n" {
                if let Some(("content-length", value)) =
                    line.to_ascii_lowercase().trim().split_once(": ")
                {
                    length = value.parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
            let path = first.split(' ').nth(1).unwrap_or_default();
            if path == "/VolumeDriver.Mount" {
                self.wait();
            }
            let answer = self.answer(path, asked["Name"].as_str().unwrap_or_default());
            let answer = answer.to_string();
            let length = answer.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.plugins.v1.1+json\r\nContent-Length: {length}\r\n\r\n{answer}"
            )?;
        }
    }

    /// Makes the answer to one call.
    fn answer(&self, path: &str, name: &str) -> Value {
        let mut volumes = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.folder.join(name);
        let volume = |name: &str| json!({"Name": name, "Mountpoint": self.folder.join(name)});
        match path {
            "/Plugin.Activate" => json!({"Implements": ["VolumeDriver", "NetworkDriver"]}),
            "/VolumeDriver.Capabilities" => json!({"Capabilities": {"Scope": "global"}}),
            "/NetworkDriver.GetCapabilities" => json!({"Scope": "local"}),
            "/VolumeDriver.Create" => {
                fs::create_dir_all(&place).unwrap();
                volumes.insert(name.to_owned());
                json!({"Err": ""})
            }
            "/VolumeDriver.Remove" => {
                volumes.remove(name);
                json!({"Err": ""})
            }
            "/VolumeDriver.Mount" | "/VolumeDriver.Path" => json!({"Mountpoint": place, "Err": ""}),
            "/VolumeDriver.Get" if volumes.contains(name) => {
                json!({"Volume": volume(name), "Err": ""})
            }
            "/VolumeDriver.Get" => json!({"Err": "no such volume"}),
            "/VolumeDriver.List" => {
                let all: Vec<Value> = volumes.iter().map(|v| volume(v)).collect();
                json!({"Volumes": all, "Err": ""})
            }
            _ => json!({"Err": ""}),
        }
    }
}

/// Lists the driver on an engine.
fn list(engine: &Engine, socket: &Path) {
    let folder = engine.folder().join("etc/plugins");
    fs::create_dir_all(&folder).unwrap();
    let spec = format!("unix://{}", socket.display());
    fs::write(folder.join(format!("{NAME}.spec")), spec).unwrap();
}
