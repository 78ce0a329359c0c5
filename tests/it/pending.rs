//! Engines that cannot be taken in: `docker info` says of each why, in the words of tls/README.md.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::listeners::{certificates, files, flotilla};
use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{EngineSpec, Lab, Release, Spec, TlsFiles, eventually, output};

/// How long an engine may take to be found wanting.
const SOON: Duration = Duration::from_secs(30);

/// What `docker info` shows of one engine.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    name: String,
    status: String,
    error: String,
}

/// Reads what is shown of the engine at an address.
fn shown(info: &str, address: &str) -> Option<Shown> {
    let mut lines = info.lines();
    let end = format!(": {address}");
    let name = lines.find_map(|line| line.strip_suffix(&end))?;
    let row = |key: &str| {
        let rows = lines.clone().take_while(|line| line.contains('└'));
        let mark = format!("└ {key}: ");
        let found = rows.filter_map(|line| line.split_once(&mark)).next();
        found.map_or_else(String::new, |(_, value)| value.to_owned())
    };
    Some(Shown {
        name: name.trim().to_owned(),
        status: row("Status"),
        error: row("Error"),
    })
}

/// Fails unless each of these engines is soon pending, for a reason that begins so; returns what was shown.
fn all_pending(info: impl Fn() -> String, wanted: &[(&str, &str)]) -> String {
    let mut last = String::new();
    for (address, reason) in wanted {
        let reason = format!("{address}: {reason}");
        last = eventually(SOON, || {
            let info = info();
            let found = shown(&info, address).ok_or_else(|| info.clone())?;
            let pending = (found.name.as_str(), found.status.as_str()) == ("(unknown)", "Pending");
            match pending && found.error.starts_with(&reason) {
                true => Ok(info),
                false => Err(format!("{found:?}, not {reason}")),
            }
        })
        .unwrap_or_else(|why| panic!("{why}"));
    }
    last
}

/// Answers each connection with the same bytes.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // Who leaves early is none of our business.
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(bytes);
            });
        }
    });
    address
}

/// Returns the files of a folder of certificates as an engine takes them.
fn engine_files(folder: &Path) -> TlsFiles {
    let [ca, cert, key] = files(folder).map(Into::into);
    TlsFiles { ca, cert, key }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one scene from its start to its end")]
fn engines_whose_certificates_do_not_do_are_pending_with_the_reason() {
    let (ours, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificates(ours.path());
    certificates(others.path());
    let folder = ours.path().display().to_string();
    let misnamed = ["certs", "--dir", &folder, "engine", "elsewhere.example"];
    let misnamed = [&misnamed[..], &["--name", "misnamed"]].concat();
    assert!(flotilla(&misnamed).status.success());
    let lab = Lab::start(&Spec::with([
        EngineSpec::new("good", Release::V28).tls(engine_files(&ours.path().join("engine"))),
        EngineSpec::new("strange", Release::V20).tls(engine_files(&others.path().join("engine"))),
        EngineSpec::new("misnamed", Release::V20).tls(engine_files(&ours.path().join("misnamed"))),
        EngineSpec::new("plain", Release::V28),
    ]))
    .unwrap();
    let [good, strange, misnamed, plain] = [0, 1, 2, 3].map(|n| lab.engines()[n].address());
    let ip = lab.engine("misnamed").ip();
    let [ca, cert, key] = files(&ours.path().join("server"));
    let tls = ["--tlsverify", "--tlscacert", &ca, "--tlscert", &cert];
    let tls = [&tls[..], &["--tlskey", &key]].concat();
    // A manager is no engine, whatever it answers.
    let manager = Flotilla::start(lab.folder(), &tls, "127.0.0.1:1");
    let manager = manager.addr();
    let list = [&good, &strange, &misnamed, &plain, manager];
    let list = list.join(",");
    let proxy = Flotilla::start(lab.folder(), &tls, &list);
    let docker = |args: &[&str]| {
        let mut docker = proxy.clients(&lab).docker();
        docker.env("DOCKER_TLS_VERIFY", "1");
        docker.env("DOCKER_CERT_PATH", ours.path().join("client"));
        output(docker.args(args))
    };
    let problem = "cannot connect: certificate problem:";
    let stranger =
        format!("{problem} it was signed by an authority that --tlscacert does not hold");
    let other = format!("{problem} it is not valid for {ip}, only for elsewhere.example");
    let wanted: [(&str, &str); 4] = [
        (&strange, &stranger),
        (&misnamed, &other),
        (
            &plain,
            "cannot connect: no TLS is spoken there: is it the engine's plain port?",
        ),
        (
            manager,
            "unexpected answer: no CPUs or memory in /info: is this a Docker engine, or another manager?",
        ),
    ];
    let info = all_pending(|| docker(&["info"]).unwrap(), &wanted);
    assert_eq!(shown(&info, &good).unwrap().status, "Healthy", "{info}");
    // The one that is well serves.
    let run = ["run", "--rm", "busybox", "hostname"];
    docker(&run).unwrap();
}

#[test]
fn the_reasons_are_those_that_the_readme_explains() {
    let readme = include_str!("../../tls/README.md");
    for promised in [
        "it was signed by an authority that --tlscacert does not hold",
        "it is not valid for X, only for Y",
        "no TLS is spoken there",
        "Client sent an HTTP request to an HTTPS server",
    ] {
        assert!(readme.contains(promised), "{promised}");
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one scene from its start to its end")]
fn what_is_no_engine_is_pending_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let lab = Lab::start(&Spec::with([
        EngineSpec::new("good", Release::V20),
        EngineSpec::new("secret", Release::V28).tls(engine_files(&folder.path().join("engine"))),
    ]))
    .unwrap();
    let [good, secret] = [0, 1].map(|n| lab.engines()[n].address());
    let closed = format!("{}:1", lab.engine("good").ip());
    let web = answering(
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 25\r\n\r\n<html>\nnot here\n</html>\n\n",
    );
    let mute = answering(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    let html = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>");
    let ssh = answering(b"SSH-2.0-OpenSSH_9.2\r\n");
    let socket = format!("unix://{}/none.sock", lab.folder().display());
    let list = [&good, &secret, &closed, &web, &mute, &html, &ssh, &socket];
    let list = list.map(String::as_str).join(",");
    let proxy = Flotilla::start(lab.folder(), &[], &list);
    let docker = |args: &[&str]| output(proxy.clients(&lab).docker().args(args));
    let info = || docker(&["info"]).unwrap();
    let no_json = "unexpected answer: Failed to deserialize JSON";
    let no_http = "connection lost before the answer: invalid HTTP version parsed";
    let wanted: [(&str, &str); 7] = [
        (&secret, "Client sent an HTTP request to an HTTPS server."),
        (&closed, "cannot connect: connection refused"),
        (
            &web,
            "unexpected answer: 404 Not Found in place of its version: is this a Docker engine?",
        ),
        (
            &mute,
            "unexpected answer: 500 Internal Server Error in place of its version: is this a Docker engine?",
        ),
        (&html, no_json),
        (&ssh, no_http),
        (&socket, "cannot connect: no such socket"),
    ];
    all_pending(info, &wanted);
    assert_eq!(shown(&info(), &good).unwrap().status, "Healthy");

    // A create that only they could take says so.
    let caller = Caller::new(proxy.addr());
    let wish = json!({"Env": ["constraint:node!=good"]});
    let refused = caller.create("", &wish);
    let message = refused.expect(409).message();
    let words =
        "no node can take this container (8 looked at): 7 do not answer (could not be taken in (";
    assert!(message.starts_with(words), "{message}");
    caller.create("", &json!({})).expect(201);
}
