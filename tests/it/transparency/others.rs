//! The table's rows of the system, images, networks, volumes and plugins.

use super::containers::TAR;
use super::row::{Row, Same};

/// An archive that is none.
const RUBBISH: &[u8] = b"no archive";

/// An image by all digits of an ID that none has.
const LONG_ID: &str =
    "/images/0123456789012345678901234567890123456789012345678901234567890123/json";

/// The rows before those of containers.
pub(super) const ROWS: &[Row] = &[
    // System.
    Row::of(&[200], "GET", "/_ping").same(Same::Head).modern(),
    Row::of(&[200], "HEAD", "/_ping")
        .same(Same::Head)
        .since(40)
        .modern(),
    Row::of(&[200], "GET", "/version").same(Same::Head),
    Row::of(&[200], "GET", "/info").same(Same::Head),
    Row::of(&[200], "GET", "/events?since=1&until=2"),
    Row::of(&[400], "GET", "/events?since=5&until=2"),
    Row::of(&[400, 500], "POST", "/auth")
        .json(r#"{"serveraddress":"127.0.0.1:1","username":"u","password":"p"}"#),
    Row::of(&[400, 500], "POST", "/auth").json(r#"{"serveraddress":1}"#),
    // No such route.
    Row::of(&[404], "GET", "/nowhere"),
    Row::of(&[404], "PATCH", "/containers/json"),
    Row::of(&[404], "GET", "/containers/json/"),
    Row::of(&[404], "get", "/info"),
    Row::of(&[404], "HEAD", "/info"),
    Row::of(&[301], "GET", "/containers//web/json").same(Same::Head),
    Row::of(&[301], "GET", "/containers/%2Fweb/json").same(Same::Head),
    Row::of(&[301], "POST", "/a/./b/../c").same(Same::Head),
    Row::of(&[200], "OPTIONS", "/containers/json"),
    // Images.
    Row::of(&[200], "GET", "/images/busybox:latest/json").same(Same::Text),
    Row::of(&[404], "GET", "/images/@-none/json").modern(),
    Row::of(&[404], "GET", "/images/@-a/b:c/json").modern(),
    Row::of(&[200], "GET", "/images/busybox/history"),
    Row::of(&[404], "GET", "/images/@-none/history"),
    Row::of(&[201], "POST", "/images/busybox/tag?repo=@-img&tag=2"),
    Row::of(&[404], "POST", "/images/@-none/tag?repo=@-img&tag=2"),
    Row::of(&[400, 500], "POST", "/images/busybox/tag?repo=UPPER"),
    Row::of(
        &[200],
        "GET",
        "/images/json?filters={\"reference\":[\"@-none\"]}",
    ),
    Row::of(
        &[200],
        "GET",
        "/images/json?digests=1&filters={\"reference\":[\"busybox\"]}",
    )
    .same(Same::Adds),
    Row::of(&[400], "GET", "/images/json?filters={\"bogus\":[\"x\"]}").modern(),
    Row::of(
        &[400],
        "GET",
        "/images/json?filters={\"dangling\":[\"maybe\"]}",
    )
    .modern(),
    Row::of(&[200], "GET", "/images/busybox/get").same(Same::Head),
    Row::of(&[200], "GET", "/images/get?names=busybox&names=@-img:2").same(Same::Head),
    Row::of(&[404], "GET", "/images/@-none/get"),
    Row::of(&[404], "GET", "/images/@-none:1/get"),
    Row::of(&[404], "GET", "/images/get?names=busybox&names=@-none"),
    // No tag `latest`, and saved all the same.
    Row::of(&[200], "GET", "/images/@-img/get").same(Same::Head),
    // Names that can be none.
    Row::of(&[400], "GET", "/images/UPPER/json").modern(),
    Row::of(&[400], "GET", "/images/UPPER/history").modern(),
    Row::of(&[400], "GET", "/images/127.0.0.1:1/UPPER:1/json").modern(),
    Row::of(&[400], "GET", "/images/a:b:c/json").modern(),
    Row::of(&[500], "GET", "/images/UPPER/get").modern(),
    Row::of(&[500], "GET", "/images/get?names=busybox&names=UPPER").modern(),
    Row::of(&[404, 400], "POST", "/images/UPPER/tag?repo=@-img").modern(),
    Row::of(&[400], "DELETE", "/images/UPPER").modern(),
    Row::of(&[400], "DELETE", "/images/a:b:c"),
    Row::of(&[404], "GET", "/images/docker.io/library/@-none/json").modern(),
    Row::of(&[404], "GET", LONG_ID).modern(),
    Row::of(&[200, 500], "POST", "/images/load?quiet=1")
        .with(&["Content-Type: application/x-tar"])
        .bytes(RUBBISH)
        .same(Same::Status),
    Row::of(
        &[200],
        "POST",
        "/images/create?fromSrc=-&repo=@-imported&tag=1",
    )
    .bytes(TAR)
    .same(Same::Status),
    Row::of(
        &[500, 404],
        "POST",
        "/images/create?fromImage=127.0.0.1:1/x&tag=1",
    )
    .same(Same::Status),
    Row::of(&[400], "POST", "/images/create?fromImage=UPPER").same(Same::Status),
    Row::of(
        &[404, 200, 500],
        "POST",
        "/images/127.0.0.1:1/@-none/push?tag=1",
    )
    .with(&["X-Registry-Auth: e30="]),
    Row::of(
        &[400, 404, 500, 503, 200],
        "GET",
        "/images/search?term=127.0.0.1:1/x",
    ),
    Row::of(
        &[400, 401, 403, 404, 500],
        "GET",
        "/distribution/127.0.0.1:1/x/json",
    )
    .since(30),
    Row::of(&[200], "DELETE", "/images/@-img:2"),
    Row::of(&[200], "DELETE", "/images/@-imported:1").same(Same::Status),
    Row::of(&[404], "DELETE", "/images/@-none"),
    // Networks.
    Row::of(
        &[200],
        "GET",
        "/networks?filters={\"type\":[\"builtin\"],\"name\":[\"bridge\"]}",
    ),
    Row::of(&[200], "GET", "/networks/bridge"),
    Row::of(&[200], "GET", "/networks/none"),
    // A project's networks, and so the containers on them, are on one node.
    Row::of(&[201], "POST", "/networks/create").json(
        r#"{"Name":"@-net","Driver":"bridge","Labels":{"com.docker.compose.project":"@-all"}}"#,
    ),
    Row::of(&[201], "POST", "/networks/create")
        .json(r#"{"Name":"@-home","Labels":{"com.docker.compose.project":"@-all"}}"#),
    Row::of(&[409], "POST", "/networks/create").json(r#"{"Name":"@-net","CheckDuplicate":true}"#),
    Row::of(&[403], "POST", "/networks/create")
        .json(r#"{"Name":"host","Driver":"host","CheckDuplicate":true}"#),
    Row::of(&[403, 500, 503, 400], "POST", "/networks/create")
        .json(r#"{"Name":"@-other","Driver":"overlay"}"#),
    Row::of(&[400], "POST", "/networks/create").json(r#"{"Name":1}"#),
    Row::of(&[200], "GET", "/networks/@-net"),
    Row::of(&[200], "GET", "/networks/@-net?verbose=true"),
    Row::of(&[404], "GET", "/networks/@-none"),
    Row::of(&[200], "GET", "/networks?filters={\"name\":[\"@-net\"]}"),
    Row::of(
        &[200],
        "GET",
        "/networks/?filters={\"name\":{\"@-net\":true}}",
    )
    .since(25),
    Row::of(&[400], "GET", "/networks?filters={\"bogus\":[\"x\"]}").modern(),
    Row::of(&[201], "POST", "/containers/create?name=@-joins")
        .json(r#"{"Image":"busybox","Cmd":["true"],"HostConfig":{"NetworkMode":"@-home"}}"#),
    Row::of(&[200], "POST", "/networks/@-net/connect").json(r#"{"Container":"@-joins"}"#),
    Row::of(&[403, 404, 200], "POST", "/networks/@-net/connect").json(r#"{"Container":"@-joins"}"#),
    Row::of(&[404], "POST", "/networks/@-net/connect").json(r#"{"Container":"@-none"}"#),
    Row::of(&[200], "POST", "/networks/@-net/disconnect").json(r#"{"Container":"@-joins"}"#),
    Row::of(&[404], "POST", "/networks/@-net/disconnect").json(r#"{"Container":"@-none"}"#),
    Row::of(&[404, 500], "POST", "/networks/@-net/disconnect")
        .json(r#"{"Container":"@-none","Force":true}"#),
    Row::of(&[204], "DELETE", "/containers/@-joins"),
    Row::of(&[204], "DELETE", "/networks/@-home"),
    Row::of(&[403], "DELETE", "/networks/bridge"),
    Row::of(&[204], "DELETE", "/networks/@-net"),
    Row::of(&[404], "DELETE", "/networks/@-net"),
    // Volumes.
    Row::of(&[201], "POST", "/volumes/create").json(r#"{"Name":"@-vol","Labels":{"a":"b"}}"#),
    Row::of(&[201], "POST", "/volumes/create").json(r#"{"Name":"@-vol"}"#),
    Row::of(&[400], "POST", "/volumes/create").json(r#"{"Name":"-bad"}"#),
    Row::of(&[404, 400], "POST", "/volumes/create")
        .json(r#"{"Name":"@-other","DriverOpts":{"nope":"x"}}"#),
    Row::of(&[200], "GET", "/volumes/@-vol"),
    Row::of(&[404], "GET", "/volumes/@-none"),
    Row::of(&[200], "GET", "/volumes?filters={\"name\":[\"@-vol\"]}"),
    Row::of(&[400], "GET", "/volumes?filters={\"bogus\":[\"x\"]}").modern(),
    Row::of(&[201], "POST", "/containers/create?name=@-uses")
        .json(r#"{"Image":"busybox","HostConfig":{"Binds":["@-vol:/data"]}}"#),
    Row::of(&[200], "GET", "/containers/@-uses/json").same(Same::Adds),
    Row::of(&[409], "DELETE", "/volumes/@-vol"),
    Row::of(&[204], "DELETE", "/containers/@-uses"),
    Row::of(&[204], "DELETE", "/volumes/@-vol"),
    Row::of(&[404], "DELETE", "/volumes/@-vol"),
    Row::of(&[204], "DELETE", "/volumes/@-vol?force=1"),
    // Plugins.
    Row::of(&[404], "GET", "/plugins/@-none/json").since(25),
    Row::of(&[400, 404, 500], "GET", "/plugins/privileges?remote=UPPER").since(25),
];

/// The rows after those of containers.
pub(super) const LAST: &[Row] = &[
    Row::of(&[200], "GET", "/images/@-img:1/json").same(Same::Head),
    Row::of(
        &[200],
        "GET",
        "/images/json?filters={\"reference\":[\"@-img\"]}",
    )
    .same(Same::Adds),
    Row::of(&[200], "DELETE", "/images/@-img:1"),
    // Prunes of what nobody has, and refusals.
    Row::of(
        &[200],
        "POST",
        "/containers/prune?filters={\"label\":[\"@-none\"]}",
    )
    .since(25),
    Row::of(
        &[400],
        "POST",
        "/containers/prune?filters={\"bogus\":[\"x\"]}",
    )
    .since(25)
    .modern(),
    Row::of(
        &[400, 500],
        "POST",
        "/containers/prune?filters={\"until\":[\"never\"]}",
    )
    .since(25),
    Row::of(
        &[200],
        "POST",
        "/images/prune?filters={\"label\":[\"@-none\"]}",
    )
    .since(25),
    Row::of(
        &[200],
        "POST",
        "/networks/prune?filters={\"label\":[\"@-none\"]}",
    )
    .since(25),
    Row::of(
        &[200],
        "POST",
        "/volumes/prune?filters={\"label\":[\"@-none\"]}",
    )
    .since(25),
    Row::of(&[400], "POST", "/volumes/prune?filters=nonsense")
        .since(25)
        .modern(),
    Row::of(&[200], "GET", "/system/df")
        .same(Same::Head)
        .since(25),
    Row::of(&[400], "GET", "/system/df?type=nonsense")
        .since(42)
        .modern(),
    // Builds.
    Row::of(&[400, 500], "POST", "/build")
        .with(&["Content-Type: application/x-tar"])
        .bytes(RUBBISH),
    Row::of(&[400, 500], "POST", "/build?buildargs=nonsense")
        .with(&["Content-Type: application/x-tar"])
        .bytes(RUBBISH),
    Row::of(&[400, 500], "POST", "/build?version=9").bytes(RUBBISH),
    Row::of(&[400, 500], "POST", "/build/cancel").since(39),
    Row::of(&[200], "POST", "/build/cancel?id=@-none").since(39),
    Row::of(&[200], "POST", "/build/prune").since(39),
    Row::of(&[400], "POST", "/session").since(39),
    Row::of(&[101], "POST", "/session")
        .with(&[
            "Connection: Upgrade",
            "Upgrade: h2c",
            "X-Docker-Expose-Session-Uuid: @-session",
        ])
        .since(39),
    Row::of(&[500], "POST", "/grpc").since(40),
    Row::of(&[101], "POST", "/grpc")
        .with(&["Connection: Upgrade", "Upgrade: h2c"])
        .since(40),
    // Plugins.
    Row::of(&[200], "GET", "/plugins").since(25),
    Row::of(&[400], "GET", "/plugins?filters={\"bogus\":[\"x\"]}").since(25),
    Row::of(&[404], "POST", "/plugins/@-none/enable?timeout=1").since(25),
    Row::of(&[404], "POST", "/plugins/@-none/disable").since(25),
    Row::of(&[404], "POST", "/plugins/@-none/set")
        .json(r#"["A=b"]"#)
        .since(25),
    Row::of(&[404], "POST", "/plugins/@-none/push").since(25),
    Row::of(&[404], "DELETE", "/plugins/@-none").since(25),
    Row::of(
        &[400, 404, 500],
        "POST",
        "/plugins/pull?remote=127.0.0.1:1/@-p",
    )
    .json("[]")
    .since(25),
    Row::of(
        &[400, 404, 500],
        "POST",
        "/plugins/@-none/upgrade?remote=127.0.0.1:1/@-p",
    )
    .json("[]")
    .since(26),
    Row::of(&[400, 500], "POST", "/plugins/create?name=@-p")
        .with(&["Content-Type: application/x-tar"])
        .bytes(RUBBISH)
        .since(25),
];
