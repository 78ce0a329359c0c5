//! A relay before one engine that keeps what is sent to it, so that tests see a request as the engine does, that can
//! hold the answers back as a slow engine would, and that can put words into a request.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A relay on a free port of loopback; its threads end with their connections.
#[derive(Debug)]
pub(crate) struct Relay {
    addr: String,
    heard: Arc<Mutex<Vec<u8>>>,
    delay_ms: Arc<AtomicU64>,
    refused: Arc<Mutex<Option<String>>>,
    mute: Arc<Mute>,
    replaced: Arc<Mutex<Option<(String, String)>>>,
    swapped: Arc<Mutex<Option<Swap>>>,
    open: Arc<Mutex<Vec<Carried>>>,
}

/// Which answers end with their head.
#[derive(Debug, Default)]
struct Mute {
    mark: Mutex<Option<String>>,
    met: AtomicUsize,
}

/// A text that is carried as another one of the same length.
#[derive(Clone, Debug)]
struct Swap {
    from: Vec<u8>,
    to: Vec<u8>,
}

/// A connection and all that its client sent on it.
type Carried = (Arc<Mutex<Vec<u8>>>, TcpStream);

impl Relay {
    /// Starts a relay before the engine at `HOST:PORT`.
    #[allow(clippy::too_many_lines, reason = "one scene from its start to its end")]
    pub(crate) fn before(engine: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (engine, keep) = (engine.to_owned(), Arc::clone(&heard));
        let delay_ms = Arc::new(AtomicU64::new(0));
        let held = Arc::clone(&delay_ms);
        let refused = Arc::new(Mutex::new(None::<String>));
        let refuses = Arc::clone(&refused);
        let mute = Arc::<Mute>::default();
        let mutes = Arc::clone(&mute);
        let replaced = Arc::<Mutex<Option<(String, String)>>>::default();
        let replaces = Arc::clone(&replaced);
        let swapped = Arc::new(Mutex::new(None::<Swap>));
        let swaps = Arc::clone(&swapped);
        let open = Arc::<Mutex<Vec<Carried>>>::default();
        let carries = Arc::clone(&open);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(engine)) = (client, TcpStream::connect(&engine)) else {
                    continue;
                };
                let back = (engine.try_clone().unwrap(), client.try_clone().unwrap());
                let (keep, refuses) = (Arc::clone(&keep), Arc::clone(&refuses));
                let replaces = Arc::clone(&replaces);
                let swaps = Arc::clone(&swaps);
                let carried = Arc::new(Mutex::new(Vec::new()));
                let end = client.try_clone().unwrap();
                let known = (Arc::clone(&carried), end.try_clone().unwrap());
                carries.lock().unwrap().push(known);
                let muted = Arc::<AtomicBool>::default();
                let to_mute = Arc::clone(&muted);
                let mutes = Arc::clone(&mutes);
                let asks = Arc::clone(&mutes);
                thread::spawn(move || {
                    let mut waits = Vec::new();
                    copy(client, engine, |bytes| {
                        to_mute.store(asks.is_meant(bytes), Ordering::Relaxed);
                        carried.lock().unwrap().extend_from_slice(bytes);
                        keep.lock().unwrap().extend_from_slice(bytes);
                        let refused = refuses.lock().unwrap();
                        let text = String::from_utf8_lossy(bytes);
                        if refused.as_ref().is_some_and(|mark| text.contains(mark)) {
                            // It may be closed already.
                            let _ = end.shutdown(Shutdown::Both);
                        }
                        if let Some(swap) = &*swaps.lock().unwrap() {
                            return Some(Pass::Other(swap.carry(&mut waits, bytes)));
                        }
                        let replaced = replaces.lock().unwrap();
                        let (mark, words) = replaced.as_ref()?;
                        let found = text.contains(mark);
                        found.then(|| Pass::Other(text.replace(mark, words).into_bytes()))
                    });
                });
                let held = Arc::clone(&held);
                thread::spawn(move || {
                    copy(back.0, back.1, |bytes| {
                        thread::sleep(Duration::from_millis(held.load(Ordering::Relaxed)));
                        match muted.load(Ordering::Relaxed) {
                            true => Some(Pass::First(mutes.head(bytes))),
                            false => None,
                        }
                    });
                });
            }
        });
        Self {
            addr,
            heard,
            delay_ms,
            refused,
            mute,
            replaced,
            swapped,
            open,
        }
    }

    /// Carries a text that is sent from now on as another one of the same length.
    pub(crate) fn swap(&self, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        let swap = Swap {
            from: from.into(),
            to: to.into(),
        };
        *self.swapped.lock().unwrap() = Some(swap);
    }

    /// Closes every connection on which a request holds `mark` from now on.
    pub(crate) fn refuse(&self, mark: &str) {
        *self.refused.lock().unwrap() = Some(mark.to_owned());
    }

    /// Lets everything through again.
    pub(crate) fn allow(&self) {
        *self.refused.lock().unwrap() = None;
    }

    /// Passes of answers to requests that hold `mark` the head alone from now on, as of an engine that hangs after it.
    pub(crate) fn mute(&self, mark: &str) {
        *self.mute.mark.lock().unwrap() = Some(mark.to_owned());
    }

    /// Returns how many answers ended with their head.
    pub(crate) fn muted(&self) -> usize {
        self.mute.met.load(Ordering::Relaxed)
    }

    /// Returns how often requests held `mark`, wherever.
    pub(crate) fn mentions(&self, mark: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        String::from_utf8_lossy(&heard).matches(mark).count()
    }

    /// Puts `words` in place of `mark` in every request from now on; the text must have come in one piece.
    pub(crate) fn replace(&self, mark: &str, words: &str) {
        *self.replaced.lock().unwrap() = Some((mark.to_owned(), words.to_owned()));
    }

    /// Closes every connection on which a request held `mark`; new ones are let through.
    pub(crate) fn sever(&self, mark: &str) {
        self.open.lock().unwrap().retain(|(carried, stream)| {
            let held = String::from_utf8_lossy(&carried.lock().unwrap()).contains(mark);
            if held {
                // It may be closed already.
                let _ = stream.shutdown(Shutdown::Both);
            }
            !held
        });
    }

    /// Holds everything that the engine says from now on back for so long.
    pub(crate) fn hold(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap();
        self.delay_ms.store(delay, Ordering::Relaxed);
    }

    /// Returns where it listens.
    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// Counts the requests that begin with `mark`, a method and the start of a target, in any API version.
    pub(crate) fn count(&self, mark: &str) -> usize {
        let (method, target) = mark.split_once(' ').unwrap();
        let heard = self.heard.lock().unwrap();
        let heard = String::from_utf8_lossy(&heard);
        let lines = heard.lines().filter_map(|line| {
            let rest = line.strip_suffix(" HTTP/1.1")?;
            // Behind a body that ends without a line of its own.
            let at = rest.rfind(&format!("{method} /"))?;
            rest[at..].strip_prefix(method)?.strip_prefix(" /")
        });
        let plain = |line: &str| match line.split_once('/') {
            Some((version, rest)) if version.starts_with("v1.") => format!("/{rest}"),
            _ => format!("/{line}"),
        };
        lines.filter(|line| plain(line).starts_with(target)).count()
    }

    /// Returns the last request whose first line holds `mark`, from there to the end of what was heard.
    pub(crate) fn request(&self, mark: &str) -> String {
        let heard = self.heard.lock().unwrap();
        let heard = String::from_utf8_lossy(&heard).into_owned();
        let at = heard
            .rfind(mark)
            .unwrap_or_else(|| panic!("no {mark} in {heard}"));
        let line = heard[..at].rfind('\n').map_or(0, |end| end + 1);
        heard[line..].to_owned()
    }
}

impl Mute {
    /// Tells whether the answer to a request is to end with its head.
    fn is_meant(&self, request: &[u8]) -> bool {
        let mark = self.mark.lock().unwrap();
        let text = String::from_utf8_lossy(request);
        mark.as_ref().is_some_and(|mark| text.contains(mark))
    }

    /// Returns the length of the head of an answer.
    fn head(&self, answer: &[u8]) -> usize {
        self.met.fetch_add(1, Ordering::Relaxed);
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n");
        end.map_or(answer.len(), |end| end + 4)
    }
}

impl Swap {
    /// Returns what is to be written of what waits and of these bytes; the beginning of a text at their end waits for
    /// the rest.
    fn carry(&self, waits: &mut Vec<u8>, bytes: &[u8]) -> Vec<u8> {
        waits.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(found) = waits[at..]
            .windows(self.from.len())
            .position(|w| w == self.from)
        {
            at += found;
            waits[at..at + self.to.len()].copy_from_slice(&self.to);
            at += self.to.len();
        }
        let begins = |count: &usize| waits.ends_with(&self.from[..*count]);
        let begun = (1..self.from.len()).rev().find(begins).unwrap_or(0);
        let rest = waits.split_off(waits.len() - begun);
        std::mem::replace(waits, rest)
    }
}

/// What goes on of what came.
enum Pass {
    /// So many bytes of it, and nothing after them.
    First(usize),
    /// Something else.
    Other(Vec<u8>),
}

/// Copies one direction to its end and passes the end on; `note` may say what goes on in place of what came.
fn copy(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8]) -> Option<Pass>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        let came = &buffer[..count];
        let written = match note(came) {
            None => to.write_all(came),
            Some(Pass::Other(bytes)) => to.write_all(&bytes),
            Some(Pass::First(length)) => {
                // What cannot be written is read by nobody.
                let _ = to.write_all(&came[..length]);
                return;
            }
        };
        if written.is_err() {
            break;
        }
    }
    // The other side may have gone already.
    let _ = to.shutdown(Shutdown::Write);
}
