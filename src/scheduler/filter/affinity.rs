//! Wishes on what is on the node: containers, images, labels of containers.

use super::{Filter, Reads, Test};
use crate::model::{Image, Node, image};
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

    fn tests<'r>(&'r self, request: &'r Request) -> Vec<Test<'r>> {
        let hard = request.wishes.affinities.iter().filter(|e| !e.soft);
        hard.map(test).collect()
    }
}

/// Makes the test of one affinity.
pub(super) fn test(expr: &Expr) -> Test<'_> {
    let reads = match expr.key.as_str() {
        "image" => Reads::Images,
        _ => Reads::All,
    };
    Test::of(expr.text(), reads, |node| met(expr, node))
}

/// Tells whether a node satisfies one affinity. Without containers no label is there to fit, not even an empty one.
pub(super) fn met(expr: &Expr, node: &Node) -> bool {
    match expr.key.as_str() {
        "container" => match expr.literal() {
            Some(called) => {
                let all = &node.containers;
                let named = all.by_name(called).is_some_and(|c| c.name() == called);
                expr.matches((named || all.by_id(called).is_some()).then_some(called))
            }
            None => expr.matches(node.containers.iter().flat_map(|c| [&*c.id, c.name()])),
        },
        "image" => {
            let names = node.images.iter().flat_map(image_names);
            expr.matches(names)
        }
        label => match expr.literal() {
            // It is never empty, as a label that is missing is taken to be.
            Some(value) => {
                let is_there = node.containers.has_label(label, value);
                expr.matches(is_there.then_some(value))
            }
            None => expr.matches(node.containers.values(label)),
        },
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
