//! From errors to HTTP: the only place with error status codes.
//!
//! The body is always `{"message":"…"}` with `Content-Type` exactly `application/json` (wire rule W1: with a charset the
//! docker CLI prints the raw JSON).

use http::{Response, StatusCode, header};

use super::bad_filter::BadFilter;
use super::call::json;
use super::list::ListError;
use super::query::BadQuery;
use super::timestamp::BadTime;
use crate::cluster;
use crate::cluster::error::Kind;
use crate::cluster::queue::Parting;
use crate::cluster::spec::BadSpec;
use crate::engine;
use crate::model::Manners;
use crate::model::raw::quote;
use crate::net::body::{self, Body, ReadError};

/// The type of a raw stream, and of what is said instead of one.
pub(super) const RAW_STREAM: &str = "application/vnd.docker.raw-stream";

/// Everything a handler can fail with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Something in the request is wrong; the text quotes it.
    #[error("{0}")]
    Bad(String),
    /// The query cannot be read.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// The filters cannot be read, or are not known here.
    #[error(transparent)]
    Filter(#[from] BadFilter),
    /// A list cannot be given.
    #[error(transparent)]
    List(#[from] ListError),
    /// A time cannot be read.
    #[error(transparent)]
    Time(#[from] BadTime),
    /// A create's body is wrong.
    #[error(transparent)]
    Spec(#[from] BadSpec),
    /// The body is too long or was cut short.
    #[error(transparent)]
    Body(#[from] ReadError),
    /// No such route.
    #[error("page not found")]
    NoRoute,
    /// An object that is not there, said in the engine's words.
    #[error("{0}")]
    NotFound(String),
    /// What is wrong in the request and engines take for a fault of theirs, said in their words.
    #[error("{0}")]
    Fault(String),
    /// The path has a cleaner form.
    #[error("moved to {0}")]
    Moved(String),
    /// The client is older than anything we speak.
    #[error(
        "client version {asked} is too old. Minimum supported API version is 1.{least}, please upgrade your client to a newer version"
    )]
    TooOld {
        /// What it asked for.
        asked: String,
        /// The oldest we take, as minor number.
        least: u16,
    },
    /// The client is newer than what we advertise.
    #[error("client version {asked} is too new. Maximum supported API version is 1.{most}")]
    TooNew {
        /// What it asked for.
        asked: String,
        /// The newest we advertise, as minor number.
        most: u16,
    },
    /// Engines that are no swarm-mode cluster cannot serve it (the engine's words).
    #[error(
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."
    )]
    NoSwarm,
    /// Engines are in a swarm-mode cluster already (the engine's words, and which).
    #[error(
        "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one. ({0} is)"
    )]
    NoSwarmTwice(String),
    /// A node's swarm-mode cluster cannot be told.
    #[error(
        "node {node} is in a swarm-mode cluster of which no manager answers ({manager} is one): nothing was changed"
    )]
    NoManager {
        /// The node.
        node: String,
        /// A manager that does not answer.
        manager: String,
    },
    /// No engine is in a swarm-mode cluster (the engine's words).
    #[error("This node is not part of a swarm")]
    NotInSwarm,
    /// What engines never do, said in their words.
    #[error("{0}")]
    Forbidden(String),
    /// What is asked is at odds with what is.
    #[error("{0}")]
    Conflict(String),
    /// The cluster failed.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// Engines failed: how the first did, and the words of all.
    #[error("{message}")]
    Engines {
        /// What gives the status.
        first: engine::Error,
        /// What they say, once where they say the same.
        message: String,
    },
    /// A bug of ours; the log has the details.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// Returns the status that the engine would give for this.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Query(error) | Self::List(ListError::Query(error)) => of_query(error),
            Self::Filter(error) | Self::List(ListError::Filter(error)) => of_filter(error),
            Self::List(ListError::NoSuchContainer(_) | ListError::NoSuchImage(_)) => {
                StatusCode::NOT_FOUND
            }
            // Engines answer so, as if the fault were theirs.
            Self::Time(BadTime::Unreadable(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Bad(_)
            | Self::List(ListError::AmbiguousPrefix(_) | ListError::AmbiguousName { .. })
            | Self::Time(BadTime::Backwards { .. })
            | Self::TooOld { .. }
            | Self::TooNew { .. }
            | Self::Body(ReadError::Broken(_))
            | Self::Spec(BadSpec::Json(_) | BadSpec::Empty | BadSpec::Wish(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::Body(ReadError::TooLong { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            // The user named something that is on several nodes.
            Self::Spec(BadSpec::Reference(error)) => match of_cluster(error) {
                StatusCode::BAD_REQUEST => StatusCode::CONFLICT,
                other => other,
            },
            Self::NoRoute | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Moved(_) => StatusCode::MOVED_PERMANENTLY,
            Self::NoSwarm | Self::NoSwarmTwice(_) | Self::NoManager { .. } | Self::NotInSwarm => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Cluster(error) => of_cluster(error),
            Self::Engine(error) | Self::Engines { first: error, .. } => of_engine(error),
            Self::Spec(BadSpec::Write(_)) | Self::Fault(_) | Self::Internal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Makes the answer on a connection that was to become a raw stream (wire rule W8).
    pub(super) fn raw_answer(&self) -> Response<Body> {
        let mut answer = Response::new(body::full(format!("{self}\r\n")));
        *answer.status_mut() = self.status();
        let raw = header::HeaderValue::from_static(RAW_STREAM);
        answer.headers_mut().insert(header::CONTENT_TYPE, raw);
        answer
    }

    /// Makes the answer; in classic it is plain text.
    pub(super) fn answer(&self, manners: Manners) -> Response<Body> {
        let status = self.status();
        match self {
            Self::Moved(to) => {
                let mut answer = Response::new(body::empty());
                *answer.status_mut() = status;
                if let Ok(to) = to.parse() {
                    answer.headers_mut().insert(header::LOCATION, to);
                }
                answer
            }
            // Clients of before API 1.24 expect plain text (wire rule W1's exception).
            Self::TooOld { .. } => plain(status, self),
            // Its router's own words.
            Self::NoRoute if manners.is_classic() => plain(status, &format!("404 {self}")),
            error if manners.is_classic() => plain(status, error),
            error => json(
                status,
                format!("{{\"message\":{}}}\n", quote(&error.to_string())),
            ),
        }
    }
}

/// Makes an answer of plain text.
fn plain(status: StatusCode, text: &impl std::fmt::Display) -> Response<Body> {
    let mut answer = Response::new(body::full(format!("{text}\n")));
    *answer.status_mut() = status;
    let text = header::HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, text);
    answer
}

/// Returns the status that engines give for a bad query: 500 for what should be a number.
fn of_query(error: &BadQuery) -> StatusCode {
    match error {
        BadQuery::Semicolon | BadQuery::Escape(_) => StatusCode::BAD_REQUEST,
        BadQuery::NotANumber(_) | BadQuery::OutOfRange(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the status that engines give for a bad filter: 500 for values that they find out about late.
fn of_filter(error: &BadFilter) -> StatusCode {
    use BadFilter as F;
    match error {
        F::PortColon { .. } | F::Port { .. } | F::Pattern | F::Time(_) | F::NetworkType(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        F::Unparsable
        | F::Unknown(_)
        | F::Values { .. }
        | F::Status(_)
        | F::Health(_)
        | F::Exited { .. }
        | F::NetworkDangling
        | F::NetworkDanglingTwice => StatusCode::BAD_REQUEST,
    }
}

/// Returns the status for a failure of the cluster.
fn of_cluster(error: &cluster::Error) -> StatusCode {
    use cluster::Error as E;
    match error {
        E::NotFound { .. } => StatusCode::NOT_FOUND,
        E::Unheard { kind, .. } => match kind {
            // Taken for gone, it would be made a second time, or what it holds be given to others.
            Kind::Container | Kind::Exec => StatusCode::SERVICE_UNAVAILABLE,
            // Looked for before it is made: any other status would let one dead entry of discovery end every
            // `docker compose up` and every pull of a create.
            Kind::Image | Kind::Network | Kind::Plugin | Kind::Volume => StatusCode::NOT_FOUND,
        },
        E::AmbiguousPrefix { .. } => StatusCode::BAD_REQUEST,
        E::AmbiguousName { kind, .. } => match kind {
            Kind::Volume => StatusCode::CONFLICT,
            Kind::Container | Kind::Exec | Kind::Image | Kind::Network | Kind::Plugin => {
                StatusCode::BAD_REQUEST
            }
        },
        E::NameTaken { .. } | E::NameReserved { .. } | E::Conflict(_) => StatusCode::CONFLICT,
        E::Refused(refused) | E::Unplaced { refused, .. } => match refused.is_unavailable() {
            true => StatusCode::SERVICE_UNAVAILABLE,
            // As a name or a port that is taken: the request is right, the state does not allow it.
            false => StatusCode::CONFLICT,
        },
        E::Waited { error, end } => match end {
            Parting::Full | Parting::Stopping(_) => StatusCode::SERVICE_UNAVAILABLE,
            Parting::Timeout(_) | Parting::Gone(_) | Parting::Hopeless(_) => of_cluster(error),
        },
        E::Unreachable { .. } | E::Unsure { .. } | E::NoHealthyNode => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        E::Engine(error) => of_engine(error),
        E::Image { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        E::Unknown { .. } => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// Returns the status for a failure of one engine.
fn of_engine(error: &engine::Error) -> StatusCode {
    use engine::Error as E;
    match error {
        E::Connect { .. } | E::Broken { .. } | E::Answer { .. } => StatusCode::BAD_GATEWAY,
        E::Timeout { .. } | E::Lost { .. } | E::Stalled { .. } => StatusCode::GATEWAY_TIMEOUT,
        E::Status { status, .. } => *status,
        E::Told { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_client_is_told_in_plain_text_and_others_in_json() {
        let old = Error::TooOld {
            asked: "1.12".into(),
            least: 24,
        }
        .answer(Manners::Engine);
        assert_eq!(old.status(), 400);
        assert_eq!(old.headers()["content-type"], "text/plain; charset=utf-8");
        let none = Error::NoRoute.answer(Manners::Engine);
        assert_eq!(none.status(), 404);
        assert_eq!(none.headers()["content-type"], "application/json");
        let none = Error::NoRoute.answer(Manners::Classic);
        assert_eq!(none.status(), 404);
        assert_eq!(none.headers()["content-type"], "text/plain; charset=utf-8");
    }
}
