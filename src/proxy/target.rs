//! Request targets for engines: one version that the engine speaks, segments encoded so that nothing in them ends a
//! path.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::engine::Engine;

/// What may not stand raw in a path segment; `/` is kept, since engines match names greedily.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'+');

/// Returns `/v1.N` and `path` and `query` for an engine; `api` (minor number) is moved into what the engine speaks.
///
/// An unversioned request would get another default on every engine, so there is always a version.
pub fn versioned(engine: &Engine, api: u16, path: &str, query: &str) -> String {
    let api = spoken(engine, api);
    let path = utf8_percent_encode(path, SEGMENT);
    if query.is_empty() {
        format!("/v1.{api}{path}")
    } else {
        format!("/v1.{api}{path}?{query}")
    }
}

/// Returns the API (minor number) that an engine is asked with for a client of `api`.
pub fn spoken(engine: &Engine, api: u16) -> u16 {
    let facts = &engine.node().facts;
    clamp(api, facts.api_min, facts.api_max)
}

/// Moves a version into an engine's range; an engine that has not told its range gets it as it is.
fn clamp(api: u16, min: u16, max: u16) -> u16 {
    if max == 0 {
        api
    } else {
        api.clamp(min.min(max), max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_move_into_the_engines_range() {
        assert_eq!(clamp(24, 44, 52), 44);
        assert_eq!(clamp(51, 12, 41), 41);
        assert_eq!(clamp(45, 24, 51), 45);
        assert_eq!(clamp(45, 0, 0), 45);
    }
}
