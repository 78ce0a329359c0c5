//! Starts three real engines on this machine and prints them, one `NAME ADDRESS VERSION` a line.
//!
//! `cargo run --example lab` runs until its standard input ends or it is interrupted; then the engines are gone.
//! With `--detach FILE` the engines stay, and FILE gets the lab's number; `--down FILE` ends them.
//! Needs root, and `tests/lab/packages.sh` to have been run.

#![allow(clippy::print_stdout, reason = "the lines are the program's result")]

use std::error::Error;
use std::process::Command;
use std::{env, fs, io};

use lab::{Lab, Spec};

#[path = "../tests/support/lab/mod.rs"]
mod lab;

const CLEAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/clean.sh");

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            let _lab = start()?;
            io::copy(&mut io::stdin(), &mut io::sink())?;
        }
        ["--detach", file] => {
            let lab = start()?;
            fs::write(file, lab.number().to_string())?;
            lab.detach()?;
        }
        ["--down", file] => {
            let number = fs::read_to_string(file)?;
            lab::output(Command::new(CLEAN).arg(number.trim()))?;
            fs::remove_file(file)?;
        }
        _ => return Err("usage: lab [--detach FILE | --down FILE]".into()),
    }
    Ok(())
}

fn start() -> Result<Lab, lab::Error> {
    let lab = Lab::start(&Spec::mixed())?;
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
