//! Compares two answers to one row.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::row::{Row, Same};
use crate::support::http::{Answer, Head};

/// What is each call's own, and what stands for it.
static OWN: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\b[df](00|24|41|51)-", "SIDE-"),
        (
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
            "TIME",
        ),
        // Each engine of a lab keeps its data in a folder of its own.
        (r"/node\d/(data|exec)/", "/NODE/$1/"),
        (r"[0-9a-f]{64}", "LONG-ID"),
        // Swarm mode's.
        (r"\b[0-9a-z]{25}\b", "SWARM-ID"),
        (r#""Index":\d+"#, "NUMBER"),
        (r"\b[0-9a-f]{12}\b", "SHORT-ID"),
        (r"([0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC"),
        (r"\b\d+\.\d+\.\d+\.\d+(:\d{4,5}\b)?", "IP"),
        (r#""(Created|Pid)":\d+"#, "NUMBER"),
        (r#""time(Nano)?":\d+"#, "NUMBER"),
        (r#""Status":"Up[^"]*""#, "UP"),
        (r#""Status":"Exited \((\d+)\)[^"]*""#, "EXITED $1"),
    ]
    .map(|(pattern, instead)| (Regex::new(pattern).unwrap(), instead))
    .to_vec()
});

/// A container's name with its node before it.
static WITH_NODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^/node\d/").unwrap());

/// Compares the engine's answer with Flotilla's before this many engines.
///
/// # Errors
/// What differs, in one text.
pub(super) fn compare(
    row: &Row,
    engines: usize,
    direct: &Answer,
    through: &Answer,
) -> Result<(), String> {
    let same = row.same_before(engines);
    if !row.status.contains(&direct.status()) {
        let status = direct.status();
        return Err(format!(
            "the row is wrong, the engine gives {status}: {}",
            direct.text()
        ));
    }
    equal("status", &direct.status(), &through.status())
        .map_err(|e| format!("{e}; {} against {}", direct.text(), through.text()))?;
    if same == Same::Status {
        return Ok(());
    }
    equal("headers", &headers(&direct.head), &headers(&through.head))?;
    if row.method == "HEAD" {
        // Of the body that is not sent (wire rule W17); names are equally long on both sides.
        let length = |answer: &Answer| answer.head.header("content-length").map(str::to_owned);
        equal("length", &length(direct), &length(through))?;
    }
    match same {
        Same::Text => equal("body", &masked(direct), &masked(through)),
        Same::Last => equal("end", &last(direct), &last(through)),
        Same::Adds => adds(direct, through),
        Same::Shape => equal("shape", &shape(&direct.json()), &shape(&through.json())),
        Same::Head | Same::Status => Ok(()),
    }
}

/// Checks an answer that Flotilla gives as 28.5 does, whatever its engines say: its status, and the form of a refusal.
///
/// # Errors
/// What is wrong, in one text.
pub(super) fn own(row: &Row, through: &Answer) -> Result<(), String> {
    equal("own status", &row.status[0], &through.status())
        .map_err(|e| format!("{e}: {}", through.text()))?;
    if through.status() < 400 {
        return Ok(());
    }
    let kind = through.head.header("content-type");
    equal("own type", &Some("application/json"), &kind)?;
    let told: Value = serde_json::from_slice(&through.body).map_err(|e| e.to_string())?;
    let fields = told.as_object().map_or(0, serde_json::Map::len);
    match fields == 1 && told["message"].is_string() {
        true => Ok(()),
        false => Err(format!("no refusal: {told}")),
    }
}

/// Tells in one text that two values differ.
fn equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    direct: &T,
    through: &T,
) -> Result<(), String> {
    if direct == through {
        return Ok(());
    }
    Err(format!(
        "{what}\n  engine:   {direct:?}\n  flotilla: {through:?}"
    ))
}

/// Returns the headers with the values that must be equal, and the names alone of those that are each answer's own.
fn headers(head: &Head) -> Vec<String> {
    let server = Regex::new(r"^Docker/[0-9.a-z+-]+ \(linux\)$").unwrap();
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| match name.to_ascii_lowercase().as_str() {
            "server" if server.is_match(value) => "Server".to_owned(),
            // How long a text is differs with the names in it, and so does whether it is sent in chunks.
            "content-length" | "transfer-encoding" => String::new(),
            // A raw stream's head may have a date, and says here that it ends with its connection.
            "date" => String::new(),
            "connection" if value == "close" => String::new(),
            _ => format!("{name}: {}", mask(value)),
        })
        .filter(|line| !line.is_empty())
        .collect();
    headers.sort();
    headers
}

fn masked(answer: &Answer) -> String {
    mask(&answer.text())
}

fn last(answer: &Answer) -> String {
    let text = masked(answer);
    text.lines().last().unwrap_or_default().to_owned()
}

fn mask(text: &str) -> String {
    OWN.iter().fold(text.to_owned(), |text, (own, instead)| {
        own.replace_all(&text, *instead).into_owned()
    })
}

/// Checks that Flotilla's JSON is the engine's with additions.
fn adds(direct: &Answer, through: &Answer) -> Result<(), String> {
    let of = |answer: &Answer| -> Value { serde_json::from_str(&answer.text()).unwrap() };
    let (direct, mut stripped) = (of(direct), of(through));
    let before = stripped.clone();
    strip(&mut stripped);
    if before == stripped {
        return Err(format!("nothing is added: {before}"));
    }
    let text = |value: &Value| {
        mask(
            &serde_json::to_string_pretty(value)
                .unwrap()
                .replace(": ", ":"),
        )
    };
    let (direct, through) = (text(&direct), text(&stripped));
    let differing = direct.lines().zip(through.lines()).find(|(a, b)| a != b);
    match differing {
        Some((a, b)) => Err(format!("\n  engine:   {a}\n  flotilla: {b}")),
        None => equal("lines", &direct.lines().count(), &through.lines().count()),
    }
}

/// Takes away what Flotilla adds: the key `Node`, names with a node before them, labels and attributes of its own.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("Node").is_some_and(Value::is_object) {
                fields.remove("Node");
            }
            let ours = |key: &str| key.starts_with("com.docker.swarm.") || key.starts_with("node.");
            fields.retain(|key, _| key != "Nodes" && !ours(key));
            if let Some(Value::Array(names)) = fields.get_mut("Names") {
                names.retain(|name| !WITH_NODE.is_match(name.as_str().unwrap()));
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns the keys and types of a value; of an array those of its first item.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{key}:{}", shape(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.first().map_or(String::new(), shape)),
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
    }
}
