//! bollard: its decoders are strict about what an engine always says.

use std::collections::HashMap;

use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerCreateBody, ExecConfig};
use bollard::query_parameters as query;
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures_util::TryStreamExt;

use crate::support::flotilla::Flotilla;
use crate::support::lab::{Cache, Lab, Spec};

#[tokio::test(flavor = "multi_thread")]
async fn bollard_decodes_every_answer_of_a_containers_life() {
    let lab = Lab::start(&Spec::mixed()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let docker = connect(&flotilla).await;
    run(&docker).await;
    execute(&docker).await;
    read(&docker).await;
    move_archives(&docker).await;
    end(&docker).await;
    list(&docker).await;
}

/// Connects and finds the version that both speak.
async fn connect(flotilla: &Flotilla) -> Docker {
    let docker = Docker::connect_with_http(&flotilla.docker_host(), 60, API_DEFAULT_VERSION)
        .unwrap()
        .negotiate_version()
        .await
        .unwrap();
    assert_eq!(docker.ping().await.unwrap(), "OK");
    assert_eq!(
        docker.version().await.unwrap().api_version.as_deref(),
        Some("1.41")
    );
    let info = docker.info().await.unwrap();
    assert_eq!(info.containers, Some(0));
    docker
}

async fn run(docker: &Docker) {
    let options = query::CreateContainerOptionsBuilder::new().name("typed");
    let body = ContainerCreateBody {
        image: Some("busybox".to_owned()),
        cmd: Some(
            ["sh", "-c", "echo started; exec sleep 600"]
                .map(str::to_owned)
                .to_vec(),
        ),
        stop_signal: Some("KILL".to_owned()),
        labels: Some(HashMap::from([(
            "made-by".to_owned(),
            "bollard".to_owned(),
        )])),
        ..ContainerCreateBody::default()
    };
    let made = docker
        .create_container(Some(options.build()), body)
        .await
        .unwrap();
    assert!(made.warnings.is_empty(), "{made:?}");
    docker
        .start_container("typed", None::<query::StartContainerOptions>)
        .await
        .unwrap();
    let inspected = docker
        .inspect_container("typed", None::<query::InspectContainerOptions>)
        .await
        .unwrap();
    assert_eq!(inspected.id.as_ref(), Some(&made.id));
}

async fn execute(docker: &Docker) {
    let exec = ExecConfig {
        cmd: Some(
            ["sh", "-c", "echo inside; exit 4"]
                .map(str::to_owned)
                .to_vec(),
        ),
        attach_stdout: Some(true),
        ..ExecConfig::default()
    };
    let exec = docker.create_exec("typed", exec).await.unwrap().id;
    let started = docker.start_exec(&exec, None).await.unwrap();
    let StartExecResults::Attached { output, .. } = started else {
        panic!("not attached");
    };
    let output: Vec<LogOutput> = output.try_collect().await.unwrap();
    let output: String = output.iter().map(ToString::to_string).collect();
    assert_eq!(output, "inside\n");
    assert_eq!(docker.inspect_exec(&exec).await.unwrap().exit_code, Some(4));
}

async fn read(docker: &Docker) {
    let filters = HashMap::from([("label", vec!["made-by=bollard"])]);
    let options = query::ListContainersOptionsBuilder::new().filters(&filters);
    let listed = docker.list_containers(Some(options.build())).await.unwrap();
    assert_eq!(listed.len(), 1);
    let logs = query::LogsOptionsBuilder::new().stdout(true).build();
    let logs: Vec<LogOutput> = docker
        .logs("typed", Some(logs))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(logs[0].to_string(), "started\n");
}

async fn move_archives(docker: &Docker) {
    let archive = std::fs::read(Cache::locate().busybox_root()).unwrap();
    let put = query::UploadToContainerOptionsBuilder::new().path("/mnt");
    let missing = docker.upload_to_container(
        "typed",
        Some(put.build()),
        body_full(archive.clone().into()),
    );
    assert!(missing.await.unwrap_err().to_string().contains("/mnt"));
    let put = query::UploadToContainerOptionsBuilder::new().path("/tmp");
    docker
        .upload_to_container("typed", Some(put.build()), body_full(archive.into()))
        .await
        .unwrap();
    let get = query::DownloadFromContainerOptionsBuilder::new().path("/tmp/etc");
    let archive = docker.download_from_container("typed", Some(get.build()));
    let archive: Vec<bytes::Bytes> = archive.try_collect().await.unwrap();
    assert!(archive.iter().map(bytes::Bytes::len).sum::<usize>() > 512);
}

async fn end(docker: &Docker) {
    docker
        .stop_container("typed", None::<query::StopContainerOptions>)
        .await
        .unwrap();
    let wait = docker.wait_container("typed", None::<query::WaitContainerOptions>);
    // It takes an exit code of its own for an error.
    let waited = wait.try_collect::<Vec<_>>().await.unwrap_err();
    let code = bollard::errors::Error::DockerContainerWaitError {
        error: String::new(),
        code: 137,
    };
    assert_eq!(format!("{waited:?}"), format!("{code:?}"));
    docker
        .remove_container("typed", None::<query::RemoveContainerOptions>)
        .await
        .unwrap();
}

async fn list(docker: &Docker) {
    docker.df(None::<query::DataUsageOptions>).await.unwrap();
    docker
        .list_images(None::<query::ListImagesOptions>)
        .await
        .unwrap();
    docker
        .list_networks(None::<query::ListNetworksOptions>)
        .await
        .unwrap();
    docker
        .list_volumes(None::<query::ListVolumesOptions>)
        .await
        .unwrap();
    docker
        .prune_containers(None::<query::PruneContainersOptions>)
        .await
        .unwrap();
}
