//! In which form events are written: engines let clients of API 1.52 and later choose by `Accept`.

use bytes::Bytes;
use http::{HeaderMap, header};

use crate::model::raw::Object;

/// The first API with a choice, and without the fields of the oldest clients.
const CHOICE: u16 = 52;
/// Fields that the oldest clients read, which say what other fields say too.
const OLDEST: [&str; 3] = ["status", "id", "from"];

/// A form of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/json`, with the oldest fields: before 1.52.
    Json,
    /// `application/jsonl`: what a client of 1.52 gets that wishes for nothing.
    Lines,
    /// `application/x-ndjson`: the same by another name.
    NewlineDelimited,
    /// `application/json-seq` (RFC 7464).
    Sequence,
}

impl Form {
    /// The forms to choose from; the first is the best when a client likes several as much.
    const OFFERS: [Self; 3] = [Self::Lines, Self::NewlineDelimited, Self::Sequence];

    /// Chooses for a client of API 1.`api` by its headers.
    pub(super) fn choose(api: u16, headers: &HeaderMap) -> Self {
        if api < CHOICE {
            return Self::Json;
        }
        let values = headers.get_all(header::ACCEPT).iter();
        let wishes: Vec<(&str, f32)> = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(wish)
            .filter(|(_, quality)| *quality > 0.0)
            .collect();
        // As engines: the higher quality, then the more exact, then the earlier offer.
        let mut best = (Self::Lines, -1.0, 0);
        for offer in Self::OFFERS {
            for (range, quality) in &wishes {
                let exact = match *range {
                    "*/*" => 1,
                    "application/*" => 2,
                    range if range == offer.media_type() => 3,
                    _ => continue,
                };
                if *quality > best.1 || *quality >= best.1 && exact > best.2 {
                    best = (offer, *quality, exact);
                }
            }
        }
        best.0
    }

    /// Returns the value of `Content-Type`.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/jsonl",
            Self::NewlineDelimited => "application/x-ndjson",
            Self::Sequence => "application/json-seq",
        }
    }

    /// Writes one event; each ends with a newline, which classic left out.
    pub(super) fn write(self, json: &Bytes) -> Bytes {
        let mut line = Vec::with_capacity(json.len() + 2);
        if self == Self::Sequence {
            line.push(0x1e);
        }
        match self {
            Self::Json => line.extend_from_slice(json),
            Self::Lines | Self::NewlineDelimited | Self::Sequence => {
                line.extend_from_slice(&without_oldest(json));
            }
        }
        line.push(b'\n');
        line.into()
    }
}

/// Reads one wish: a media range and how much it is liked.
fn wish(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok());
    (range, quality.unwrap_or(1.0))
}

/// Takes the fields of the oldest clients out of an event.
fn without_oldest(json: &Bytes) -> Bytes {
    let text = std::str::from_utf8(json).unwrap_or_default();
    let Ok(mut event) = Object::parse(text) else {
        return json.clone();
    };
    for key in OLDEST {
        event.remove_folded(key);
    }
    event.to_json().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(api: u16, accept: &[&str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        Form::choose(api, &headers).media_type()
    }

    #[test]
    fn clients_choose_from_1_52_on() {
        for (api, accept, expected) in [
            (51, "application/json-seq", "application/json"),
            (52, "", "application/jsonl"),
            (52, "application/json", "application/jsonl"),
            (52, "*/*", "application/jsonl"),
            (52, "application/x-ndjson", "application/x-ndjson"),
            (
                52,
                "application/json-seq, */*;q=0.1",
                "application/json-seq",
            ),
            (
                52,
                "application/*, application/json-seq",
                "application/json-seq",
            ),
            (
                52,
                "application/json-seq;q=0, application/x-ndjson;q=0.2",
                "application/x-ndjson",
            ),
            (
                55,
                "application/x-ndjson;q=0.5,application/json-seq; q=0.6",
                "application/json-seq",
            ),
            (
                55,
                "application/json-seq,application/jsonl",
                "application/jsonl",
            ),
        ] {
            assert_eq!(chosen(api, &[accept]), expected, "{api} {accept}");
        }
        assert_eq!(
            chosen(52, &["text/plain", "application/x-ndjson"]),
            "application/x-ndjson"
        );
        assert_eq!(chosen(52, &[]), "application/jsonl");
    }

    #[test]
    fn the_oldest_fields_go_and_the_rest_stays() {
        let json = Bytes::from_static(br#"{"status":"start","id":"a","from":"x","Type":"container","Actor":{"ID":"a"},"time":1}"#);
        let short = r#"{"Type":"container","Actor":{"ID":"a"},"time":1}"#;
        assert_eq!(Form::Lines.write(&json), format!("{short}\n"));
        assert_eq!(Form::Sequence.write(&json), format!("\u{1e}{short}\n"));
        let whole = std::str::from_utf8(&json).unwrap();
        assert_eq!(Form::Json.write(&json), format!("{whole}\n"));
    }
}
