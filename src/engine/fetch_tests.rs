//! What is read of an engine that is at work on many containers.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;
use crate::net::dial::Dialer;

/// Containers that the engine has; it answers no inspect of any but the last.
const CONTAINERS: usize = 3 * MANY_LATE;

/// Starts an engine that answers the list of all containers and, when `short` is set, that of one.
async fn engine(short: bool) -> Fetch {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string().parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serve = service_fn(move |request| answer(request, short));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), serve);
            tokio::spawn(connection);
        }
    });
    let dialer = Dialer {
        tls: None,
        deadline: Duration::from_secs(10),
    };
    Fetch::new(Client::new(addr, dialer), 41, Duration::from_secs(1))
}

async fn answer(
    request: Request<Incoming>,
    short: bool,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let last = format!("/v1.41/containers/{}/json", CONTAINERS - 1);
    let text = match request.uri().to_string() {
        all if all == "/v1.41/containers/json?all=1" => {
            let list = (0..CONTAINERS).map(|n| serde_json::json!({ "Id": n.to_string() }));
            list.collect::<serde_json::Value>().to_string()
        }
        one if one == "/v1.41/containers/json?limit=1" && short => "[]".to_owned(),
        inspect if inspect == last => "{}".to_owned(),
        _ => return std::future::pending().await,
    };
    Ok(Response::new(text.into()))
}

#[tokio::test]
async fn an_engine_that_is_at_work_on_all_of_its_containers_is_not_given_up() {
    let fetch = engine(true).await;
    let details = fetch.containers(Duration::from_millis(300)).await.unwrap();
    assert_eq!(details.late.len(), CONTAINERS - 1);
    assert_eq!(details.found.len(), 1, "it comes after all that are late");
}

#[tokio::test]
async fn an_engine_that_answers_neither_inspects_nor_lists_is_given_up() {
    let fetch = engine(false).await;
    let late = fetch.containers(Duration::from_millis(300)).await;
    assert!(matches!(late.err(), Some(Error::Timeout { .. })));
}

#[test]
fn however_many_containers_are_asked_for_each_target_is_one_that_can_be_sent() {
    let ids: Vec<Arc<str>> = (0..2000).map(|n| format!("{n:064x}").into()).collect();
    let paths: Vec<String> = lists_of(&ids).collect();
    for path in &paths {
        assert!(path.parse::<http::Uri>().is_ok(), "{} bytes", path.len());
    }
    let all = paths.concat();
    assert!(ids.iter().all(|id| all.contains(&**id)));
    assert_eq!(lists_of(&[]).count(), 0);
}
