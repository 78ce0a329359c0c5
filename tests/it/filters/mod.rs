//! Each filter of the four lists, on engines of both versions: what a list finds is what the engines themselves find.

mod containers;
mod images;
mod networks;
mod volumes;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::caller::encoded;
use crate::support::flotilla::Flotilla;
use crate::support::http::call;
use crate::support::lab::{Engine, Lab, Release, Spec, output};

/// Filters, in which `NODE` is each node's name in turn, and the names of what they find on each node, without the
/// node's own and in alphabetical order.
type Row = (&'static str, &'static str);

/// A list that takes filters.
struct List {
    /// Where Flotilla gives it.
    path: &'static str,
    /// Where an engine gives it.
    direct: &'static str,
    /// Says what an entry is called; names begin with their node's, but for those that every node has.
    name: fn(&Value) -> String,
    /// Names of what node1 alone has.
    only_node1: &'static [&'static str],
}

impl List {
    /// Returns the names of what a list shows.
    ///
    /// # Panics
    /// When it is refused.
    fn names(&self, addr: &str, path: &str, filters: &Value) -> BTreeSet<String> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}filters={}", encoded(filters));
        let answer = call(addr, "GET", &path);
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        let list = answer.json();
        let entries = match list.get("Volumes") {
            Some(volumes) => volumes.as_array(),
            None => list.as_array(),
        };
        entries.into_iter().flatten().map(self.name).collect()
    }

    /// Fails unless each row finds on each node, and on all of them together, what it must, which is also what the
    /// engine finds that is asked past Flotilla.
    fn check(&self, lab: &Lab, rows: &[Row]) {
        let flotilla = Flotilla::before(lab);
        for (filters, found) in rows {
            let mut all = BTreeSet::new();
            for engine in lab.engines() {
                let filters = filters_on(filters, engine);
                all.extend(self.check_on(engine, &flotilla, filters, found));
            }
            if !filters.contains("NODE") {
                let filters: Value = serde_json::from_str(filters).unwrap();
                let ours = self.names(flotilla.addr(), self.path, &filters);
                assert_eq!(ours, all, "{filters}: on all nodes");
            }
        }
    }

    /// Does the same for one row on one node, and returns what is found there.
    fn check_on(
        &self,
        engine: &Engine,
        flotilla: &Flotilla,
        mut filters: Value,
        found: &str,
    ) -> BTreeSet<String> {
        let direct = self.names(&engine.address(), self.direct, &filters);
        filters["node"] = json!([engine.name()]);
        let ours = self.names(flotilla.addr(), self.path, &filters);
        assert_eq!(ours, direct, "{filters}: Flotilla, then {}", engine.name());
        let wanted = self.wanted(found, engine);
        assert_eq!(shown(&ours, engine), wanted, "{filters}");
        ours
    }

    /// Checks filters by parts of an object's ID, which no row can know beforehand: `object` is found by them.
    fn check_ids(&self, lab: &Lab, inspect: &str, object: &str) {
        let flotilla = Flotilla::before(lab);
        for engine in lab.engines() {
            let id = docker(engine, &format!("{inspect} -f {{{{.Id}}}} NODE-{object}"));
            for (part, found) in [
                (&*id, object),
                (&id[..12], object),
                (&id[..5], object),
                (&format!("{}{}", &id[1..], &id[..1]), ""),
            ] {
                self.check_on(engine, &flotilla, json!({"id": [part]}), found);
            }
        }
    }

    /// Returns the names that an engine must show.
    fn wanted(&self, found: &str, engine: &Engine) -> String {
        let here = |name: &&str| engine.name() == "node1" || !self.only_node1.contains(name);
        let names: Vec<&str> = found.split_whitespace().filter(here).collect();
        names.join(" ")
    }
}

/// Starts one engine of each version.
fn lab() -> Lab {
    Lab::start(&Spec::of(&[Release::V20, Release::V28])).unwrap()
}

/// Runs the docker CLI on an engine, past Flotilla, with `NODE` replaced, and returns what it says.
fn docker(engine: &Engine, line: &str) -> String {
    let line = line.replace("NODE", engine.name());
    output(engine.docker().args(line.split(' '))).unwrap()
}

fn filters_on(filters: &str, engine: &Engine) -> Value {
    serde_json::from_str(&filters.replace("NODE", engine.name())).unwrap()
}

/// Writes names as rows do.
fn shown(names: &BTreeSet<String>, engine: &Engine) -> String {
    let plain = |name: &String| {
        let own = name.strip_prefix(engine.name());
        own.map_or(name.as_str(), |rest| &rest[1..]).to_owned()
    };
    let names: BTreeSet<String> = names.iter().map(plain).collect();
    names.into_iter().collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
