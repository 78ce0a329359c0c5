//! Connections are used again, and no longer than they stand.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::net::body;

/// What a peer sends for the request of this number on its connection; `None` closes it before it is read.
type Script = fn(usize) -> Option<String>;

/// A peer that follows a script on each of its connections, and counts them.
async fn peer(script: Script) -> (Addr, Dialer, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string().parse().unwrap();
    let dialer = Dialer {
        tls: None,
        deadline: Duration::from_secs(10),
    };
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(follow(stream, script));
        }
    });
    (addr, dialer, count)
}

/// Answers request after request as the script says.
async fn follow(mut stream: TcpStream, script: Script) {
    let mut number = 0;
    while let Some(answer) = script(number) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        number += 1;
    }
}

/// An answer in chunks.
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

fn get() -> Request<Body> {
    let mut request = Request::new(body::empty());
    *request.uri_mut() = "http://engine:2375/info?x=1".parse().unwrap();
    request
}

/// Asks once and returns the body.
async fn ask(links: &Links, to: (&Addr, &Dialer)) -> Result<Bytes, Failure> {
    let answer = links.send(get(), to).await?;
    Ok(body::read(answer.into_body(), 1 << 30).await.unwrap())
}

fn with_length(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn one_connection_serves_requests_that_follow_one_another() {
    let scripts: [Script; 3] = [
        |_| Some(with_length("ok")),
        |_| Some("HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        |_| Some(CHUNKED.to_owned()),
    ];
    for (script, wanted) in scripts.into_iter().zip(["ok", "", "ok"]) {
        let (addr, dialer, count) = peer(script).await;
        let links = Links::default();
        for _ in 0..5 {
            assert_eq!(ask(&links, (&addr, &dialer)).await.unwrap(), wanted);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn an_engine_that_rests_keeps_few_connections() {
    let (addr, dialer, count) = peer(|_| Some(with_length("ok"))).await;
    let links = Links::default();
    let asked = (0..5).map(|_| ask(&links, (&addr, &dialer)));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.unwrap(), "ok");
    }
    let opened = count.load(Ordering::SeqCst);
    assert!(opened > 1, "they were asked at once");
    links.keep(1);
    assert_eq!(links.lock().len(), 1);
    ask(&links, (&addr, &dialer)).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), opened, "one was kept");
}

#[tokio::test]
async fn requests_at_once_have_a_connection_each_and_leave_them_for_the_next() {
    let (addr, dialer, count) = peer(|_| Some(with_length("ok"))).await;
    let links = Links::default();
    for _ in 0..3 {
        let open = [
            links.send(get(), (&addr, &dialer)).await.unwrap(),
            links.send(get(), (&addr, &dialer)).await.unwrap(),
        ];
        for answer in open {
            assert_eq!(body::read(answer.into_body(), 100).await.unwrap(), "ok");
        }
    }
    // Small bodies are there with the head, so that a connection may be free again before its body is read.
    assert!(count.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let (addr, dialer, count) = peer(|number| (number == 0).then(|| with_length("ok"))).await;
    let links = Links::default();
    for asked in 1..=5 {
        assert_eq!(ask(&links, (&addr, &dialer)).await.unwrap(), "ok");
        assert_eq!(count.load(Ordering::SeqCst), asked);
    }
}

#[tokio::test]
async fn long_bodies_come_whole() {
    let (addr, dialer, _) = peer(|_| Some(with_length(&"x".repeat(20 << 20)))).await;
    let links = Links::default();
    for _ in 0..2 {
        let body = ask(&links, (&addr, &dialer)).await.unwrap();
        assert_eq!(body.len(), 20 << 20);
    }
}

#[tokio::test]
async fn who_drops_a_body_closes_the_connection() {
    let (addr, dialer, count) = peer(|_| Some(with_length(&"x".repeat(20 << 20)))).await;
    let links = Links::default();
    drop(links.send(get(), (&addr, &dialer)).await.unwrap());
    assert!(links.lock().is_empty());
    ask(&links, (&addr, &dialer)).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_goes_wrong_says_whether_it_was_sent() {
    let links = Links::default();
    let (addr, dialer, _) = peer(|_| Some("nonsense\r\n\r\n".to_owned())).await;
    let failed = ask(&links, (&addr, &dialer)).await.unwrap_err();
    assert!(matches!(failed, Failure::Broken(_)), "{failed}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr: Addr = closed.local_addr().unwrap().to_string().parse().unwrap();
    drop(closed);
    let failed = ask(&Links::default(), (&addr, &dialer)).await.unwrap_err();
    assert!(matches!(failed, Failure::Connect(_)), "{failed}");
}

/// tokio makes a task come back when it has done much in one turn, whatever is there for it.
#[tokio::test]
async fn an_answer_that_comes_with_the_last_of_a_tasks_turn_is_not_missed() {
    let (addr, dialer, _) = peer(|_| Some(with_length(&"x".repeat(1 << 20)))).await;
    let links = Links::default();
    for left in 0..8 {
        // The clock of the test may take one of the 128.
        ask(&links, (&addr, &dialer)).await.unwrap();
        let mut sent = pin!(links.send(get(), (&addr, &dialer)));
        let first = poll_fn(|cx| Poll::Ready(sent.as_mut().poll(cx))).await;
        assert!(first.is_pending(), "it is only written so far");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut fresh = true;
        let answer = poll_fn(|cx| {
            let done = if std::mem::take(&mut fresh) {
                127 - left
            } else {
                0
            };
            for _ in 0..done {
                let unit = pin!(tokio::task::coop::consume_budget());
                assert!(unit.poll(cx).is_ready());
            }
            sent.as_mut().poll(cx)
        });
        let answer = tokio::select! {
            // First, as the clock wakes the other too.
            biased;
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("not woken with {left} left"),
            answer = answer => answer,
        };
        let body = body::read(answer.unwrap().into_body(), 1 << 20).await;
        assert_eq!(body.unwrap().len(), 1 << 20);
    }
}

#[test]
fn a_target_is_written_as_to_a_server() {
    let mut request = get();
    to_origin_form(&mut request);
    assert_eq!(request.uri(), "/info?x=1");
    assert_eq!(request.headers()[header::HOST], "engine:2375");
}
