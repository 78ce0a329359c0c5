//! Asks an engine over its unix socket, and waits for things with a bound.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Asks `GET path` and returns the body of a 200 answer.
///
/// # Errors
/// When there is no whole answer within `limit` between two reads, or another status.
pub(super) fn ask(socket: &Path, path: &str, limit: Duration) -> io::Result<String> {
    let mut stream = connect(socket, limit)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n")?;
    answer(stream)
}

/// Tries until it succeeds, for `limit` at most; the result is that of the last try.
pub(crate) fn eventually<T, E>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Instant::now() + limit;
    loop {
        let result = attempt();
        if result.is_ok() || Instant::now() >= deadline {
            return result;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn connect(socket: &Path, limit: Duration) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

fn answer(mut stream: UnixStream) -> io::Result<String> {
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_whitespace().nth(1);
    if status == Some("200") {
        Ok(body.to_owned())
    } else {
        Err(io::Error::other(text.into_owned()))
    }
}
