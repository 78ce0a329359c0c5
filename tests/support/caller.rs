//! Plain HTTP calls to one endpoint, each on a connection of its own, so that no answer rides on another's luck.

#![allow(dead_code, reason = "not every test needs every call")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::lab::Engine;

/// How long a silent answer is waited for; far above what any call here may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Calls one endpoint; clones are as good as the first.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    addr: String,
    patience: Duration,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status, 0 when the connection ended without one.
    pub(crate) status: u16,
    /// The body as text.
    pub(crate) body: String,
}

impl Answer {
    /// Returns the body as JSON, `null` when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Returns the text of an error, or the empty string.
    pub(crate) fn message(&self) -> String {
        self.text("message")
    }

    /// Returns the ID of what was created, or the empty string.
    pub(crate) fn id(&self) -> String {
        self.text("Id")
    }

    /// Panics with the whole answer unless it has this status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    fn text(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap_or_default().to_owned()
    }
}

impl Caller {
    /// Aims at `IP:PORT`.
    pub(crate) fn new(addr: impl Into<String>) -> Self {
        Self {
            addr: addr.into(),
            patience: LIMIT,
        }
    }

    /// Waits for a silent answer for so long.
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Gets a path.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None)
    }

    /// Posts to a path without a body.
    pub(crate) fn post(&self, path: &str) -> Answer {
        self.call("POST", path, None)
    }

    /// Posts JSON.
    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body))
    }

    /// Deletes a path.
    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None)
    }

    /// Creates a sleeping container; `more` is put into the body.
    pub(crate) fn create(&self, name: &str, more: &Value) -> Answer {
        let query = match name {
            "" => String::new(),
            name => format!("?name={name}"),
        };
        self.post_json(&format!("/containers/create{query}"), &sleeper(more))
    }

    /// Creates a container on one node, starts it and returns its ID.
    pub(crate) fn run_on(&self, node: &str, name: &str) -> String {
        let id = self.create(name, &on(node)).expect(201).id();
        self.post(&format!("/containers/{id}/start")).expect(204);
        id
    }

    /// Lists all containers.
    pub(crate) fn containers(&self) -> Vec<Value> {
        let list = self.get("/containers/json?all=1").expect(200).json();
        list.as_array().cloned().unwrap_or_default()
    }

    /// Makes a call; no answer, or half an answer, is status 0 with the reason as body.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.exchange(method, path, body)
            .unwrap_or_else(|error| Answer {
                status: 0,
                body: format!("{method} {path}: {error}"),
            })
    }

    /// Opens a stream and returns its lines from after the head; it ends with an error after a silence of a minute.
    pub(crate) fn open(&self, path: &str) -> BufReader<TcpStream> {
        let stream = self.send("GET", path, None).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert_ne!(reader.read_line(&mut line).unwrap(), 0, "{path}: no head");
        }
        reader
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        let mut text = Vec::new();
        self.send(method, path, body)?.read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .ok_or_else(|| io::Error::other("no head"))?;
        let status = head
            .split_whitespace()
            .nth(1)
            .and_then(|s| s.parse().ok())
            .ok_or_else(|| io::Error::other("no status"))?;
        Ok(Answer {
            status,
            body: body.to_owned(),
        })
    }

    /// Sends a request of HTTP/1.0, whose answer ends with the connection.
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.addr)?;
        stream.set_read_timeout(Some(self.patience))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let length = body.len();
        write!(
            stream,
            "{method} /v1.41{path} HTTP/1.0\r\nHost: flotilla\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        Ok(stream)
    }
}

/// Makes the body of a container that sleeps and ends at once when it is stopped; `more` wins.
pub(crate) fn sleeper(more: &Value) -> Value {
    let mut body = json!({"Image": "busybox", "Cmd": ["sleep", "600"], "StopSignal": "KILL"});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}

/// Makes the part of a body that sends a container to one node.
pub(crate) fn on(node: &str) -> Value {
    json!({"Env": [format!("constraint:node=={node}")]})
}

/// Writes a value into a query.
pub(crate) fn encoded(value: &Value) -> String {
    form_urlencoded::byte_serialize(value.to_string().as_bytes()).collect()
}

/// Runs a job many times at the same moment, each in a thread with a number of its own.
pub(crate) fn at_once<T: Send>(count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gate = Barrier::new(count);
    let (gate, job) = (&gate, &job);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn(move || {
                    gate.wait();
                    job(number)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// Returns the names of all containers that an engine itself knows, without the slash.
pub(crate) fn names_on(engine: &Engine) -> Vec<String> {
    let list = engine.ask("/containers/json?all=1").unwrap();
    let list = list.as_array().into_iter().flatten();
    list.flat_map(|c| c["Names"].as_array().into_iter().flatten().cloned())
        .filter_map(|n| Some(n.as_str()?.trim_start_matches('/').to_owned()))
        .collect()
}
