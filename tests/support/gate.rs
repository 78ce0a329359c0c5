//! A gate before the lab's registry: what engines ask for can be made to wait there, and who waits is known.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often a connection that waits looks whether it still has to.
const LOOK: Duration = Duration::from_millis(20);

/// A gate on a free port of the registry's address; its threads end with their connections.
#[derive(Debug)]
pub(crate) struct Gate {
    addr: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    rule: Mutex<Option<Rule>>,
    /// The machines that wait, by the number of their connection.
    waiting: Mutex<BTreeMap<usize, IpAddr>>,
}

/// What has to wait.
#[derive(Debug)]
struct Rule {
    mark: String,
    after: usize,
    machines: Option<Vec<IpAddr>>,
}

impl Gate {
    /// Opens a gate before the registry at `HOST:PORT`.
    pub(crate) fn before(registry: &str) -> Self {
        let (host, _) = registry.rsplit_once(':').unwrap();
        let listener = TcpListener::bind((host, 0)).unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let shared = Arc::<Shared>::default();
        let (registry, all) = (registry.to_owned(), Arc::clone(&shared));
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let (Ok(client), Ok(registry)) = (client, TcpStream::connect(&registry)) else {
                    continue;
                };
                serve(number, client, registry, Arc::clone(&all));
            }
        });
        Self { addr, shared }
    }

    /// Returns where it listens.
    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// Makes what comes after so many bytes of an answer wait, for all requests with `mark` or for those of some machines
    /// alone.
    pub(crate) fn hold(&self, mark: &str, after: usize, machines: Option<&[&str]>) {
        let machines = machines.map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect());
        *self.shared.rule.lock().unwrap() = Some(Rule {
            mark: mark.to_owned(),
            after,
            machines,
        });
    }

    /// Lets everything through, also what waits.
    pub(crate) fn open(&self) {
        *self.shared.rule.lock().unwrap() = None;
    }

    /// Returns the machines that wait.
    pub(crate) fn waiting(&self) -> BTreeSet<IpAddr> {
        self.shared
            .waiting
            .lock()
            .unwrap()
            .values()
            .copied()
            .collect()
    }
}

impl Shared {
    /// Returns after how many bytes the answer to what a machine asks has to wait; none when it passes.
    fn holds(&self, asked: &[u8], machine: IpAddr) -> Option<usize> {
        let rule = self.rule.lock().unwrap();
        let rule = rule.as_ref()?;
        let of = rule.machines.as_ref();
        let is_meant = String::from_utf8_lossy(asked).contains(&rule.mark)
            && of.is_none_or(|machines| machines.contains(&machine));
        is_meant.then_some(rule.after)
    }

    /// Waits until the gate is opened, or the machine is gone.
    fn wait(&self, number: usize, machine: IpAddr, gone: &AtomicBool) {
        self.waiting.lock().unwrap().insert(number, machine);
        while self.rule.lock().unwrap().is_some() && !gone.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
        self.waiting.lock().unwrap().remove(&number);
    }
}

/// Serves one connection in two threads.
fn serve(number: usize, client: TcpStream, registry: TcpStream, shared: Arc<Shared>) {
    let machine = client.peer_addr().unwrap().ip();
    // What may pass of the answer to come.
    let left = Arc::new(Mutex::new(None::<usize>));
    let gone = Arc::<AtomicBool>::default();
    let back = (registry.try_clone().unwrap(), client.try_clone().unwrap());
    let (asks, sets, ends) = (Arc::clone(&shared), Arc::clone(&left), Arc::clone(&gone));
    thread::spawn(move || {
        copy(client, registry, |bytes| {
            // Known before the registry can answer.
            *sets.lock().unwrap() = asks.holds(bytes, machine);
        });
        ends.store(true, Ordering::Relaxed);
    });
    thread::spawn(move || {
        copy(back.0, back.1, |bytes| {
            let waits = {
                let mut left = left.lock().unwrap();
                let over = left.is_some_and(|left| left < bytes.len());
                *left = left.map(|left| left.saturating_sub(bytes.len()));
                over
            };
            if waits {
                shared.wait(number, machine, &gone);
            }
        });
    });
}

/// Copies one direction to its end, which `note` sees first, and passes the end on.
fn copy(mut from: TcpStream, mut to: TcpStream, note: impl Fn(&[u8])) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        note(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may have gone already.
    let _ = to.shutdown(Shutdown::Write);
}
