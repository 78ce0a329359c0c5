//! Plug-ins that choose among given nodes: scripts, WebAssembly modules and servers.
//!
//! Each is asked once for a decision, with all nodes that it may choose among, and answers points or refusals. It is
//! loaded once, at the start. Invariant: whatever it does, it is over after [`DEADLINE`], takes no worker of the runtime,
//! and holds no lock; a failure is told and the built-in strategy decides.

mod answer;
mod extender;
mod question;
mod sandbox;
#[cfg(feature = "script")]
mod script;
#[cfg(test)]
mod tests;
#[cfg(feature = "wasm")]
mod wasm;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

pub use question::Question;

use crate::scheduler::advice::{Advice, Opinions};

/// How long a plug-in may take for one decision, the wait for its turn included.
pub const DEADLINE: Duration = Duration::from_millis(500);
/// The most bytes of a plug-in's text, and of its answer.
const LIMIT: usize = 4 << 20;

/// Why a plug-in cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its file cannot be read.
    #[error("plug-in {name} cannot be read: {source}")]
    Read {
        /// As it was given.
        name: String,
        /// What happened.
        source: std::io::Error,
    },
    /// It is no plug-in of its kind.
    #[error("plug-in {name}: {reason}")]
    Wrong {
        /// As it was given.
        name: String,
        /// What is wrong, with line and column where there are any.
        reason: String,
    },
}

/// Why a plug-in's answer is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has not answered in time.
    #[error("took longer than {} ms", DEADLINE.as_millis())]
    Slow,
    /// It ended with an error, or did more than it may.
    #[error("failed: {0}")]
    Crashed(String),
    /// What it answered is no answer to what it was asked.
    #[error("gave a wrong answer: {0}")]
    Wrong(String),
    /// It is not loaded.
    #[error("is not loaded")]
    Unknown,
}

/// The answer of a plug-in, on its way.
type Asked<'a> = Pin<Box<dyn Future<Output = Result<Opinions, Error>> + Send + 'a>>;

/// One way to ask somebody else.
trait Advisor: std::fmt::Debug + Send + Sync {
    /// Asks about the nodes of one decision; the caller ends it at the deadline.
    fn ask(&self, question: Arc<Question>) -> Asked<'_>;
}

/// The plug-ins that are loaded, by name.
#[derive(Debug, Default)]
pub struct Advisors(BTreeMap<String, Box<dyn Advisor>>);

impl Advisors {
    /// Loads plug-ins.
    ///
    /// # Errors
    /// One cannot be read or is none.
    pub fn load<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, LoadError> {
        let mut loaded = BTreeMap::new();
        for name in names {
            if !loaded.contains_key(name) {
                loaded.insert(name.to_owned(), load(name)?);
            }
        }
        Ok(Self(loaded))
    }

    /// Tells whether a plug-in is loaded.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Asks plug-ins, all at once; what fails is in the advice and in the log.
    pub async fn consult(&self, names: &[&str], question: Question) -> Advice {
        let question = Arc::new(question);
        let asked = names.iter().map(async |name| {
            let said = self.ask(name, &question).await;
            if let Err(error) = &said {
                tracing::warn!(plug_in = name, %error, "plug-in failed; spread decides in its place");
            }
            ((*name).to_owned(), said.map_err(|e| e.to_string()))
        });
        Advice(join_all(asked).await.into_iter().collect())
    }

    async fn ask(&self, name: &str, question: &Arc<Question>) -> Result<Opinions, Error> {
        let advisor = self.0.get(name).ok_or(Error::Unknown)?;
        let asked = advisor.ask(Arc::clone(question));
        let answered = tokio::time::timeout(DEADLINE, asked).await;
        answered.unwrap_or(Err(Error::Slow))
    }
}

/// Loads one plug-in.
fn load(name: &str) -> Result<Box<dyn Advisor>, LoadError> {
    let wrong = |reason: String| LoadError::Wrong {
        name: name.to_owned(),
        reason,
    };
    if let Some(path) = name.strip_prefix("script:") {
        return script(read(name, path)?).map_err(wrong);
    }
    if let Some(path) = name.strip_prefix("wasm:") {
        return wasm(&read(name, path)?).map_err(wrong);
    }
    let extender = extender::Extender::new(name).map_err(wrong)?;
    Ok(Box::new(extender))
}

/// Reads a plug-in's file.
fn read(name: &str, path: &str) -> Result<Vec<u8>, LoadError> {
    let text = std::fs::read(path).map_err(|source| LoadError::Read {
        name: name.to_owned(),
        source,
    })?;
    match text.len() {
        ..=LIMIT => Ok(text),
        _ => Err(LoadError::Wrong {
            name: name.to_owned(),
            reason: "is larger than 4 MiB".to_owned(),
        }),
    }
}

#[cfg(feature = "script")]
fn script(text: Vec<u8>) -> Result<Box<dyn Advisor>, String> {
    let text = String::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())?;
    let script = script::Script::load(&text)?;
    Ok(Box::new(sandbox::Sandbox::new(script)?))
}

#[cfg(not(feature = "script"))]
fn script(_: Vec<u8>) -> Result<Box<dyn Advisor>, String> {
    Err("this build takes no scripts".to_owned())
}

#[cfg(feature = "wasm")]
fn wasm(text: &[u8]) -> Result<Box<dyn Advisor>, String> {
    let module = wasm::Module::load(text)?;
    Ok(Box::new(sandbox::Sandbox::new(module)?))
}

#[cfg(not(feature = "wasm"))]
fn wasm(_: &[u8]) -> Result<Box<dyn Advisor>, String> {
    Err("this build takes no WebAssembly".to_owned())
}
