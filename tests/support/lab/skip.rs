//! What a run of tests does without, which `tests/run.sh` tells at its end.

use std::fs::OpenOptions;
use std::io::Write;
use std::{env, thread};

/// The variable with the file to which lines are added; nothing is told without it.
const FILE: &str = "FLOTILLA_SKIPPED";

/// Tells that the test of this thread does without something.
pub(crate) fn skip(why: &str) {
    let thread = thread::current();
    tell(thread.name().unwrap_or("a test"), why);
}

/// Tells that tests whose names do not matter do without something.
pub(crate) fn skip_in_many(why: &str) {
    tell("in many tests", why);
}

fn tell(who: &str, why: &str) {
    let Some(file) = env::var_os(FILE) else {
        return;
    };
    let opened = OpenOptions::new().create(true).append(true).open(&file);
    // One write, so that the lines of several threads do not mix.
    let written = opened.and_then(|mut file| file.write_all(format!("{who}: {why}\n").as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
