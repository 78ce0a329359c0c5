//! What engines say of an image that is not there: each endpoint has words of its own.

use crate::api::error::Error;
use crate::cluster;
use crate::model::image::without_tag;
use crate::model::reference;

/// The most nodes that an error names.
const TOLD: usize = 8;

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
    if !error.is_not_found() {
        return error.into();
    }
    let doubt = error.doubt();
    if without_tag(name) == name && !name.contains('@') {
        return Error::NotFound(format!("No such image: {name}{doubt}"));
    }
    if !name.starts_with("sha256:") {
        return Error::NotFound(format!("reference does not exist{doubt}"));
    }
    error.into()
}

/// Says of images that no node has together which of them each node lacks; of nodes that have none nothing is told.
pub(super) fn together(lacking: &[(&str, Vec<&str>)]) -> String {
    let told = lacking.iter().take(TOLD);
    let told = told.map(|(node, names)| format!("{node} lacks {}", names.join(", ")));
    let mut told: Vec<_> = told.collect();
    if lacking.len() > TOLD {
        told.push(format!("and so on for {} more", lacking.len() - TOLD));
    }
    format!(
        "no node has all of these images ({}): save them one by one",
        told.join("; ")
    )
}

/// Returns what is wrong with the name of something that was not found.
fn refused(error: &cluster::Error, name: &str) -> Option<String> {
    let is_bad = || Some(reference::check(name).err()?.to_string());
    error.is_not_found().then(is_bad).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_that_has_some_of_the_images_is_told_with_what_it_lacks() {
        let told = |lacking: &[(&str, Vec<&str>)]| together(lacking);
        assert_eq!(
            told(&[("n0", vec!["a", "b:2"]), ("n1", vec!["c"])]),
            "no node has all of these images (n0 lacks a, b:2; n1 lacks c): save them one by one"
        );
        let many = told(&vec![("n", vec!["a"]); TOLD + 2]);
        assert!(many.contains("; and so on for 2 more)"), "{many}");
    }
}
