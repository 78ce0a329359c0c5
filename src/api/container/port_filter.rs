//! The filters `publish` and `expose`: ports, ranges of ports, with or without a protocol.

use serde::Deserialize;

use crate::api::filters::{BadFilter, Filters};
use crate::api::query::go_quote;
use crate::model::container::ListEntry;

/// Both filters; they admit what either finds, as on an engine.
#[derive(Clone, Debug, Default)]
pub struct PortFilter {
    publish: Vec<Range>,
    expose: Vec<Range>,
}

/// Ports of one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    protocol: String,
}

/// The part of a list entry that is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Published {
    ports: Option<Vec<Binding>>,
}

/// A port as a list shows it; a published port of 0 is one that is not published.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    #[serde(default)]
    public_port: u16,
    #[serde(default)]
    private_port: u16,
    #[serde(default, rename = "Type")]
    protocol: String,
}

impl PortFilter {
    /// Reads both filters.
    ///
    /// # Errors
    /// A port or range cannot be read, in Go's words.
    pub fn new(filters: &Filters) -> Result<Self, BadFilter> {
        let ranges = |key: &'static str| -> Result<Vec<Range>, BadFilter> {
            filters.values(key).map(|value| range(key, value)).collect()
        };
        Ok(Self {
            publish: ranges("publish")?,
            expose: ranges("expose")?,
        })
    }

    /// Tells whether a container with this list entry is listed. Like an engine it goes by the ports the list shows,
    /// and those of stopped containers are not shown.
    pub fn admits(&self, entry: &ListEntry) -> bool {
        if self.publish.is_empty() && self.expose.is_empty() {
            return true;
        }
        let mut json = Vec::with_capacity(entry.head.len() + entry.tail.len() + 2);
        entry.write("", &mut json);
        let published = serde_json::from_slice::<Published>(&json);
        let bindings = published.ok().and_then(|p| p.ports).unwrap_or_default();
        let finds = |ranges: &[Range], port: u16, protocol: &str| {
            ranges.iter().any(|range| range.has(port, protocol))
        };
        bindings.iter().any(|binding| {
            finds(&self.publish, binding.public_port, &binding.protocol)
                || finds(&self.expose, binding.private_port, &binding.protocol)
        })
    }
}

impl Range {
    /// Tells whether the port is in the range.
    fn has(&self, port: u16, protocol: &str) -> bool {
        (self.first..=self.last).contains(&port) && self.protocol == protocol
    }
}

/// Reads `80`, `80/udp`, `8000-8100` or `8000-8100/tcp`.
fn range(key: &'static str, value: &str) -> Result<Range, BadFilter> {
    if value.contains(':') {
        let value = value.to_owned();
        return Err(BadFilter::PortColon { key, value });
    }
    let (ports, protocol) = match value.split_once('/') {
        Some(("", _)) => ("", ""),
        Some((ports, rest)) => (ports, rest.split('/').next().unwrap_or("")),
        None => (value, ""),
    };
    let (first, last) = bounds(ports).map_err(|reason| BadFilter::Port {
        key,
        value: value.to_owned(),
        reason,
    })?;
    let protocol = if protocol.is_empty() { "tcp" } else { protocol };
    Ok(Range {
        first,
        last,
        protocol: protocol.to_owned(),
    })
}

/// Reads one port or the two ends of a range.
fn bounds(ports: &str) -> Result<(u16, u16), String> {
    if ports.is_empty() {
        return Err("Empty string specified for ports.".to_owned());
    }
    let mut ends = ports.split('-');
    let first = number(ends.next().unwrap_or(""))?;
    let last = ends.next().map_or(Ok(first), number)?;
    if last < first {
        return Err(format!("Invalid range specified for the Port: {ports}"));
    }
    Ok((first, last))
}

/// Reads a number as Go's `strconv.ParseUint(text, 10, 16)` does.
fn number(text: &str) -> Result<u16, String> {
    let what = if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        "invalid syntax"
    } else if let Ok(number) = text.parse() {
        return Ok(number);
    } else {
        "value out of range"
    };
    Err(format!(
        "strconv.ParseUint: parsing {}: {what}",
        go_quote(text)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_on_an_engine() {
        let read = |value: &str| range("publish", value).map(|r| (r.first, r.last, r.protocol));
        assert_eq!(read("80"), Ok((80, 80, "tcp".to_owned())));
        assert_eq!(read("80/"), Ok((80, 80, "tcp".to_owned())));
        assert_eq!(read("80-90/udp"), Ok((80, 90, "udp".to_owned())));
        for (value, message) in [
            ("1:2", "filter for 'publish' should not contain ':': 1:2"),
            (
                "abc",
                "error while looking up for publish abc: strconv.ParseUint: parsing \"abc\": invalid syntax",
            ),
            (
                "90-80",
                "error while looking up for publish 90-80: Invalid range specified for the Port: 90-80",
            ),
            (
                "70000",
                "error while looking up for publish 70000: strconv.ParseUint: parsing \"70000\": value out of range",
            ),
            (
                "",
                "error while looking up for publish : Empty string specified for ports.",
            ),
        ] {
            assert_eq!(read(value).unwrap_err().to_string(), message);
        }
    }
}
