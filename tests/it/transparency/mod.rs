//! Transparency: each call gives the same answer from one engine and through a Flotilla before that engine, or before
//! several of its release.
//!
//! The table is one script that both sides run, each with names of its own, in every API version that the engine has.

mod compare;
mod containers;
mod managers;
mod others;
mod registries;
mod row;
mod swarm;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use row::Row;
use serde_json::Value;

use crate::schemas::Schemas;
use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, Wire};
use crate::support::lab::{Lab, Release, Spec, eventually, skip};

/// How long swarm mode may take to make a task, on a busy machine.
const MADE: Duration = Duration::from_secs(60);

#[test]
fn engine_20_10_answers_the_same_through_flotilla() {
    compare_all(&[Release::V20], &[None, Some(24), Some(41)]);
}

#[test]
fn engine_28_5_answers_the_same_through_flotilla() {
    compare_all(&[Release::V28], &[None, Some(24), Some(41), Some(51)]);
}

#[test]
fn three_engines_of_20_10_answer_as_one_through_flotilla() {
    compare_all(&[Release::V20; 3], &[Some(41)]);
}

#[test]
fn three_engines_of_28_5_answer_as_one_through_flotilla() {
    compare_all(&[Release::V28; 3], &[Some(24), Some(51)]);
}

#[test]
fn engines_of_both_releases_answer_as_one_of_them_through_flotilla() {
    use Release::{V20, V28};
    compare_mixed(&[V20, V28, V28], Some(24));
    compare_mixed(&[V28, V20, V20], Some(41));
}

/// Endpoints whose success has no row, with the reason.
const WITHOUT_SUCCESS: &[(&str, &str)] = &[
    (
        "POST /swarm/init",
        "the table's engines are in a swarm by then",
    ),
    (
        "POST /swarm/join",
        "the table's engines are in a swarm by then",
    ),
    ("POST /swarm/leave", "the rows after it have no manager"),
    ("POST /swarm/unlock", "a swarm is locked by a restart"),
    ("DELETE /nodes/{}", "all nodes of the table are up"),
    (
        "PUT /volumes/{}",
        "cluster volumes need a driver of their own",
    ),
    (
        "GET /containers/{}/checkpoints",
        "engines have them as an experiment",
    ),
    (
        "POST /containers/{}/checkpoints",
        "engines have them as an experiment",
    ),
    (
        "DELETE /containers/{}/checkpoints/{}",
        "engines have them as an experiment",
    ),
    ("GET /images/{}/attestations", "came with API 1.53"),
];

#[test]
fn every_endpoint_that_is_served_has_a_row_that_succeeds() {
    let all = rows().chain(managers::ROWS).chain(registries::ROWS);
    let succeed = all.filter(|row| row.status[0] < 400);
    let tested: BTreeSet<String> = succeed
        .filter_map(|row| {
            let path = row.path.split('?').next().unwrap();
            let path = flotilla::api::endpoint_of(row.method, path)?;
            Some(format!("{} {path}", row.method))
        })
        .collect();
    let served: BTreeSet<String> = flotilla::api::endpoints()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    let excepted = WITHOUT_SUCCESS.iter().map(|(e, _)| (*e).to_owned());
    let excepted: BTreeSet<String> = excepted.collect();
    let untested: Vec<_> = served.difference(&tested).collect();
    assert_eq!(untested, excepted.iter().collect::<Vec<_>>());
    assert!(rows().count() >= 80);
}

/// Returns the whole table.
fn rows() -> impl Iterator<Item = &'static Row> {
    others::ROWS
        .iter()
        .chain(swarm::ROWS)
        .chain(containers::ROWS)
        .chain(others::LAST)
}

/// Runs the table in these API versions, directly against the first of these engines and through Flotilla before all.
fn compare_all(releases: &[Release], versions: &[Option<u16>]) {
    let lab = Lab::start(&Spec::of(releases)).unwrap();
    if let Some(skipped) = lab.skipped() {
        skip(skipped);
        return;
    }
    let flotilla = Flotilla::before(&lab);
    let engine = lab.engines()[0].address();
    let mut differences = Vec::new();
    for version in versions {
        let mut direct = Side::new(&engine, 'd', *version);
        let mut through = Side::new(flotilla.addr(), 'f', *version);
        // What is said of answers is said of these two versions.
        let schemas = version.filter(|minor| [41, 51].contains(minor));
        let schemas = schemas.map(Schemas::of);
        let api = version.unwrap_or(match releases[0] {
            Release::V20 => 41,
            Release::V28 => 51,
        });
        for row in rows().filter(|row| row.since <= api) {
            let (direct, through) = (direct.run(row), through.run(row));
            for (side, answer) in [("engine", &direct), ("flotilla", &through)] {
                let check = |s: &Schemas| s.check(row.method, row.path, answer).err();
                if let Some(why) = schemas.as_ref().and_then(check) {
                    let text = answer.text();
                    let (method, path) = (row.method, row.path);
                    differences.push(format!("{method} {path}: form of {side}: {why}: {text}"));
                }
            }
            let compared = match row.modern && releases[0] == Release::V20 {
                true => compare::own(row, &through),
                false => compare::compare(row, releases.len(), &direct, &through),
            };
            if let Err(what) = compared {
                let version = version.map_or("unversioned".into(), |v| format!("1.{v}"));
                differences.push(format!("{} {} ({version}): {what}", row.method, row.path));
            }
        }
    }
    let count = differences.len();
    assert!(
        differences.is_empty(),
        "{count}:\n{}",
        differences.join("\n")
    );
}

/// Runs the table through Flotilla before engines of both releases, and directly against one of each: every answer is as
/// one of these two gives it.
fn compare_mixed(releases: &[Release], version: Option<u16>) {
    let lab = Lab::start(&Spec::of(releases)).unwrap();
    if let Some(skipped) = lab.skipped() {
        skip(skipped);
        return;
    }
    let flotilla = Flotilla::before(&lab);
    let of = |release: Release| {
        let at = releases.iter().position(|r| *r == release).unwrap();
        lab.engines()[at].address()
    };
    let mut old = Side::new(&of(Release::V20), 'd', version);
    let mut new = Side::new(&of(Release::V28), 'd', version);
    let mut through = Side::new(flotilla.addr(), 'f', version);
    let mut differences = Vec::new();
    for row in rows().filter(|row| version.is_none_or(|minor| row.since <= minor)) {
        let (old, mut new, through) = (old.run(row), new.run(row), through.run(row));
        // All speak the version that the oldest of them has.
        let headers = &mut new.head.headers;
        let own = headers.iter_mut().filter(|(name, _)| name == "Api-Version");
        own.for_each(|(_, api)| *api = "1.41".to_owned());
        let as_old = match row.modern {
            true => compare::own(row, &through),
            false => compare::compare(row, releases.len(), &old, &through),
        };
        let as_new = compare::compare(row, releases.len(), &new, &through);
        if let (Err(old), Err(new)) = (as_old, as_new) {
            let (method, path) = (row.method, row.path);
            differences.push(format!("{method} {path}\nof 20.10: {old}\nof 28.5: {new}"));
        }
    }
    let count = differences.len();
    let differences = differences.join("\n");
    assert!(count == 0, "{count}:\n{differences}");
}

/// Runs rows on one side and then on the other, and panics with all that differs.
fn run_rows(rows: &[Row], engines: usize, direct: &mut Side, through: &mut Side) {
    let run = |side: &mut Side| rows.iter().map(|row| side.run(row)).collect::<Vec<_>>();
    let answers = run(direct).into_iter().zip(run(through));
    let differences: Vec<String> = rows
        .iter()
        .zip(answers)
        .filter_map(|(row, (direct, through))| {
            let what = compare::compare(row, engines, &direct, &through).err()?;
            Some(format!("{} {}: {what}", row.method, row.path))
        })
        .collect();
    let count = differences.len();
    let differences = differences.join("\n");
    assert!(count == 0, "{count}:\n{differences}");
}

/// One of the two ways to the engine, and the names of the objects made over it.
struct Side {
    addr: String,
    prefix: String,
    version: String,
    exec: String,
    began: f64,
    /// The version of the object that was read last.
    index: u64,
    /// What stands for a word in braces in paths and bodies.
    words: Vec<(&'static str, String)>,
    /// What stands for a whole body in braces.
    bodies: Vec<(&'static str, Vec<u8>)>,
}

impl Side {
    /// Makes the side of this letter.
    fn new(addr: &str, letter: char, version: Option<u16>) -> Self {
        Self {
            addr: addr.to_owned(),
            prefix: format!("{letter}{:02}", version.unwrap_or_default()),
            version: version.map_or(String::new(), |minor| format!("/v1.{minor}")),
            exec: String::new(),
            began: seconds(),
            index: 0,
            words: Vec::new(),
            bodies: Vec::new(),
        }
    }

    /// Makes the row's call.
    fn run(&mut self, row: &Row) -> Answer {
        // What is asked for to be kept comes to be by itself.
        let awaited = row.keep && row.method == "GET";
        let kept = |answer: Answer| match Self::kept(&answer) {
            id if id.is_empty() && awaited => Err(answer),
            _ => Ok(answer),
        };
        let answer = eventually(MADE, || kept(self.call(row)));
        let answer = answer.unwrap_or_else(|answer| answer);
        self.remember(row, &answer);
        answer
    }

    /// Makes the row's call once.
    fn call(&self, row: &Row) -> Answer {
        let path = self.filled(&format!("{}{}", self.version, row.path));
        let body = match std::str::from_utf8(row.body) {
            Ok(text) => match self.bodies.iter().find(|(word, _)| *word == text) {
                Some((_, body)) => body.clone(),
                None => self.filled(text).into_bytes(),
            },
            Err(_) => row.body.to_vec(),
        };
        let mut wire = Wire::connect(&self.addr);
        let headers: Vec<String> = row.headers.iter().map(|h| self.filled(h)).collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        wire.request(row.method, &path, &headers, &body);
        let head = wire.head();
        // What the tunnels of builds carry begins at the engine, and ends with the client.
        let tunnel = head.status == 101 && head.header("upgrade") == Some("h2c");
        let body = match tunnel {
            true => Vec::new(),
            false => wire.body(row.method, &head),
        };
        Answer { head, body }
    }

    /// Puts this side's own into a text.
    fn filled(&self, text: &str) -> String {
        let text = text
            .replace('@', &self.prefix)
            .replace("{exec}", &self.exec)
            .replace("{index}", &self.index.to_string())
            .replace("{began}", &format!("{:.6}", self.began))
            .replace("{now}", &format!("{:.6}", seconds()));
        let words = self.words.iter();
        words.fold(text, |text, (word, is)| text.replace(word, is))
    }

    /// Keeps of an answer what the rows after it need.
    fn remember(&mut self, row: &Row, answer: &Answer) {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if let Some(index) = json["Version"]["Index"].as_u64() {
            self.index = index;
        }
        if row.keep {
            self.exec = Self::kept(answer);
        }
    }

    /// Returns the ID of what an answer tells of, or of the first thing that it lists.
    fn kept(answer: &Answer) -> String {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let one = json.get(0).unwrap_or(&json);
        let id = one["Id"].as_str().or_else(|| one["ID"].as_str());
        id.unwrap_or_default().to_owned()
    }
}

/// Returns the time as engines count it.
fn seconds() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs_f64()
}
