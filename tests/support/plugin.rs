//! A managed plugin that starts on any engine of the lab: its program is the machine's own Python, which listens.

#![allow(dead_code, reason = "not every test needs every form")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use super::lab::{Engine, output};

/// Listens where engines expect a plugin to, and ends when it is told to.
const SERVE: &str = "
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
listener = socket.socket(socket.AF_UNIX)
listener.bind('/run/docker/plugins/lab.sock')
listener.listen()
while True:
    listener.accept()[0].close()
";

/// Writes the folder that `docker plugin create` makes a plugin of.
pub(crate) fn write(folder: &Path, description: &str) {
    let root = folder.join("rootfs");
    for inside in ["usr", "tmp", "run/docker/plugins"] {
        fs::create_dir_all(root.join(inside)).unwrap();
    }
    for library in ["lib", "lib64"] {
        symlink(format!("usr/{library}"), root.join(library)).unwrap();
    }
    let config = json!({
        "description": description,
        "documentation": "none",
        "entrypoint": ["/usr/bin/python3", "-c", SERVE],
        "workdir": "/",
        "interface": {"types": ["docker.lab/1.0"], "socket": "lab.sock"},
        "network": {"type": "none"},
        "mounts": [{
            "name": "programs", "description": "the machine's own programs", "settable": null,
            "source": "/usr", "destination": "/usr", "type": "bind", "options": ["rbind", "ro"],
        }],
        "env": [{"name": "DEBUG", "description": "more words", "settable": ["value"], "value": "0"}],
        "args": {"name": "args", "description": "", "settable": null, "value": []},
        "linux": {"capabilities": [], "allowAllDevices": false, "devices": null},
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// Puts a plugin of this name, which begins with a registry's address, into that registry, and on no engine.
pub(crate) fn push(engine: &Engine, name: &str, description: &str) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), description);
    let docker = |args: &[&str]| output(engine.docker().arg("plugin").args(args)).unwrap();
    docker(&["create", name, folder.path().to_str().unwrap()]);
    docker(&["push", name]);
    docker(&["rm", name]);
}
