//! A managed plugin: a log driver whose process only sleeps, while the test holds its socket.
//!
//! Engines take such a plugin for enabled once somebody listens there, and ask it nothing before a container starts.

#![allow(dead_code, reason = "not every test needs every door")]

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::lab::Engine;

/// Where engines have the sockets of managed plugins, wherever their other folders are.
const SOCKETS: &str = "/run/docker/plugins";
/// What it is, with one variable that may be set. It ends at once when it is told to.
const CONFIG: &str = r#"{
  "description": "DESCRIPTION", "documentation": "",
  "entrypoint": ["/bin/busybox", "sh", "-c", "trap exit TERM; /bin/busybox sleep 100000 & wait"],
  "interface": {"types": ["docker.logdriver/1.0"], "socket": "p.sock"},
  "linux": {"capabilities": []}, "network": {"type": ""}, "mounts": [], "workdir": "/", "user": {},
  "propagatedMount": "", "ipchost": false, "pidhost": false,
  "env": [{"name": "DEBUG", "settable": ["value"], "value": "0", "description": ""}],
  "args": {"name": "args", "settable": [], "value": [], "description": ""}
}"#;

/// Makes the archive of the plugin; with a description of its own, since engines cannot make two of one content at once.
pub(crate) fn archive(description: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("rootfs/bin");
    fs::create_dir_all(&programs).unwrap();
    fs::copy("/bin/busybox", programs.join("busybox")).unwrap();
    fs::write(programs.join("name"), description).unwrap();
    let config = CONFIG.replace("DESCRIPTION", description);
    fs::write(folder.path().join("config.json"), config).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folder.path());
    let made = tar.args(["-c", "config.json", "rootfs"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    made.stdout
}

/// Listens where this engine will look for the plugin's process; to be kept until it is enabled.
pub(crate) fn listen(engine: &Engine, plugin: &str) -> UnixListener {
    let found = engine.ask(&format!("/plugins/{plugin}/json")).unwrap();
    let folder = Path::new(SOCKETS).join(found["Id"].as_str().unwrap());
    fs::create_dir_all(&folder).unwrap();
    let socket = folder.join("p.sock");
    // The engine removes it with the plugin.
    fs::remove_file(&socket).ok();
    UnixListener::bind(socket).unwrap()
}
