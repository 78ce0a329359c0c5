//! Where clients come in and where engines are found: sockets, TLS, and lists that change.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::support::clients::Clients;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{EngineSpec, Lab, Release, Spec, TlsFiles, eventually, output};

/// How long a change of a list may take to show.
const SOON: Duration = Duration::from_secs(60);

/// Runs the program to its end, which must come soon.
pub(super) fn flotilla(args: &[&str]) -> Output {
    Command::new("timeout")
        .args(["20", env!("CARGO_BIN_EXE_flotilla")])
        .args(args)
        .output()
        .unwrap()
}

/// Makes certificates for Flotilla, a client, and engines at any address that a lab may get.
pub(super) fn certificates(folder: &Path) {
    let mut hosts = Vec::new();
    for lab in 0..=255 {
        hosts.push(format!("172.31.{lab}.10"));
        hosts.push(format!("172.31.{lab}.11"));
    }
    let folder = folder.display().to_string();
    let hosts = hosts.join(",");
    let made = flotilla(&["certs", "--dir", &folder, "all", "--host", &hosts]);
    assert!(made.status.success(), "{made:?}");
}

/// Returns the names of the nodes that `docker info` shows.
fn nodes(flotilla: &Flotilla) -> Vec<String> {
    let info: serde_json::Value = serde_json::from_str(&flotilla.get("/info").unwrap()).unwrap();
    let lines = info["SystemStatus"].as_array().cloned().unwrap_or_default();
    let names = lines.iter().filter_map(|line| line[0].as_str());
    names
        .filter_map(|name| name.strip_prefix(' '))
        .filter(|name| !name.starts_with(' '))
        .map(str::to_owned)
        .collect()
}

/// Waits until these nodes and no others are shown.
fn wait_for(flotilla: &Flotilla, wanted: &[&str]) {
    eventually(SOON, || {
        let found = nodes(flotilla);
        if found == wanted { Ok(()) } else { Err(found) }
    })
    .unwrap();
    flotilla.wait_for_nodes(wanted.len());
}

#[test]
fn one_flotilla_serves_tcp_and_a_socket() {
    let lab = Lab::start(&Spec::of(&[Release::V28])).unwrap();
    let socket = lab.folder().join("flotilla.sock");
    let host = format!("unix://{}", socket.display());
    let flotilla = Flotilla::start(lab.folder(), &["--host", &host], &lab.addresses());
    flotilla.wait_for_nodes(1);
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "only its owner and group may use it");
    let create = ["create", "--name", "both", "busybox"];
    output(flotilla.clients(&lab).docker().args(create)).unwrap();
    let list = ["ps", "-a", "--format", "{{.Names}}"];
    let over_socket = Clients::new(&host, &lab);
    for mut docker in [over_socket.docker(), over_socket.docker_20()] {
        assert!(output(docker.args(list)).unwrap().contains("both"));
    }
}

/// Engines with TLS, and Flotilla with TLS before them.
struct Tls {
    folder: tempfile::TempDir,
    lab: Lab,
    flotilla: Flotilla,
}

impl Tls {
    /// Makes certificates and starts all with them.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let engine = |name: &str, release| {
            let file = |name: &str| folder.path().join("engine").join(name);
            EngineSpec::new(name, release).tls(TlsFiles {
                ca: file("ca.pem"),
                cert: file("cert.pem"),
                key: file("key.pem"),
            })
        };
        let spec = [engine("old", Release::V20), engine("new", Release::V28)];
        let lab = Lab::start(&Spec::with(spec)).unwrap();
        let [ca, cert, key] = files(&folder.path().join("server"));
        let args = [
            "--tlsverify",
            "--tlscacert",
            &ca,
            "--tlscert",
            &cert,
            "--tlskey",
            &key,
        ];
        let flotilla = Flotilla::start(lab.folder(), &args, &lab.addresses());
        Self {
            folder,
            lab,
            flotilla,
        }
    }

    /// Returns a docker CLI that shows the client's certificate.
    fn docker(&self) -> Command {
        let mut docker = self.flotilla.clients(&self.lab).docker();
        docker
            .env("DOCKER_TLS_VERIFY", "1")
            .env("DOCKER_CERT_PATH", self.folder.path().join("client"));
        docker
    }

    /// Waits until both engines are healthy.
    fn wait_until_healthy(&self) {
        healthy(|| output(self.docker().arg("info")).map_err(|e| e.to_string()));
    }

    /// Pings with a certificate out of a folder, or with none.
    fn ping(&self, identity: Option<&Path>) -> Result<String, String> {
        let [ca, ..] = files(&self.folder.path().join("server"));
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "15", "--cacert", &ca]);
        if let Some([_, cert, key]) = identity.map(files) {
            curl.args(["--cert", &cert, "--key", &key]);
        }
        curl.arg(format!("https://{}/_ping", self.flotilla.addr()));
        output(&mut curl).map_err(|e| e.to_string())
    }
}

/// Waits until `docker info` shows two healthy nodes.
fn healthy(info: impl Fn() -> Result<String, String>) {
    eventually(SOON, || {
        let info = info()?;
        match info.matches("Status: Healthy").count() {
            2 => Ok(()),
            _ => Err(info),
        }
    })
    .unwrap();
}

/// Returns the paths of authority, certificate and key in a folder.
pub(super) fn files(folder: &Path) -> [String; 3] {
    ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.join(name).display().to_string())
}

#[test]
fn containers_run_on_engines_with_tls_for_a_client_with_a_certificate() {
    let tls = Tls::start();
    tls.wait_until_healthy();
    for node in ["old", "new"] {
        let wish = format!("constraint:node=={node}");
        let run = ["run", "--rm", "-e", &wish, "busybox", "echo", "through TLS"];
        assert_eq!(output(tls.docker().args(run)).unwrap(), "through TLS");
    }
}

#[test]
fn the_end_of_standard_input_passes_through_tls() {
    let tls = Tls::start();
    tls.wait_until_healthy();
    let input = "line of input\n".repeat(100_000);
    for node in ["old", "new"] {
        let wish = format!("constraint:node=={node}");
        let run = [
            "run",
            "-i",
            "--rm",
            "-e",
            &wish,
            "busybox",
            "sh",
            "-c",
            "wc -c; echo end",
        ];
        let mut cat = tls
            .docker()
            .args(run)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = cat.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let ended = cat.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(said, format!("{}\nend\n", input.len()), "{node}");
    }
}

#[test]
fn tls_and_a_socket_are_served_together() {
    let tls = Tls::start();
    let [ca, cert, key] = files(&tls.folder.path().join("server"));
    let socket = tls.lab.folder().join("beside.sock");
    let host = format!("unix://{}", socket.display());
    let args = ["--tlsverify", "--tlscacert", &ca, "--tlscert", &cert];
    let args = [&args[..], &["--tlskey", &key, "--host", &host]].concat();
    let both = Flotilla::start(tls.lab.folder(), &args, &tls.lab.addresses());
    let over_socket = || Clients::new(&host, &tls.lab).docker();
    healthy(|| output(over_socket().arg("info")).map_err(|e| e.to_string()));
    let over_tls = || {
        let mut docker = both.clients(&tls.lab).docker();
        docker.env("DOCKER_TLS_VERIFY", "1");
        docker.env("DOCKER_CERT_PATH", tls.folder.path().join("client"));
        docker
    };
    // Each door at the same time as the other, with a stream open in both.
    let held = |mut docker: Command, name: &str| {
        let run = ["run", "-i", "--rm", "--name", name, "busybox", "cat"];
        docker
            .args(run)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        docker.spawn().unwrap()
    };
    let streams = [held(over_socket(), "in-socket"), held(over_tls(), "in-tls")];
    for mut stream in streams {
        let mut stdin = stream.stdin.take().unwrap();
        stdin.write_all(b"line\n").unwrap();
        drop(stdin);
        let ended = stream.wait_with_output().unwrap();
        assert_eq!(ended.stdout, b"line\n");
    }
    // The socket needs no certificate, TCP does.
    let mut bare = both.clients(&tls.lab).docker();
    output(bare.arg("version")).unwrap_err();
}

#[test]
fn a_door_that_cannot_be_opened_ends_the_program() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp://{}", taken.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let first = format!("unix://{}", path("first.sock"));
    fs::write(path("file"), "mine").unwrap();
    let (file, nowhere) = (path("file"), path("no/such/folder.sock"));
    let (file, nowhere) = (format!("unix://{file}"), format!("unix://{nowhere}"));
    let foreign = "tcp://192.0.2.1:2375".to_owned();
    for (door, more, why) in [
        (&port, None, "Address already in use (os error 98)"),
        (&file, None, "the file is not a socket, and is left alone"),
        (&nowhere, None, "No such file or directory (os error 2)"),
        (
            &foreign,
            Some("--allow-unauthenticated-tcp"),
            "Cannot assign requested address (os error 99)",
        ),
    ] {
        let mut args = vec!["manage", "--host", &first, "--host", door];
        args.extend(more);
        args.push("127.0.0.1:1");
        let ended = flotilla(&args);
        assert_eq!(ended.status.code(), Some(1), "{door}: {ended:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        let last = said.lines().last().unwrap_or_default();
        let told = door.strip_prefix("tcp://").unwrap_or(door);
        assert!(
            last.contains(&format!("cannot listen on {told}: ")),
            "{said}"
        );
        assert!(last.contains(why), "{said}");
        // What was open is closed, and its file is gone.
        assert!(!Path::new(&path("first.sock")).exists(), "{door}");
    }
    assert_eq!(fs::read_to_string(path("file")).unwrap(), "mine");
}

#[test]
fn tls_without_verification_is_served_beyond_loopback_only_when_it_is_asked_for() {
    let tls = Tls::start();
    let [_, cert, key] = files(&tls.folder.path().join("server"));
    let addresses = tls.lab.addresses();
    let host = format!("tcp://172.31.{}.1:0", tls.lab.number());
    let args = [
        "--tls",
        "--tlscert",
        &cert,
        "--tlskey",
        &key,
        "--host",
        &host,
    ];
    let refused = flotilla(&[&["manage"], &args[..], &[addresses.as_str()]].concat());
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("refusing to listen"), "{said}");

    let args = [&args[..], &["--allow-unauthenticated-tcp"]].concat();
    let open = Flotilla::start(tls.lab.folder(), &args, &addresses);
    let door = eventually(SOON, || {
        let log = open.log();
        let at = log
            .find(&host[6..host.len() - 1])
            .ok_or_else(|| log.clone())?;
        let ends = |c: char| !(c.is_ascii_digit() || ".:".contains(c));
        Ok::<_, String>(log[at..].split(ends).next().unwrap().to_owned())
    })
    .unwrap();
    // Encrypted, without a certificate of the client and without a look at ours.
    let docker = |args: &[&str]| {
        let mut docker = Clients::new(format!("tcp://{door}"), &tls.lab).docker();
        output(docker.args(["--tls", "--tlscacert", ""]).args(args)).map_err(|e| e.to_string())
    };
    healthy(|| docker(&["info"]));
    for node in ["old", "new"] {
        let wish = format!("constraint:node=={node}");
        let run = ["run", "--rm", "-e", &wish, "busybox", "echo", "in the open"];
        assert_eq!(docker(&run).unwrap(), "in the open");
    }
    let mut plain = Clients::new(format!("tcp://{door}"), &tls.lab).docker();
    output(plain.arg("version")).unwrap_err();
}

#[test]
fn w20_a_client_that_offers_http_2_is_served_http_1() {
    let tls = Tls::start();
    let [ca, ..] = files(&tls.folder.path().join("server"));
    let [_, cert, key] = files(&tls.folder.path().join("client"));
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-alpn", "h2,http/1.1", "-CAfile", &ca]);
    openssl.args(["-cert", &cert, "-key", &key]);
    let said = output(openssl.args(["-connect", tls.flotilla.addr()])).unwrap();
    assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
}

#[test]
fn clients_without_a_certificate_of_our_authority_are_refused() {
    let tls = Tls::start();
    let refused = tls.ping(None).unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    let other = tempfile::tempdir().unwrap();
    certificates(other.path());
    tls.ping(Some(&other.path().join("client"))).unwrap_err();
    // Plain HTTP gets nothing either.
    let mut plain = tls.flotilla.clients(&tls.lab).docker();
    output(plain.arg("version")).unwrap_err();
    // All of these fail for the reason they name: a good certificate is let in.
    let good = tls.ping(Some(&tls.folder.path().join("client")));
    assert_eq!(good.unwrap(), "OK");
}

#[test]
fn certificates_are_made_all_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().display().to_string();
    let all = |host: &str, more: &[&str]| {
        let args = ["certs", "--dir", &directory, "all", "--host", host];
        flotilla(&[&args[..], more].concat())
    };
    let folders = || {
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    // The last of the three folders is in the way: the first two are not made, nor is an authority.
    let last = folder.path().join("client");
    fs::create_dir(&last).unwrap();
    fs::write(last.join("key.pem"), "mine").unwrap();
    let refused = all("db-1", &[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    let path = last.join("key.pem");
    let exists = format!("{} exists: use --force to replace it", path.display());
    assert!(said.contains(&exists), "{said}");
    assert_eq!(folders(), ["client"]);
    // So is a host that is none.
    assert!(!all("db 1", &["--force"]).status.success());
    assert_eq!(folders(), ["client"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let made = all("db-1", &["--force"]);
    assert!(made.status.success(), "{made:?}");
    assert_eq!(folders(), ["ca", "client", "engine", "server"]);
}

#[test]
fn other_machines_are_not_served_without_certificates() {
    let refused = flotilla(&["manage", "--host", "tcp://0.0.0.0:0", "127.0.0.1:1"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains(
            "refusing to listen on 0.0.0.0:0 without client certificates, as whoever reaches it controls every engine: add --tlsverify with --tlscacert, --tlscert and --tlskey, or accept the risk with --allow-unauthenticated-tcp"
        ),
        "{said}"
    );
}

#[test]
fn engines_come_and_go_with_the_lines_of_a_file() {
    let lab = Lab::start(&Spec::of(&[Release::V20, Release::V28])).unwrap();
    let [first, second] = [0, 1].map(|n| lab.engines()[n].address());
    let list = lab.folder().join("engines");
    fs::write(&list, format!("{first} # the first\n")).unwrap();
    let flotilla = Flotilla::start(lab.folder(), &[], &format!("file://{}", list.display()));
    wait_for(&flotilla, &["node0"]);
    // As editors do it: a new file in place of the old one.
    let draft = lab.folder().join("engines.draft");
    fs::write(&draft, format!("{first}\n{second}\n")).unwrap();
    fs::rename(&draft, &list).unwrap();
    wait_for(&flotilla, &["node0", "node1"]);
    let docker = || flotilla.clients(&lab).docker();
    let on_second = "constraint:node==node1";
    output(docker().args(["create", "--name", "there", "-e", on_second, "busybox"])).unwrap();

    // What cannot be read changes nothing.
    fs::write(&list, "no address\n").unwrap();
    eventually(SOON, || match flotilla.log() {
        log if log.contains("discovery list kept as it was") => Ok(()),
        log => Err(log),
    })
    .unwrap();
    assert_eq!(nodes(&flotilla), ["node0", "node1"]);

    fs::write(&list, format!("{first}\n")).unwrap();
    wait_for(&flotilla, &["node0"]);
    assert_eq!(output(docker().args(["ps", "-aq"])).unwrap(), "");
    fs::write(&list, format!("{second}\n{first}\n")).unwrap();
    wait_for(&flotilla, &["node0", "node1"]);
    let list = ["ps", "-a", "--format", "{{.Names}}"];
    assert!(output(docker().args(list)).unwrap().contains("there"));
}

#[test]
fn a_range_names_many_engines() {
    let lab = Lab::start(&Spec::of(&[Release::V20, Release::V28])).unwrap();
    let range = format!("nodes://172.31.{}.[10:11]:2375", lab.number());
    let flotilla = Flotilla::start(lab.folder(), &[], &range);
    wait_for(&flotilla, &["node0", "node1"]);
}
