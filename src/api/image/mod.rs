//! Images.

pub(super) mod change;
mod copying;
mod details;
pub(super) mod fan_in;
pub mod filter;
mod import;
pub mod list;
pub(super) mod load;
mod merge;
mod missing;
pub(super) mod pull;
pub(super) mod read;
pub(super) mod save;

use crate::model::Image;

/// Returns the path of a call about the image `id` where that is `own`: with its own ID, where that of the call is one
/// that only a store of another kind knows.
fn path_of(path: &str, id: &str, own: &Image) -> String {
    let rest = path.strip_prefix("/images/");
    let rest = rest.and_then(|rest| rest.strip_prefix(id));
    match rest.filter(|_| !own.matches(id)) {
        Some(rest) => format!("/images/{}{rest}", own.id),
        None => path.to_owned(),
    }
}
