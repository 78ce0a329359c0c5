//! Engines that discovery names while Flotilla serves: nobody waits for them.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::flotilla::Flotilla;
use crate::support::http::call;
use crate::support::lab::{Lab, eventually};

/// How long a call may take that waits for nobody, even on a busy machine: half of what the silent engine is given.
const PROMPT: Duration = Duration::from_secs(10);

#[test]
fn calls_do_not_wait_for_an_engine_that_is_added_and_does_not_answer() {
    let lab = Lab::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("engines");
    let first = lab.engines()[0].address();
    fs::write(&list, format!("{first}\n")).unwrap();
    let url = format!("file://{}", list.display());
    // It takes long until a silent engine counts as tried.
    let flotilla = Flotilla::start(folder.path(), &["--engine-timeout", "20s"], &url);
    flotilla.wait_for_nodes(1);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let second = silent.local_addr().unwrap();
    fs::write(&list, format!("{first}\n{second}\n")).unwrap();
    eventually(Duration::from_secs(60), || {
        for path in ["/_ping", "/containers/json?all=1", "/info"] {
            let started = Instant::now();
            let answer = call(flotilla.addr(), "GET", path);
            assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
            let took = started.elapsed();
            assert!(took < PROMPT, "{path} took {took:?}");
        }
        let info = flotilla.get("/info")?;
        match info.contains(&second.to_string()) {
            true => Ok(()),
            false => Err(info),
        }
    })
    .unwrap();
    for path in ["/_ping", "/containers/json?all=1"] {
        let started = Instant::now();
        assert_eq!(call(flotilla.addr(), "GET", path).status(), 200);
        assert!(started.elapsed() < PROMPT, "{path} {:?}", started.elapsed());
    }
}
