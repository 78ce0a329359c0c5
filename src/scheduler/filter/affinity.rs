//! Wishes on what is on the node: containers, images, labels of containers.

use super::Filter;
use crate::model::{Container, Image, Node, image};
use crate::scheduler::{Expr, Refusal, Request};

/// Admits nodes whose containers and images satisfy every hard affinity.
#[derive(Debug)]
pub(super) struct Affinity;

impl Filter for Affinity {
    fn name(&self) -> &'static str {
        "affinity"
    }

    fn check(&self, request: &Request, node: &Node) -> Result<(), Refusal> {
        let hard = || request.wishes.affinities.iter().filter(|e| !e.soft);
        let Some(failed) = hard().find(|e| !met(e, node)) else {
            return Ok(());
        };
        let all: Vec<String> = hard().map(|e| format!("{e} (soft=false)")).collect();
        Err(Refusal::new(
            format!("fails affinity {failed}"),
            format!("not so on {}", node.name),
            format!("[{}]", all.join(" ")),
        ))
    }
}

/// Tells whether a node satisfies one affinity. Without containers no label is there to fit, not even an empty one.
pub(super) fn met(expr: &Expr, node: &Node) -> bool {
    match expr.key.as_str() {
        "container" => expr.matches(node.containers.iter().flat_map(|c| [&*c.id, c.name()])),
        "image" => {
            let names: Vec<&str> = node.images.iter().flat_map(image_names).collect();
            expr.matches(names)
        }
        label => {
            let value =
                |c: &'_ std::sync::Arc<Container>| c.labels.get(label).cloned().unwrap_or_default();
            let values: Vec<String> = node.containers.iter().map(value).collect();
            expr.matches(values.iter().map(String::as_str))
        }
    }
}

/// Returns everything an image is called: ID, tags, repositories, digests.
fn image_names(image: &Image) -> Vec<&str> {
    let mut names = vec![image.id.as_str()];
    for tag in &image.tags {
        names.extend([tag.as_str(), image::without_tag(tag)]);
    }
    names.extend(image.digests.iter().map(String::as_str));
    names
}
