//! A raw HTTP client: it sends exactly the bytes it is given and hides nothing of what comes back.

#![allow(dead_code, reason = "not every test needs every door")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// How long an answer may take; a stream that hangs fails its test after this.
const PATIENCE: Duration = Duration::from_secs(60);

/// The head of an answer, with the headers in their order and their case.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The first line, without its end.
    pub(crate) line: String,
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Reads a head from its text.
    fn parse(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        Self {
            status: status.unwrap_or_else(|| panic!("no status in {text:?}")),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            line,
        }
    }

    /// Returns the value of a header, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    /// Tells whether the body comes in chunks.
    pub(crate) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding") == Some("chunked")
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its head.
    pub(crate) head: Head,
    /// Its body, without the chunks' frames.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Makes an answer of the text of its head and its body.
    pub(crate) fn of(head: &str, body: &[u8]) -> Self {
        Self {
            head: Head::parse(head),
            body: body.to_vec(),
        }
    }

    /// Returns the status.
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    /// Returns the body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {} {:?}", self.head.line, self.text()))
    }

    /// Returns the text of an error, and checks that it has the form of all errors (wire rule W1).
    pub(crate) fn message(&self) -> String {
        let kind = self.head.header("content-type");
        assert_eq!(kind, Some("application/json"), "{}", self.text());
        let json = self.json();
        let fields = json.as_object().unwrap();
        assert_eq!(fields.len(), 1, "{json}");
        fields["message"].as_str().unwrap().to_owned()
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    /// Connects to `HOST:PORT`.
    pub(crate) fn connect(addr: &str) -> Self {
        Self::on(TcpStream::connect(addr).unwrap())
    }

    /// Connects to `IP:PORT` as the client with this address.
    pub(crate) fn connect_from(client: [u8; 4], addr: &str) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((client, 0)).into()).unwrap();
        let addr: SocketAddr = addr.parse().unwrap();
        socket.connect(&addr.into()).unwrap();
        Self::on(socket.into())
    }

    fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Lets both directions stand still for so long.
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        self.stream.set_write_timeout(Some(patience)).unwrap();
        self
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends bytes and tells whether the other side took them all.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a request with `Host` and `Content-Length`, the latter unless there is no body.
    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) {
        self.send(request(method, path, headers, body));
    }

    /// Ends this direction and keeps the other.
    pub(crate) fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads the head of an answer; a `100 Continue` is one too.
    pub(crate) fn head(&mut self) -> Head {
        let text = self.read_through(b"\r\n\r\n");
        Head::parse(std::str::from_utf8(&text[..text.len() - 4]).unwrap())
    }

    /// Reads an answer to a request of this method whole.
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        let head = self.head();
        let body = self.body(method, &head);
        Answer { head, body }
    }

    /// Reads the body that belongs to a head.
    pub(crate) fn body(&mut self, method: &str, head: &Head) -> Vec<u8> {
        if method == "HEAD" || matches!(head.status, 204 | 304) {
            return Vec::new();
        }
        if head.is_chunked() {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk() {
                body.extend(chunk);
            }
            return body;
        }
        match head.header("content-length") {
            Some(length) => self.exactly(length.parse().unwrap()),
            None => self.rest(),
        }
    }

    /// Reads one chunk; `None` is the end of the body.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.read_through(b"\r\n");
        let size = std::str::from_utf8(&line[..line.len() - 2]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|e| panic!("{e}: {size:?}"));
        let mut chunk = self.exactly(size + 2);
        assert_eq!(chunk.split_off(size), b"\r\n");
        (size > 0).then_some(chunk)
    }

    /// Reads up to and with `end`.
    pub(crate) fn read_through(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|w| w == end) {
                return self.take(at + end.len());
            }
            let got = String::from_utf8_lossy(&self.read).into_owned();
            let end = String::from_utf8_lossy(end);
            assert!(self.more() > 0, "closed before {end:?}: {got:?}");
        }
    }

    /// Reads this many bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(
                self.more() > 0,
                "closed with {} of {count}",
                self.read.len()
            );
        }
        self.take(count)
    }

    /// Reads until the other side ends its direction.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() > 0 {}
        self.take(self.read.len())
    }

    /// Tells whether nothing at all comes for as long as this, with the connection staying open.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let mut byte = [0];
        let read = self.stream.peek(&mut byte);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.read.is_empty()
            && read.is_err_and(|e| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Returns a second hand on the same connection, to read while this one sends.
    pub(crate) fn reader(&self) -> Self {
        Self {
            stream: self.stream.try_clone().unwrap(),
            read: Vec::new(),
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let after = self.read.split_off(count);
        std::mem::replace(&mut self.read, after)
    }

    /// Reads what is there and returns how much it was; a reset is an end.
    fn more(&mut self) -> usize {
        let mut buffer = [0; 16 << 10];
        let started = Instant::now();
        let read = loop {
            match self.stream.read(&mut buffer) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                count
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => 0,
            Err(e) => panic!(
                "{e} after {:?} and {:?}",
                started.elapsed(),
                String::from_utf8_lossy(&self.read)
            ),
        }
    }
}

/// Makes a request's bytes.
pub(crate) fn request(method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: engine\r\n");
    for header in headers {
        text += &format!("{header}\r\n");
    }
    let bodyless = matches!(method, "GET" | "HEAD" | "DELETE" | "OPTIONS");
    if !(body.is_empty() && bodyless) {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    let mut bytes = (text + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Makes one call on a connection of its own.
pub(crate) fn call(addr: &str, method: &str, path: &str) -> Answer {
    call_with(addr, method, path, &[], b"")
}

/// Makes one call with a JSON body on a connection of its own.
pub(crate) fn call_json(addr: &str, method: &str, path: &str, body: &str) -> Answer {
    let json = ["Content-Type: application/json"];
    call_with(addr, method, path, &json, body.as_bytes())
}

/// Makes one call with headers and a body on a connection of its own.
pub(crate) fn call_with(
    addr: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &[u8],
) -> Answer {
    let mut wire = Wire::connect(addr);
    wire.request(method, path, headers, body);
    wire.answer(method)
}
