//! What a simulated engine answers to which request.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;

use super::documents;
use super::engine::{Container, Engine, Ill};

type Body = BoxBody<Bytes, Infallible>;

/// Serves one engine for ever.
pub(crate) async fn engine(listener: TcpListener, engine: Arc<Engine>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let engine = Arc::clone(&engine);
        let serve = service_fn(move |request| ask(Arc::clone(&engine), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), serve)
            .with_upgrades();
        tokio::spawn(connection);
    }
}

/// Takes orders for all engines for ever.
pub(crate) async fn control(listener: TcpListener, engines: Arc<[Arc<Engine>]>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let engines = Arc::clone(&engines);
        let serve = service_fn(move |request: Request<Incoming>| {
            let engines = Arc::clone(&engines);
            async move { Ok::<_, Infallible>(order(&engines, &request)) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), serve);
        tokio::spawn(connection);
    }
}

/// Carries an order out.
fn order(engines: &Arc<[Arc<Engine>]>, request: &Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().trim_matches('/');
    let query = request.uri().query().unwrap_or_default();
    match path.split('/').collect::<Vec<_>>()[..] {
        ["truth"] => {
            let all = engines.iter().map(|engine| {
                let containers = engine.containers().into_iter();
                let own =
                    containers.map(|c| json!({"Id": c.id, "Name": c.name, "Running": c.running}));
                json!({ "Name": engine.name(), "Containers": own.collect::<Value>() })
            });
            answer(200, &all.collect())
        }
        ["requests"] => {
            let requests = engines
                .iter()
                .map(|engine| engine.requests.load(Ordering::Relaxed));
            answer(200, &json!(requests.sum::<u64>()))
        }
        ["engines", number] => {
            let engine = number.parse::<usize>().ok().and_then(|n| engines.get(n));
            match engine.zip(query.strip_prefix("ill=").and_then(Ill::parse)) {
                Some((engine, ill)) => {
                    engine.fall(ill);
                    answer(200, &Value::Null)
                }
                None => refused(400, "which engine, and what ails it?"),
            }
        }
        ["churn"] => {
            let rate = query.strip_prefix("rate=").and_then(|r| r.parse().ok());
            match rate {
                Some(rate) => {
                    tokio::spawn(churn(Arc::clone(engines), rate));
                    answer(200, &Value::Null)
                }
                None => refused(400, "at what rate?"),
            }
        }
        _ => refused(404, "no such order"),
    }
}

/// Stops and starts containers for ever, so many times a second over all engines.
async fn churn(engines: Arc<[Arc<Engine>]>, rate: u32) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    for turn in 0_usize.. {
        ticks.tick().await;
        let engine = &engines[turn % engines.len()];
        if let Some(first) = engine.containers().first() {
            engine.set_running(&first.id, !first.running);
        }
    }
}

/// Answers as one engine, when it answers.
async fn ask(
    engine: Arc<Engine>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    engine.requests.fetch_add(1, Ordering::Relaxed);
    match engine.ill() {
        Ill::Well => {}
        Ill::Hung => {
            while engine.ill() == Ill::Hung {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ill::Late(by) => tokio::time::sleep(by).await,
    }
    Ok(route(&engine, request).await)
}

/// Finds the answer to a request.
async fn route(engine: &Engine, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let query: Vec<(String, String)> = request
        .uri()
        .query()
        .map(|query| {
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect()
        })
        .unwrap_or_default();
    let asked = |key: &str| {
        query
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    };
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let parts = match parts.first() {
        Some(first) if first.starts_with("v1.") => &parts[1..],
        _ => &parts[..],
    };
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return read(engine, parts, &asked);
    }
    match parts {
        ["containers", "create"] => {
            let name = asked("name").unwrap_or_default().to_owned();
            create(engine, &name, request).await
        }
        ["containers", id, "exec"] => match engine.find(id) {
            Some(container) => answer(201, &json!({"Id": container.id})),
            None => no_container(id),
        },
        ["exec", _, "start"] | ["containers", _, "attach"] => echo(request).await,
        ["containers", id, "archive"] => {
            let mut body = request.into_body();
            while let Some(Ok(_)) = body.frame().await {}
            match engine.find(id) {
                Some(_) => empty(200),
                None => no_container(id),
            }
        }
        ["containers", id, "start"] => done(engine.set_running(id, true), id),
        ["containers", id, "stop" | "kill"] => done(engine.set_running(id, false), id),
        ["containers", id] => done(engine.remove(id), id),
        _ => refused(404, "page not found"),
    }
}

/// Finds the answer to a question.
fn read<'a>(
    engine: &Engine,
    parts: &[&str],
    asked: &impl Fn(&str) -> Option<&'a str>,
) -> Response<Body> {
    let of = |id: &str, say: fn(&Container) -> Response<Body>| match engine.find(id) {
        Some(container) => say(&container),
        None => no_container(id),
    };
    match parts {
        ["_ping"] => answer(200, &Value::Null),
        ["version"] => answer(200, &documents::version()),
        ["info"] => answer(200, &documents::info(engine)),
        ["events"] => match asked("until") {
            Some(_) => empty(200),
            None => events(engine),
        },
        ["containers", "json"] => {
            let list = list(engine, asked("all"), asked("limit"), asked("filters"));
            answer(200, &list)
        }
        ["containers", id, "json"] => of(id, |c| answer(200, &documents::inspect(c))),
        ["containers", id, "logs"] => of(id, |_| idle()),
        ["images", "json"] => answer(200, &json!([documents::image()])),
        ["images", .., "json"] => answer(200, &documents::image_inspect()),
        ["networks"] => answer(200, &documents::networks(engine)),
        ["volumes"] => answer(200, &json!({"Volumes": [], "Warnings": null})),
        ["plugins"] => answer(200, &json!([])),
        ["exec", ..] => answer(200, &json!({"Running": false, "ExitCode": 0, "Pid": 0})),
        _ => refused(404, "page not found"),
    }
}

/// Lists containers as the parameters say; of filters those by ID are known.
fn list(engine: &Engine, all: Option<&str>, limit: Option<&str>, filters: Option<&str>) -> Value {
    let all = matches!(all, Some("1" | "true")) || limit.is_some();
    let filters: Value = filters
        .and_then(|f| serde_json::from_str(f).ok())
        .unwrap_or_default();
    let ids: Option<Vec<&str>> = match &filters["id"] {
        Value::Array(ids) => Some(ids.iter().filter_map(Value::as_str).collect()),
        Value::Object(ids) => Some(ids.keys().map(String::as_str).collect()),
        _ => None,
    };
    let containers = match ids {
        Some(ids) => ids.iter().filter_map(|id| engine.find(id)).collect(),
        None => engine.containers(),
    };
    let limit = limit.and_then(|l| l.parse().ok()).unwrap_or(usize::MAX);
    let shown = containers.iter().filter(|c| all || c.running).take(limit);
    shown.map(documents::entry).collect()
}

async fn create(engine: &Engine, name: &str, request: Request<Incoming>) -> Response<Body> {
    let Ok(body) = request.into_body().collect().await else {
        return refused(400, "the body broke off");
    };
    let Ok(body) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        return refused(400, "invalid JSON");
    };
    match engine.create(name, &body) {
        Some(id) => answer(201, &json!({"Id": id, "Warnings": []})),
        None => refused(409, "Conflict. The container name is already in use."),
    }
}

/// Gives back what is sent, for as long as it is sent.
async fn echo(mut request: Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
            // Either end may leave.
            let _ = tokio::io::copy(&mut from, &mut to).await;
            let _ = tokio::io::AsyncWriteExt::shutdown(&mut to).await;
        }
    });
    let mut answer = empty(101);
    for (key, value) in [
        ("Connection", "Upgrade"),
        ("Upgrade", "tcp"),
        ("Content-Type", "application/vnd.docker.raw-stream"),
    ] {
        answer.headers_mut().insert(key, value.parse().unwrap());
    }
    answer
}

/// Tells events for as long as somebody reads them.
fn events(engine: &Engine) -> Response<Body> {
    let lines = stream::unfold(engine.events(), |mut events| async move {
        loop {
            match events.recv().await {
                Ok(line) => return Some((Ok(Frame::data(line)), events)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    of(200, StreamBody::new(lines).boxed())
}

/// Says nothing for as long as somebody listens.
fn idle() -> Response<Body> {
    let nothing = stream::pending::<Result<Frame<Bytes>, Infallible>>();
    of(200, StreamBody::new(nothing).boxed())
}

fn done(was_there: bool, id: &str) -> Response<Body> {
    match was_there {
        true => empty(204),
        false => no_container(id),
    }
}

fn no_container(id: &str) -> Response<Body> {
    refused(404, &format!("No such container: {id}"))
}

fn refused(status: u16, message: &str) -> Response<Body> {
    answer(status, &json!({ "message": message }))
}

fn answer(status: u16, value: &Value) -> Response<Body> {
    let text = match value {
        Value::Null => "OK".to_owned(),
        value => format!("{value}\n"),
    };
    of(status, Full::new(Bytes::from(text)).boxed())
}

fn empty(status: u16) -> Response<Body> {
    of(status, Full::default().boxed())
}

fn of(status: u16, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    let headers = answer.headers_mut();
    for (key, value) in [
        ("Api-Version", "1.51"),
        ("Content-Type", "application/json"),
        ("Docker-Experimental", "false"),
        ("Ostype", "linux"),
        ("Server", "Docker/28.5.2 (linux)"),
    ] {
        headers.insert(key, value.parse().unwrap());
    }
    answer
}
