//! `GET` and `HEAD /_ping`: the headers by which clients negotiate. Never asks an engine, and answers without any.

use serde_json::Value;

use crate::model::{ClusterView, Node};

use super::about::About;

/// The body of the answer to `GET`; `HEAD` has none, and a length of 0.
pub const BODY: &str = "OK";

/// Returns the headers that belong to `_ping` alone; `Server`, `Date` and lengths are the server's. Classic had two.
pub fn headers(view: &ClusterView, about: &About) -> Vec<(&'static str, String)> {
    let all = |is: fn(&Node) -> bool| {
        let mut known = view
            .nodes()
            .iter()
            .filter(|n| n.health.is_known())
            .peekable();
        known.peek().is_some() && known.all(|node| is(node))
    };
    let (version, kind) = (
        ("Api-Version", about.api_version()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
    );
    if about.manners.is_classic() {
        return vec![version, kind];
    }
    let experimental = all(|node| fact(node, "ExperimentalBuild") == Some(&Value::Bool(true)));
    let windows = all(|node| fact(node, "OSType").and_then(Value::as_str) == Some("windows"));
    let swarm = match view.healthy().any(|n| n.is_manager()) {
        true => "active/manager",
        false => "inactive",
    };
    let os = if windows { "windows" } else { "linux" };
    vec![
        version,
        ("Builder-Version", "2".to_owned()),
        (
            "Cache-Control",
            "no-cache, no-store, must-revalidate".to_owned(),
        ),
        ("Docker-Experimental", experimental.to_string()),
        ("Ostype", os.to_owned()),
        ("Pragma", "no-cache".to_owned()),
        ("Swarm", swarm.to_owned()),
        kind,
    ]
}

/// Returns what the engine says of itself under `key`.
fn fact<'n>(node: &'n Node, key: &str) -> Option<&'n Value> {
    node.facts.info.get(key)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::api::fixture::{node, view};
    use crate::model::node::Facts;

    #[test]
    fn the_cluster_is_what_all_nodes_are() {
        let saying = |name: &str, info: Value| {
            let mut node = node(name);
            node.facts = Arc::new(Facts {
                info,
                ..Facts::default()
            });
            node
        };
        let about = About {
            api_max: 41,
            ..About::default()
        };
        let header = |nodes: Vec<Node>, name: &str| {
            let headers = headers(&view(nodes), &about);
            headers.into_iter().find(|(key, _)| *key == name).unwrap().1
        };
        let windows = || saying("w", json!({"OSType": "windows", "ExperimentalBuild": true}));
        let linux = || saying("l", json!({"OSType": "linux", "ExperimentalBuild": false}));
        assert_eq!(header(vec![], "Api-Version"), "1.41");
        assert_eq!(header(vec![], "Ostype"), "linux");
        assert_eq!(header(vec![], "Docker-Experimental"), "false");
        assert_eq!(header(vec![windows()], "Ostype"), "windows");
        assert_eq!(header(vec![windows()], "Docker-Experimental"), "true");
        assert_eq!(header(vec![windows(), linux()], "Ostype"), "linux");
        assert_eq!(
            header(vec![windows(), linux()], "Docker-Experimental"),
            "false"
        );
    }
}
