//! The lab itself: engines are real, apart from each other, break as told, and leave nothing behind.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::support::clients::Clients;
use crate::support::lab::{
    Engine, EngineSpec, Lab, Release, Spec, TlsFiles, eventually, output, skip,
};

const SOON: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a container that sleeps and returns its ID.
fn run_sleeper(engine: &Engine, more: &[&str]) -> String {
    output(
        engine
            .docker()
            .args(["run", "-d"])
            .args(more)
            .args(["busybox", "sleep", "1000"]),
    )
    .unwrap()
}

fn names(engine: &Engine) -> String {
    output(engine.docker().args(["ps", "--format", "{{.Names}}"])).unwrap()
}

/// Tells why a client is not installed.
fn told(client: Result<Command, String>) -> Result<Command, ()> {
    client.map_err(|why| skip(&why))
}

/// Lists what exists on this machine of the lab of that number.
fn remains(number: u8) -> Vec<String> {
    let marks = [
        format!("/tmp/flotilla-lab-{number}/"),
        format!("flab-{number}"),
        format!("flotilla-lab-{number}"),
    ];
    let marked = |text: &str| {
        let words =
            text.split(|letter: char| letter.is_whitespace() || letter == '@' || letter == ':');
        words.into_iter().any(|word| {
            marks.iter().any(|mark| {
                word.match_indices(mark.as_str()).any(|(at, _)| {
                    !word[at + mark.len()..].starts_with(|next: char| next.is_ascii_digit())
                })
            })
        })
    };
    let mut found = Vec::new();
    for (program, args) in [
        ("ps", &["-eo", "args"][..]),
        ("ip", &["netns", "list"]),
        ("ip", &["-o", "link"]),
        ("cat", &["/proc/self/mounts"]),
        ("find", &["/sys/fs/cgroup", "-maxdepth", "2", "-type", "d"]),
        ("find", &["/tmp", "-maxdepth", "1"]),
    ] {
        let text = output(Command::new(program).args(args)).unwrap();
        found.extend(
            text.lines()
                .filter(|line| marked(line))
                .map(|line| format!("{program}: {line}")),
        );
    }
    found
}

#[test]
fn three_engines_of_mixed_versions_run_a_container_each() {
    let started = Instant::now();
    let lab = Lab::start(&Spec::mixed()).unwrap();
    println!(
        "three engines ready in {:?}; {:?}",
        started.elapsed(),
        lab.skipped()
    );
    let mut ids = BTreeSet::new();
    let mut images = BTreeSet::new();
    for (index, engine) in lab.engines().iter().enumerate() {
        let info = engine.ask("/info").unwrap();
        assert_eq!(info["Name"], format!("node{index}"));
        let labels = info["Labels"].as_array().unwrap();
        let zone = format!("zone={}", ["a", "b", "c"][index]);
        assert!(labels.contains(&zone.into()), "{labels:?}");
        ids.insert(engine.id().to_owned());
        run_sleeper(engine, &["--name", "web"]);
        let remote = format!("tcp://{}", engine.address());
        let clients = Clients::new(remote, &lab);
        for mut client in told(clients.docker_28())
            .into_iter()
            .chain([clients.docker_20()])
        {
            assert_eq!(
                output(client.args(["ps", "--format", "{{.Names}}"])).unwrap(),
                "web"
            );
        }
        images.insert(
            output(
                engine
                    .docker()
                    .args(["images", "-q", "--no-trunc", "busybox"]),
            )
            .unwrap(),
        );
    }
    assert_eq!(ids.len(), 3, "each engine has an ID of its own: {ids:?}");
    assert_eq!(
        images.len(),
        1,
        "the image has one ID everywhere: {images:?}"
    );
    assert!(lab.engine("node0").version().starts_with("20.10"));
    if lab.skipped().is_none() {
        assert!(lab.engine("node1").version().starts_with("28."));
    }

    let number = lab.number();
    drop(lab);
    assert_eq!(remains(number), Vec::<String>::new());
}

#[test]
fn a_paused_engine_takes_connections_and_does_not_answer() {
    let lab = Lab::start(&Spec::of(&[Release::V28])).unwrap();
    let engine = lab.engine("node0");
    engine.pause().unwrap();
    assert!(!engine.answers(SOON));
    engine.resume().unwrap();
    assert!(engine.answers(LIMIT));
    engine.pause_containerd().unwrap();
    assert!(engine.answers(LIMIT), "dockerd itself still answers");
    engine.resume_containerd().unwrap();
    engine.unplug().unwrap();
    engine.plug().unwrap();
}

#[test]
fn a_killed_engine_restarts_with_its_containers() {
    for release in [Release::V20, Release::V28] {
        let lab = Lab::start(&Spec::of(&[release])).unwrap();
        let engine = lab.engine("node0");
        let id = engine.id().to_owned();
        run_sleeper(
            engine,
            &[
                "--name",
                "kept",
                "--restart",
                "always",
                "--stop-signal",
                "KILL",
            ],
        );
        engine.kill().unwrap();
        assert!(!engine.answers(SOON));
        engine.restart().unwrap();
        eventually(LIMIT, || match names(engine).as_str() {
            "kept" => Ok(()),
            other => Err(other.to_owned()),
        })
        .unwrap();
        assert_eq!(engine.ask("/info").unwrap()["ID"], id);
    }
}

#[test]
fn two_labs_stand_side_by_side() {
    let one = || Spec::with([EngineSpec::new("db-1", Release::V20).label("disk", "nvme")]);
    let first = Lab::start(&one().registry()).unwrap();
    let second = Lab::start(&one()).unwrap();
    assert_ne!(first.number(), second.number());
    assert_ne!(first.engine("db-1").id(), second.engine("db-1").id());
    run_sleeper(first.engine("db-1"), &["--name", "first"]);
    run_sleeper(second.engine("db-1"), &["--name", "second"]);
    let number = first.number();

    let tag = format!("{}/tools/busybox:1", first.registry().unwrap());
    output(first.engine("db-1").docker().args(["tag", "busybox", &tag])).unwrap();
    output(first.engine("db-1").docker().args(["push", &tag])).unwrap();

    drop(first);
    assert_eq!(remains(number), Vec::<String>::new());
    assert_eq!(names(second.engine("db-1")), "second");
}

#[test]
fn threads_share_one_lab() {
    std::thread::scope(|scope| {
        for index in 0..3 {
            scope.spawn(move || {
                let engine = &Lab::shared().unwrap().engines()[index];
                output(engine.docker().args(["run", "--rm", "busybox", "true"])).unwrap();
            });
        }
    });
}

#[test]
fn a_detached_lab_ends_when_told() {
    let lab = Lab::start(&Spec::of(&[Release::V20])).unwrap();
    let number = lab.number();
    let socket = lab.engine("node0").socket();
    lab.detach().unwrap();
    let alive = |socket: &Path| std::os::unix::net::UnixStream::connect(socket).is_ok();
    assert!(alive(&socket));
    let clean = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/clean.sh");
    output(Command::new(clean).arg(number.to_string())).unwrap();
    assert!(!fs::exists(format!("/tmp/flotilla-lab-{number}")).unwrap());
    let left: Vec<_> = remains(number)
        .into_iter()
        .filter(|line| !line.contains("<defunct>"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_lab_ends_when_its_owner_is_killed() {
    // The same test, run as a process of its own, is the owner.
    const OWNER: &str = "FLOTILLA_LAB_OWNER_FILE";
    if let Some(file) = env::var_os(OWNER) {
        let lab = Lab::start(&Spec::of(&[Release::V20])).unwrap();
        run_sleeper(lab.engine("node0"), &["--restart", "always"]);
        let paused = run_sleeper(lab.engine("node0"), &[]);
        output(lab.engine("node0").docker().args(["pause", &paused])).unwrap();
        lab.engine("node0").pause().unwrap();
        fs::write(file, lab.number().to_string()).unwrap();
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("number");
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "lab::a_lab_ends_when_its_owner_is_killed"])
        .env(OWNER, &file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let number = eventually(LIMIT, || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        text.parse::<u8>()
    });
    owner.kill().unwrap();
    owner.wait().unwrap();
    let number = number.unwrap();
    eventually(LIMIT, || match remains(number) {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    })
    .unwrap();
}

#[test]
fn an_engine_with_tls_wants_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).unwrap();
    fs::write(path("ca.pem"), certificate.pem()).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    // Docker's clients check the name; the lab's addresses are not known before it starts.
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "lab");
    fs::write(
        path("cert.pem"),
        params.signed_by(&key, &issuer).unwrap().pem(),
    )
    .unwrap();
    fs::write(path("key.pem"), key.serialize_pem()).unwrap();

    let files = TlsFiles {
        ca: path("ca.pem"),
        cert: path("cert.pem"),
        key: path("key.pem"),
    };
    let lab = Lab::start(&Spec::with([
        EngineSpec::new("node0", Release::V20).tls(files)
    ]))
    .unwrap();
    let engine = lab.engine("node0");
    assert!(engine.address().ends_with(":2376"));
    let ask = |more: &[&str]| {
        let url = "https://localhost:2376/version";
        let to = format!("localhost:2376:{}", engine.address());
        output(
            Command::new("curl")
                .args(["-sS", "--connect-to", &to, "--cacert"])
                .arg(path("ca.pem"))
                .args(more)
                .arg(url),
        )
    };
    let cert = path("cert.pem").display().to_string();
    let key = path("key.pem").display().to_string();
    assert!(
        ask(&["--cert", &cert, "--key", &key])
            .unwrap()
            .contains("20.10.")
    );
    assert!(ask(&[]).is_err());
}

#[test]
fn a_container_survives_its_engine_with_live_restore() {
    for release in [Release::V20, Release::V28] {
        let spec = Spec::with([EngineSpec::new("node0", release).arg("--live-restore")]);
        let lab = Lab::start(&spec).unwrap();
        let engine = lab.engine("node0");
        let container = run_sleeper(engine, &["-p", "8080:80"]);
        let pid = |engine: &Engine| {
            engine
                .ask(&format!("/containers/{container}/json"))
                .unwrap()["State"]["Pid"]
                .clone()
        };
        let before = pid(engine);
        engine.restart().unwrap();
        assert_eq!(pid(engine), before);
        let exec = [
            "exec",
            &container,
            "sh",
            "-c",
            "echo kept >/file && cat /file",
        ];
        assert_eq!(output(engine.docker().args(exec)).unwrap(), "kept");
        let copy = output(
            engine
                .docker()
                .args(["cp", &format!("{container}:/file"), "-"]),
        )
        .unwrap();
        assert!(copy.contains("kept"));
        output(engine.docker().args(["rm", "-f", &container])).unwrap();
    }
}

#[test]
fn real_clients_reach_an_engine() {
    let lab = Lab::shared().unwrap();
    for engine in lab.engines() {
        let clients = Clients::new(format!("tcp://{}", engine.address()), lab);
        let version = engine.version();
        let python = "import docker; print(docker.from_env().version()['Version'])";
        let node =
            "new (require('dockerode'))().version().then(version => console.log(version.Version))";
        let format = "{{.Server.Version}}";
        for (client, args) in [
            (clients.docker_28(), ["version", "--format", format]),
            (Ok(clients.docker_20()), ["version", "--format", format]),
            (clients.python(), ["-W", "ignore", "-c"]),
            (clients.node(), ["--no-warnings", "--trace-uncaught", "-e"]),
        ] {
            let Ok(mut client) = told(client) else {
                continue;
            };
            client.args(args);
            match args[2] {
                "-c" => client.arg(python),
                "-e" => client.arg(node),
                _ => &mut client,
            };
            assert_eq!(output(&mut client).unwrap(), version);
        }
        if let Ok(mut compose) = told(clients.compose()) {
            assert_eq!(
                output(compose.args(["ls", "--format", "json"])).unwrap(),
                "[]"
            );
        }
        if let Ok(mut buildx) = told(clients.buildx()) {
            assert!(output(buildx.arg("ls")).unwrap().contains("docker"));
        }
    }
}
