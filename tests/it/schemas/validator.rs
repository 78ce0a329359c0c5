//! Checks JSON against what the swagger files of the Engine API say; see `README.md`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::support::http::Answer;

static V41: LazyLock<Value> = LazyLock::new(|| read(include_str!("v1.41.json")));
static V51: LazyLock<Value> = LazyLock::new(|| read(include_str!("v1.51.json")));

/// What engines leave `null` against the letter beside lists and objects; the second is of an exec that never ran.
const NULL_TOO: [&str; 2] = [".HostConfig.MemorySwappiness", "$.ExitCode"];

/// What engines write otherwise: the ID of a secret or configuration that was made, and the kinds of a plugin.
const OTHERWISE: [(&str, Is); 3] = [
    ("IdResponse", |value| value["ID"].is_string()),
    ("IDResponse", |value| value["ID"].is_string()),
    ("PluginInterfaceType", Value::is_string),
];

/// Answers that have nothing but warnings, of which there are none.
const EMPTY_IS_WHOLE: [&str; 2] = ["POST /containers/{id}/update", "POST /services/{id}/update"];

/// Tells whether a value has a form.
type Is = fn(&Value) -> bool;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The answers of one API version.
pub(crate) struct Schemas {
    api: &'static Value,
    /// Each endpoint with what its path looks like, the most exact first.
    endpoints: Vec<(&'static str, Regex)>,
}

impl Schemas {
    /// Returns those of 1.41 or of 1.51.
    pub(crate) fn of(minor: u16) -> Self {
        let api = if minor < 51 { &*V41 } else { &*V51 };
        let mut endpoints: Vec<_> = api["answers"]
            .as_object()
            .unwrap()
            .keys()
            .map(|endpoint| {
                let variable = Regex::new(r"\\\{[a-z]+\\\}").unwrap();
                let pattern = regex::escape(endpoint);
                let pattern = variable.replace_all(&pattern, ".+");
                (
                    endpoint.as_str(),
                    Regex::new(&format!("^{pattern}$")).unwrap(),
                )
            })
            .collect();
        endpoints.sort_by_key(|(endpoint, _)| endpoint.matches('{').count());
        Self { api, endpoints }
    }

    /// Returns the endpoints whose success has a body with a form, as the description writes them.
    pub(crate) fn successes(&self) -> impl Iterator<Item = &'static str> {
        let answers = self.api["answers"].as_object().unwrap().iter();
        let succeeds = |of: &Value| of.as_object().unwrap().keys().any(|s| s.starts_with('2'));
        answers.filter_map(move |(endpoint, of)| succeeds(of).then_some(endpoint.as_str()))
    }

    /// Returns the endpoint of which an answer shows the form: a success with something in it.
    pub(crate) fn shown(&self, method: &str, path: &str, answer: &Answer) -> Option<&'static str> {
        let (endpoint, _) = self.known(method, path, answer)?;
        let values: Result<Vec<Value>, _> = values(answer).collect();
        let full = EMPTY_IS_WHOLE.contains(&endpoint) || values.ok()?.iter().any(says);
        (full && (200..300).contains(&answer.status())).then_some(endpoint)
    }

    /// Returns the endpoint of an answer and the form that it must have, if one is known.
    fn known(
        &self,
        method: &str,
        path: &str,
        answer: &Answer,
    ) -> Option<(&'static str, &'static Value)> {
        let is_json = answer.head.header("content-type") == Some("application/json");
        let path = path.split('?').next().unwrap_or_default();
        let call = format!("{method} {path}");
        let mut endpoints = self.endpoints.iter();
        let (endpoint, _) = endpoints.find(|(_, is)| is_json && is.is_match(&call))?;
        let schema = &self.api["answers"][endpoint][answer.head.status.to_string()];
        (!schema.is_null()).then_some((endpoint, schema))
    }

    /// Checks an answer; `false` means that nothing is said of it: an unknown path or status, or no JSON.
    ///
    /// # Errors
    /// Where it is wrong, and what is wrong there.
    pub(crate) fn check(&self, method: &str, path: &str, answer: &Answer) -> Result<bool, String> {
        let Some((_, schema)) = self.known(method, path, answer) else {
            return Ok(false);
        };
        // A stream is checked object by object.
        for value in values(answer) {
            let value = value.map_err(|e| e.to_string())?;
            self.fits(schema, &value, "$")?;
        }
        Ok(true)
    }

    fn fits(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/definitions/");
            let named = &self.api["definitions"][name];
            assert!(!named.is_null(), "no definition {name}");
            let other = OTHERWISE.iter().any(|(of, is)| *of == name && is(value));
            if other || value.is_null() && schema["x-nullable"] == true {
                return Ok(());
            }
            return self.fits(named, value, at);
        }
        if value.is_null() && may_be_null(schema, at) {
            return Ok(());
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.fits(part, value, at)?;
        }
        if let Some(kind) = schema["type"].as_str().filter(|kind| !is(value, kind)) {
            return Err(format!("{at} is no {kind} but {value}"));
        }
        let choices = schema["enum"].as_array();
        if choices.is_some_and(|all| !all.contains(value)) {
            return Err(format!("{at} is {value}, none of {}", schema["enum"]));
        }
        let number = value.as_f64();
        let least = schema["minimum"].as_f64();
        let most = schema["maximum"].as_f64();
        let too = |bound: Option<f64>, out: fn(f64, f64) -> bool| {
            number.zip(bound).is_some_and(|(n, b)| out(n, b))
        };
        if too(least, |n, b| n < b) || too(most, |n, b| n > b) {
            return Err(format!("{at} is {value}, out of its range"));
        }
        self.parts_fit(schema, value, at)
    }

    fn parts_fit(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for (number, item) in value.as_array().into_iter().flatten().enumerate() {
            if !schema["items"].is_null() {
                self.fits(&schema["items"], item, &format!("{at}[{number}]"))?;
            }
        }
        let Some(object) = value.as_object() else {
            return Ok(());
        };
        for required in schema["required"].as_array().into_iter().flatten() {
            let name = required.as_str().unwrap_or_default();
            if !object.contains_key(name) {
                return Err(format!("{at}.{name} is missing"));
            }
        }
        for (name, member) in object {
            let known = &schema["properties"][name];
            let of = match known {
                Value::Null => &schema["additionalProperties"],
                known => known,
            };
            if of.is_object() {
                self.fits(of, member, &format!("{at}.{name}"))?;
            }
        }
        Ok(())
    }
}

/// Returns the values that follow one another in a body.
fn values(answer: &Answer) -> impl Iterator<Item = Result<Value, serde_json::Error>> {
    serde_json::Deserializer::from_slice(&answer.body).into_iter()
}

/// Tells whether there is anything in a value.
fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(says),
        Value::Object(fields) => fields.values().any(says),
    }
}

fn may_be_null(schema: &Value, at: &str) -> bool {
    let kind = schema["type"].as_str();
    let listed = matches!(kind, Some("array" | "object")) || schema["properties"].is_object();
    listed
        || schema["x-nullable"] == true
        || NULL_TOO.iter().any(|place| at.ends_with(place))
        || schema.as_object().is_some_and(serde_json::Map::is_empty)
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "array" => value.is_array(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("unknown type {other}"),
    }
}

#[test]
fn an_endpoint_is_shown_by_a_success_with_something_in_it() {
    let schemas = Schemas::of(51);
    let shown = |method: &str, path: &str, status: u16, body: &str| {
        let text = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json");
        schemas.shown(method, path, &Answer::of(&text, body.as_bytes()))
    };
    let whole = r#"{"Volumes":[{"Name":"a"}],"Warnings":null}"#;
    assert_eq!(
        shown("GET", "/volumes?x=y", 200, whole),
        Some("GET /volumes")
    );
    let update = "POST /containers/{id}/update";
    assert_eq!(
        shown("POST", "/containers/a/update", 200, r#"{"Warnings":null}"#),
        Some(update)
    );
    for (path, status, body) in [
        ("/volumes", 200, r#"{"Volumes":[],"Warnings":null}"#),
        ("/volumes", 500, r#"{"message":"x"}"#),
        ("/images/json", 200, "[]"),
        ("/events", 200, ""),
        ("/nowhere", 200, "[1]"),
    ] {
        assert_eq!(shown("GET", path, status, body), None, "{path} {body}");
    }
}

#[test]
fn wrong_answers_are_caught() {
    let schemas = Schemas::of(51);
    let check = |method: &str, path: &str, status: u16, body: &str| {
        let text = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json");
        let answer = Answer::of(&text, body.as_bytes());
        schemas.check(method, path, &answer)
    };
    let volume = |more: &str| {
        format!(
            r#"{{"Name":"a","Driver":"local","Mountpoint":"/x","Scope":"local","Labels":null,"Options":null{more}}}"#
        )
    };
    assert_eq!(check("GET", "/volumes/a", 200, &volume("")), Ok(true));
    assert_eq!(check("GET", "/nowhere", 200, "1"), Ok(false));
    for (method, path, status, body) in [
        ("GET", "/volumes/a", 200, volume(r#","CreatedAt":1"#)),
        ("GET", "/volumes/a", 200, volume(r#","Scope":"moon""#)),
        ("GET", "/volumes/a", 200, volume(r#","Labels":{"a":1}"#)),
        (
            "GET",
            "/volumes/a",
            200,
            volume(r#","UsageData":{"Size":1}"#),
        ),
        ("GET", "/volumes/a", 200, r#"{"Name":"a"}"#.to_owned()),
        (
            "GET",
            "/volumes?filters=x",
            200,
            r#"{"Volumes":[1]}"#.to_owned(),
        ),
        (
            "POST",
            "/containers/create?name=x",
            201,
            r#"{"Id":"x"}"#.to_owned(),
        ),
        (
            "GET",
            "/containers/a/b/json",
            404,
            r#"{"error":"x"}"#.to_owned(),
        ),
        ("GET", "/images/json", 200, r#"[{"Id":"x"}]"#.to_owned()),
    ] {
        assert!(check(method, path, status, &body).is_err(), "{body}");
    }
}
