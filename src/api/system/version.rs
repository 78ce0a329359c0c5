//! `GET /version`: the proxy, then one component per node.

use serde_json::{Map, Value, json};

use crate::model::{ClusterView, Manners, Node};

use super::about::About;

/// Returns the answer.
pub fn version(view: &ClusterView, about: &About) -> Value {
    let said = |key: &str, otherwise: &str| -> String {
        let mut nodes = view.healthy().chain(view.nodes());
        let first = nodes.find_map(|node| text(node, key));
        first.unwrap_or(otherwise).to_owned()
    };
    let details = [
        ("ApiVersion", about.api_version()),
        ("MinAPIVersion", format!("1.{}", about.api_min)),
        ("GitCommit", about.git_commit.clone()),
        // The CLI prints it, and no client reads it.
        ("GoVersion", "none (Rust)".to_owned()),
        ("Os", said("Os", "linux")),
        ("Arch", said("Arch", "amd64")),
        ("KernelVersion", said("KernelVersion", "")),
        ("BuildTime", about.build_time.clone()),
    ];
    let version = about.server_version();
    let mut top: Map<String, Value> = Map::new();
    top.extend(
        details
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value))),
    );
    let mut engine = top.clone();
    // The CLI prints this one and scripts read the other.
    let experimental = json!(about.experimental.to_string());
    engine.insert("Experimental".to_owned(), experimental);
    if about.experimental {
        top.insert("Experimental".to_owned(), json!(true));
    }
    let engine = json!({"Name": "Engine", "Version": version, "Details": engine});
    let nodes = view.nodes().iter().filter(|node| node.health.is_known());
    let components: Vec<Value> = std::iter::once(engine)
        .chain(nodes.map(|node| component(node)))
        .collect();
    let platform = match about.manners {
        Manners::Engine => {
            top.insert("Components".to_owned(), Value::Array(components));
            "Flotilla"
        }
        Manners::Classic => {
            top.remove("MinAPIVersion");
            "Docker Swarm - Community"
        }
    };
    top.insert("Platform".to_owned(), json!({"Name": platform}));
    top.insert("Version".to_owned(), Value::String(version));
    Value::Object(top)
}

/// Describes one node; all details are texts, as the CLI needs them.
fn component(node: &Node) -> Value {
    let keys = [
        "ApiVersion",
        "Arch",
        "GitCommit",
        "KernelVersion",
        "MinAPIVersion",
        "Os",
    ];
    let mut details: Map<String, Value> = keys
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), json!(text(node, key)?))))
        .collect();
    details.insert("Address".to_owned(), json!(&*node.key));
    details.insert("Status".to_owned(), json!(node.health.word()));
    json!({"Name": node.name, "Version": node.facts.version, "Details": details})
}

/// Returns what the engine says under `key`.
fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.facts.version_answer.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::fixture::{node, view};
    use crate::model::node::Facts;

    #[test]
    fn the_proxy_comes_first_and_each_node_after_it() {
        let mut node0 = node("node0");
        node0.facts = Arc::new(Facts {
            version: "28.5.2".into(),
            version_answer: json!({"ApiVersion": "1.51", "MinAPIVersion": "1.24", "Os": "linux",
                "Arch": "arm64", "KernelVersion": "6.1", "GitCommit": "3ef3c07", "Components": []}),
            ..Facts::default()
        });
        let about = About {
            version: "0.1.0".into(),
            git_commit: "abc".into(),
            build_time: "2026-11-24T00:00:00Z".into(),
            api_max: 51,
            api_min: 24,
            ..About::default()
        };
        let pending = Node::default();
        let expected = json!({
            "Platform": {"Name": "Flotilla"},
            "Components": [
                {"Name": "Engine", "Version": "0.1.0", "Details": {
                    "ApiVersion": "1.51", "Arch": "arm64", "BuildTime": "2026-11-24T00:00:00Z",
                    "Experimental": "false", "GitCommit": "abc", "GoVersion": "none (Rust)",
                    "KernelVersion": "6.1", "MinAPIVersion": "1.24", "Os": "linux"}},
                {"Name": "node0", "Version": "28.5.2", "Details": {
                    "Address": "node0:2375", "ApiVersion": "1.51", "Arch": "arm64", "GitCommit": "3ef3c07",
                    "KernelVersion": "6.1", "MinAPIVersion": "1.24", "Os": "linux", "Status": "Healthy"}},
            ],
            "Version": "0.1.0", "ApiVersion": "1.51", "MinAPIVersion": "1.24", "GitCommit": "abc",
            "GoVersion": "none (Rust)", "Os": "linux", "Arch": "arm64", "KernelVersion": "6.1",
            "BuildTime": "2026-11-24T00:00:00Z",
        });
        let view = view(vec![node0, pending]);
        assert_eq!(version(&view, &about), expected);
        let about = About {
            experimental: true,
            ..about
        };
        let mut expected = expected;
        expected["Experimental"] = true.into();
        expected["Components"][0]["Details"]["Experimental"] = "true".into();
        assert_eq!(version(&view, &about), expected);
    }
}
