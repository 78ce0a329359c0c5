//! What is done when the last byte of an engine's answer has come, and before the client sees its end.

use futures_util::stream;
use http::Response;
use http_body_util::BodyExt;

use crate::cluster::Cluster;
use crate::engine::{Engine, Refresh};
use crate::net::body::{self, Body, WithEnd};

/// Makes lists show what the call did before its answer ends (read your writes).
pub(super) fn refresh(
    answer: Response<Body>,
    cluster: Cluster,
    engine: Engine,
    what: Refresh,
) -> Response<Body> {
    answer.map(|body| {
        let state = (body, Some((cluster, engine, what)));
        body::stream(stream::unfold(state, |(mut body, then)| async move {
            loop {
                match body.frame().await {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => return Some((Ok(data), (body, then))),
                        Err(_) => continue,
                    },
                    Some(Err(error)) => return Some((Err(error), (body, then))),
                    None => {
                        let (cluster, engine, what) = then?;
                        cluster.refresh(&engine, what).await;
                        return None;
                    }
                }
            }
        }))
    })
}

/// Keeps `held` until the answer has ended or its reader is gone.
pub(super) fn hold<T: Send + Unpin + 'static>(answer: Response<Body>, held: T) -> Response<Body> {
    answer.map(|body| WithEnd::new(body, move || drop(held)).boxed_unsync())
}
