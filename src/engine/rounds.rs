//! The task that asks an engine again and again whether it answers.
//!
//! A round ends with the first answer. Silence starts another try beside the first: a dead connection is told from a
//! slow engine, and an engine that needs longer than one deadline is heard all the same.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::probe::Probe;
use super::{Client, Error, Settings};
use crate::model::node::Facts;
use crate::net::addr::Addr;

/// Tries of one round.
const TRIES: u32 = 3;
/// The share of a deadline for which news are waited for while what was told before will do.
const PATIENCE: f64 = 0.75;
/// How soon a failed try is repeated, and a poke is followed.
const AGAIN: Duration = Duration::from_millis(200);
/// The longest wait between rounds while an engine does not answer.
const SELDOM: Duration = Duration::from_secs(4);

/// What a round learned.
#[derive(Debug)]
pub(crate) struct Answered {
    /// What the engine says of itself.
    pub(crate) facts: Arc<Facts>,
    /// How long it took from the start of the round.
    pub(crate) took: Duration,
    /// The address at which its published ports are reached, once found; empty for a local socket.
    pub(crate) ip: Option<String>,
}

/// Asks until the monitor is gone: calmly while the engine answers, at once after a failure, then ever more seldom.
/// Each silence of a deadline and each failed try is reported as an error of its own.
pub(crate) async fn run(
    client: Client,
    settings: Settings,
    poke: Arc<Notify>,
    report: mpsc::Sender<Result<Answered, Error>>,
) {
    let mut round = Round {
        // An answer may come late; how long silence is borne is counted here.
        probe: Probe::new(
            client.clone(),
            settings.probe_deadline * TRIES,
            settings.probe_deadline.mul_f64(PATIENCE),
        ),
        client,
        deadline: settings.probe_deadline,
        last: None,
        ip: None,
        report,
    };
    let mut backoff = Backoff::new(AGAIN, SELDOM);
    loop {
        let Some(answered) = round.run().await else {
            return;
        };
        let wait = if answered {
            backoff.reset();
            settings.probe_interval
        } else {
            backoff.wait()
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // A burst of failing requests causes one round, not one each.
            () = poke.notified(), if answered => tokio::time::sleep(AGAIN).await,
        }
    }
}

struct Round {
    client: Client,
    probe: Probe,
    deadline: Duration,
    /// What the engine last said of itself.
    last: Option<Arc<Facts>>,
    /// The engine's IP address; looked for in each round until it is found.
    ip: Option<String>,
    report: mpsc::Sender<Result<Answered, Error>>,
}

impl Round {
    /// Runs one round; `None` when nobody listens any more, else whether the engine answered.
    async fn run(&mut self) -> Option<bool> {
        let started = Instant::now();
        let mut tries = FuturesUnordered::new();
        tries.push(self.probe.facts(self.last.as_ref()));
        let mut tried = 1;
        let mut silence = Box::pin(tokio::time::sleep(self.deadline));
        loop {
            let error = tokio::select! {
                Some(result) = tries.next() => match result {
                    Ok(facts) => {
                        drop(tries);
                        self.last = Some(Arc::clone(&facts));
                        let took = started.elapsed();
                        if self.ip.is_none() {
                            self.ip = ip(&self.client, self.deadline).await;
                        }
                        let ip = self.ip.clone();
                        self.report.send(Ok(Answered { facts, took, ip })).await.ok()?;
                        return Some(true);
                    }
                    Err(error) => error,
                },
                () = &mut silence => Error::Timeout {
                    node: self.client.key().to_string(),
                    after: self.deadline,
                },
            };
            self.report.send(Err(error)).await.ok()?;
            if tried == TRIES {
                return Some(false);
            }
            tried += 1;
            if tries.is_empty() {
                tokio::time::sleep(AGAIN).await;
            }
            tries.push(self.probe.facts(self.last.as_ref()));
            silence.set(tokio::time::sleep(self.deadline));
        }
    }
}

/// Looks up the address at which an engine's published ports are reached; `None` when no name server says it in time.
async fn ip(client: &Client, deadline: Duration) -> Option<String> {
    let Addr::Tcp { host, port } = client.addr() else {
        return Some(String::new());
    };
    let looked_up = tokio::net::lookup_host((host.as_str(), *port));
    let mut found = tokio::time::timeout(deadline, looked_up).await.ok()?.ok()?;
    found.next().map(|addr| addr.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dial::Dialer;

    #[tokio::test]
    async fn an_address_that_is_not_found_is_none_and_in_time() {
        let found = async |addr: &str, deadline| {
            let dialer = Dialer {
                tls: None,
                deadline,
            };
            ip(&Client::new(addr.parse().unwrap(), dialer), deadline).await
        };
        let patience = Duration::from_secs(20);
        let none = found("nosuch.invalid:2375", Duration::from_secs(1));
        assert_eq!(tokio::time::timeout(patience, none).await, Ok(None));
        assert!(found("localhost:2375", patience).await.is_some());
        let literal = found("10.0.0.1:2375", patience).await;
        assert_eq!(literal.as_deref(), Some("10.0.0.1"));
        let socket = found("unix:///none.sock", patience).await;
        assert_eq!(socket.as_deref(), Some(""));
    }
}
