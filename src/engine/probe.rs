//! Does the engine answer, and what does it say of itself?
//!
//! A probe asks `/info`, not `/_ping`: with a stuck containerd an engine still answers pings, lists and creates, and
//! every start on it hangs (measured with 20.10 and 28.5).

use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as BollardError;
use bollard::models::SystemVersion;
use bollard::{BollardRequest, ClientVersion, Docker};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::error::root;
use super::{Client, Error};
use crate::model::clock;
use crate::model::node::Facts;
use crate::net::body::Body;

/// The newest API in which we ask engines ourselves, as minor number.
pub(crate) const API_NEWEST: u16 = 51;
/// The oldest API that any part of us speaks.
const API_OLDEST: u16 = 12;

/// Typed calls to one engine, made by bollard over our own pool.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    client: Client,
    deadline: Duration,
    patience: Duration,
}

impl Probe {
    /// Makes a probe whose calls each end within `deadline`, and which has `patience` with what is late and known.
    pub(crate) fn new(client: Client, deadline: Duration, patience: Duration) -> Self {
        Self {
            client,
            deadline,
            patience,
        }
    }

    /// Asks for everything the engine says of itself; `last` is what it said before.
    ///
    /// `/info` may be late: 20.10 holds it back while a pull waits for the name server (seen for 10 s). An engine that
    /// gives its version meanwhile is well, which one with a stuck containerd does not.
    ///
    /// # Errors
    /// It does not answer in time, refuses, or is not a Docker engine.
    pub(crate) async fn facts(&self, last: Option<&Arc<Facts>>) -> Result<Arc<Facts>, Error> {
        // At the same time once a version is known, so that one probe costs one deadline at most.
        let (version, early) = match last {
            None => (self.version().await?, None),
            Some(last) => {
                let api = spoken(last.api_min, last.api_max);
                let early = tokio::time::timeout(self.patience, self.info(api));
                let (version, early) = tokio::join!(self.version(), early);
                match (version?, early) {
                    (version, Ok(info)) => (version, Some((api, info))),
                    (version, Err(_)) if is_still(&version, last) => return Ok(Arc::clone(last)),
                    (_, Err(_)) => return Err(self.late()),
                }
            }
        };
        let api_max = minor(version.api_version.as_deref())
            .ok_or_else(|| self.client.answer("/version has no ApiVersion"))?;
        let api_min = minor(version.min_api_version.as_deref()).unwrap_or(API_OLDEST);
        let speak = spoken(api_min, api_max);
        let (info, asked) = match early {
            Some((api, info)) if api == speak => info?,
            // The engine has come to speak other versions, and may have refused the one of before.
            _ => self.info(speak).await?,
        };
        let number = |key: &str| info.get(key).and_then(Value::as_i64).unwrap_or(0);
        if number("NCPU") == 0 || number("MemTotal") == 0 {
            let what = "no CPUs or memory in /info: is this a Docker engine, or another manager?";
            return Err(self.client.answer(what));
        }
        let text = |key: &str| info.get(key).and_then(Value::as_str);
        let skew = text("SystemTime").and_then(clock::parse).map(|t| {
            let delta = t.duration_since(asked.middle);
            // What the way may have taken is no difference of clocks.
            if delta.abs() <= asked.half {
                return 0;
            }
            i64::try_from(delta.as_millis()).unwrap_or(i64::MAX)
        });
        Ok(Arc::new(Facts {
            version: text("ServerVersion").unwrap_or_default().to_owned(),
            api_max,
            api_min,
            version_answer: serde_json::to_value(&version).unwrap_or_default(),
            info,
            clock_skew_ms: skew.unwrap_or(0),
        }))
    }

    async fn version(&self) -> Result<SystemVersion, Error> {
        self.timed(async { self.docker()?.version().await }).await
    }

    /// Returns what the engine says of itself, and when it was asked. Read as plain JSON: a typed answer would hold the
    /// fields of one API version, and the others would be missing in ours.
    async fn info(&self, speak: u16) -> Result<(Value, Asked), Error> {
        let start = Timestamp::now();
        let path = format!("/v1.{speak}/info");
        let text = self.client.get(&path, self.deadline).await?;
        let info =
            serde_json::from_slice(&text).map_err(|e| self.client.answer(format!("/info: {e}")))?;
        let half = Timestamp::now().duration_since(start) / 2;
        let middle = start + half;
        Ok((info, Asked { middle, half }))
    }

    /// Runs one call under the deadline and gives its failure our names.
    async fn timed<T>(
        &self,
        call: impl Future<Output = Result<T, BollardError>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.deadline, call).await {
            Ok(result) => result.map_err(|e| self.named(e)),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> Error {
        Error::Timeout {
            node: self.client.key().to_string(),
            after: self.deadline,
        }
    }

    /// Makes a typed client. bollard writes no version into its paths, which is right for the one call that it makes.
    fn docker(&self) -> Result<Docker, BollardError> {
        let client = self.client.clone();
        let transport = move |request: BollardRequest| {
            let client = client.clone();
            async move { transport(&client, request).await }
        };
        let version = ClientVersion {
            major_version: 1,
            minor_version: usize::from(API_NEWEST),
        };
        let seconds = self.deadline.as_secs().max(1) + 1;
        Docker::connect_with_custom_transport(transport, Some("http://docker"), seconds, &version)
    }

    /// Turns bollard's error into ours.
    fn named(&self, error: BollardError) -> Error {
        let node = self.client.key().to_string();
        match error {
            BollardError::DockerResponseServerError {
                status_code,
                message,
            } => {
                let status = http::StatusCode::from_u16(status_code).unwrap_or_default();
                match is_sentence(&message) {
                    true => Error::Status {
                        node,
                        status,
                        message,
                    },
                    false => {
                        let what =
                            format!("{status} in place of its version: is this a Docker engine?");
                        self.client.answer(what)
                    }
                }
            }
            BollardError::RequestTimeoutError => self.late(),
            BollardError::IOError { err } => match err.downcast::<Error>() {
                Ok(ours) => ours,
                Err(other) => Error::Broken {
                    node,
                    reason: other.to_string(),
                },
            },
            other => self.client.answer(root(&other)),
        }
    }
}

/// The time of a question by our clock.
struct Asked {
    /// Half-way between question and answer.
    middle: Timestamp,
    /// How far from that the engine may have answered.
    half: SignedDuration,
}

/// Returns the API version to speak with an engine, as minor number.
pub(crate) fn spoken(api_min: u16, api_max: u16) -> u16 {
    api_max.min(API_NEWEST).max(api_min)
}

/// Tells whether an error's text can stand in `docker info`; a web server's page, or nothing at all, cannot.
fn is_sentence(message: &str) -> bool {
    let text = message.trim();
    !text.is_empty() && text.lines().count() == 1 && !text.starts_with('<')
}

/// Tells whether an engine is of the version it was.
fn is_still(version: &SystemVersion, last: &Facts) -> bool {
    let now = serde_json::to_value(version).unwrap_or_default();
    now == last.version_answer
}

/// Sends bollard's request over our pool.
async fn transport(
    client: &Client,
    request: BollardRequest,
) -> Result<http::Response<hyper::body::Incoming>, BollardError> {
    let io = |e: Error| BollardError::IOError {
        err: std::io::Error::other(e),
    };
    let (mut head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |t| t.as_str());
    head.uri = client.uri(target).map_err(io)?;
    head.headers.remove(http::header::HOST);
    let body: Body = body.map_err(Into::into).boxed_unsync();
    let sent = client.send_by_task(http::Request::from_parts(head, body));
    sent.await.map_err(io)
}

/// Returns the minor number of a `1.N` version.
fn minor(version: Option<&str>) -> Option<u16> {
    version?.strip_prefix("1.")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_no_sentences() {
        assert!(is_sentence("client version 1.99 is too new\n"));
        for page in ["", "\n", "<html></html>", "one\ntwo"] {
            assert!(!is_sentence(page), "{page:?}");
        }
    }

    #[test]
    fn api_versions_are_minor_numbers() {
        assert_eq!(minor(Some("1.41")), Some(41));
        assert_eq!(minor(Some("2.0")), None);
        assert_eq!(minor(Some("")), None);
        assert_eq!(minor(None), None);
    }
}
