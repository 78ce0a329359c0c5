//! Every endpoint that changes something has a test here, or a reason why it has none.

use std::collections::{BTreeMap, BTreeSet};

/// The tests, or the jobs of tests, each with the endpoints after which it looks at lists and inspects.
const TESTS: &[(&str, &[&str])] = &[
    (
        "mod::lists_show_a_container_as_soon_as_it_is_made_and_no_longer_than_it_is",
        &["POST /containers/create", "DELETE /containers/{}"],
    ),
    (
        "mod::lists_show_starts_and_stops",
        &["POST /containers/{}/start", "POST /containers/{}/stop"],
    ),
    (
        "mod::lists_show_pauses_restarts_and_kills",
        &[
            "POST /containers/{}/pause",
            "POST /containers/{}/unpause",
            "POST /containers/{}/restart",
            "POST /containers/{}/kill",
            "POST /containers/{}/wait",
        ],
    ),
    (
        "mod::renamed_and_updated_containers_are_found_as_they_are_now",
        &["POST /containers/{}/rename", "POST /containers/{}/update"],
    ),
    (
        "mod::image_lists_show_new_tags_and_not_removed_ones",
        &["POST /images/{}/tag", "DELETE /images/{}"],
    ),
    (
        "mod::network_lists_show_new_networks_and_not_removed_ones",
        &["POST /networks/create", "DELETE /networks/{}"],
    ),
    (
        "mod::volume_lists_show_new_volumes_and_not_removed_ones",
        &["POST /volumes/create", "DELETE /volumes/{}"],
    ),
    ("more::imported", &["POST /images/create"]),
    ("more::loaded", &["POST /images/load"]),
    ("more::built", &["POST /build"]),
    ("more::committed", &["POST /commit"]),
    ("more::pulled", &["POST /images/{}/push"]),
    (
        "more::member",
        &["POST /networks/{}/connect", "POST /networks/{}/disconnect"],
    ),
    (
        "more::executed",
        &["POST /containers/{}/exec", "POST /exec/{}/start"],
    ),
    ("more::copied", &["PUT /containers/{}/archive"]),
    ("more::updated", &["POST /nodes/{}/update"]),
    ("prunes::containers", &["POST /containers/prune"]),
    ("prunes::images", &["POST /images/prune"]),
    ("prunes::networks", &["POST /networks/prune"]),
    ("prunes::volumes", &["POST /volumes/prune"]),
    ("prunes::caches", &["POST /build/prune"]),
    (
        "plugins::live",
        &[
            "POST /plugins/create",
            "POST /plugins/{}/set",
            "POST /plugins/{}/enable",
            "POST /plugins/{}/disable",
            "DELETE /plugins/{}",
        ],
    ),
    (
        "plugins::travel",
        &[
            "POST /plugins/{}/push",
            "POST /plugins/pull",
            "POST /plugins/{}/upgrade",
        ],
    ),
    (
        "membership::clusters_are_seen_as_soon_as_they_are_made_and_no_longer_than_they_are",
        // Of several engines, and less often.
        &[],
    ),
    (
        "membership::a_cluster_of_one_is_seen_as_soon_as_it_is_made_and_no_longer_than_it_is",
        &["POST /swarm/init"],
    ),
    (
        "membership::an_engine_that_joins_a_cluster_of_others_is_a_member_at_once_and_until_it_leaves",
        &["POST /swarm/join", "POST /swarm/leave"],
    ),
    ("swarm::cluster", &["POST /swarm/update"]),
    (
        "swarm::live",
        &[
            "POST /secrets/create",
            "POST /secrets/{}/update",
            "DELETE /secrets/{}",
            "POST /configs/create",
            "POST /configs/{}/update",
            "DELETE /configs/{}",
            "POST /services/create",
            "POST /services/{}/update",
            "DELETE /services/{}",
        ],
    ),
];

/// Those that need none.
const NONE: &[(&str, &str)] = &[
    ("POST /auth", "asks a registry"),
    ("POST /containers/{}/attach", "a stream"),
    ("POST /containers/{}/resize", "nothing tells the size"),
    ("POST /exec/{}/resize", "nothing tells the size"),
    ("POST /containers/{}/checkpoints", "no engine here has CRIU"),
    (
        "DELETE /containers/{}/checkpoints/{}",
        "no engine here has CRIU",
    ),
    ("POST /build/cancel", "what is cancelled leaves nothing"),
    (
        "POST /session",
        "a tunnel: build_results::what_buildx_has_built_is_seen_and_run_at_once",
    ),
    (
        "POST /grpc",
        "a tunnel: build_results::what_buildx_has_built_is_seen_and_run_at_once",
    ),
    ("PUT /volumes/{}", "no engine here has a CSI plugin"),
    (
        "POST /swarm/unlock",
        "engines have to restart before: swarm_mode::managers_that_are_locked_are_unlocked",
    ),
    ("DELETE /nodes/{}", "refused: discovery says who is a node"),
];

/// The files in which the tests are.
const FILES: &[(&str, &str)] = &[
    ("mod", include_str!("mod.rs")),
    ("more", include_str!("more.rs")),
    ("prunes", include_str!("prunes.rs")),
    ("plugins", include_str!("plugins.rs")),
    ("membership", include_str!("membership.rs")),
    ("swarm", include_str!("swarm.rs")),
];

#[test]
fn every_endpoint_that_changes_something_has_its_test() {
    let files = BTreeMap::from_iter(FILES.iter().copied());
    for (test, _) in TESTS {
        let (file, name) = test.split_once("::").unwrap();
        assert!(files[file].contains(&format!("\nfn {name}(")), "no {test}");
    }
    let changing: BTreeSet<String> = flotilla::api::endpoints()
        .filter(|(method, _)| !matches!(*method, "GET" | "HEAD"))
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    let tested = TESTS.iter().flat_map(|(_, endpoints)| endpoints.iter());
    let known: Vec<&str> = tested.copied().chain(NONE.iter().map(|n| n.0)).collect();
    let once: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
    assert_eq!(once.len(), known.len(), "each is told once");
    assert_eq!(once, changing);
}
