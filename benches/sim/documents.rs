//! The JSON that a simulated engine answers with: the fields of 28.5 at API 1.51, of the sizes that engines send.

use bytes::Bytes;
use serde_json::{Value, json};

use super::engine::{Container, Engine, seconds};

/// The one image of every engine.
const IMAGE: &str = "sha256:b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
/// When containers were made, as text.
const TIME: &str = "2026-01-01T00:00:00.000000000Z";

/// Writes `/version`.
pub(crate) fn version() -> Value {
    json!({
        "Platform": {"Name": "Simulated"},
        "Components": [{"Name": "Engine", "Version": "28.5.2", "Details": {"ApiVersion": "1.51", "MinAPIVersion": "1.24"}}],
        "Version": "28.5.2",
        "ApiVersion": "1.51",
        "MinAPIVersion": "1.24",
        "GitCommit": "0000000",
        "GoVersion": "go1.24",
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": "6.1.0",
        "BuildTime": TIME,
    })
}

/// Writes `/info`.
pub(crate) fn info(engine: &Engine) -> Value {
    let containers = engine.containers();
    let running = containers.iter().filter(|c| c.running).count();
    let zone = ["a", "b", "c"][engine.index() % 3];
    let storage = ["ssd", "hdd"][engine.index() % 2];
    json!({
        "ID": engine.id(),
        "Name": engine.name(),
        "Containers": containers.len(),
        "ContainersRunning": running,
        "ContainersPaused": 0,
        "ContainersStopped": containers.len() - running,
        "Images": 1,
        "Driver": "overlay2",
        "DriverStatus": [["Backing Filesystem", "extfs"]],
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"],
            "Authorization": null,
            "Log": ["json-file", "local", "none"],
        },
        "MemoryLimit": true, "SwapLimit": true, "CpuCfsPeriod": true, "CpuCfsQuota": true, "CPUShares": true,
        "CPUSet": true, "PidsLimit": true, "IPv4Forwarding": true, "Debug": false, "OomKillDisable": false,
        "NFd": 30, "NGoroutines": 50,
        "SystemTime": jiff::Timestamp::now().to_string(),
        "LoggingDriver": "json-file", "CgroupDriver": "systemd", "CgroupVersion": "2",
        "NEventsListener": 1,
        "KernelVersion": "6.1.0", "OperatingSystem": "Simulated", "OSVersion": "12", "OSType": "linux",
        "Architecture": "x86_64",
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {"IndexConfigs": {}, "InsecureRegistryCIDRs": ["127.0.0.0/8"], "Mirrors": []},
        "NCPU": 64,
        "MemTotal": 274_877_906_944_i64,
        "GenericResources": null,
        "DockerRootDir": "/var/lib/docker",
        "HttpProxy": "", "HttpsProxy": "", "NoProxy": "",
        "Labels": [format!("zone={zone}"), format!("storage={storage}"), format!("rack=r{}", engine.index() / 20)],
        "ExperimentalBuild": false,
        "ServerVersion": "28.5.2",
        "Runtimes": {"runc": {"path": "runc"}},
        "DefaultRuntime": "runc",
        "Swarm": {
            "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "",
            "RemoteManagers": null,
        },
        "LiveRestoreEnabled": false,
        "Isolation": "",
        "InitBinary": "docker-init",
        "SecurityOptions": ["name=seccomp,profile=builtin"],
        "Warnings": null,
    })
}

/// Writes a container as lists do.
pub(crate) fn entry(container: &Container) -> Value {
    let (state, status) = match container.running {
        true => ("running", "Up 2 hours"),
        false => ("created", "Created"),
    };
    json!({
        "Id": container.id,
        "Names": [format!("/{}", container.name)],
        "Image": container.image,
        "ImageID": IMAGE,
        "Command": "sleep 100000",
        "Created": container.created,
        "Ports": [],
        "Labels": object(&container.labels),
        "State": state,
        "Status": status,
        "HostConfig": {"NetworkMode": "bridge"},
        "NetworkSettings": {"Networks": {"bridge": endpoint()}},
        "Mounts": [],
    })
}

/// Writes a container as inspect does.
pub(crate) fn inspect(container: &Container) -> Value {
    let status = if container.running {
        "running"
    } else {
        "created"
    };
    let id = &container.id;
    let host = host_config(container);
    json!({
        "Id": id,
        "Created": TIME,
        "Path": "sleep", "Args": ["100000"],
        "State": {
            "Status": status, "Running": container.running, "Paused": false, "Restarting": false, "OOMKilled": false,
            "Dead": false, "Pid": if container.running { 4242 } else { 0 }, "ExitCode": 0, "Error": "",
            "StartedAt": TIME, "FinishedAt": "0001-01-01T00:00:00Z",
        },
        "Image": IMAGE,
        "ResolvConfPath": format!("/var/lib/docker/containers/{id}/resolv.conf"),
        "HostnamePath": format!("/var/lib/docker/containers/{id}/hostname"),
        "HostsPath": format!("/var/lib/docker/containers/{id}/hosts"),
        "LogPath": format!("/var/lib/docker/containers/{id}/{id}-json.log"),
        "Name": format!("/{}", container.name),
        "RestartCount": 0, "Driver": "overlay2", "Platform": "linux", "MountLabel": "", "ProcessLabel": "",
        "AppArmorProfile": "", "ExecIDs": null,
        "HostConfig": host,
        "GraphDriver": {"Data": {
            "LowerDir": format!("/var/lib/docker/overlay2/{id}-init/diff"),
            "MergedDir": format!("/var/lib/docker/overlay2/{id}/merged"),
            "UpperDir": format!("/var/lib/docker/overlay2/{id}/diff"),
            "WorkDir": format!("/var/lib/docker/overlay2/{id}/work"),
        }, "Name": "overlay2"},
        "Mounts": [],
        "Config": {
            "Hostname": id[..12], "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false,
            "AttachStderr": false, "Tty": false, "OpenStdin": false, "StdinOnce": false,
            "Env": container.env, "Cmd": ["sleep", "100000"], "Image": container.image, "Volumes": null,
            "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": object(&container.labels),
        },
        "NetworkSettings": {
            "Bridge": "", "SandboxID": "", "SandboxKey": "", "Ports": {}, "HairpinMode": false,
            "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0, "SecondaryIPAddresses": null,
            "SecondaryIPv6Addresses": null, "EndpointID": "", "Gateway": "", "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0, "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "", "MacAddress": "",
            "Networks": {"bridge": endpoint()},
        },
    })
}

/// Writes what a container was promised.
fn host_config(container: &Container) -> Value {
    let mut host = json!({
        "Binds": null, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}},
        "NetworkMode": "bridge", "PortBindings": {}, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": false, "VolumeDriver": "", "VolumesFrom": null, "ConsoleSize": [0, 0], "CapAdd": null,
        "CapDrop": null, "CgroupnsMode": "private", "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null,
        "GroupAdd": null, "IpcMode": "private", "Cgroup": "", "Links": null, "OomScoreAdj": 0, "PidMode": "",
        "Privileged": false, "PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": null, "UTSMode": "",
        "UsernsMode": "", "ShmSize": 67_108_864, "Runtime": "runc", "Isolation": "", "CpuShares": 0, "Memory": 0,
        "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [], "CpuPeriod": 0, "CpuQuota": 0,
        "CpusetCpus": "", "CpusetMems": "", "Devices": [], "DeviceCgroupRules": null, "DeviceRequests": null,
        "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": null, "OomKillDisable": null, "PidsLimit": null,
        "Ulimits": [], "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
        "MaskedPaths": ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
        "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    });
    if let (Some(all), Some(own)) = (host.as_object_mut(), container.host.as_object()) {
        all.extend(own.clone());
    }
    host
}

/// Writes the one image as lists do.
pub(crate) fn image() -> Value {
    json!({
        "Id": IMAGE, "ParentId": "", "RepoTags": ["busybox:latest"], "RepoDigests": [], "Created": 1_767_225_600,
        "Size": 4_269_678, "SharedSize": -1, "Containers": -1, "Labels": null,
    })
}

/// Writes the one image as inspect does.
pub(crate) fn image_inspect() -> Value {
    json!({
        "Id": IMAGE, "RepoTags": ["busybox:latest"], "RepoDigests": [], "Parent": "", "Comment": "", "Created": TIME,
        "DockerVersion": "", "Author": "", "Config": {"Cmd": ["sh"], "Env": null, "Labels": null},
        "Architecture": "amd64", "Os": "linux", "Size": 4_269_678,
        "GraphDriver": {"Data": {}, "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": [IMAGE]},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
    })
}

/// Writes the three networks that every engine has.
pub(crate) fn networks(engine: &Engine) -> Value {
    let one = |(number, name): (usize, &str)| {
        json!({
            "Name": name, "Id": format!("{:060x}{number:04x}", engine.index() + 1), "Created": TIME, "Scope": "local",
            "Driver": if name == "none" { "null" } else { name }, "EnableIPv4": true, "EnableIPv6": false,
            "IPAM": {"Driver": "default", "Options": null, "Config": []}, "Internal": false, "Attachable": false,
            "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": false, "Containers": {}, "Options": {},
            "Labels": {},
        })
    };
    ["bridge", "host", "none"]
        .into_iter()
        .enumerate()
        .map(one)
        .collect()
}

/// Writes one event, as a line.
pub(crate) fn event(action: &str, container: &Container) -> Bytes {
    let now = seconds();
    let mut attributes = json!({"image": container.image, "name": container.name});
    if let (Some(all), Some(labels)) = (attributes.as_object_mut(), container.labels.as_object()) {
        all.extend(labels.clone());
    }
    let event = json!({
        "status": action, "id": container.id, "from": container.image, "Type": "container", "Action": action,
        "Actor": {"ID": container.id, "Attributes": attributes},
        "scope": "local", "time": now.as_secs(), "timeNano": u64::try_from(now.as_nanos()).unwrap(),
    });
    format!("{event}\n").into()
}

fn endpoint() -> Value {
    json!({
        "IPAMConfig": null, "Links": null, "Aliases": null, "MacAddress": "", "DriverOpts": null, "GwPriority": 0,
        "NetworkID": "", "EndpointID": "", "Gateway": "", "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "",
        "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "DNSNames": null,
    })
}

/// Returns a map, also of nothing.
fn object(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        value => value.clone(),
    }
}
