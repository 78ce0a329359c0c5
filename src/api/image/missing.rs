//! What engines say of an image that is not there: each endpoint has words of its own.

use crate::api::error::Error;
use crate::cluster;
use crate::model::image::without_tag;
use crate::model::reference;

/// Makes the error of an inspect, a history or a removal: a name that can be none is told first.
pub(super) fn looked_up(error: cluster::Error, name: &str) -> Error {
    match refused(&error, name) {
        Some(words) => Error::Bad(words),
        None => error.into(),
    }
}

/// Makes the error of a tag; engine 28.5 finds nothing even under a name that can be none.
pub(super) fn tagged(error: cluster::Error, name: &str) -> Error {
    match refused(&error, name) {
        Some(words) => Error::NotFound(words),
        None => error.into(),
    }
}

/// Makes the error of a save, which looks for tags: a name without one means all that the repository has.
pub(super) fn saved(error: cluster::Error, name: &str) -> Error {
    if let Some(words) = refused(&error, name) {
        return Error::Fault(words);
    }
    match error {
        cluster::Error::NotFound { .. } if without_tag(name) == name && !name.contains('@') => {
            Error::NotFound(format!("No such image: {name}"))
        }
        cluster::Error::NotFound { .. } if !name.starts_with("sha256:") => {
            Error::NotFound("reference does not exist".to_owned())
        }
        error => error.into(),
    }
}

/// Returns what is wrong with the name of something that was not found.
fn refused(error: &cluster::Error, name: &str) -> Option<String> {
    match error {
        cluster::Error::NotFound { .. } => Some(reference::check(name).err()?.to_string()),
        _ => None,
    }
}
