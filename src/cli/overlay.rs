//! `flotilla overlay`: one swarm-mode cluster of all engines, so that networks reach over hosts, and its undoing.
//!
//! Everything goes through the Docker API of a running Flotilla, as a client's calls do.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Error;
use super::remote::Remote;
use crate::engine::backoff::Backoff;
use crate::engine::{self, Client};

/// How long one call may take: engines join one after the other.
const DEADLINE: Duration = Duration::from_secs(600);
/// Managers of a cluster that is complete: one may be lost.
const MANAGERS: usize = 3;
/// How long it may take until engines that were made managers are.
const PROMOTED: Duration = Duration::from_secs(60);

/// Flags of `flotilla overlay`.
#[derive(Args, Debug)]
#[command(
    after_help = "Engines must reach one another on 2377/tcp, 7946/tcp+udp and 4789/udp.\n\nExample:\n  flotilla overlay enable -H tcp://127.0.0.1:3376\n  docker network create -d overlay backend"
)]
pub(super) struct Overlay {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    remote: Remote,
}

/// What can be done with it.
#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Make one swarm-mode cluster of all engines, or let those join that are not in it yet
    Enable,
    /// Say how many engines are in it
    Status,
    /// Let all engines leave it
    Disable {
        /// Even if services run in it or networks need it
        #[arg(long)]
        force: bool,
    },
}

impl Overlay {
    /// Carries it out and says what is now.
    pub(super) async fn run(self) -> Result<(), Error> {
        let client = self.remote.client()?;
        match self.what {
            What::Enable => enable(&client).await?,
            What::Status => {}
            What::Disable { force } => disable(&client, force).await?,
        }
        let text = status(&client).await?;
        writeln!(std::io::stdout(), "{text}")?;
        Ok(())
    }
}

/// Makes the cluster, or completes it.
async fn enable(client: &Client) -> Result<(), Error> {
    let swarm = &get(client, "/info").await?["Swarm"];
    if swarm["ControlAvailable"] != true {
        let body = json!({ "ListenAddr": "0.0.0.0:2377" });
        return post(client, "/swarm/init", Some(&body)).await;
    }
    if !missing(client).await?.is_empty() {
        let managers = swarm["RemoteManagers"].as_array().into_iter().flatten();
        let remote: Vec<&Value> = managers.map(|m| &m["Addr"]).collect();
        let token = &get(client, "/swarm").await?["JoinTokens"]["Worker"];
        let body =
            json!({ "ListenAddr": "0.0.0.0:2377", "RemoteAddrs": remote, "JoinToken": token });
        post(client, "/swarm/join", Some(&body)).await?;
    }
    promote(client).await
}

/// Makes managers of engines until there are enough, one after the other, since each has to be agreed on.
async fn promote(client: &Client) -> Result<(), Error> {
    let started = Instant::now();
    let mut asked: Vec<Value> = Vec::new();
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(2));
    loop {
        let nodes = engines(client).await?;
        let inside = nodes.iter().filter(|n| n["Description"]["Swarm"].is_null());
        let (managers, workers): (Vec<&Value>, Vec<&Value>) =
            inside.partition(|n| n["ManagerStatus"].is_object());
        let wanted = if nodes.len() < MANAGERS { 1 } else { MANAGERS };
        let late = started.elapsed() > PROMOTED;
        if managers.len() >= wanted || late {
            // Those that are late are seen in the count that is told next.
            return Ok(());
        }
        let pending = asked
            .iter()
            .any(|id| workers.iter().any(|w| w["ID"] == *id));
        let next = workers.iter().find(|w| w["Status"]["State"] == "ready");
        if let (false, Some(next)) = (pending, next) {
            let mut spec = next["Spec"].clone();
            spec["Role"] = "manager".into();
            let (id, version) = (text(&next["ID"]), &next["Version"]["Index"]);
            let path = format!("/nodes/{id}/update?version={version}");
            post(client, &path, Some(&spec)).await?;
            asked.push(next["ID"].clone());
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// Undoes the cluster, unless something would be lost with it.
async fn disable(client: &Client, force: bool) -> Result<(), Error> {
    if get(client, "/info").await?["Swarm"]["LocalNodeState"] == "inactive" {
        return Ok(());
    }
    if !force {
        let networks = get(client, "/networks").await?;
        let networks = names(&networks, |n| n["Scope"] == "swarm" && n["Ingress"] != true);
        let services = get(client, "/services").await?;
        let services = names(&services, |_| true);
        if !networks.is_empty() || !services.is_empty() {
            return Err(Error::Named(format!(
                "still there: {}; remove them, or let them be lost with --force",
                [services, networks].concat().join(", ")
            )));
        }
    }
    post(client, "/swarm/leave?force=1", None).await
}

/// Says what is.
async fn status(client: &Client) -> Result<String, Error> {
    let info = get(client, "/info").await?;
    if info["Swarm"]["ControlAvailable"] != true {
        return Ok("overlay networks are off: flotilla overlay enable".to_owned());
    }
    let missing = missing(client).await?;
    let all = engines(client).await?.len();
    let mut text = format!(
        "overlay networks are on: {} of {all} engines, {} of them managers",
        all - missing.len(),
        info["Swarm"]["Managers"],
    );
    if !missing.is_empty() {
        let missing = missing.join(", ");
        text.push_str(&format!("; not in it: {missing} (flotilla overlay enable)"));
    }
    Ok(text)
}

/// Returns the names of the engines that are not in the cluster.
async fn missing(client: &Client) -> Result<Vec<String>, Error> {
    let nodes = engines(client).await?;
    let outside = |node: &&Value| node["Description"]["Swarm"] == "inactive";
    let names = nodes.iter().filter(outside);
    Ok(names
        .map(|node| text(&node["Description"]["Hostname"]))
        .collect())
}

/// Returns the nodes, without the entries that only swarm mode has.
async fn engines(client: &Client) -> Result<Vec<Value>, Error> {
    let nodes = get(client, "/nodes").await?;
    let nodes = nodes.as_array().into_iter().flatten();
    let ours = nodes.filter(|n| n["Description"]["Swarm"] != "only");
    Ok(ours.cloned().collect())
}

/// Returns the names of the objects in a list that pass `test`.
fn names(list: &Value, test: impl Fn(&Value) -> bool) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    let name = |one: &Value| match one["Name"].is_string() {
        true => format!("network {}", text(&one["Name"])),
        false => format!("service {}", text(&one["Spec"]["Name"])),
    };
    list.filter(|one| test(one)).map(name).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

async fn get(client: &Client, path: &str) -> Result<Value, Error> {
    let text = client.get(path, DEADLINE).await.map_err(|e| shown(&e))?;
    serde_json::from_slice(&text).map_err(|e| Error::Named(format!("{path}: {e}")))
}

async fn post(client: &Client, path: &str, body: Option<&Value>) -> Result<(), Error> {
    let body = body.map(|b| b.to_string().into());
    let done = client.call(Method::POST, path, body, DEADLINE).await;
    done.map(drop).map_err(|e| shown(&e))
}

fn shown(error: &engine::Error) -> Error {
    Error::Named(error.to_string())
}
