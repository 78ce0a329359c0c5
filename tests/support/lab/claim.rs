//! A lab's number and the watcher that takes the lab apart; `tests/lab/watch.sh` owns both.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::Error;

const WATCHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/watch.sh");

/// The right to a lab's number; dropping it takes everything of that number apart and waits until that is done.
#[derive(Debug)]
pub(super) struct Claim {
    number: u8,
    folder: PathBuf,
    watcher: Child,
    // The watcher clears the lab when this end of the pipe closes, however this program ends.
    pipe: Option<ChildStdin>,
}

impl Claim {
    /// Clears labs whose owners died and takes a free number.
    pub(super) fn take() -> Result<Self, Error> {
        let mut watcher = Command::new("bash")
            .arg(WATCHER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C must end the owner, and not the watcher.
            .process_group(0)
            .spawn()
            .map_err(Error::file(WATCHER))?;
        let pipe = watcher.stdin.take();
        let mut said = String::new();
        if let Some(stdout) = watcher.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut said)
                .map_err(Error::file(WATCHER))?;
        }
        let Ok(number) = said.trim().parse() else {
            let mut why = String::new();
            if let Some(mut stderr) = watcher.stderr.take() {
                stderr
                    .read_to_string(&mut why)
                    .map_err(Error::file(WATCHER))?;
            }
            watcher.wait().map_err(Error::file(WATCHER))?;
            return Err(Error::Command {
                command: "tests/lab/watch.sh".to_owned(),
                said: why.trim().to_owned(),
            });
        };
        Ok(Self {
            number,
            folder: PathBuf::from(format!("/tmp/flotilla-lab-{number}")),
            watcher,
            pipe,
        })
    }

    /// Returns the lab's number.
    pub(super) fn number(&self) -> u8 {
        self.number
    }

    /// Returns the lab's folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the watcher wait for `tests/lab/clean.sh` in place of this program's end.
    pub(super) fn detach(&mut self) -> Result<(), Error> {
        if let Some(mut pipe) = self.pipe.take() {
            pipe.write_all(b"detach\n").map_err(Error::file(WATCHER))?;
        }
        Ok(())
    }

    /// Takes the lab apart and waits until that is done; does nothing and returns false when the lab is detached.
    pub(super) fn end(&mut self) -> bool {
        let attached = self.pipe.take().is_some();
        if attached {
            // It bounds each of its own steps.
            self.watcher.wait().ok();
        }
        attached
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end();
    }
}
