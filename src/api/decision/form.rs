//! Decisions as JSON: keys stay, new ones may come.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::api::call::json as json_answer;
use crate::cluster::decision::{Decision, Outcome};
use crate::cluster::decisions::Found;
use crate::cluster::explain::{self, Role, Told};
use crate::net::body::Body;
use crate::scheduler::filter::pod::{Layout, Rest};
use crate::scheduler::{Expr, Part, Request};

/// Makes the answer of a value.
pub(super) fn answer(value: &Value) -> Response<Body> {
    json_answer(StatusCode::OK, format!("{value}\n"))
}

/// Writes what a list shows of a decision.
pub(super) fn row(decision: &Decision) -> Value {
    let (outcome, message) = match &decision.outcome {
        Outcome::Placed { .. } => ("placed", ""),
        Outcome::Explained => ("explained", ""),
        Outcome::Waiting { message, .. } => ("waiting", message.as_str()),
        Outcome::Refused(message) => ("refused", message.as_str()),
        Outcome::Failed(message) => ("failed", message.as_str()),
    };
    let mut row = json!({
        "Id": decision.id.to_string(),
        "Time": decision.at.to_string(),
        "Outcome": outcome,
        "Message": message,
        "Node": decision.node.as_ref().map_or("", |n| n.name.as_str()),
        "Container": {
            "Id": decision.container().unwrap_or_default(),
            "Name": decision.request.name.as_deref().unwrap_or_default(),
            "Image": decision.request.image,
        },
        "WaitedSeconds": decision.waited.as_secs_f64(),
    });
    if let Outcome::Waiting { ahead, .. } = &decision.outcome {
        row["Ahead"] = (*ahead).into();
    }
    row
}

/// Writes a decision with all that is known of it.
pub(super) fn whole(found: &Found) -> Value {
    let decision = &*found.decision;
    let scheduler = &decision.scheduler;
    let steps = decision.steps.iter();
    let steps = steps.map(|s| json!({"Node": s.node, "Address": &*s.key, "What": s.what}));
    let told = explain::explain(found);
    let complete = told.is_some();
    let told = told.unwrap_or_else(|| explain::chosen(decision).into_iter().collect());
    let mut whole = row(decision);
    whole["Strategy"] = scheduler.strategy_name().into();
    whole["Filters"] = scheduler.filter_names().into();
    whole["Request"] = asked(&decision.request);
    let failures = decision.request.advice.failures();
    let failures = failures.map(|(name, why)| json!({"PlugIn": name, "Error": why}));
    whole["PlugInFailures"] = failures.collect();
    whole["Steps"] = steps.collect();
    whole["MoreSteps"] = decision.more_steps.into();
    // Of large clusters only the newest pictures are kept.
    whole["Complete"] = complete.into();
    whole["Nodes"] = told.iter().map(node).collect();
    whole
}

/// Writes what was asked of a node.
fn asked(request: &Request) -> Value {
    let texts = |list: &[Expr]| -> Vec<String> { list.iter().map(ToString::to_string).collect() };
    let direct = request.host_ports.iter();
    let direct = direct.map(|p| format!("{}/{}", p.number, p.protocol));
    let ports = request.ports.iter().map(ToString::to_string).chain(direct);
    let plugins = request.plugins.iter();
    let plugins = plugins.map(|p| format!("{} driver {}", p.kind, p.name));
    let wishes = &request.wishes;
    let limits = wishes.limits.iter().map(|w| w.expr.to_string());
    let pods = wishes.pods.iter().map(|w| w.expr.to_string());
    let globals = wishes.globals.iter().map(|w| w.expr.to_string());
    let queue = wishes.patience.iter().map(|w| w.expr.to_string());
    let spreads = wishes.spreads.iter().map(|w| w.expr.to_string());
    let devices = wishes.devices.iter().filter_map(|w| w.held());
    let devices = request.devices.iter().chain(devices);
    json!({
        "NanoCpus": request.resources.nano_cpus,
        "Memory": request.resources.memory_bytes,
        "Ports": ports.collect::<Vec<_>>(),
        "Constraints": texts(&wishes.constraints),
        "Affinities": texts(&wishes.affinities),
        "Whitelists": texts(&wishes.whitelists),
        "Tolerations": texts(&wishes.tolerations),
        "Limits": limits.collect::<Vec<_>>(),
        "Pods": pods.collect::<Vec<_>>(),
        "Globals": globals.collect::<Vec<_>>(),
        "Queue": queue.collect::<Vec<_>>(),
        "Spreads": spreads.collect::<Vec<_>>(),
        "With": request.together.iter().map(|t| &t.option).collect::<Vec<_>>(),
        "Because": request.required.iter().map(|r| &r.reason).collect::<Vec<_>>(),
        "Within": request.among.iter().map(|a| &a.what).collect::<Vec<_>>(),
        "Plugins": plugins.collect::<Vec<_>>(),
        "Devices": devices.map(ToString::to_string).collect::<Vec<_>>(),
        "Platform": request.platform.as_ref().map(ToString::to_string),
        "Runtime": request.runtime,
        "Pod": request.pod.as_ref().map(pod),
    })
}

/// Writes what of a pod is still to come beside the container.
fn pod(rest: &Rest) -> Value {
    json!({
        "Name": rest.name,
        "There": rest.nodes.len(),
        "Missing": rest.missing,
        "Apart": rest.layout == Layout::Apart,
        "Memory": rest.room.memory_bytes,
        "NanoCpus": rest.room.nano_cpus,
    })
}

/// Writes what is said of one node.
fn node(told: &Told) -> Value {
    let (verdict, field, reason) = match &told.role {
        Role::Chosen => ("chosen", "", String::new()),
        Role::Behind(behind) => ("behind", behind.field, behind.text.clone()),
        Role::Lost(what) => ("lost", "", what.clone()),
        Role::Refused(objection) => ("refused", objection.filter, objection.refusal.to_string()),
    };
    let mut value = json!({
        "Name": told.node.name,
        "Address": &*told.node.key,
        "Verdict": verdict,
        "Field": field,
        "Reason": reason,
        "Image": told.image,
    });
    if let Some(standing) = &told.standing {
        let wishes = standing.wishes.iter();
        let wishes = wishes.map(|w| json!({"Wish": w.text, "Met": w.met}));
        value["Score"] = standing.score().into();
        value["Parts"] = standing.parts.iter().map(part).collect();
        value["Wishes"] = wishes.collect();
        value["Trouble"] = standing.trouble.as_deref().into();
        value["Taint"] = standing.taint.as_deref().into();
    }
    value
}

/// Writes one number of a score.
fn part(part: &Part) -> Value {
    json!({
        "Name": part.name,
        "Value": match part.decimals {
            0 => part.value.into(),
            _ => Value::from(part.number()),
        },
        "Unit": part.unit,
        "Of": part.of.iter().map(self::part).collect::<Vec<_>>(),
    })
}
