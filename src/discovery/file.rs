//! Members listed in a file, one entry a line; it is read again when it changes and at every heartbeat.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::{Discovery, Error, Options, add};
use crate::net::addr::Addr;

/// How long a file must stay as it was read to be believed: who truncates and then writes is not seen half way.
const SETTLE: Duration = Duration::from_millis(100);
/// How long an empty one must: it takes every node away.
const SETTLE_EMPTY: Duration = Duration::from_secs(2);
/// Readings of a file that changes all the time, of which the last is believed.
const READINGS: usize = 20;

/// A file that is watched.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    heartbeat: Duration,
}

/// Watches the file at `path`; it need not exist so far.
///
/// # Errors
/// The path is empty.
pub(super) fn open(path: &str, options: &Options) -> Result<Box<dyn Discovery>, Error> {
    match path.is_empty() {
        true => Err(Error::Incomplete {
            scheme: "file",
            needed: "a path",
        }),
        false => Ok(Box::new(Watched {
            path: path.into(),
            heartbeat: options.heartbeat.max(SETTLE),
        })),
    }
}

impl Discovery for Watched {
    fn run<'a>(
        &'a mut self,
        members: &'a watch::Sender<BTreeSet<Addr>>,
    ) -> Pin<Box<dyn Future<Output = Error> + Send + 'a>> {
        Box::pin(self.follow(members))
    }
}

impl Watched {
    /// Publishes what the file says; once it has been read, later failures are logged and the old set is kept.
    async fn follow(&self, members: &watch::Sender<BTreeSet<Addr>>) -> Error {
        // Watched before it is read, so that no change falls between.
        let (_watcher, mut changes) = self.watch();
        match self.read().await.and_then(|text| self.parse(&text)) {
            Ok(found) => members.send_replace(found),
            Err(error) => return error,
        };
        let mut heartbeat = tokio::time::interval(self.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.tick().await;
        loop {
            tokio::select! {
                _ = heartbeat.tick() => {}
                Some(()) = changes.recv() => {}
            }
            match self.settled().await.and_then(|text| self.parse(&text)) {
                Ok(found) => {
                    members.send_if_modified(|known| {
                        let changed = *known != found;
                        *known = found;
                        changed
                    });
                }
                Err(error) => tracing::error!(%error, "discovery list kept as it was"),
            }
        }
    }

    /// Watches the file's directory, as editors replace files; without a watch the heartbeat alone remains.
    fn watch(&self) -> (Option<RecommendedWatcher>, mpsc::Receiver<()>) {
        let (sender, receiver) = mpsc::channel(1);
        let told = move |event: notify::Result<notify::Event>| {
            // Our own reading is an access; one waiting change stands for all.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = sender.try_send(());
            }
        };
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let watcher = RecommendedWatcher::new(told, notify::Config::default()).and_then(|mut w| {
            w.watch(directory, RecursiveMode::NonRecursive)?;
            Ok(w)
        });
        if let Err(error) = &watcher {
            tracing::warn!(path = %self.path.display(), %error, "discovery file is only read at each heartbeat");
        }
        (watcher.ok(), receiver)
    }

    /// Reads the file until it stays the same for a while.
    async fn settled(&self) -> Result<String, Error> {
        let mut last = self.read().await?;
        for _ in 0..READINGS {
            let wait = match last.trim().is_empty() {
                true => SETTLE_EMPTY,
                false => SETTLE,
            };
            tokio::time::sleep(wait).await;
            let now = self.read().await?;
            if now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    /// Reads the whole file.
    async fn read(&self) -> Result<String, Error> {
        let read = tokio::fs::read_to_string(&self.path).await;
        read.map_err(|source| Error::File {
            path: self.path.clone(),
            source,
        })
    }

    /// Reads what the file says; an error names it.
    fn parse(&self, text: &str) -> Result<BTreeSet<Addr>, Error> {
        parse(text).map_err(|(number, source)| Error::Line {
            path: self.path.clone(),
            number,
            source: Box::new(source),
        })
    }
}

/// Reads entries and comments; an error comes with the number of its line.
fn parse(text: &str) -> Result<BTreeSet<Addr>, (usize, Error)> {
    let mut members = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if !entry.is_empty() {
            add(entry, &mut members).map_err(|error| (index + 1, error))?;
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(members: &BTreeSet<Addr>) -> String {
        let all: Vec<_> = members.iter().map(ToString::to_string).collect();
        all.join(" ")
    }

    #[test]
    fn lines_comments_and_ranges_are_read() {
        let text = "# all\n\n a:1 # first\r\nb-[1:2]:2\nunix:///d.sock\n#c:3\n";
        assert_eq!(
            shown(&parse(text).unwrap()),
            "a:1 b-1:2 b-2:2 unix:///d.sock"
        );
        let (number, error) = parse("a:1\n\nb\n").unwrap_err();
        assert_eq!(number, 3);
        assert!(error.to_string().starts_with("address b: missing port"));
        assert!(parse("").unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_change_is_seen_at_once_and_a_malformed_one_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engines");
        std::fs::write(&path, "a:1\n").unwrap();
        let options = Options {
            heartbeat: Duration::from_secs(3600),
            options: std::collections::BTreeMap::new(),
        };
        let mut back_end = open(path.to_str().unwrap(), &options).unwrap();
        let (sender, mut receiver) = watch::channel(BTreeSet::new());
        let task = tokio::spawn(async move { back_end.run(&sender).await });
        receiver.changed().await.unwrap();
        assert_eq!(shown(&receiver.borrow_and_update()), "a:1");
        std::fs::write(&path, "a:1\nnonsense\n").unwrap();
        let taken = tokio::time::timeout(SETTLE * 4, receiver.changed()).await;
        assert!(taken.is_err(), "a malformed file changed the list");
        // As editors do: a new file takes the old one's name.
        let new = directory.path().join("new");
        std::fs::write(&new, "a:1\nb:2\n").unwrap();
        std::fs::rename(&new, &path).unwrap();
        tokio::time::timeout(Duration::from_secs(10), receiver.changed())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shown(&receiver.borrow_and_update()), "a:1 b:2");
        // As shells do it, slowly: truncated first, written later.
        std::fs::write(&path, "").unwrap();
        tokio::time::sleep(SETTLE * 2).await;
        std::fs::write(&path, "c:3\n").unwrap();
        tokio::time::timeout(Duration::from_secs(10), receiver.changed())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shown(&receiver.borrow_and_update()), "c:3");
        // One that stays empty is believed.
        std::fs::write(&path, "").unwrap();
        tokio::time::timeout(Duration::from_secs(10), receiver.changed())
            .await
            .unwrap()
            .unwrap();
        assert!(receiver.borrow_and_update().is_empty());
        task.abort();
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_at_first_is_an_error_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engines");
        let url = format!("file://{}", path.display());
        let options = Options {
            heartbeat: Duration::from_secs(60),
            options: std::collections::BTreeMap::new(),
        };
        let wait = Duration::from_secs(10);
        let missing = super::super::first(&url, &options, wait).await.unwrap_err();
        assert!(matches!(missing, Error::File { .. }), "{missing}");
        std::fs::write(&path, "a:1\nb\n").unwrap();
        let malformed = super::super::first(&url, &options, wait).await.unwrap_err();
        assert!(
            malformed
                .to_string()
                .contains(", line 2: address b: missing port")
        );
    }
}
