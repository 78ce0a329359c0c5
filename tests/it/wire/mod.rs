//! The wire rules that every route obeys, each with a test of its name; clients break silently without them.

mod as_sent;
mod cancels;
mod chunks;
mod heads;
mod http_2;
mod pauses;
mod stale;
mod streams;
mod uploads;
mod versions;

use crate::support::flotilla::Flotilla;
use crate::support::http::{call, call_json};
use crate::support::lab::Lab;

/// Starts a Flotilla before the shared lab.
fn flotilla() -> Flotilla {
    Flotilla::before(Lab::shared().unwrap())
}

/// A container that is removed at the end of its test.
struct Container<'a> {
    flotilla: &'a Flotilla,
    name: String,
}

impl<'a> Container<'a> {
    /// Creates a container that runs a shell command; `more` are further fields of its body.
    fn create(flotilla: &'a Flotilla, name: &str, script: &str, more: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let script = serde_json::to_string(script).unwrap();
        let body = format!(
            r#"{{"Image":"busybox","StopSignal":"KILL","Cmd":["sh","-c",{script}]{more}}}"#
        );
        let path = format!("/containers/create?name={name}");
        let answer = call_json(flotilla.addr(), "POST", &path, &body);
        assert_eq!(answer.status(), 201, "{}", answer.text());
        Self { flotilla, name }
    }

    /// Creates and starts it.
    fn run(flotilla: &'a Flotilla, name: &str, script: &str, more: &str) -> Self {
        let container = Self::create(flotilla, name, script, more);
        container.start();
        container
    }

    /// Starts it.
    fn start(&self) {
        let answer = call(self.flotilla.addr(), "POST", &self.path("start"));
        assert_eq!(answer.status(), 204, "{}", answer.text());
    }

    /// Returns the path of one of its endpoints.
    fn path(&self, endpoint: &str) -> String {
        format!("/containers/{}/{endpoint}", self.name)
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let path = format!("/containers/{}?force=1&v=1", self.name);
        call(self.flotilla.addr(), "DELETE", &path);
    }
}
