//! What only the inspect of an image tells.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// What of an image's configuration its containers come to see.
const CONFIG: [&str; 11] = [
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
];

/// Returns a hash of layers and configuration, which is the same in image stores of all kinds: a layer's ID is the digest
/// of what is in it unpacked.
pub(crate) fn content(inspect: &[u8]) -> Option<u64> {
    let inspect: Value = serde_json::from_slice(inspect).ok()?;
    let layers = inspect["RootFS"]["Layers"].as_array()?;
    let mut hasher = DefaultHasher::new();
    layers.hash(&mut hasher);
    for key in CONFIG {
        // Releases write nothing in different ways.
        let said = match &inspect["Config"][key] {
            Value::Array(list) if list.is_empty() => None,
            Value::Object(map) if map.is_empty() => None,
            Value::String(text) if text.is_empty() => None,
            Value::Null => None,
            said => Some(said.to_string()),
        };
        said.hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// Returns when an image got its last tag, by our clock; the engine's is ahead by `skew` nanoseconds.
pub(crate) fn last_tagged(inspect: &[u8], skew: i64) -> Option<Timestamp> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inspected {
        metadata: Metadata,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Metadata {
        last_tag_time: String,
    }
    let said: Inspected = serde_json::from_slice(inspect).ok()?;
    let at: Timestamp = said.metadata.last_tag_time.parse().ok()?;
    // Engines write the year 1 for never.
    let at = Some(at).filter(|at| *at > Timestamp::UNIX_EPOCH)?;
    at.checked_sub(SignedDuration::from_nanos(skew)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_time_of_the_last_tag_is_by_our_clock_and_may_be_unknown() {
        let text = |at: &str| format!(r#"{{"Metadata":{{"LastTagTime":"{at}"}}}}"#);
        let read = |at: &str| last_tagged(text(at).as_bytes(), 2_000_000_000);
        let at = read("2026-11-24T13:00:02.5+01:00");
        assert_eq!(at, "2026-11-24T12:00:00.5Z".parse().ok());
        assert_eq!(read("0001-01-01T00:00:00Z"), None);
        assert_eq!(read(""), None);
        assert_eq!(last_tagged(b"{}", 0), None);
    }

    #[test]
    fn what_is_in_an_image_does_not_depend_on_how_an_engine_says_it() {
        let of = |config: Value, layer: &str| {
            let inspect = json!({"Id": "x", "RootFS": {"Layers": [layer]}, "Config": config});
            content(inspect.to_string().as_bytes())
        };
        let one = of(json!({"Cmd": ["sh"], "Env": null, "User": ""}), "a");
        assert!(one.is_some());
        assert_eq!(of(json!({"Cmd": ["sh"], "Labels": {}}), "a"), one);
        assert_ne!(of(json!({"Cmd": ["ash"]}), "a"), one);
        assert_ne!(of(json!({"Cmd": ["sh"]}), "b"), one);
        assert_eq!(content(b"{}"), None);
    }
}
