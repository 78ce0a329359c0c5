//! What image lists have only when it is asked for: sizes shared between images, and manifests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::list::ListQuery;
use crate::api::at_once;
use crate::cluster::Members;
use crate::engine::Engine;
use crate::model::{ClusterView, Node};

/// How long an engine may take to count; one that takes longer is shown without.
const DEADLINE: Duration = Duration::from_secs(15);

/// Returns the view with the entries that engines give when they are asked for more.
pub(super) async fn view(members: &Members, query: &ListQuery) -> ClusterView {
    let asked = members.view.nodes().iter().map(|node| async move {
        let engine = members.engine(&node.key);
        let engine = engine.filter(|_| node.health.is_healthy());
        match engine {
            Some(engine) => ask(node, engine, query).await,
            None => Arc::clone(node),
        }
    });
    ClusterView::new(at_once::all(asked).await)
}

/// Asks one engine.
async fn ask(node: &Arc<Node>, engine: &Engine, query: &ListQuery) -> Arc<Node> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(rename = "Id")]
        id: String,
    }
    let api = node.facts.api_max.min(crate::api::API_NEWEST);
    let (sizes, manifests) = (u8::from(query.shared_size), u8::from(query.manifests));
    let path = format!("/v1.{api}/images/json?all=1&shared-size={sizes}&manifests={manifests}");
    let list = match engine.client().get(&path, DEADLINE).await {
        Ok(list) => list,
        Err(error) => {
            tracing::warn!(node = node.name, %error, "images are listed without details");
            return Arc::clone(node);
        }
    };
    let entries: Vec<&RawValue> = serde_json::from_slice(&list).unwrap_or_default();
    let by_id: HashMap<String, &RawValue> = entries
        .into_iter()
        .filter_map(|entry| Some((serde_json::from_str::<Listed>(entry.get()).ok()?.id, entry)))
        .collect();
    let mut images = node.images.to_vec();
    for image in &mut images {
        if let Some(entry) = by_id.get(&image.id) {
            image.entry = Bytes::copy_from_slice(entry.get().as_bytes());
        }
    }
    Arc::new(Node {
        images: Arc::new(images),
        ..Node::clone(node)
    })
}
