//! The table's rows of containers and execs, in the order in which a container lives.

use super::row::{Row, Same};

/// Asks for a raw stream in the proper form.
const UPGRADE: &[&str] = &[
    "Connection: Upgrade",
    "Upgrade: tcp",
    "Content-Type: application/json",
];
/// Opens a websocket (the key is RFC 6455's own example).
const WEBSOCKET: &[&str] = &[
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: http://localhost",
];
/// An archive without files.
pub(super) const TAR: &[u8] = &[0; 1024];

const SLEEPS: &str = r#"{"Image":"busybox","Hostname":"web","Cmd":["sh","-c","echo out; echo err >&2; exec sleep 600"],"StopSignal":"KILL","Labels":{"a":"b"}}"#;
/// Needs the node of another container.
const FROM: &str =
    r#"{"Image":"busybox","HostConfig":{"VolumesFrom":["@-web:ro"],"Links":["@-web:alias"]}}"#;
const OF: &str = r#"{"Image":"busybox","HostConfig":{"NetworkMode":"container:@-web","PidMode":"container:@-web"}}"#;
const ENDS: &str = r#"{"Image":"busybox","Cmd":["sh","-c","echo out; exit 3"]}"#;

/// The status of a create whose body cannot be read: 20.10 takes that for its own fault.
const CREATE_FAILS: &[u16] = &[400, 500];

/// The rows.
pub(super) const ROWS: &[Row] = &[
    // Creating.
    Row::of(&[201], "POST", "/containers/create?name=@-web").json(SLEEPS),
    Row::of(&[201], "POST", "/containers/create?name=@-null")
        .json(r#"{"Image":"busybox","Labels":{"a":null,"b":"c"}}"#),
    Row::of(&[200], "GET", "/containers/@-null/json").same(Same::Adds),
    Row::of(&[204], "DELETE", "/containers/@-null"),
    Row::of(&[201], "POST", "/containers/create?name=@-end").json(ENDS),
    Row::of(&[409], "POST", "/containers/create?name=@-web").json(SLEEPS),
    Row::of(&[404], "POST", "/containers/create?name=@-no").json(r#"{"Image":"nowhere:1"}"#),
    Row::of(&[400], "POST", "/containers/create?name=-bad").json(SLEEPS),
    Row::of(&[400], "POST", "/containers/create?name=@-no")
        .json(r#"{"Image":"busybox","Cmd":"#)
        .modern(),
    Row::of(CREATE_FAILS, "POST", "/containers/create?name=@-no")
        .json("")
        .modern(),
    Row::of(CREATE_FAILS, "POST", "/containers/create?name=@-no")
        .json(r#"["busybox"]"#)
        .modern(),
    Row::of(CREATE_FAILS, "POST", "/containers/create?name=@-no")
        .json(r#"{"Image":"busybox",}"#)
        .modern(),
    Row::of(CREATE_FAILS, "POST", "/containers/create?name=@-no")
        .json(r#"{"Image":"busybox","HostConfig":[]}"#)
        .modern(),
    Row::of(CREATE_FAILS, "POST", "/containers/create?name=@-no")
        .json(r#"{"Image":"busybox","NetworkingConfig":{"EndpointsConfig":[]}}"#)
        .modern(),
    Row::of(CREATE_FAILS, "POST", "/containers/create?name=@-no")
        .json(r#"{"Image":"busybox","Labels":["a"]}"#)
        .modern(),
    Row::of(CREATE_FAILS, "POST", "/containers/create?name=@-no")
        .json(r#"{"Image":"busybox","Labels":{"a":1}}"#)
        .modern(),
    Row::of(CREATE_FAILS, "POST", "/containers/create?name=@-no").json(r#"{"Image":1}"#),
    Row::of(&[400], "POST", "/containers/create?name=@-no")
        .json("null")
        .modern(),
    Row::of(&[400], "POST", "/containers/create?name=@-no")
        .json(r#"{"HostConfig":{}}"#)
        .modern(),
    Row::of(&[400], "POST", "/containers/create")
        .with(&["Content-Type: text/plain"])
        .bytes(b"{}")
        .modern(),
    Row::of(&[400], "POST", "/containers/create?name=@-no")
        .json(r#"{"Image":"busybox","HostConfig":{"Memory":1}}"#),
    // What has been told of it, once and whole.
    Row::of(
        &[200],
        "GET",
        "/events?since={began}&until={now}&filters={\"container\":[\"@-web\"]}",
    )
    .same(Same::Adds),
    // Before it runs.
    Row::of(&[200], "GET", "/containers/@-web/json").same(Same::Adds),
    Row::of(&[200], "GET", "/containers/@-web/json?size=1").same(Same::Adds),
    Row::of(&[409], "POST", "/containers/@-web/kill"),
    Row::of(&[409], "POST", "/containers/@-web/resize?h=9&w=9").json(""),
    Row::of(&[500, 409], "GET", "/containers/@-web/top"),
    Row::of(&[409], "POST", "/containers/@-web/exec").json(r#"{"Cmd":["true"]}"#),
    Row::of(&[500, 409], "POST", "/containers/@-web/pause"),
    // Starting.
    Row::of(&[400], "POST", "/containers/@-web/start").json(r#"{"Binds":["a:/b"]}"#),
    Row::of(&[204], "POST", "/containers/@-web/start"),
    Row::of(&[304], "POST", "/containers/@-web/start"),
    Row::of(&[404], "POST", "/containers/@-none/start"),
    Row::of(&[404], "GET", "/containers/@-none/json"),
    Row::of(&[204], "POST", "/containers/@-end/start").with(&["Content-Type: text/plain"]),
    Row::of(&[200], "POST", "/containers/@-end/wait"),
    // 20.10 takes no notice of a condition that it does not know.
    Row::of(
        &[400, 200],
        "POST",
        "/containers/@-end/wait?condition=never",
    )
    .since(30),
    Row::of(&[404], "POST", "/containers/@-none/wait"),
    // Reading what runs.
    Row::of(&[200], "GET", "/containers/@-web/json").same(Same::Adds),
    Row::of(
        &[200],
        "GET",
        "/containers/json?filters={\"name\":[\"@-\"]}",
    )
    .same(Same::Adds),
    Row::of(
        &[200],
        "GET",
        "/containers/json?all=1&filters={\"name\":{\"@-end\":true}}",
    )
    .same(Same::Adds),
    Row::of(
        &[200],
        "GET",
        "/containers/json?filters={\"name\":[\"@-nobody\"]}",
    ),
    Row::of(
        &[400],
        "GET",
        "/containers/json?filters={\"bogus\":[\"x\"]}",
    )
    .modern(),
    Row::of(&[400, 500], "GET", "/containers/json?filters=rubbish").modern(),
    Row::of(
        &[404, 500],
        "GET",
        "/containers/json?filters={\"before\":[\"@-none\"]}",
    )
    .modern(),
    Row::of(
        &[404, 500],
        "GET",
        "/containers/json?filters={\"since\":[\"@-none\"]}",
    )
    .modern(),
    Row::of(&[404], "GET", "/containers/ps"),
    Row::of(&[200], "GET", "/containers/@-web/top").same(Same::Shape),
    Row::of(&[200], "GET", "/containers/@-web/top?ps_args=-o+pid,comm").same(Same::Shape),
    Row::of(&[404], "GET", "/containers/@-none/top"),
    Row::of(&[200], "GET", "/containers/@-end/logs?stdout=1&stderr=1"),
    Row::of(
        &[200],
        "GET",
        "/containers/@-end/logs?stdout=1&tail=1&timestamps=0",
    ),
    Row::of(&[400], "GET", "/containers/@-end/logs"),
    Row::of(&[404], "GET", "/containers/@-none/logs?stdout=1"),
    Row::of(&[200], "GET", "/containers/@-web/changes"),
    Row::of(&[404], "GET", "/containers/@-none/changes"),
    Row::of(&[200], "GET", "/containers/@-end/export").same(Same::Head),
    Row::of(&[404], "GET", "/containers/@-none/export"),
    Row::of(&[200], "GET", "/containers/@-web/stats?stream=0&one-shot=1").same(Same::Shape),
    Row::of(&[404], "GET", "/containers/@-none/stats?stream=0"),
    // What needs another container, or is needed by one.
    Row::of(&[201], "POST", "/containers/create?name=@-from").json(FROM),
    Row::of(&[200], "GET", "/containers/@-from/json").same(Same::Adds),
    Row::of(&[204], "DELETE", "/containers/@-from"),
    Row::of(&[201], "POST", "/containers/create?name=@-of").json(OF),
    Row::of(&[200], "GET", "/containers/@-of/json").same(Same::Adds),
    Row::of(&[204], "DELETE", "/containers/@-of"),
    Row::of(&[400, 404], "POST", "/containers/create?name=@-no")
        .json(r#"{"Image":"busybox","HostConfig":{"VolumesFrom":["@-none"]}}"#),
    Row::of(&[409], "DELETE", "/images/busybox"),
    // Archives.
    Row::of(&[200], "HEAD", "/containers/@-web/archive?path=/etc/passwd"),
    Row::of(&[200], "GET", "/containers/@-web/archive?path=/etc/passwd"),
    Row::of(&[200], "GET", "/containers/@-web/archive?path=/etc/passwd")
        .with(&["Accept-Encoding: gzip"]),
    Row::of(&[404], "HEAD", "/containers/@-web/archive?path=/none"),
    Row::of(&[404], "GET", "/containers/@-web/archive?path=/none"),
    Row::of(&[400], "GET", "/containers/@-web/archive"),
    Row::of(&[404], "GET", "/containers/@-none/archive?path=/"),
    Row::of(&[200], "PUT", "/containers/@-web/archive?path=/tmp").bytes(TAR),
    Row::of(&[404], "PUT", "/containers/@-web/archive?path=/none").bytes(TAR),
    Row::of(
        &[400, 500],
        "PUT",
        "/containers/@-web/archive?path=/etc/passwd",
    )
    .bytes(TAR),
    // Execs.
    Row::of(&[201], "POST", "/containers/@-web/exec")
        .json(r#"{"Cmd":["sh","-c","echo one"],"AttachStdout":true,"AttachStderr":true}"#)
        .keep(),
    Row::of(&[200], "GET", "/exec/{exec}/json").same(Same::Shape),
    Row::of(&[101], "POST", "/exec/{exec}/start")
        .with(UPGRADE)
        .bytes(br#"{"Detach":false}"#),
    Row::of(&[409, 101], "POST", "/exec/{exec}/start")
        .with(UPGRADE)
        .bytes(br#"{"Detach":false}"#),
    Row::of(&[201], "POST", "/containers/@-web/exec")
        .json(r#"{"Cmd":["sh","-c","echo one"],"AttachStdout":true,"Tty":true}"#)
        .keep(),
    Row::of(&[200], "POST", "/exec/{exec}/start").json(r#"{"Detach":false,"Tty":true}"#),
    Row::of(&[201], "POST", "/containers/@-web/exec")
        .json(r#"{"Cmd":["true"]}"#)
        .keep(),
    Row::of(&[200], "POST", "/exec/{exec}/start").json(r#"{"Detach":true}"#),
    Row::of(&[201], "POST", "/containers/@-web/exec")
        .json(r#"{"Cmd":["sleep","600"],"Tty":true}"#)
        .keep(),
    Row::of(&[200], "POST", "/exec/{exec}/start").json(r#"{"Detach":true,"Tty":true}"#),
    Row::of(&[200], "POST", "/exec/{exec}/resize?h=9&w=9").json(""),
    Row::of(&[400], "POST", "/containers/@-web/exec").json("{}"),
    Row::of(&[404], "POST", "/containers/@-none/exec").json(r#"{"Cmd":["true"]}"#),
    Row::of(&[404], "POST", "/exec/@-none/start").json(r#"{"Detach":true}"#),
    Row::of(&[404], "POST", "/exec/@-none/start")
        .with(UPGRADE)
        .bytes(b"{}"),
    Row::of(&[404], "GET", "/exec/@-none/json"),
    Row::of(&[404], "POST", "/exec/@-none/resize?h=1&w=1").json(""),
    // Attaching.
    Row::of(&[200, 204], "POST", "/containers/@-web/pause"),
    Row::of(&[409], "POST", "/containers/@-web/attach?stream=1").with(UPGRADE),
    Row::of(&[409], "POST", "/containers/@-web/attach?stream=1").json(""),
    Row::of(&[204], "POST", "/containers/@-web/unpause"),
    Row::of(
        &[101],
        "POST",
        "/containers/@-end/attach?logs=1&stdout=1&stderr=1",
    )
    .with(UPGRADE),
    Row::of(
        &[200],
        "POST",
        "/containers/@-end/attach?logs=1&stdout=1&stderr=1",
    )
    .json(""),
    Row::of(
        &[404],
        "POST",
        "/containers/@-none/attach?stream=1&stdout=1",
    )
    .with(UPGRADE),
    Row::of(
        &[404],
        "POST",
        "/containers/@-none/attach?stream=1&stdout=1",
    )
    .json(""),
    Row::of(&[101], "GET", "/containers/@-end/attach/ws?logs=1&stdout=1").with(WEBSOCKET),
    Row::of(
        &[404],
        "GET",
        "/containers/@-none/attach/ws?logs=1&stdout=1",
    )
    .with(WEBSOCKET),
    // Changing.
    Row::of(&[200], "POST", "/containers/@-web/resize?h=9&w=9").json(""),
    Row::of(&[400, 500], "POST", "/containers/@-web/resize?h=x&w=9").json(""),
    Row::of(&[200], "POST", "/containers/@-web/update").json(r#"{"CpuShares":512}"#),
    Row::of(&[404], "POST", "/containers/@-none/update").json("{}"),
    Row::of(&[204], "POST", "/containers/@-web/pause"),
    Row::of(&[409, 500], "POST", "/containers/@-web/pause"),
    Row::of(&[204], "POST", "/containers/@-web/unpause"),
    Row::of(&[500, 409], "POST", "/containers/@-web/unpause"),
    Row::of(&[404], "POST", "/containers/@-none/unpause"),
    Row::of(&[204], "POST", "/containers/@-web/rename?name=@-new"),
    Row::of(&[409], "POST", "/containers/@-new/rename?name=@-end"),
    Row::of(
        &[400, 500, 409],
        "POST",
        "/containers/@-new/rename?name=@-new",
    ),
    Row::of(&[400, 500], "POST", "/containers/@-new/rename"),
    Row::of(&[404], "POST", "/containers/@-none/rename?name=@-x"),
    Row::of(&[204], "POST", "/containers/@-new/restart?t=1"),
    Row::of(&[404], "POST", "/containers/@-none/restart"),
    Row::of(&[404], "POST", "/containers/@-none/kill").same(Same::Head),
    Row::of(&[400, 500], "POST", "/containers/@-new/kill?signal=NONE"),
    Row::of(&[204], "POST", "/containers/@-new/kill?signal=WINCH"),
    // Committing.
    Row::of(
        &[201],
        "POST",
        "/commit?container=@-end&repo=@-img&tag=1&pause=0",
    )
    .json(""),
    Row::of(&[404], "POST", "/commit?container=@-none").json(""),
    Row::of(&[400, 500], "POST", "/commit?container=@-end&repo=UPPER").json(""),
    // Checkpoints, which need an experimental engine.
    Row::of(&[404, 501], "GET", "/containers/@-end/checkpoints"),
    Row::of(&[404, 501], "POST", "/containers/@-end/checkpoints").json(r#"{"CheckpointID":"c"}"#),
    Row::of(&[404, 501], "DELETE", "/containers/@-end/checkpoints/c"),
    // Stopping.
    Row::of(&[409], "DELETE", "/containers/@-new"),
    Row::of(&[204], "POST", "/containers/@-new/stop?t=1").json(r#"{"t":0}"#),
    Row::of(&[304], "POST", "/containers/@-new/stop"),
    Row::of(&[404], "POST", "/containers/@-none/stop"),
    Row::of(&[204], "DELETE", "/containers/@-new?v=1"),
    Row::of(&[204], "DELETE", "/containers/@-end?force=1"),
    Row::of(&[404], "DELETE", "/containers/@-end"),
    Row::of(&[404], "POST", "/containers/@-end/copy")
        .json(r#"{"Resource":"/etc"}"#)
        .modern(),
];
