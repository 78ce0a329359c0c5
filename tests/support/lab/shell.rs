//! Runs a command to its end.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use super::Error;

/// Runs the command and returns its standard output without the last line's end.
///
/// # Errors
/// When it cannot start or does not exit with 0; the message has its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let failed = |said: String| Error::Command {
        command: line(command),
        said,
    };
    let result = {
        let mut started = Command::new(command.get_program());
        started.args(command.get_args()).stdin(Stdio::null());
        if let Some(folder) = command.get_current_dir() {
            started.current_dir(folder);
        }
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => started.env(key, value),
                None => started.env_remove(key),
            };
        }
        started.output()
    };
    let result = result.map_err(|error| failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&result.stderr);
    if !result.status.success() {
        return Err(failed(format!("{} ({})", said.trim(), result.status)));
    }
    Ok(String::from_utf8_lossy(&result.stdout)
        .trim_end()
        .to_owned())
}

/// Runs a program with arguments; see [`output`].
pub(super) fn run<A: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = A>,
) -> Result<String, Error> {
    output(Command::new(program).args(args))
}

fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    words.join(" ")
}
