//! Decisions written for people, from the JSON of the API.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::clock;

/// The most nodes that are written out; JSON has all.
const NODES: usize = 50;

/// Writes a table of decisions.
pub(super) fn list(decisions: &[Value], now: Timestamp) -> String {
    let head = ["DECISION", "AGE", "CONTAINER", "IMAGE", "OUTCOME"].map(str::to_owned);
    let rows = decisions.iter().map(|d| {
        let outcome = match (text(&d["Outcome"]), text(&d["Node"])) {
            ("placed", node) => format!("placed on {node}"),
            ("explained", node) => format!("would go to {node}"),
            ("waiting", _) => format!("waits for room, {} before it", ahead(d)),
            ("refused", _) => "refused".to_owned(),
            (_, "") => format!("failed: {}", text(&d["Message"])),
            (_, node) => format!("failed on {node}: {}", text(&d["Message"])),
        };
        let image = text(&d["Container"]["Image"]).to_owned();
        [
            text(&d["Id"]).to_owned(),
            age(d, now),
            name(d),
            image,
            outcome,
        ]
    });
    table(std::iter::once(head).chain(rows))
}

/// Writes one decision: what came of it, then each node, then what happened on the way.
pub(super) fn decision(decision: &Value, now: Timestamp) -> String {
    let (id, age) = (text(&decision["Id"]), age(decision, now));
    let mut out = format!("decision {id}, {age} ago: {}\n", headline(decision));
    let nodes = array(&decision["Nodes"]);
    let strategy = text(&decision["Strategy"]);
    let asked = asked(&decision["Request"]);
    // Writing to a string does not fail.
    let _ = writeln!(out, "strategy {strategy}{asked}");
    if let Some(beside) = beside(&decision["Request"]) {
        let _ = writeln!(out, "{beside}");
    }
    for failure in array(&decision["PlugInFailures"]) {
        let (name, why) = (text(&failure["PlugIn"]), text(&failure["Error"]));
        let _ = writeln!(out, "plug-in {name} {why}; spread decided in its place");
    }
    if decision["Complete"] == false {
        out.push_str("the picture of the cluster it was made on is not kept any more\n");
    }
    out.push('\n');
    let rows = nodes.iter().take(NODES).map(|n| {
        let name = format!("  {}", text(&n["Name"]));
        [name, text(&n["Verdict"]).to_owned(), said(n)]
    });
    out.push_str(&table(rows));
    if nodes.len() > NODES {
        let more = nodes.len() - NODES;
        let _ = writeln!(out, "  and {more} nodes more: --format json");
    }
    let steps = array(&decision["Steps"]);
    if !steps.is_empty() {
        out.push_str("\non the way:\n");
    }
    for step in steps {
        let _ = writeln!(out, "  {}: {}", text(&step["Node"]), text(&step["What"]));
    }
    if let Some(more @ 1..) = decision["MoreSteps"].as_u64() {
        let _ = writeln!(out, "  and {more} times more");
    }
    out
}

/// Says what came of a decision.
fn headline(decision: &Value) -> String {
    let container = &decision["Container"];
    let what = match (text(&container["Name"]), text(&container["Image"])) {
        ("", image) => format!("a container of {image}"),
        (name, image) => format!("{name} (image {image})"),
    };
    let (node, message) = (text(&decision["Node"]), text(&decision["Message"]));
    let waited = match decision["WaitedSeconds"].as_f64() {
        Some(seconds) if seconds > 0.0 => format!(" after {seconds:.1} s in the queue"),
        _ => String::new(),
    };
    match text(&decision["Outcome"]) {
        "placed" => format!("{what} went to {node}{waited}"),
        "explained" => format!("{what} would go to {node}; nothing was created"),
        "waiting" => {
            let ahead = ahead(decision);
            format!("{what} waits for room, {ahead} before it: {message}")
        }
        "refused" => format!("no node can take {what}{waited}"),
        _ if node.is_empty() => format!("{what} could not be created: {message}"),
        _ => format!("{what} could not be created on {node}: {message}"),
    }
}

/// Returns how many creates come before one that waits.
fn ahead(decision: &Value) -> u64 {
    decision["Ahead"].as_u64().unwrap_or_default()
}

/// Says what a container asked for, each thing after a comma.
fn asked(request: &Value) -> String {
    let lists = [
        ("constraint", "Constraints"),
        ("affinity", "Affinities"),
        ("whitelist", "Whitelists"),
        ("toleration", "Tolerations"),
        ("limit", "Limits"),
        ("spread", "Spreads"),
        ("pod", "Pods"),
        ("global", "Globals"),
        ("queue", "Queue"),
        ("port", "Ports"),
        ("with", "With"),
        ("as", "Because"),
        ("needs", "Plugins"),
        ("needs", "Devices"),
    ];
    let listed = lists.iter().flat_map(|(word, key)| {
        let all = array(&request[key]).iter();
        all.map(move |one| format!("{word} {}", text(one)))
    });
    let amount = |key: &str| request[key].as_i64().filter(|amount| *amount > 0);
    let memory = amount("Memory").map(|m| format!("memory {}", crate::model::units::bytes(m)));
    let cpus = amount("NanoCpus").map(|nano| format!("cpus {}", nano as f64 / 1e9));
    let word = |word: &str, key: &str| request[key].as_str().map(|is| format!("{word} {is}"));
    let words = [word("platform", "Platform"), word("runtime", "Runtime")];
    let words = words.into_iter().flatten();
    let asked: Vec<String> = listed.chain(memory).chain(cpus).chain(words).collect();
    match asked.as_slice() {
        [] => String::new(),
        asked => format!("; asked: {}", asked.join(", ")),
    }
}

/// Says of what is to come beside a container: the rest of its pod, or its copies.
fn beside(request: &Value) -> Option<String> {
    // A copy has a place of its own.
    let is_first = array(&request["Because"]).is_empty();
    if is_first && !array(&request["Globals"]).is_empty() {
        return Some("a copy goes to each other node that is not refused, once it runs".to_owned());
    }
    let pod = &request["Pod"];
    let (name, more) = (text(&pod["Name"]), pod["Missing"].as_u64()?);
    let go = match more {
        0 => return None,
        1 => "is to go",
        _ => "are to go",
    };
    let place = match pod["Apart"] == true {
        true => "to a node of its own each".to_owned(),
        false => format!("there too{}", room(pod)),
    };
    Some(format!("{more} more of pod {name} {go} {place}"))
}

/// Says what those that are to come ask for together.
fn room(pod: &Value) -> String {
    let amount = |key: &str| pod[key].as_i64().filter(|amount| *amount > 0);
    let memory = amount("Memory").map(|m| format!("memory {}", crate::model::units::bytes(m)));
    let cpus = amount("NanoCpus").map(|nano| format!("cpus {}", nano as f64 / 1e9));
    let all: Vec<String> = memory.into_iter().chain(cpus).collect();
    match all.as_slice() {
        [] => String::new(),
        all => format!(" ({})", all.join(", ")),
    }
}

/// Says why a node is where it is: the reason, or what its score is made of.
fn said(node: &Value) -> String {
    let (field, reason) = (text(&node["Field"]), text(&node["Reason"]));
    match (field, reason) {
        ("", "") => {}
        ("", reason) => return reason.to_owned(),
        (field, reason) => return format!("{field}: {reason}"),
    }
    let parts = array(&node["Parts"]).iter().map(part);
    let wishes = array(&node["Wishes"]);
    let met = wishes.iter().filter(|w| w["Met"] == true).count();
    let wishes =
        (!wishes.is_empty()).then(|| format!("meets {met} of {} soft wishes", wishes.len()));
    let image = node["Image"].as_str().map(|image| format!("image {image}"));
    let trouble = node["Trouble"]
        .as_str()
        .map(|t| format!("a last choice, as it {t}"));
    let all: Vec<String> = parts.chain(wishes).chain(image).chain(trouble).collect();
    all.join("; ")
}

/// Writes one number of a score.
fn part(part: &Value) -> String {
    let of: Vec<String> = array(&part["Of"]).iter().map(self::part).collect();
    let own = format!(
        "{} {}{}",
        text(&part["Name"]),
        // Written as 60 also where decimals could be.
        part["Value"].as_f64().unwrap_or_default(),
        text(&part["Unit"])
    );
    match of.as_slice() {
        [] => own,
        of => format!("{own} ({})", of.join(", ")),
    }
}

/// Returns the name that was asked for, or the beginning of the ID.
fn name(decision: &Value) -> String {
    let container = &decision["Container"];
    match text(&container["Name"]) {
        "" => text(&container["Id"]).chars().take(12).collect(),
        name => name.to_owned(),
    }
}

/// Says how long ago it was.
fn age(decision: &Value, now: Timestamp) -> String {
    let then: Option<Timestamp> = text(&decision["Time"]).parse().ok();
    let age = clock::human(clock::since(then.unwrap_or(now), now));
    // It stands in the middle of a line.
    match age.strip_prefix("Less than") {
        Some(rest) => format!("less than{rest}"),
        None => age.replacen("About", "about", 1),
    }
}

/// Sets rows in columns; the last is as wide as it is.
fn table<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.collect();
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|c| width(c).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, &width)| format!("{cell:width$}  "))
            .collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn placed() -> Value {
        json!({
            "Id": "3f2a1c", "Time": "2026-11-24T11:59:48Z", "Outcome": "placed", "Message": "", "Node": "node1",
            "Container": {"Id": "0123456789abcdef", "Name": "web", "Image": "busybox"},
            "Strategy": "spread", "MoreSteps": 0, "Complete": true,
            "Request": {"Memory": 1_i64 << 30, "NanoCpus": 1_500_000_000, "Constraints": ["zone==~eu"], "Ports": ["80/tcp"]},
            "Steps": [{"Node": "node0", "What": "was taken by others meanwhile"}],
            "Nodes": [
                {"Name": "node1", "Verdict": "chosen", "Field": "", "Reason": "", "Image": "here", "Score": 70,
                 "Parts": [
                    {"Name": "load", "Value": 60.0, "Unit": "%", "Of": [
                        {"Name": "cpu", "Value": 20, "Unit": "%", "Of": []}, {"Name": "memory", "Value": 40, "Unit": "%", "Of": []}]},
                    {"Name": "containers per CPU", "Value": 0.5, "Unit": "", "Of": []}],
                 "Wishes": [{"Wish": "constraint:zone==~eu", "Met": false}], "Trouble": null},
                {"Name": "node0", "Verdict": "behind", "Field": "score", "Reason": "containers 3; on node1 2"},
                {"Name": "node10", "Verdict": "refused", "Field": "health", "Reason": "does not answer (x)"},
            ],
        })
    }

    #[test]
    fn a_decision_is_told_node_by_node() {
        assert_eq!(
            decision(&placed(), now()),
            "decision 3f2a1c, 12 seconds ago: web (image busybox) went to node1\n\
             strategy spread; asked: constraint zone==~eu, port 80/tcp, memory 1 GiB, cpus 1.5\n\
             \n\
             \x20 node1   chosen   load 60% (cpu 20%, memory 40%); containers per CPU 0.5; meets 0 of 1 soft wishes; image here\n\
             \x20 node0   behind   score: containers 3; on node1 2\n\
             \x20 node10  refused  health: does not answer (x)\n\
             \n\
             on the way:\n\
             \x20 node0: was taken by others meanwhile\n"
        );
    }

    #[test]
    fn each_outcome_has_its_headline() {
        for (outcome, node, message, line) in [
            ("placed", "node1", "", "web (image busybox) went to node1"),
            (
                "explained",
                "node1",
                "",
                "web (image busybox) would go to node1; nothing was created",
            ),
            (
                "refused",
                "",
                "long",
                "no node can take web (image busybox)",
            ),
            (
                "failed",
                "",
                "lost",
                "web (image busybox) could not be created: lost",
            ),
            (
                "failed",
                "node1",
                "No such image",
                "web (image busybox) could not be created on node1: No such image",
            ),
        ] {
            let mut told = placed();
            (told["Outcome"], told["Node"]) = (outcome.into(), node.into());
            told["Message"] = message.into();
            assert_eq!(headline(&told), line);
        }
    }

    #[test]
    fn decisions_are_listed_in_columns() {
        let mut nameless = placed();
        nameless["Container"]["Name"] = "".into();
        nameless["Outcome"] = "refused".into();
        assert_eq!(
            list(&[placed(), nameless], now()),
            "DECISION  AGE         CONTAINER     IMAGE    OUTCOME\n\
             3f2a1c    12 seconds  web           busybox  placed on node1\n\
             3f2a1c    12 seconds  0123456789ab  busybox  refused\n"
        );
    }

    #[test]
    fn what_is_to_come_beside_it_is_told() {
        let pod = |missing: u64, apart: bool, memory: i64| {
            let pod = json!({"Name": "shop", "Missing": missing, "Apart": apart, "Memory": memory, "NanoCpus": memory});
            beside(&json!({"Pod": pod, "Because": ["pod shop is on node1"]})).unwrap_or_default()
        };
        assert_eq!(pod(2, false, 0), "2 more of pod shop are to go there too");
        assert_eq!(
            pod(1, false, 1 << 30),
            "1 more of pod shop is to go there too (memory 1 GiB, cpus 1.073741824)"
        );
        assert_eq!(
            pod(3, true, 5),
            "3 more of pod shop are to go to a node of its own each"
        );
        assert_eq!(pod(0, false, 0), "");
        let global = |because: &[&str]| {
            let global = json!({"Globals": ["node==every"], "Because": because, "Pod": null});
            beside(&global).unwrap_or_default()
        };
        let copies = "a copy goes to each other node that is not refused, once it runs";
        assert_eq!(global(&[]), copies);
        assert_eq!(global(&["this copy of web is for node1"]), "");
    }

    #[test]
    fn of_many_nodes_the_first_are_shown() {
        let mut many = placed();
        let node = many["Nodes"][2].clone();
        many["Nodes"] = vec![node; 60].into();
        assert!(decision(&many, now()).contains("  and 10 nodes more: --format json\n"));
    }
}
