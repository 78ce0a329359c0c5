//! A container as `docker node ps` shows it: a task of its own.

use serde_json::{Value, json};

use super::id;
use crate::cluster::Members;
use crate::model::{Container, Node};

/// Writes a container as a task. What would be its service is the container's name, since the CLI makes the task's name
/// out of that.
pub(super) fn task(members: &Members, node: &Node, container: &Container) -> Value {
    let state = &container.state;
    let (word, desired) = match state.status.as_str() {
        "running" | "paused" => ("running", "running"),
        "restarting" => ("starting", "running"),
        "created" => ("assigned", "shutdown"),
        "exited" if state.exit_code == 0 => ("complete", "shutdown"),
        _ => ("failed", "shutdown"),
    };
    let created = jiff::Timestamp::from_second(container.created_seconds).unwrap_or_default();
    let since = match state.is_running() {
        true => state.started_at,
        false => state.finished_at,
    };
    let since = since.unwrap_or(created).to_string();
    let mut status = json!({
        "Timestamp": since,
        "State": word,
        "Message": state.status,
        "ContainerStatus": {
            "ContainerID": &*container.id,
            "PID": 0,
            "ExitCode": state.exit_code,
        },
        "PortStatus": {},
    });
    if word == "failed" {
        status["Err"] = format!("exit code {}", state.exit_code).into();
    }
    json!({
        "ID": &*container.id,
        "Version": {"Index": 0},
        "CreatedAt": created.to_string(),
        "UpdatedAt": since,
        "Name": container.name(),
        "Labels": container.labels,
        "Spec": {
            "ContainerSpec": {"Image": container.image, "Labels": container.labels},
            "ForceUpdate": 0,
            "Runtime": "container",
        },
        "ServiceID": container.name(),
        "Slot": 1,
        "NodeID": id(members, node),
        "Status": status,
        "DesiredState": desired,
    })
}
