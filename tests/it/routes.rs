//! Every endpoint of the Engine API up to 1.55 is in the table of routes, with the version that brought it.

use flotilla::api::since;

/// The endpoints: method, then `path since`, the latter the minor number where it is not 24.
const ENDPOINTS: &[(&str, &str)] = &[
    (
        "GET",
        "/_ping /version /info /events /system/df:25 /debug/pprof/ /debug/vars /containers/json /containers/a/json \
         /containers/a/top /containers/a/logs /containers/a/changes /containers/a/export /containers/a/stats \
         /containers/a/archive /containers/a/attach/ws /containers/a/checkpoints /exec/a/json /images/json /images/get \
         /images/search /images/a/json /images/a/get /images/a/history /images/a/attestations:55 \
         /distribution/a/json:30 /networks /networks/:25 /networks/a /volumes /volumes/a /plugins:25 \
         /plugins/privileges:25 /plugins/a/json:25 /swarm /swarm/unlockkey:25 /nodes /nodes/a /services /services/a \
         /services/a/logs:25 /tasks /tasks/a /tasks/a/logs:29 /secrets:25 /secrets/a:25 /configs:30 /configs/a:30",
    ),
    ("HEAD", "/_ping:40 /containers/a/archive"),
    ("PUT", "/containers/a/archive /volumes/a:42"),
    (
        "POST",
        "/auth /containers/create /containers/prune:25 /containers/a/attach /containers/a/checkpoints \
         /containers/a/copy /containers/a/exec /containers/a/kill /containers/a/pause /containers/a/rename \
         /containers/a/resize /containers/a/restart /containers/a/start /containers/a/stop /containers/a/unpause \
         /containers/a/update /containers/a/wait /exec/a/resize /exec/a/start /build /build/cancel:39 /build/prune:31 \
         /commit /grpc:40 /session:31 /images/create /images/load /images/prune:25 /images/a/push /images/a/tag \
         /networks/create /networks/prune:25 /networks/a/connect /networks/a/disconnect /volumes/create \
         /volumes/prune:25 /plugins/create:25 /plugins/pull:25 /plugins/a/disable:25 /plugins/a/enable:25 \
         /plugins/a/push:25 /plugins/a/set:25 /plugins/a/upgrade:26 /swarm/init /swarm/join /swarm/leave \
         /swarm/unlock:25 /swarm/update /nodes/a/update /services/create /services/a/update /secrets/create:25 \
         /secrets/a/update:26 /configs/create:30 /configs/a/update:30",
    ),
    (
        "DELETE",
        "/containers/a /containers/a/checkpoints/b /images/a /networks/a /volumes/a /plugins/a:25 /nodes/a \
         /services/a /secrets/a:25 /configs/a:30",
    ),
];

/// Returns method, path and version of each endpoint.
fn endpoints() -> impl Iterator<Item = (&'static str, &'static str, u16)> {
    ENDPOINTS.iter().flat_map(|(method, paths)| {
        paths.split_whitespace().map(|text| {
            let (path, since) = text.split_once(':').unwrap_or((text, "24"));
            (*method, path, since.parse().unwrap())
        })
    })
}

#[test]
fn every_endpoint_is_routed_since_the_version_that_brought_it() {
    // The two of /debug are one endpoint, and OPTIONS on any path is one more.
    assert_eq!(endpoints().count() - 1 + 1, 117);
    for (method, path, wanted) in endpoints() {
        assert_eq!(since(method, path), Some(wanted), "{method} {path}");
    }
}

#[test]
fn names_may_have_slashes() {
    for (method, path) in [
        ("GET", "/images/host:5000/a/b/json"),
        ("POST", "/images/host:5000/a/b/push"),
        ("DELETE", "/images/a/b"),
        ("GET", "/containers/node0/web/json"),
        ("GET", "/networks/node0/net"),
        ("GET", "/distribution/a/b/json"),
        ("GET", "/plugins/a/b/json"),
    ] {
        assert!(since(method, path).is_some(), "{method} {path}");
    }
}

#[test]
fn what_is_no_endpoint_is_not_routed() {
    for (method, path) in [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/nothing"),
        ("GET", "/containers"),
        ("GET", "/containers/"),
        ("GET", "/containers/a"),
        ("GET", "/containers/json/"),
        ("GET", "/containers/a/json/"),
        ("GET", "/images"),
        ("GET", "/images/a"),
        ("GET", "/exec/a"),
        ("GET", "/info/x"),
        ("GET", "/containers/create"),
        ("GET", "/containers/a/start"),
        ("GET", "/metrics"),
        ("POST", "/containers/json"),
        ("POST", "/info"),
        ("POST", "/networks"),
        ("POST", "/volumes"),
        ("POST", "/containers/a/json"),
        ("POST", "/containers/a"),
        ("POST", "/containers/a/nothing"),
        ("PUT", "/containers/a"),
        ("PATCH", "/containers/a"),
        ("DELETE", "/containers"),
        ("DELETE", "/swarm"),
        ("DELETE", "/exec/a"),
        ("HEAD", "/info"),
        ("TRACE", "/_ping"),
        ("get", "/info"),
    ] {
        assert_eq!(since(method, path), None, "{method} {path}");
    }
}
