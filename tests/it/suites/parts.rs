//! The parts of docker-py's tests: their files, what the lab cannot give them, and what is by nature of one host.

/// Some files of the suite that run together.
#[derive(Debug)]
pub(super) struct Part {
    /// The files of `tests/integration`, without their ends.
    pub(super) files: &'static [&'static str],
    /// Tests, as `file::class::test`, that cannot tell anything in the lab, each with the reason.
    pub(super) left_out: &'static [(&'static str, &'static str)],
    /// Tests, by name, of what is by nature of one host, each with the words of `docs/differences.md` that say so.
    pub(super) by_nature: &'static [(&'static str, &'static str)],
    /// How many tests pass on one engine at least.
    pub(super) least: usize,
}

/// Containers, execs, networks and volumes, call by call.
pub(super) const CALLS: Part = Part {
    files: &[
        "api_container_test",
        "api_exec_test",
        "api_network_test",
        "api_volume_test",
        "models_networks_test",
        "models_volumes_test",
    ],
    left_out: &[],
    by_nature: &[
        (
            "test_create_container_with_volumes_from",
            "`--volumes-from`, `--link` and `container:` modes of two containers that are on two nodes",
        ),
        (
            "test_create_with_links",
            "`--volumes-from`, `--link` and `container:` modes of two containers that are on two nodes",
        ),
    ],
    least: 130,
};

/// Containers as objects, health checks, the system, and what once was wrong.
pub(super) const OBJECTS: Part = Part {
    files: &[
        "api_client_test",
        "api_healthcheck_test",
        "client_test",
        "errors_test",
        "models_containers_test",
        "models_resources_test",
        "regression_test",
    ],
    left_out: &[(
        "api_client_test::ConnectionTimeoutTest::test_timeout",
        "asks an address of its own, and no engine",
    )],
    by_nature: &[],
    least: 45,
};

/// Builds, images and plugins.
pub(super) const IMAGES: Part = Part {
    files: &[
        "api_build_test",
        "api_image_test",
        "api_plugin_test",
        "models_images_test",
    ],
    left_out: &[
        (
            "api_build_test::BuildTest::test_build_streaming",
            "fetches a file from the internet",
        ),
        (
            "models_images_test::ImageCollectionTest::test_pull_with_sha",
            "names an image of the internet by its digest",
        ),
    ],
    by_nature: &[(
        "test_images",
        "`docker info` counts the images of each node",
    )],
    least: 60,
};

/// Services, their secrets and configurations, nodes and swarms.
pub(super) const SWARM: Part = Part {
    files: &[
        "api_config_test",
        "api_secret_test",
        "api_service_test",
        "api_swarm_test",
        "models_nodes_test",
        "models_services_test",
        "models_swarm_test",
    ],
    left_out: &[],
    by_nature: &[
        (
            "test_list_nodes",
            "`docker swarm init` makes one cluster of all nodes",
        ),
        (
            "test_inspect_node",
            "`docker swarm init` makes one cluster of all nodes",
        ),
        (
            "test_list_get_update",
            "`docker swarm init` makes one cluster of all nodes",
        ),
        (
            "test_scale_method_global_service",
            "`docker swarm init` makes one cluster of all nodes",
        ),
    ],
    least: 90,
};

/// Every part.
pub(super) const ALL: [&Part; 4] = [&CALLS, &OBJECTS, &IMAGES, &SWARM];

/// Files that are left out, each with the reason.
pub(super) const FILES_LEFT_OUT: &[(&str, &str)] = &[(
    "context_api_test",
    "is about files of the client's own and asks no engine",
)];
