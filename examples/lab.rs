//! Starts three real engines on this machine and prints them, one `NAME ADDRESS VERSION` a line.
//!
//! `cargo run --example lab` runs until its standard input ends or it is interrupted; then the engines are gone.
//! With `--detach FILE` the engines stay, and FILE gets the lab's number; `--down FILE` ends them. With `--tls DIR` after
//! that they speak TLS with DIR's ca.pem, cert.pem and key.pem, which must be valid for 172.31.N.10 to 172.31.N.12.
//! Needs root, and `tests/lab/packages.sh` to have been run.

#![allow(clippy::print_stdout, reason = "the lines are the program's result")]

use std::error::Error;
use std::path::{Path, absolute};
use std::process::Command;
use std::{env, fs, io};

use lab::{Lab, Spec, TlsFiles};

#[path = "../tests/support/lab/mod.rs"]
mod lab;

const CLEAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/clean.sh");

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            let _lab = start(None)?;
            io::copy(&mut io::stdin(), &mut io::sink())?;
        }
        ["--detach", file] => detach(file, None)?,
        ["--detach", file, "--tls", folder] => {
            let folder = absolute(Path::new(folder))?;
            detach(
                file,
                Some(TlsFiles {
                    ca: folder.join("ca.pem"),
                    cert: folder.join("cert.pem"),
                    key: folder.join("key.pem"),
                }),
            )?;
        }
        ["--down", file] => {
            let number = fs::read_to_string(file)?;
            lab::output(Command::new(CLEAN).arg(number.trim()))?;
            fs::remove_file(file)?;
        }
        _ => return Err("usage: lab [--detach FILE [--tls DIR] | --down FILE]".into()),
    }
    Ok(())
}

fn detach(file: &str, tls: Option<TlsFiles>) -> Result<(), Box<dyn Error>> {
    let lab = start(tls)?;
    fs::write(file, lab.number().to_string())?;
    lab.detach()?;
    Ok(())
}

fn start(tls: Option<TlsFiles>) -> Result<Lab, lab::Error> {
    let mut spec = Spec::mixed();
    if let Some(files) = tls {
        spec.engines = (spec.engines.into_iter())
            .map(|engine| engine.tls(files.clone()))
            .collect();
    }
    let lab = Lab::start(&spec)?;
    for engine in lab.engines() {
        println!(
            "{} {} {}",
            engine.name(),
            engine.address(),
            engine.version()
        );
    }
    Ok(lab)
}
