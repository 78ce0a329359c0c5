//! What benches share: processes that end with them, their memory and processor time, medians.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::lab::{self, Lab};

/// A process that ends with the bench.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Returns the processor seconds it has used.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks / 100.0
    }

    /// Forgets the most memory that it had so far.
    pub(crate) fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.0.id()), "5").unwrap();
    }

    /// Returns a line of its memory in kB: `VmRSS`, `VmHWM`.
    pub(crate) fn memory_kb(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// Starts Flotilla before all engines of a lab.
pub(crate) fn flotilla(lab: &Lab) -> (Process, String) {
    flotilla_before(&format!("nodes://{}", lab.addresses()))
}

/// Starts Flotilla before the engines that discovery tells of.
pub(crate) fn flotilla_before(discovery: &str) -> (Process, String) {
    let addr = free_port();
    let child = Command::new(env!("CARGO_BIN_EXE_flotilla"))
        .args(["manage", "--host", &format!("tcp://{addr}"), discovery])
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&addr);
    (Process(child), addr)
}

/// Returns a port of loopback that is free now.
pub(crate) fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

/// Waits until something listens.
pub(crate) fn wait_for(addr: &str) {
    lab::eventually(Duration::from_secs(10), || {
        std::net::TcpStream::connect(addr)
            .map(|_| ())
            .map_err(|e| e.to_string())
    })
    .unwrap();
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
