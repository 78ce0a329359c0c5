//! What Docker Hub holds for the engines of a lab: the lab's registry is its mirror (`Spec::hub`), and no other answers.

#![allow(dead_code, reason = "not every program needs it")]

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use super::lab::{Lab, output};
use super::plugin;

/// Images of the hub that are busybox under another name.
const ALIKE: [&str; 3] = ["busybox:latest", "alpine:latest", "alpine:3.10"];

/// What the index finds, whatever it is asked for.
const FOUND: &str = r#"{"num_results":1,"query":"lab","results":[{"description":"of the lab","is_official":false,"is_automated":false,"name":"lab/found","star_count":7}]}"#;

/// Fills it with `busybox`, `alpine`, `hello-world` and the plugin `vieux/sshfs`; no engine has a name more than before.
pub(crate) fn fill(lab: &Lab) {
    // The real one is not found at once, where looking for it would take its time.
    let names = lab.folder().join("resolv.conf");
    fs::write(&names, "nameserver 127.0.0.1\noptions attempts:1\n").unwrap();
    for engine in lab.engines() {
        let mut mount = engine.on_machine("/bin/mount");
        output(
            mount
                .arg("--bind")
                .args([names.as_path(), Path::new("/etc/resolv.conf")]),
        )
        .unwrap();
    }
    let engine = &lab.engines()[0];
    let docker = |args: &[&str]| output(engine.docker().args(args)).unwrap();
    let registry = lab.registry().unwrap();
    let hub = |image: &str| format!("{registry}/library/{image}");
    for image in ALIKE {
        docker(&["tag", "busybox", &hub(image)]);
    }
    let hello = tempfile::tempdir().unwrap();
    fs::write(hello.path().join("hello"), "Hello from Docker!").unwrap();
    let archive = lab.folder().join("hello.tar");
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(hello.path()).arg("-cf").arg(&archive);
    output(tar.arg("hello")).unwrap();
    let named = hub("hello-world:latest");
    let command = ["import", "--change", "CMD [\"/hello\"]"];
    docker(&[&command[..], &[archive.to_str().unwrap(), &named]].concat());
    for image in ALIKE.iter().chain(&["hello-world:latest"]) {
        docker(&["push", &hub(image)]);
        docker(&["rmi", &hub(image)]);
    }
    let sshfs = format!("{registry}/vieux/sshfs:latest");
    plugin::push(engine, &sshfs, "in the place of the real one");
}

/// Starts an index of images as `docker search` asks it for, and returns its address; it serves until the test program
/// ends. Engines trust it with `--insecure-registry=172.31.0.0/16`.
pub(crate) fn index(lab: &Lab) -> String {
    let listener = TcpListener::bind(format!("172.31.{}.1:0", lab.number())).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // An engine that tries TLS first goes away without a question.
            thread::spawn(move || tell(stream).ok());
        }
    });
    address
}

/// Answers one question to the index.
fn tell(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if !line.starts_with(b"GET ") {
        return Ok(());
    }
    let text = match String::from_utf8_lossy(&line).contains("/v1/search") {
        true => FOUND,
        false => r#"{"standalone":true}"#,
    };
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
}
